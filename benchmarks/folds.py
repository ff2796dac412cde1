"""Fewer folds where a wide table has little time, against folds by the number of rows alone.

::

    python benchmarks/folds.py [--seeds 2]
    python benchmarks/folds.py --shapes 4000x1000 --timeouts 20

A search chooses 5 folds up to 5,000 rows, 3 up to 30,000 and a holdout above, and fewer where all folds together have
too many cells for the time. The rule before it looked at rows alone. Both search the same synthetic table with two
classes, a tenth of whose columns matter. ``error`` is one minus ROC AUC on other rows; ``ratio`` is the error with
folds by rows, divided by that with folds by cells: above 1 the present rule is better.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import warnings

import numpy as np
import pandas as pd
from sklearn.datasets import make_classification
from sklearn.metrics import roc_auc_score

from automl.search import Search
from automl.table import default_split

SHAPES = ("1000x1000", "4000x1000", "20000x200")
TEST_ROWS = 5_000


def table(n_rows: int, n_columns: int, seed: int) -> tuple[pd.DataFrame, pd.Series]:
    """Return a table of two classes, with rows for the test at its end."""
    X, y = make_classification(
        n_rows + TEST_ROWS,
        n_columns,
        n_informative=n_columns // 10,
        n_redundant=0,
        n_clusters_per_class=4,
        class_sep=0.7,
        random_state=seed,
    )
    return pd.DataFrame(X.astype(np.float32)).add_prefix("x"), pd.Series(y, name="y")


def searched(X: pd.DataFrame, y: pd.Series, cv: int | None, timeout: float, seed: int) -> tuple[float, int]:
    """Return the error on the last rows and the number of complete trials."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            search = Search(timeout=timeout, cv=cv, random_state=seed, progress=False)
            search.fit(X[:-TEST_ROWS], y[:-TEST_ROWS])
        finally:
            os.chdir("/")
    probability = search.predict_proba(X[-TEST_ROWS:])[:, 1]
    complete = int((search.leaderboard_["state"] == "complete").sum())
    return 1 - float(roc_auc_score(y[-TEST_ROWS:], probability)), complete


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shapes", nargs="*", default=SHAPES)
    parser.add_argument("--timeouts", nargs="*", type=float, default=(20.0, 60.0))
    parser.add_argument("--seeds", type=int, default=1)
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    print(f"{'table':12}{'time':>6}{'seed':>5}{'rule':>7}{'folds':>7}{'trials':>8}{'error':>9}{'ratio':>8}")
    logs = []
    for shape in asked.shapes:
        n_rows, n_columns = map(int, shape.split("x"))
        for timeout in asked.timeouts:
            by_cells = default_split(n_rows, n_columns, timeout).n_folds
            by_rows = default_split(n_rows).n_folds
            if by_cells == by_rows:
                print(f"{shape:12}{timeout:>6.0f}{'':5}{'both':>7}{by_rows:>7}")
                continue
            for seed in range(asked.seeds):
                X, y = table(n_rows, n_columns, seed)
                errors = []
                for rule, cv in (("rows", by_rows), ("cells", None)):
                    error, complete = searched(X, y, cv, timeout, seed)
                    errors.append(error)
                    ratio = f"{errors[0] / errors[1]:>8.3f}" if cv is None else ""
                    folds = by_cells if cv is None else cv
                    row = f"{shape:12}{timeout:>6.0f}{seed:>5}{rule:>7}{folds:>7}{complete:>8}{error:>9.4f}"
                    print(row + ratio, flush=True)
                logs.append(float(np.log(errors[0] / errors[1])))
    if logs:
        print(f"geometric mean of the ratios {np.exp(np.mean(logs)):.3f} over {len(logs)} pairs")


if __name__ == "__main__":
    main()
