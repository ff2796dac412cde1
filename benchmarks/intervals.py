"""How often the interval of the corrected score contains the score on rows that were kept aside.

Five real tables, 40 random splits of each. In each split 60 candidates of four scikit-learn families are compared by 5
folds on one half of the rows. The best one is trained on that half and scored on the other. Beside it: the interval of
the best fold scores without a correction (mean and standard error over the folds), as a grid search reports them.

::

    python benchmarks/intervals.py [--splits 40]

``bias`` is the mean distance from the held-out score. ``covered`` and ``uncorrected`` are the shares of splits whose
interval contains it.
"""

from __future__ import annotations

import argparse
import warnings

import numpy as np
from palmerpenguins import load_penguins
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_wine
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold, StratifiedKFold, train_test_split
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from automl.metrics import Predictions, metric_for
from automl.select import baseline_predictions, corrected_score

LIMIT = 0.9  # share of splits whose interval contains the held-out score


def tables():
    """Return name, rows, targets and scorer of each table."""
    penguins = load_penguins().dropna()
    numbers = penguins[["bill_length_mm", "bill_depth_mm"]].to_numpy()
    return [
        ("cancer", *load_breast_cancer(return_X_y=True), "roc_auc"),
        ("wine", *load_wine(return_X_y=True), "accuracy"),
        ("iris", *load_iris(return_X_y=True), "accuracy"),
        ("penguins, sex", numbers, (penguins["sex"] == "male").to_numpy().astype(int), "accuracy"),
        ("diabetes", *load_diabetes(return_X_y=True), "neg_root_mean_squared_error"),
    ]


def candidates(classes: bool):
    """Return 60 models: linear models, neighbours, trees and kernel machines."""
    strengths = np.logspace(-3, 3, 15)
    linear = [LogisticRegression(C=c, max_iter=2000) if classes else Ridge(alpha=c) for c in strengths]
    near = [(KNeighborsClassifier if classes else KNeighborsRegressor)(k) for k in range(1, 31, 2)]
    tree = DecisionTreeClassifier if classes else DecisionTreeRegressor
    trees = [tree(min_samples_leaf=n, random_state=0) for n in range(1, 31, 2)]
    kernels = [SVC(C=c) if classes else SVR(C=100 * c) for c in strengths]
    return [make_pipeline(StandardScaler(), model) for model in (*linear, *near, *trees, *kernels)]


def predictions(model, X, n_classes: int) -> Predictions:
    """Return the predictions of a fitted model as a search keeps them."""
    if not n_classes:
        return Predictions(model.predict(X))
    if hasattr(model, "predict_proba"):
        shares = model.predict_proba(X)
        return Predictions(shares.argmax(axis=1), shares)
    return Predictions(model.predict(X), decision=model.decision_function(X))


def joined(parts) -> Predictions:
    """Return predictions of several parts of the rows as one."""
    names = [name for name in ("probabilities", "decision") if getattr(parts[0], name) is not None]
    more = {name: np.concatenate([getattr(one, name) for one in parts]) for name in names}
    return Predictions(np.concatenate([one.values for one in parts]), **more)


def one_split(X, y, scoring: str, seed: int) -> tuple[float, float, float, float, float, float]:
    """Return the held-out score; the corrected score and its interval; the half width and the score without one."""
    n_classes = 0 if y.dtype.kind == "f" else len(np.unique(y))
    metric = metric_for(scoring, {0: "regression", 2: "binary"}.get(n_classes, "multiclass"), n_classes)
    stratify = y if n_classes else None
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=0.5, random_state=seed, stratify=stratify
    )
    splitter = (StratifiedKFold if n_classes else KFold)(5, shuffle=True, random_state=seed)
    folds = list(splitter.split(X_train, y_train))
    trials, scores = [], []
    models = candidates(bool(n_classes))
    for model in models:
        parts = [
            predictions(clone(model).fit(X_train[a], y_train[a]), X_train[b], n_classes) for a, b in folds
        ]
        scores.append([metric(y_train[b], part) for (_, b), part in zip(folds, parts, strict=True)])
        trials.append(joined(parts))
    order = np.argsort(-np.mean(scores, axis=1), kind="stable")
    rows = np.concatenate([b for _, b in folds])
    found = corrected_score(
        metric,
        y_train[rows],
        np.repeat(np.arange(len(folds)), [len(b) for _, b in folds]),
        [trials[i] for i in order],
        baseline_predictions(y_train, folds, n_classes),
        seed=seed,
    )
    best = clone(models[order[0]]).fit(X_train, y_train)
    held_out = metric(y_test, predictions(best, X_test, n_classes))
    half = 1.96 * np.std(scores[order[0]], ddof=1) / np.sqrt(len(folds))
    return held_out, found.score, found.low, found.high, half, found.selected


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--splits", type=int, default=40)
    n_splits = parser.parse_args().splits
    warnings.simplefilter("ignore")
    print(
        f"{'table':16}{'corrected bias':>16}{'best score bias':>17}{'covered':>9}{'uncorrected':>13}{'limit':>7}"
    )
    for name, X, y, scoring in tables():
        rows = np.array([one_split(X, y, scoring, seed) for seed in range(n_splits)])
        truth, score, low, high, half, selected = rows.T
        covered = np.mean((low <= truth) & (truth <= high))
        plain = np.mean(np.abs(truth - selected) <= half)
        bias, best = np.mean(score - truth), np.mean(selected - truth)
        print(f"{name:16}{bias:>+16.4f}{best:>+17.4f}{covered:>9.0%}{plain:>13.0%}{LIMIT:>7.0%}", flush=True)


if __name__ == "__main__":
    main()
