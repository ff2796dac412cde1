"""What each part of the default search is worth: the held-out error without it, divided by that with all parts.

::

    python benchmarks/ablation.py --n-trials 12 --rows 2000                 # tables that scikit-learn ships
    python benchmarks/ablation.py --data FOLDER --n-trials 12 --rows 2000 --seeds 2
    python benchmarks/ablation.py --data FOLDER --timeout 60 --rows 100000

Above 1, the search is worse without the part; the mean over tables and seeds is geometric. With ``--n-trials`` the
result does not depend on the machine, and shows what a trial is worth; with ``--timeout`` it shows what a second is
worth. The parts:

- ``boosting``: without LightGBM and CatBoost; scikit-learn's gradient boosting remains.
- ``starts``: without initial points; the sampler chooses all trials.
- ``folds``: one holdout of a fifth of the rows, in place of three or five folds.
- ``ensemble``: predictions of the best pipeline alone.
- ``columns``: without target encoding, similar strings, whole numbers as codes, pairs of columns, and transforms of
  the target.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from quality import error_of, names, read
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit, train_test_split

from automl.search import Search
from automl.space import shipped_folder

CODES = {"discrete": "number", "high_cardinality": "same", "features": "none", "transform": "none"}


def shipped() -> dict[str, Any]:
    """Return the default space as a mapping."""
    return dict(yaml.safe_load((shipped_folder() / "tabular.yaml").read_text()))


def without_boosting(space: dict[str, Any]) -> dict[str, Any]:
    """Drop two families and their initial points."""
    dropped = ("lightgbm", "catboost")
    choice = {name: part for name, part in space["space"]["model"]["choice"].items() if name not in dropped}
    starts = [start for start in space["enqueue"] if start["model"] not in dropped]
    return with_choice(space, choice) | {"enqueue": starts}


def without_starts(space: dict[str, Any]) -> dict[str, Any]:
    """Drop the initial points."""
    return {name: part for name, part in space.items() if name != "enqueue"}


def without_columns(space: dict[str, Any]) -> dict[str, Any]:
    """Drop the alternatives for raw columns."""
    starts = [{name: CODES.get(name, value) for name, value in start.items()} for start in space["enqueue"]]
    plain = _plain({name: space[name] for name in ("define", "space")})
    return {**space, **plain, "enqueue": starts}


def with_choice(space: dict[str, Any], choice: dict[str, Any]) -> dict[str, Any]:
    """Return the space with other families."""
    inner = space["space"]
    return {**space, "space": {**inner, "model": {**inner["model"], "choice": choice}}}


def _plain(part: Any) -> Any:
    if not isinstance(part, dict):
        return part
    plain = {name: CODES.get(name, _plain(value)) for name, value in part.items()}
    return {**plain, "encode": "onehot"} if isinstance(part.get("encode"), list) else plain


PARTS: dict[str, tuple[Callable[[dict[str, Any]], dict[str, Any]], dict[str, Any]]] = {
    "all": (lambda space: space, {}),
    "boosting": (without_boosting, {}),
    "starts": (without_starts, {}),
    "folds": (lambda space: space, {}),
    "ensemble": (lambda space: space, {"ensemble": False}),
    "columns": (without_columns, {}),
}


def error(part: str, X: pd.DataFrame, y: pd.Series, task: str, seed: int, settings: dict[str, Any]) -> float:
    """Search without a part, and return the error on the last fifth of the rows."""
    change, more = PARTS[part]
    stratify = None if task == "regression" else y
    if part == "folds":
        split = ShuffleSplit if task == "regression" else StratifiedShuffleSplit
        more = {"cv": split(1, test_size=0.2, random_state=seed)}
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=0.2, random_state=0, stratify=stratify
    )
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            search = Search(change(shipped()), random_state=seed, progress=False, **settings, **more)
            return error_of(search.fit(X_train, y_train), X_test, y_test, task)[1]
        finally:
            os.chdir("/")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--rows", type=int, default=2_000)
    parser.add_argument("--n-trials", type=int)
    parser.add_argument("--timeout", type=float)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    settings = {"n_trials": asked.n_trials, "timeout": asked.timeout}
    warnings.simplefilter("ignore")
    data = None if asked.data is None else asked.data.resolve()
    found: list[dict[str, Any]] = []
    print(f"{'table':22}{'seed':>5}{'error':>12}", *(f"{part:>10}" for part in list(PARTS)[1:]), flush=True)
    for name in asked.only or names(data):
        X, y, task = read(data, name)
        if len(X) > asked.rows:
            kept = X.sample(asked.rows, random_state=0).index
            X, y = X.loc[kept], y.loc[kept]
        if task != "regression":
            frequent = y.map(y.value_counts()).astype(int) >= 10
            X, y = X[frequent], y[frequent]
        for seed in range(asked.seeds):
            errors = {part: error(part, X, y, task, seed, settings) for part in PARTS}
            ratios = {part: one / errors["all"] for part, one in errors.items() if part != "all"}
            found.append({"table": name, "seed": seed, "error": errors["all"], **ratios})
            print(
                f"{name:22}{seed:>5}{errors['all']:>12.5g}",
                *(f"{one:>10.3f}" for one in ratios.values()),
                flush=True,
            )
    frame = pd.DataFrame(found)
    logs = np.log(frame[list(PARTS)[1:]])
    deviation = logs.std() / np.sqrt(len(logs))
    print(f"{'mean':39}", *(f"{one:>10.3f}" for one in np.exp(logs.mean())))
    print(f"{'standard error':39}", *(f"{one:>10.3f}" for one in deviation))
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
