"""Held-out score of the default search on real tables, beside other tools' scores.

::

    python benchmarks/quality.py --timeout 60                           # tables that scikit-learn ships
    python benchmarks/quality.py --data FOLDER --peers FILE --curve     # tables of a folder, and peers on them

FOLDER holds an INDEX.csv with the columns name, file (parquet), task and target. FILE is a CSV with the columns
dataset, tool and score. Each search runs in its own process and folder on four fifths of the rows (split with seed 0,
stratified for classification, at most 100,000 rows in total); the score is that of the last fifth: ROC AUC for two
classes, log loss for more, RMSE for regression. A gradient boosting of scikit-learn with default settings runs on the
same rows as a peer of the same run.

``score`` is that of the model that the search predicts with: the ensemble, or the best pipeline; ``pipeline`` and
``ensemble`` give the error of each, divided by its error. ``error`` is 1 - AUC, log loss or RMSE. ``relative`` divides
it by the smallest error of all tools on that table; its mean over tables is geometric. ``rank`` is 1 for the best tool
of a table. ``limit`` is what ``seconds`` may be: the timeout and 3 s, or 5 % of it. ``--curve`` runs one search for
each shorter timeout, and prints the error after each, divided by that of the longest.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import log_loss, roc_auc_score, root_mean_squared_error
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

MAX_ROWS = 100_000
CURVE = (10.0, 20.0, 30.0, 45.0)
SHIPPED = {
    "breast_cancer": load_breast_cancer,
    "wine": load_wine,
    "digits": load_digits,
    "diabetes": load_diabetes,
}
SHIPPED_TASKS = {
    "breast_cancer": "binary",
    "wine": "multiclass",
    "digits": "multiclass",
    "diabetes": "regression",
}


def names(data: Path | None) -> list[str]:
    """Return the names of the tables."""
    return list(SHIPPED) if data is None else pd.read_csv(data / "INDEX.csv")["name"].tolist()


def read(data: Path | None, name: str) -> tuple[pd.DataFrame, pd.Series, str]:
    """Return a table, its target and its task."""
    if data is None:
        X, y = SHIPPED[name](return_X_y=True, as_frame=True)
        return X, y, SHIPPED_TASKS[name]
    row = pd.read_csv(data / "INDEX.csv").set_index("name").loc[name]
    table = pd.read_parquet(data / row["file"])
    if len(table) > MAX_ROWS:
        table = table.sample(MAX_ROWS, random_state=0)
    y = table.pop(row["target"])
    return table, y, row["task"]


def error_of(model: Any, X: pd.DataFrame, y: pd.Series, task: str) -> tuple[float, float]:
    """Return the held-out score in its own unit and the error, which is smaller for a better model."""
    if task == "regression":
        score = float(root_mean_squared_error(y, model.predict(X)))
        return score, score
    probabilities = model.predict_proba(X)
    if task == "multiclass":
        score = float(log_loss(y, probabilities, labels=model.classes_))
        return score, score
    score = float(roc_auc_score(y == model.classes_[1], probabilities[:, 1]))
    return score, 1 - score


def boosting(X: pd.DataFrame, y: pd.Series, task: str) -> Any:
    """Fit scikit-learn's gradient boosting with default settings."""
    encode = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    kind = HistGradientBoostingRegressor if task == "regression" else HistGradientBoostingClassifier
    strings = make_column_selector(dtype_exclude="number")
    columns = make_column_transformer((encode, strings), remainder="passthrough")
    return make_pipeline(columns, kind(random_state=0)).fit(X, y)


