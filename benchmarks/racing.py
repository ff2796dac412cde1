"""Folds trained in turn, with trials pruned between them, against all folds side by side.

::

    python benchmarks/racing.py --timeout 30
    python benchmarks/racing.py --data FOLDER --only phoneme credit_g --seeds 3

``median`` prunes at rungs and trains the folds of a trial side by side. ``racing``, the default, has the same rule at
rungs and trains the folds of one trial in turn: it stops once its mean score so far is below the lowest fold score of
the best trial (Bergman et al. 2024). Both search the same rows with the same seed at the same time, with one job each,
so that other work on the machine slows both.

``trials`` have a score; ``raced`` were pruned between folds. ``error`` is 1 - ROC AUC, log loss or RMSE on a fifth of
the rows, kept aside; ``ratio`` is the error of ``median`` divided by that of ``racing``: above 1 racing is better.
``one`` is the same ratio for the best pipeline alone, without the ensemble. Tables with a holdout have no second fold
and are left out.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import warnings
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from quality import error_of, names, read
from sklearn.model_selection import train_test_split

from automl.search import Search
from automl.study import read_records
from automl.table import default_split

PRUNERS = ("median", "racing")


class Outcome(NamedTuple):
    """What a search found."""

    trials: int
    raced: int
    error: float
    error_of_best: float


def searched(rows: tuple[pd.DataFrame, ...], task: str, timeout: float, seed: int, pruner: str) -> Outcome:
    """Search with a pruner and return the outcome; ``rows`` are X, X_test, y, y_test."""
    warnings.simplefilter("ignore")
    X, X_test, y, y_test = rows
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            search = Search(timeout=timeout, n_jobs=1, pruner=pruner, random_state=seed, progress=False)
            search.fit(X, y)
            records = read_records(search.study_)
        finally:
            os.chdir("/")
    scored = [record for record in records if record.score is not None]
    raced = sum(record.state == "pruned" and record.folds_left > 0 for record in scored)
    errors = [error_of(model, X_test, y_test, task)[1] for model in (search, search.best_estimator_)]
    return Outcome(len(scored), raced, *errors)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--timeout", type=float, default=30.0)
    parser.add_argument("--seeds", type=int, default=1)
    asked = parser.parse_args()
    data = None if asked.data is None else asked.data.resolve()
    warnings.simplefilter("ignore")
    print(f"{'table':22}{'seed':>5}{'trials':>15}{'raced':>7}{'error':>21}{'ratio':>8}{'one':>8}")
    ratios = []
    for name in asked.only or names(data):
        X, y, task = read(data, name)
        stratify = None if task == "regression" else y
        rows = train_test_split(X, y, test_size=0.2, random_state=0, stratify=stratify)
        if default_split(len(rows[0]), X.shape[1], asked.timeout).n_folds == 1:
            continue
        for seed in range(asked.seeds):
            with ProcessPoolExecutor(len(PRUNERS), get_context("spawn")) as pool:
                old, new = pool.map(partial(searched, rows, task, asked.timeout, seed), PRUNERS)
            ratios.append((old.error / new.error, old.error_of_best / new.error_of_best))
            print(
                f"{name:22}{seed:>5}{f'{old.trials} -> {new.trials}':>15}{new.raced:>7}"
                f"{f'{old.error:.4f} -> {new.error:.4f}':>21}{ratios[-1][0]:>8.3f}{ratios[-1][1]:>8.3f}",
                flush=True,
            )
    logs = np.log(ratios)
    means, errors = np.exp(logs.mean(axis=0)), logs.std(axis=0) / np.sqrt(len(logs))
    print(
        f"geometric mean {means[0]:.3f} +- {errors[0]:.3f}, best pipeline {means[1]:.3f} +- {errors[1]:.3f}"
    )


if __name__ == "__main__":
    main()
