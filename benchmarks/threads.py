"""Boosting with several threads in one fit, or with fits side by side: seconds of a fit, and whether trees are equal.

::

    python benchmarks/threads.py [--threads 2] [--trees 100]

``together`` is the time of one fit with all threads, per fit. ``side by side`` is the time of as many processes as
threads, each with one thread and a fit of its own, divided by their number. Below 1 in ``ratio`` one fit with all
threads is faster. ``equal`` says whether the predictions of LightGBM are the same, bit for bit, for one thread and
several. Run it on an idle machine: threads that wait for each other on a busy one take many times as long.
"""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ProcessPoolExecutor

import numpy as np
from lightgbm import LGBMRegressor

SHAPES = ((5_000, 20), (20_000, 20), (100_000, 20), (100_000, 60))
REPEATABLE = {"verbose": -1, "deterministic": True, "force_row_wise": True, "random_state": 0}


def fit(n_rows: int, n_columns: int, n_trees: int, n_threads: int) -> tuple[float, np.ndarray]:
    """Return the seconds of a fit and some predictions."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, n_columns)).astype(np.float32)
    y = np.sin(X[:, 0] * X[:, 1]) + X[:, 2] + rng.normal(size=n_rows)
    model = LGBMRegressor(n_estimators=n_trees, num_leaves=64, n_jobs=n_threads, **REPEATABLE)
    start = time.perf_counter()
    model.fit(X, y)
    return time.perf_counter() - start, model.predict(X[:2_000], num_threads=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--trees", type=int, default=100)
    asked = parser.parse_args()
    print(f"{'rows':>8}{'columns':>9}{'together':>10}{'side by side':>14}{'ratio':>7}  equal")
    with ProcessPoolExecutor(asked.threads) as pool:
        list(pool.map(fit, *zip(*[(500, 5, 2, 1)] * asked.threads, strict=True)))  # start the processes
        for n_rows, n_columns in SHAPES:
            together, several = fit(n_rows, n_columns, asked.trees, asked.threads)
            jobs = [(n_rows, n_columns, asked.trees, 1)] * asked.threads
            found = list(pool.map(fit, *zip(*jobs, strict=True)))
            apart = max(seconds for seconds, _ in found) / asked.threads
            equal = np.array_equal(several, found[0][1])
            print(
                f"{n_rows:>8}{n_columns:>9}{together:>10.2f}{apart:>14.2f}{together / apart:>7.2f}  {equal}"
            )


if __name__ == "__main__":
    main()
