"""How often the interval of the corrected score contains the score on rows that were kept aside.

Five real tables, 40 random splits of each. In each split a search of 30 trials compares pipelines by 5 folds on one
half of the rows; the best one is trained on that half and scored on the other. Beside it: the interval of the best
fold scores without a correction (mean and standard error over the folds), as a grid search reports them.

::

    python benchmarks/intervals.py [--splits 40] [--tables wine iris]

``bias`` is the mean distance from the held-out score. The shares of splits whose interval contains a score:

- ``test set``: `interval(n)` of the held-out rows, and their score. The noise of so few rows belongs to it.
- ``expected``: ``low`` to ``high``, and the mean of the held-out scores over all splits.
- ``low-high``: ``low`` to ``high``, and the held-out score, without the noise of the held-out rows.
- ``uncorrected``: the interval of the fold scores, and the held-out score.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
import warnings

import numpy as np
import pandas as pd
from palmerpenguins import load_penguins
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_wine
from sklearn.metrics import get_scorer
from sklearn.model_selection import train_test_split

import automl

LIMIT = 0.9  # share of splits whose interval contains the held-out score
HEADS = ("corrected bias", "best score bias", "test set", "expected", "low-high", "uncorrected", "seconds")
WIDTHS = (16, 17, 10, 10, 10, 13, 9)


def tables():
    """Return rows, targets and scorer of each table by name."""
    penguins = load_penguins().dropna()
    numbers = penguins[["bill_length_mm", "bill_depth_mm"]]
    return {
        "cancer": (*load_breast_cancer(return_X_y=True, as_frame=True), "roc_auc"),
        "wine": (*load_wine(return_X_y=True, as_frame=True), "accuracy"),
        "iris": (*load_iris(return_X_y=True, as_frame=True), "accuracy"),
        "penguins": (numbers, penguins["sex"], "accuracy"),
        "diabetes": (*load_diabetes(return_X_y=True, as_frame=True), "neg_root_mean_squared_error"),
    }


def one_split(X: pd.DataFrame, y: pd.Series, scoring: str, seed: int) -> list[float]:
    """Return the held-out score, the corrected and the uncorrected score, and the ends of their intervals."""
    stratify = None if scoring.startswith("neg_") else y
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.5, random_state=seed, stratify=stratify)
    search = automl.Search(
        "quick",
        scoring=scoring,
        n_trials=30,
        timeout=None,
        cv=5,
        n_jobs=1,
        refit=False,
        pruner="none",
        progress=False,
        random_state=seed,
    )
    search.fit(X, y)
    best = search.pipeline(search.best_trial_.number).fit(X, y)
    held_out = get_scorer(scoring)(best, X_test, y_test)
    found, scores = search.corrected_score_, search.best_trial_.fold_scores
    half = 1.96 * np.std(scores, ddof=1) / np.sqrt(len(scores))
    plain = np.mean(scores)
    return [
        held_out,
        found.score,
        plain,
        *found.interval(len(y_test)),
        found.low,
        found.high,
        plain - half,
        plain + half,
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--splits", type=int, default=40)
    parser.add_argument("--tables", nargs="*", default=list(tables()), choices=list(tables()))
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    print(
        "table".ljust(10), *(head.rjust(width) for head, width in zip(HEADS, WIDTHS, strict=True)), flush=True
    )
    for name in given.tables:
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            rows = np.array([one_split(*tables()[name], seed) for seed in range(given.splits)])
            os.chdir("/")
        truth, score, best = rows.T[:3]
        inside = [
            np.mean((rows[:, at] <= target) & (target <= rows[:, at + 1]))
            for at, target in ((3, truth), (5, truth.mean()), (5, truth), (7, truth))
        ]
        values = [f"{np.mean(score - truth):+.4f}", f"{np.mean(best - truth):+.4f}"]
        values += [f"{share:.0%}" for share in inside] + [f"{time.monotonic() - started:.0f}"]
        print(
            name.ljust(10),
            *(value.rjust(width) for value, width in zip(values, WIDTHS, strict=True)),
            flush=True,
        )
    print(f"The limit of `test set` is {LIMIT:.0%}.")


if __name__ == "__main__":
    main()