def measure(
    data: Path | None, name: str, timeout: float, seed: int, space: str, n_jobs: int | None
) -> dict[str, Any]:
    """Search one table in this process."""
    import automl

    warnings.simplefilter("ignore")
    X, y, task = read(data, name)
    rows = train_test_split(X, y, test_size=0.2, random_state=0, stratify=None if task == "regression" else y)
    X_train, X_test, y_train, y_test = rows
    search = automl.Search(space, timeout=timeout, n_jobs=n_jobs, random_state=seed, progress=False)
    start = time.perf_counter()
    search.fit(X_train, y_train)
    seconds = time.perf_counter() - start
    score, error = error_of(search, X_test, y_test, task)
    ensemble = getattr(search, "ensemble_", None)
    models = {"pipeline": search.best_estimator_} | ({} if ensemble is None else {"ensemble": ensemble})
    parts = {name: error_of(model, X_test, y_test, task) for name, model in models.items()}
    kilobytes = sum(
        resource.getrusage(of).ru_maxrss for of in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    peer_score, peer_error = error_of(boosting(X_train, y_train, task), X_test, y_test, task)
    return {
        "table": name, "task": task, "timeout": timeout, "seed": seed, "score": score, "error": error,
        "seconds": round(seconds, 1), "limit": timeout + max(3.0, 0.05 * timeout), "memory_mb": kilobytes // 1024,
        "trials": int(search.leaderboard_.trial.count()), "winner": search.best_trial_.family,
        "parts": {name: {"score": one, "error": its} for name, (one, its) in parts.items()},
        "peers": {"histgb": {"score": peer_score, "error": peer_error}},
    }  # fmt: skip


def in_process(asked: argparse.Namespace, name: str, timeout: float) -> dict[str, Any]:
    """Search one table in a new process and an empty folder."""
    words = [
        sys.executable,
        str(Path(__file__).resolve()),
        "--one",
        "--only",
        name,
        "--timeout",
        str(timeout),
    ]
    words += ["--seed", str(asked.seed), "--space", asked.space]
    words += [] if asked.data is None else ["--data", str(asked.data.resolve())]
    words += [] if asked.n_jobs is None else ["--n-jobs", str(asked.n_jobs)]
    with tempfile.TemporaryDirectory() as folder:
        ran = subprocess.run(words, cwd=folder, capture_output=True, text=True)
    if ran.returncode:
        reason = (ran.stderr.strip().splitlines() or ["no output"])[-1]
        return {"table": name, "timeout": timeout, "seed": asked.seed, "failed": reason}
    row: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return row


def peers_of(file: Path | None) -> dict[str, dict[str, float]]:
    """Return the peers' scores: table -> tool -> score."""
    if file is None:
        return {}
    table = pd.read_csv(file).dropna(subset=["score"])
    return {
        name: dict(zip(some["tool"], some["score"], strict=True)) for name, some in table.groupby("dataset")
    }


def compare(row: dict[str, Any], recorded: dict[str, float]) -> dict[str, float]:
    """Return the error of each tool on one table, ours among them."""
    errors = {"automl": row["error"], "histgb": row["peers"]["histgb"]["error"]}
    for tool, score in recorded.items():
        errors.setdefault(tool, 1 - score if row["task"] == "binary" else score)
    return errors


def searches(asked: argparse.Namespace) -> Iterator[dict[str, Any]]:
    timeouts = [*(one for one in CURVE if asked.curve and one < asked.timeout), asked.timeout]
    for name in asked.only or names(asked.data):
        for timeout in timeouts:
            yield in_process(asked, name, timeout)


def summary(compared: dict[str, dict[str, float]]) -> pd.DataFrame:
    """Return rank, relative error and wins of each tool, over the tables that all tools have."""
    errors = pd.DataFrame(compared).T.dropna(axis=1)
    relative = errors.div(errors.min(axis=1), axis=0)
    ahead = {tool: int((errors["automl"] < errors[tool]).sum()) for tool in errors}
    return pd.DataFrame(
        {
            "mean rank": errors.rank(axis=1).mean(),
            "relative error": np.exp(np.log(relative).mean()),
            "automl ahead on": pd.Series(ahead),
            "of": len(errors),
        }
    ).sort_values("mean rank")


def curve(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Return for each timeout the error relative to that of the longest, by table and as geometric mean."""
    errors = pd.DataFrame(rows).pivot_table(index="table", columns="timeout", values="error")
    relative = errors.div(errors[errors.columns.max()], axis=0)
    relative.loc["mean"] = np.exp(np.log(relative).mean())
    return relative.round(3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--timeout", type=float, default=60)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--space", default="tabular")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--n-jobs", type=int)
    parser.add_argument("--curve", action="store_true", help="also search with shorter timeouts")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        print(
            json.dumps(
                measure(asked.data, asked.only[0], asked.timeout, asked.seed, asked.space, asked.n_jobs)
            )
        )
        return
    recorded, compared = peers_of(asked.peers), {}
    rows: list[dict[str, Any]] = []
    if not asked.json:
        print(
            f"{'table':20}{'timeout':>8}{'score':>11}{'seconds':>9}{'limit':>7}{'MB':>7}{'trials':>8}  rank, peers"
        )
    for row in searches(asked):
        if "failed" in row:
            print(
                json.dumps(row)
                if asked.json
                else f"{row['table']:20}{row['timeout']:>8.0f}  failed: {row['failed']}"
            )
            continue
        errors = compare(row, recorded.get(row["table"], {}))
        rank = int(pd.Series(errors).rank()["automl"])
        if asked.curve:
            rows.append(row)
        if row["timeout"] == asked.timeout:
            compared[row["table"]] = errors
        if asked.json:
            print(json.dumps({**row, "errors": errors, "rank": rank}), flush=True)
            continue
        beside = "  ".join(
            f"{tool} {error / row['error']:.3f}" for tool, error in errors.items() if tool != "automl"
        )
        own = "  ".join(f"{part} {one['error'] / row['error']:.3f}" for part, one in row["parts"].items())
        print(
            f"{row['table']:20}{row['timeout']:>8.0f}{row['score']:>11.5g}{row['seconds']:>9.1f}{row['limit']:>7.1f}"
            f"{row['memory_mb']:>7}{row['trials']:>8}  {rank} of {len(errors)}  {row['winner']}; {own}; {beside}",
            flush=True,
        )
    if rows and not asked.json:
        print(f"\n(relative: the error divided by that of the longest time)\n\n{curve(rows).to_string()}")
    if compared and not asked.json:
        print(f"\n(peers: their error divided by ours)\n\n{summary(compared).round(3).to_string()}")


if __name__ == "__main__":
    main()
