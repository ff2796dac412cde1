"""Whether ``fit`` returns in time: tables of 500 to 300,000 rows, timeouts of 10 to 60 s (or those asked for).

``python benchmarks/timeout.py`` prints a table, ``--json`` one object a line, ``--cells`` takes other tables. Every
search is the first one of a separate process in an empty folder, so its time includes the creation of MLflow's store.
``fit`` is its wall time, ``limit`` the timeout plus 3 s, or plus 5 %. ``busy`` is the share of ``n_jobs`` times the
timeout that was spent in training, the refits at the end included. ``score`` is the held-out score of the result on a
fifth of the rows, ROC AUC or R2, and ``linear`` that of a plain logistic or ridge regression on the same rows, with its
``seconds``. The tables are made up: half of the columns are numbers, half categories.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

ROWS = (500, 20_000, 300_000)
TIMEOUTS = (10.0, 20.0, 60.0)
TASKS = ("binary", "regression")
CELLS = [
    *((n_rows, n_columns, timeout) for n_rows, n_columns in ((500, 20), (5_000, 20), (50_000, 20), (500, 3_000))
      for timeout in (5.0, 10.0, 20.0, 60.0)),
    (500, 8_000, 15.0),
    (500, 8_000, 40.0),
    (2_000, 10_000, 40.0),
    (1_000_000, 50, 60.0),
]  # fmt: skip


def table(n_rows: int, task: str, n_columns: int = 20) -> tuple[pd.DataFrame, pd.Series]:
    """Return numbers and categories, and a target that depends on some of each."""
    rng = np.random.default_rng(0)
    half = n_columns // 2
    numbers = rng.normal(size=(n_rows, half))
    codes = rng.integers(0, 8, size=(n_rows, half))
    signal = numbers[:, 0] * numbers[:, 1] + numbers[:, 2] + 0.3 * (codes[:, 0] % 3)
    y = signal + rng.normal(scale=0.5, size=n_rows)
    X = pd.DataFrame(numbers, columns=[f"x{i}" for i in range(half)])
    for i in range(half):
        X[f"c{i}"] = np.array(list("abcdefgh"))[codes[:, i]]
    return X, pd.Series(y if task == "regression" else y > 0, name="y")


def plain_linear(
    X: pd.DataFrame, y: pd.Series, X_test: pd.DataFrame, y_test: pd.Series, task: str
) -> tuple[float, float]:
    """Return the held-out score of a plain logistic or ridge regression, and the seconds of its fit."""
    start = time.perf_counter()
    numbers = make_column_selector(dtype_include="number")
    texts = make_column_selector(dtype_exclude="number")
    columns = make_column_transformer(
        (StandardScaler(), numbers), (OneHotEncoder(handle_unknown="ignore"), texts)
    )
    model = make_pipeline(columns, Ridge() if task == "regression" else LogisticRegression()).fit(X, y)
    return score(model, X_test, y_test, task), time.perf_counter() - start


def score(model: Any, X: pd.DataFrame, y: pd.Series, task: str) -> float:
    """Return R2 or ROC AUC."""
    if task == "regression":
        return float(r2_score(y, model.predict(X)))
    return float(roc_auc_score(y, model.predict_proba(X)[:, 1]))


def one(
    n_rows: int, timeout: float, task: str, space: str, n_jobs: int | None, n_columns: int
) -> dict[str, Any]:
    """Search once, in this process."""
    import automl

    warnings.simplefilter("ignore")
    X, y = table(n_rows, task, n_columns)
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.2, random_state=0)
    linear, linear_seconds = plain_linear(X, y, X_test, y_test, task)
    search = automl.Search(space, timeout=timeout, n_jobs=n_jobs, progress=False)
    began = time.perf_counter()
    try:
        search.fit(X, y)
        took = time.perf_counter() - began
        trials, family = int(search.leaderboard_.trial.count()), search.best_trial_.family
        from mlflow import MlflowClient  # not before: `fit` would not have to import it

        metrics = MlflowClient("sqlite:///mlruns/mlflow.db").get_run(search.run_id_).data.metrics
        busy = metrics["training_seconds"] + metrics.get("refit_core_seconds", 0.0)
        busy /= timeout * (n_jobs or int(joblib.cpu_count()))
        reached = score(search, X_test, y_test, task)
    except automl.AutomlError as error:
        took = time.perf_counter() - began
        trials, family, busy, reached = 0, str(error).splitlines()[0], 0.0, float("nan")
    limit = timeout + max(3.0, 0.05 * timeout)
    return {
        "rows": n_rows, "task": task, "space": space, "timeout": timeout, "fit": round(took, 2), "limit": limit,
        "in time": took <= limit, "trials": trials, "busy": round(busy, 2), "score": round(reached, 4),
        "linear": round(linear, 4), "seconds": round(linear_seconds, 2), "columns": n_columns, "winner": family,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", nargs="+", type=int, default=ROWS)
    parser.add_argument("--timeout", nargs="+", type=float, default=TIMEOUTS)
    parser.add_argument("--task", nargs="+", choices=TASKS, default=TASKS[:1])
    parser.add_argument("--columns", type=int, default=20)
    parser.add_argument(
        "--cells", action="store_true", help="short searches, and small, wide and large tables"
    )
    parser.add_argument("--space", default="tabular")
    parser.add_argument("--n-jobs", type=int, default=None)
    parser.add_argument("--json", action="store_true", help="one object a line")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)  # in a process of its own
    asked = parser.parse_args()
    grid = [(n_rows, asked.columns, timeout) for n_rows in asked.rows for timeout in asked.timeout]
    if asked.one:
        ((n_rows, n_columns, timeout),) = grid
        print(json.dumps(one(n_rows, timeout, asked.task[0], asked.space, asked.n_jobs, n_columns)))
        return
    rows = []
    for n_rows, n_columns, timeout in CELLS if asked.cells else grid:
        for task in asked.task:
            rows.append(in_a_process(n_rows, timeout, task, n_columns, asked))
            show(rows[-1], as_json=asked.json, first=len(rows) == 1)
    late = sum(not row["in time"] for row in rows)
    behind = sum(not row["score"] >= row["linear"] for row in rows)
    if not asked.json:
        print(f"\nof {len(rows)}: {late} late, {behind} behind the plain linear model")


def in_a_process(
    n_rows: int, timeout: float, task: str, n_columns: int, asked: argparse.Namespace
) -> dict[str, Any]:
    options = {"rows": n_rows, "timeout": timeout, "task": task, "space": asked.space, "columns": n_columns}
    words = [str(word) for name, value in options.items() for word in (f"--{name}", value)]
    words += [] if asked.n_jobs is None else ["--n-jobs", str(asked.n_jobs)]
    with tempfile.TemporaryDirectory() as folder:
        script = [sys.executable, str(Path(__file__).resolve()), "--one", *words]
        ran = subprocess.run(script, cwd=folder, capture_output=True, text=True, check=True)
    row: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return row


def show(row: dict[str, Any], *, as_json: bool, first: bool) -> None:
    if as_json:
        print(json.dumps(row), flush=True)
        return
    if first:
        print(" ".join(f"{name:>10}" for name in row))
    print(" ".join(f"{value!s:>10}" for value in row.values()), flush=True)


if __name__ == "__main__":
    main()
