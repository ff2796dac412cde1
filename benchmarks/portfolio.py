"""Choose the initial points of a space, and their order, by measurement on real tables.

::

    python benchmarks/portfolio.py --cache results.json                                # tables of scikit-learn
    python benchmarks/portfolio.py --cache results.json --data FOLDER --rows 4000

FOLDER holds an INDEX.csv with the columns name, file (parquet), task and target. Each candidate below trains once on
each table, on one thread: three quarters of at most ``--rows`` rows, with the last quarter for early stopping and for
the validation error, and at most 4,000 other rows for the held-out error. The error is 1 - ROC AUC for two classes, log
loss for more, RMSE for regression. Results are kept in the file ``--cache``; candidates in it are not trained again,
so a new candidate costs only its own time.

A search is simulated from these results: candidates run one after the other, and the one with the lowest validation
error so far is used. Its regret is the logarithm of its held-out error divided by the lowest of all candidates, at most
log 2, mean over several moments. The order is built greedily. ``left out`` is the regret of the order built without a
table, on that table, beside the mean of random orders.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from quality import names, read
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

from automl.families import FAMILIES, Fold, Problem, prepared_problem
from automl.metrics import metric_for
from automl.table import TypedColumns, preprocessor

MOMENTS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, np.inf)  # processor seconds
TEST_ROWS = 4_000
MEMBERS = 14
MOST = float(np.log(2))  # of a regret: a table whose errors are tiny counts no more than others
TREES: dict[str, Any] = {
    "numeric": {"impute": "none", "scale": "none"},
    "categorical": {"encode": "native"},
    "datetime": {"encode": "calendar"},
}
CODES = TREES | {"categorical": {"encode": "ordinal"}}
STRINGS = TREES | {"categorical": {"encode": "native", "high_cardinality": "target_string"}}
DISCRETE = STRINGS | {"numeric": {"impute": "none", "scale": "none", "discrete": "target"}}
PAIRS = STRINGS | {"features": {"pairs": {"max_numeric": 100, "max_categorical": 20}}}
LINEAR = {"numeric": {"scale": "robust"}, "categorical": {"encode": "onehot", "high_cardinality": "target"}}
SQUASH = LINEAR | {"numeric": {"scale": "squash"}}
_XT = {"extra_trees": True}
_LGB = {
    "r66": {**_XT, "learning_rate": 0.03, "num_leaves": 24, "colsample_bytree": 0.8, "min_child_samples": 2},
    "r60": {"learning_rate": 0.082, "num_leaves": 67, "colsample_bytree": 0.66, "min_child_samples": 5},
    "class": {"learning_rate": 0.04, "num_leaves": 50, "min_child_samples": 40, "subsample": 0.75},
    "regression": {"learning_rate": 0.05, "num_leaves": 100, "min_child_samples": 3, "subsample": 0.7},
    "r36": {**_XT, "learning_rate": 0.03, "num_leaves": 95, "colsample_bytree": 0.9, "min_child_samples": 26},
    "r63": {
        **_XT,
        "learning_rate": 0.027,
        "num_leaves": 108,
        "colsample_bytree": 0.89,
        "min_child_samples": 13,
    },
    "r120": {
        **_XT,
        "learning_rate": 0.04,
        "num_leaves": 5,
        "colsample_bytree": 0.73,
        "min_child_samples": 12,
        "subsample": 0.85,
    },
    "default": {"learning_rate": 0.1, "num_leaves": 31, "min_child_samples": 20},
    "calm": {"colsample_bytree": 0.8, "min_child_samples": 1, "min_child_weight": 1},  # rare classes
}
_CAT = {
    "r89": {
        "depth": 6,
        "learning_rate": 0.087,
        "l2_leaf_reg": 1.74,
        "one_hot_max_size": 15,
        "border_count": 128,
    },
    "r137": {
        "depth": 4,
        "learning_rate": 0.05,
        "l2_leaf_reg": 4.56,
        "one_hot_max_size": 15,
        "border_count": 128,
    },
    "depth8": {
        "depth": 8,
        "learning_rate": 0.08,
        "l2_leaf_reg": 3.0,
        "one_hot_max_size": 15,
        "border_count": 128,
    },
}
STOPPED_EARLY = ("lightgbm", "catboost", "xgboost")
TRAINED_WHOLE = ("extra_trees", "random_forest", "quick_linear")
_NET = {"optimizer": "adam", "schedule": "cosine"}
CANDIDATES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    **{f"lightgbm {name}": ("lightgbm", TREES, {"subsample_freq": 1, **params}) for name, params in _LGB.items()},
    "lightgbm r66, codes": ("lightgbm", CODES, _LGB["r66"]),
    "lightgbm r66, strings": ("lightgbm", STRINGS, _LGB["r66"]),
    "lightgbm r66, discrete": ("lightgbm", DISCRETE, _LGB["r66"]),
    "lightgbm r66, pairs": ("lightgbm", PAIRS, _LGB["r66"]),
    "lightgbm 64 leaves, discrete": ("lightgbm", DISCRETE, _LGB["r66"] | {"learning_rate": 0.06, "num_leaves": 64}),
    **{f"catboost {name}": ("catboost", TREES, params) for name, params in _CAT.items()},
    "catboost r89, ctr 2": ("catboost", TREES, {**_CAT["r89"], "max_ctr_complexity": 2}),
    "xgboost": (
        "xgboost",
        CODES,
        {"learning_rate": 0.08, "max_depth": 6, "min_child_weight": 0.01, "reg_lambda": 1, "subsample": 0.65},
    ),
    "hist_gradient_boosting": (
        "hist_gradient_boosting",
        TREES,
        {"learning_rate": 0.08, "max_leaf_nodes": 24, "min_samples_leaf": 5, "max_features": 0.7},
    ),
    "extra_trees": ("extra_trees", CODES, {"n_estimators": 200, "max_features": 0.5, "min_samples_leaf": 2}),
    "extra_trees, leaves of 1": ("extra_trees", CODES, {"n_estimators": 200, "max_features": 0.75}),
    "random_forest": ("random_forest", CODES, {"n_estimators": 200, "max_features": 0.5, "min_samples_leaf": 2}),
    "linear": ("linear", LINEAR, {**_NET, "learning_rate": 0.01, "batch_size": 128, "max_epochs": 50}),
    "linear, pairs": (
        "linear",
        SQUASH
        | {"numeric": {"scale": "squash", "discrete": "target"}, "features": PAIRS["features"]},
        {**_NET, "learning_rate": 0.01, "batch_size": 128, "max_epochs": 50},
    ),
    "mlp 64": ("mlp", LINEAR, {**_NET, "learning_rate": 0.003, "batch_size": 128, "max_epochs": 60}),
    "mlp 128-64": (
        "mlp",
        SQUASH,
        {**_NET, "learning_rate": 0.003, "batch_size": 128, "max_epochs": 60, "hidden_layer_sizes": (128, 64)},
    ),
    "mlp 128-128, mish": (
        "mlp",
        LINEAR | {"numeric": {"scale": "squash", "discrete": "onehot"}},
        {
            "optimizer": {"adam": {"beta2": 0.95}},
            "schedule": "cosine_log",
            "learning_rate": 0.005,
            "batch_size": 128,
            "max_epochs": 60,
            "hidden_layer_sizes": (128, 128),
            "activation": "mish",
            "input_layer": "scale",
            "dropout": 0.3,
            "l2": 1e-7,
        },
    ),
    "quick_linear": ("quick_linear", {"numeric": {"impute": "mean", "scale": "none"}}, {"l2": 1}),
}  # fmt: skip


class Table:
    """Typed rows of a table: training, validation, and test rows."""

    def __init__(self, data: Path | None, name: str, n_rows: int) -> None:
        X, y, self.task = read(data, name)
        if self.task != "regression":
            y = y.astype(str)
            frequent = y.map(y.value_counts()) >= 0.005 * len(y)  # the sample must hold every class
            X, y = X[frequent], y[frequent]
        X, y = X.reset_index(drop=True), y.reset_index(drop=True)
        stratify = None if self.task == "regression" else y
        test = min(TEST_ROWS, len(X) // 5)
        known, self.test = train_test_split(
            np.arange(len(X)), test_size=test, random_state=0, stratify=stratify
        )
        known = np.random.default_rng(0).permutation(known)[:n_rows]
        self.train, self.valid = train_test_split(
            known, test_size=0.25, random_state=0, stratify=None if stratify is None else y[known]
        )
        columns = TypedColumns().fit(X.loc[known])
        self.types, self.frame = columns.column_types_, columns.transform(X)
        if self.task == "regression":
            self.y = y.to_numpy(dtype=float)
            self.problem = Problem(self.task, least=float(self.y.min()))
        else:
            classes, self.y = np.unique(y, return_inverse=True)
            self.problem = Problem(self.task, len(classes))

    def evaluate(self, candidate: str) -> dict[str, float]:
        """Train a candidate and return its processor seconds, validation error and held-out error."""
        name, preprocess, params = CANDIDATES[candidate]
        family = FAMILIES[name]
        if reason := family.incompatibility(params, self.problem):
            raise ValueError(reason)
        metric = metric_for(None, self.task, self.problem.n_classes)
        start = time.process_time()
        prepare = preprocessor(preprocess, self.types, task=self.task)
        y = self.y[self.train]
        X = prepare.fit_transform(self.frame.iloc[self.train], y)
        others = [prepare.transform(self.frame.iloc[rows]) for rows in (self.valid, self.test)]
        problem = prepared_problem(family, self.problem, preprocess, self.types)
        fold = Fold(X, y, (0, 0), X_valid=others[0], y_valid=self.y[self.valid])
        trainer = family.trainer([params], [0], problem, fold)
        trainer.advance(family.last_rung(params, 1), lambda: False)
        seconds = time.process_time() - start
        errors = []
        for rows, matrix in zip((self.valid, self.test), others, strict=True):
            (predictions,) = trainer.predict(matrix)
            score = metric(self.y[rows], predictions)
            errors.append(1 - score if self.task == "binary" else -score)
        return {"seconds": seconds, "valid": errors[0], "test": errors[1]}


def measure(asked: argparse.Namespace) -> dict[str, dict[str, dict[str, float]]]:
    """Return table -> candidate -> result, from the cache as far as it has them."""
    found: dict[str, Any] = json.loads(asked.cache.read_text()) if asked.cache.exists() else {}
    for name in asked.only or names(asked.data):
        results = found.setdefault(name, {})
        missing = [candidate for candidate in CANDIDATES if candidate not in results]
        table = Table(asked.data, name, asked.rows) if missing else None
        for candidate in missing:
            assert table is not None
            with warnings.catch_warnings(), threadpool_limits(1), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                results[candidate] = table.evaluate(candidate)
            one = results[candidate]
            print(
                f"{name:20}{candidate:26}{one['seconds']:>8.2f} s{one['valid']:>12.5g}{one['test']:>12.5g}",
                flush=True,
            )
            asked.cache.write_text(json.dumps(found, indent=1))
    return {name: results for name, results in found.items() if results.keys() >= CANDIDATES.keys()}


def regrets(results: dict[str, dict[str, float]], order: Sequence[str]) -> list[float]:
    """Return the regret at each moment of a search that tries candidates in an order."""
    lowest = min(one["test"] for one in results.values())
    current = max(results.values(), key=lambda one: one["test"])[
        "test"
    ]  # before the first candidate has ended
    best, spent, at = np.inf, 0.0, []
    rest = list(order)
    for moment in MOMENTS:
        while rest and spent + results[rest[0]]["seconds"] <= moment:
            one = results[rest.pop(0)]
            spent += one["seconds"]
            if one["valid"] < best:
                best, current = one["valid"], one["test"]
        at.append(min(float(np.log(current / lowest)), MOST))
    return at


def regret(tables: dict[str, dict[str, dict[str, float]]], order: Sequence[str]) -> float:
    """Return the mean regret over tables and moments."""
    return float(np.mean([regrets(results, order) for results in tables.values()]))


def chosen(tables: dict[str, dict[str, dict[str, float]]], n: int = MEMBERS) -> list[str]:
    """Return candidates in the greedy order; of equal ones the candidate with the lowest error goes first."""
    error = {
        name: np.mean([np.log(results[name]["test"]) for results in tables.values()]) for name in CANDIDATES
    }
    order: list[str] = []
    while len(order) < min(n, len(CANDIDATES)):
        left = [name for name in CANDIDATES if name not in order]
        order.append(min(left, key=lambda name: (round(regret(tables, [*order, name]), 5), error[name])))
    return order


def flattery(results: dict[str, dict[str, float]]) -> float:
    """Return by how much the validation error of boosting flatters more than that of families without early stopping.

    It is the held-out error divided by the validation error, in logarithms: the mean of boosting, minus the mean of
    the others on the same rows.
    """
    own, others = (
        np.mean(
            [np.log(one["test"] / one["valid"]) for name, one in results.items() if name.startswith(families)]
        )
        for families in (STOPPED_EARLY, TRAINED_WHOLE)
    )
    return float(own - others)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--rows", type=int, default=4_000)
    parser.add_argument("--cache", type=Path, default=Path("portfolio.json"))
    parser.add_argument("--only", nargs="*", default=[])
    asked = parser.parse_args()
    tables = measure(asked)
    errors = pd.DataFrame(
        {name: {one: of["test"] for one, of in got.items()} for name, got in tables.items()}
    )
    seconds = pd.DataFrame(
        {name: {one: of["seconds"] for one, of in got.items()} for name, got in tables.items()}
    )
    relative = errors / errors.min()
    summary = {
        "relative error": np.exp(np.log(relative).mean(axis=1)),
        "mean rank": errors.rank().mean(axis=1),
        "median s": seconds.median(axis=1),
    }
    print(f"\n{pd.DataFrame(summary).sort_values('relative error').round(3).to_string()}\n")
    order = chosen(tables)
    for n in range(1, len(order) + 1):
        print(f"{n:3} {order[n - 1]:26} regret {regret(tables, order[:n]):.4f}")
    rng = np.random.default_rng(0)
    random = [rng.permutation(list(CANDIDATES))[:MEMBERS].tolist() for _ in range(30)]
    print(f"\n{'left out':20}{'chosen':>8}{'random':>8}")
    left_out = []
    for name, results in tables.items() if len(tables) > 1 else ():
        others = {other: got for other, got in tables.items() if other != name}
        mine = regret({name: results}, chosen(others))
        left_out.append((mine, float(np.mean([regret({name: results}, one) for one in random]))))
        print(f"{name:20}{left_out[-1][0]:>8.4f}{left_out[-1][1]:>8.4f}")
    if left_out:
        mean = np.mean(left_out, axis=0)
        print(f"{'mean':20}{mean[0]:>8.4f}{mean[1]:>8.4f}")
    found = np.exp([flattery(results) for results in tables.values()])
    print("\nheld-out error / validation error, boosting relative to families without early stopping:")
    print("  ".join(f"{name} {one:.2f}" for name, one in zip(tables, found, strict=True)))
    print(f"median {np.median(found):.2f}")


if __name__ == "__main__":
    main()
