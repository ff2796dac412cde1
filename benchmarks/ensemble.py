"""Held-out error of the ensemble, relative to the best pipeline of the same search.

::

    python benchmarks/ensemble.py --space quick --n-trials 20 --seeds 3
    python benchmarks/ensemble.py --networks --n-trials 8 --seeds 3
    python benchmarks/ensemble.py --data FOLDER --space tabular --n-trials 20 --seeds 2 --always

Each search trains on three quarters of a table; the error of both models is measured on the last quarter: 1 - ROC AUC
for two classes, log loss for more, RMSE for regression. ``relative`` below 1 means that the ensemble is better; 1 that
the search made none. ``seconds`` is the processor time of the whole search. ``--networks`` compares, for the best
of some networks, the mean of its five fold models (``ensemble``) with one network of all rows (``best``).

``--always`` takes each ensemble that gains anything out of fold. ``gain`` is its gain there in standard errors: a
search takes an ensemble if that is above 0.5. ``--data`` takes at most 6,000 rows of each table of a folder.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from quality import error_of, names, read
from sklearn.datasets import load_digits, make_classification, make_friedman1
from sklearn.model_selection import train_test_split

import automl.select.ensemble
from automl.ensemble import EnsembleClassifier, EnsembleRegressor
from automl.search import Search
from automl.search.refit import fold_models

NETWORKS = {
    "space": {
        "preprocess": {"numeric": {"scale": ["standard", "quantile"]}},
        "model": {
            "choice": {
                "mlp": {
                    "hidden_layer_sizes": [[64], [64, 64]],
                    "learning_rate": {"low": 0.002, "high": 0.02, "log": True},
                    "optimizer": "adam",
                    "max_epochs": [20, 40],
                }
            }
        },
    }
}


def tables() -> Iterator[tuple[str, pd.DataFrame, pd.Series]]:
    """Yield tables of about 2,000 rows: classes of images, a smooth function with noise, clusters with wrong labels."""
    yield "digits", *load_digits(return_X_y=True, as_frame=True)
    X, y = make_friedman1(2000, 10, noise=2.0, random_state=0)
    yield "friedman1", pd.DataFrame(X).add_prefix("f"), pd.Series(y)
    X, y = make_classification(2000, 20, n_informative=8, flip_y=0.1, random_state=0)
    yield "classification", pd.DataFrame(X).add_prefix("f"), pd.Series(y)


def read_tables(folder: Path) -> Iterator[tuple[str, pd.DataFrame, pd.Series]]:
    """Yield at most 6,000 rows of each table of a folder, without classes of fewer than ten rows."""
    for name in names(folder):
        X, y, task = read(folder, name)
        if len(X) > 6000:
            rows = np.random.default_rng(0).permutation(len(X))[:6000]
            X, y = X.iloc[rows], y.iloc[rows]
        if task != "regression":
            kept = y.map(y.value_counts()) >= 10
            X, y = X[kept], y[kept]
        yield name, X, y


def average_folds(search: Search) -> None:
    """Predict with the mean of the best trial's fold models."""
    winner = search._winner
    make = EnsembleRegressor if search.task_ == "regression" else EnsembleClassifier
    models = fold_models(winner.record, winner.plan, winner.facts, 1)
    search.ensemble_ = make.of_fitted(winner.plan.columns, models, [1.0] * len(models))


def measure(
    X: pd.DataFrame, y: pd.Series, space: str, n_trials: int, seed: int, *, networks: bool
) -> dict[str, float]:
    """Return the held-out errors of both models of a search."""
    classes = y if y.nunique() < 20 else None
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=0.25, random_state=seed, stratify=classes
    )
    started = time.process_time()
    settings = {"n_trials": n_trials, "timeout": None, "n_jobs": 1, "progress": False, "random_state": seed}
    if networks:
        search = Search(NETWORKS, cv=5, ensemble=False, **settings).fit(X_train, y_train)
        average_folds(search)
    else:
        search = Search(space, **settings).fit(X_train, y_train)
    seconds = time.process_time() - started
    models = search.best_estimator_, getattr(search, "ensemble_", search.best_estimator_)
    best, ensemble = (error_of(model, X_test, y_test, search.task_)[1] for model in models)
    record = None if networks else search._winner.ensemble.record
    return {
        "best": best,
        "ensemble": ensemble,
        "relative": ensemble / best,
        "members": len(search.ensemble_.members_) if hasattr(search, "ensemble_") else 1,
        "gain": record.gain / record.gain_error if record and record.gain_error else float("nan"),
        "seconds": seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--space", default="quick")
    parser.add_argument("--n-trials", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "--networks", action="store_true", help="compare fold models of networks with a refit"
    )
    parser.add_argument(
        "--data", type=Path, help="a folder of tables with INDEX.csv, in place of three others"
    )
    parser.add_argument("--always", action="store_true", help="take ensembles whose gain may be noise, too")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    if asked.always:
        automl.select.ensemble._NOISE = 0.0
    found = list(tables() if asked.data is None else read_tables(asked.data.resolve()))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.chdir(folder)
        rows = [
            {
                "table": name,
                "seed": seed,
                **measure(X, y, asked.space, asked.n_trials, seed, networks=asked.networks),
            }
            for name, X, y in found
            for seed in range(asked.seeds)
        ]
        os.chdir("/")
    table = pd.DataFrame(rows)
    print(table.to_string(index=False, float_format="%.4g"))
    means = table.groupby("table").relative.apply(lambda ratios: float(np.exp(np.log(ratios).mean())))
    print(means.to_string(float_format="%.3f"))


if __name__ == "__main__":
    main()
