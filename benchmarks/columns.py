"""Held-out error of each option of the preprocessing, relative to the default, on real tables.

::

    python benchmarks/columns.py                                 # tables that scikit-learn ships
    python benchmarks/columns.py --data FOLDER --rows 8000 --seeds 2

FOLDER holds an INDEX.csv with the columns name, file (parquet), task and target. A table is a sample of ``--rows``
rows, four fifths for training. Two models see each preprocessing: LightGBM (300 trees), and a linear model of
scikit-learn. The error is 1 - ROC AUC for two classes, log loss for more, RMSE for regression. ``relative`` is the
error of the option divided by that of the default, geometric mean over seeds; below 1 the option is better.
``seconds`` is the processor time of preparing, training and predicting.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
from lightgbm import LGBMClassifier, LGBMRegressor
from quality import names, read
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss, roc_auc_score, root_mean_squared_error
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

from automl.table import Target, TargetTransform, Task, TypedColumns, preprocessor

TREES: Mapping[str, Any] = {"numeric": {"scale": "none"}, "categorical": {"encode": "ordinal"}}
DEFAULTS: Mapping[str, Mapping[str, Any]] = {"lightgbm": TREES, "linear": {}}
OPTIONS: dict[str, dict[str, Any]] = {
    "encode: target": {"categorical": {"encode": "target"}},
    "encode: target_count": {"categorical": {"encode": "target_count"}},
    "high_cardinality: target_count": {"categorical": {"high_cardinality": "target_count"}},
    "high_cardinality: string": {"categorical": {"high_cardinality": "string"}},
    "high_cardinality: target_string": {"categorical": {"high_cardinality": "target_string"}},
    "discrete: onehot": {"numeric": {"discrete": "onehot"}},
    "discrete: target": {"numeric": {"discrete": "target"}},
    "scale: robust": {"numeric": {"scale": "robust"}},
    "scale: quantile": {"numeric": {"scale": "quantile"}},
    "scale: squash": {"numeric": {"scale": "squash"}},
    "features: pairs": {"features": "pairs"},
    "target: log": {"target": {"transform": "log"}},
    "target: quantile": {"target": {"transform": "quantile"}},
    "text: tfidf": {"text": {"encode": "tfidf"}},
    "text: svd": {"text": {"encode": "svd", "ngrams": 2}},
    "text: string": {"text": {"encode": "string"}},
}


def merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return a preprocessing with the parameters of both; the second has priority."""
    found: dict[str, Any] = {key: dict(part) for key, part in one.items()}
    for key, part in other.items():
        found[key] = {**found.get(key, {}), **part} if isinstance(part, Mapping) else part
    return found


def applies(option: str, kinds: set[str], most: int, model: str, task: str) -> bool:
    """Return whether an option changes what a model sees of a table."""
    if option.startswith("target"):
        return task == "regression"
    if option.startswith("text"):
        return "text" in kinds
    if option.startswith("encode"):
        return "categorical" in kinds
    if option.startswith("high"):
        return most > 40
    return model == "linear" or not option.startswith("scale")


def error(model: str, prepare: Any, rows: Sequence[Any], task: str, seed: int, transform: str) -> float:
    """Return the held-out error."""
    train, test, y, y_test = rows
    X, X_test = prepare.fit_transform(train, y), prepare.transform(test)
    shown: dict[str, Any] = {"n_jobs": 1, "verbose": -1, "random_state": seed}
    if task == "regression":
        trees = LGBMRegressor(n_estimators=300, learning_rate=0.05, **shown)
        found = trees if model == "lightgbm" else Ridge()
        if transform == "none":
            return float(root_mean_squared_error(y_test, found.fit(X, y).predict(X_test)))
        target = TargetTransform(transform).fit(y)
        predicted = found.fit(X, target.transform(y)).predict(X_test)
        return float(root_mean_squared_error(y_test, target.inverse_transform(predicted)))
    trees = LGBMClassifier(n_estimators=300, learning_rate=0.05, **shown)
    found = (trees if model == "lightgbm" else LogisticRegression(max_iter=300)).fit(X, y)
    probabilities = found.predict_proba(X_test)
    if task == "multiclass":
        return float(log_loss(y_test, probabilities, labels=found.classes_))
    return 1 - float(roc_auc_score(y_test, probabilities[:, 1]))


def measure(data: Path | None, name: str, n_rows: int, seed: int, only: str) -> Iterator[dict[str, Any]]:
    """Yield the error of each model under the default and each option that applies."""
    X, y, task = read(data, name)
    X = X.sample(min(n_rows, len(X)), random_state=seed)
    codes = Target.of(y.loc[X.index], task=cast(Task, task)).values
    few = np.isin(codes, np.flatnonzero(np.bincount(codes) < 8)) if task != "regression" else codes != codes
    X, codes = X[~few], codes[~few]
    columns = TypedColumns(text=True)
    frame, kinds = columns.fit_transform(X), columns.column_types_
    most = max((frame[c].nunique() for c in frame if kinds[str(c)] == "categorical"), default=0)
    stratify = None if task == "regression" else codes
    rows = train_test_split(frame, codes, test_size=0.2, random_state=seed, stratify=stratify)
    for model, default in DEFAULTS.items():
        for option, changes in {"default": {}, **OPTIONS}.items():
            if option != "default" and not (
                only in option and applies(option, set(kinds.values()), most, model, task)
            ):
                continue
            start = time.process_time()
            prepare = preprocessor(merged(default, changes), kinds, task=task, random_state=seed)
            transform = changes.get("target", {}).get("transform", "none")
            found = error(model, prepare, rows, task, seed, transform)
            yield {
                "table": name,
                "model": model,
                "option": option,
                "seed": seed,
                "error": found,
                "seconds": round(time.process_time() - start, 2),
            }


def main() -> None:
    """Measure, and print one table a model: options by tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of tables with an INDEX.csv")
    parser.add_argument("--tables", nargs="*", help="names of tables; all by default")
    parser.add_argument("--rows", type=int, default=5000, help="rows of a table")
    parser.add_argument("--seeds", type=int, default=1, help="number of seeds")
    parser.add_argument("--only", default="", help="options whose name holds this text")
    parser.add_argument("--json", action="store_true", help="print each measurement")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    found = []
    with threadpool_limits(1):
        for name in args.tables or names(args.data):
            for seed in range(args.seeds):
                for row in measure(args.data, name, args.rows, seed, args.only):
                    found.append(row)
                    if args.json:
                        print(json.dumps(row), flush=True)
    if not args.json:
        show(pd.DataFrame(found))


def show(found: pd.DataFrame) -> None:
    """Print relative errors, and the relative processor time."""
    keys = ["table", "model", "seed"]
    default = found[found["option"] == "default"].set_index(keys)
    options = found[found["option"] != "default"].set_index(keys)
    options["relative"] = np.log(options["error"] / default["error"].reindex(options.index))
    options["time"] = np.log(
        options["seconds"].clip(0.01) / default["seconds"].clip(0.01).reindex(options.index)
    )
    for model, of_model in options.groupby("model"):
        table = of_model.pivot_table(index="option", columns="table", values="relative", aggfunc="mean")
        table["mean"] = table.mean(axis=1)
        table["time"] = of_model.groupby("option")["time"].mean()
        with pd.option_context("display.width", 250, "display.max_columns", 40, "display.precision", 3):
            print(f"\n{model}, error relative to the default\n{np.exp(table)}")


if __name__ == "__main__":
    main()
