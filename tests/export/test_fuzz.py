"""10,000 random changes of model folders: loading works or is refused with an error of ours, within two seconds."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import Pipeline
from sklearn.tree import DecisionTreeClassifier

from automl.errors import AutomlError
from automl.export import load_model, save_model
from automl.table import TypedColumns, preprocessor
from tests.support.mutations import mutate_bytes, mutate_schema
from tests.support.skops_files import SCHEMA, read_members, write_members

pytestmark = pytest.mark.slow  # limits are in processor time

X = pd.DataFrame({"a": np.arange(40.0), "b": list("xyxz") * 10})
SKOPS = "model.skops"


def refused(model: Path, n: int, change: Callable[[], None]) -> int:
    """Change a folder ``n`` times, load it each time, and return how often that was refused."""
    count = 0
    for _ in range(n):
        change()
        started = time.process_time()
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                load_model(model)
        except AutomlError:
            count += 1
        assert time.process_time() - started < 2
    return count


def change_schema(file: Path, rng: np.random.Generator) -> Callable[[], None]:
    """Return a function that writes a skops file with another changed schema."""
    members = read_members(file)

    def change() -> None:
        schema = json.loads(members[SCHEMA])
        mutate_schema(schema, rng)
        write_members(file, {**members, SCHEMA: json.dumps(schema)})

    return change


def change_bytes(file: Path, rng: np.random.Generator) -> Callable[[], None]:
    """Return a function that writes a file with other changed bytes."""
    sound = file.read_bytes()

    def change() -> None:
        file.unlink()
        file.write_bytes(mutate_bytes(sound, rng))

    return change


def save(steps: list[tuple[str, object]], table: pd.DataFrame, folder: Path) -> Path:
    model = Pipeline([*steps, ("model", DecisionTreeClassifier(max_depth=2))])
    return save_model(model.fit(table, np.arange(40) % 2), folder / "model", table, {"task": "binary"})


def test_fuzz_schemas_of_a_search(tmp_path: Path) -> None:
    columns = TypedColumns()
    prepare = preprocessor({}, columns.fit(X).column_types_)
    model = save([("columns", columns), ("prepare", prepare)], X, tmp_path)
    assert refused(model, 1500, change_schema(model / SKOPS, np.random.default_rng(0))) > 400


def test_fuzz_schemas_of_a_small_model(tmp_path: Path) -> None:
    model = save([], X[["a"]], tmp_path)
    assert refused(model, 4500, change_schema(model / SKOPS, np.random.default_rng(1))) > 1500


@pytest.mark.parametrize("name", ["MLmodel", SKOPS])
def test_fuzz_bytes(tmp_path: Path, name: str) -> None:
    model = save([], X[["a"]], tmp_path)
    assert refused(model, 2000, change_bytes(model / name, np.random.default_rng(2))) > 1500
