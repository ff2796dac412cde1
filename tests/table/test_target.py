from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from automl.errors import TableError
from automl.table import Target


@pytest.mark.parametrize(
    ("y", "task", "classes"),
    [
        (["no", "yes"] * 2, "binary", ["no", "yes"]),
        (["b", "a", "c"], "multiclass", ["a", "b", "c"]),
        ([True, False], "binary", [False, True]),
        (pd.Categorical([3, 1, 2]), "multiclass", [1, 2, 3]),
        (pd.array([2, 1], dtype="Int64"), "binary", [1, 2]),
        (pd.Series(["x", "y"], dtype="string"), "binary", ["x", "y"]),
        (pd.Series([True, False], dtype="boolean"), "binary", [False, True]),
        (np.array([[1.0], [0.0]]), "binary", [0.0, 1.0]),
        ([1, 2, 3] * 10, "multiclass", [1, 2, 3]),
        ([1, 2, 3] * 9, "regression", None),
        (list(range(21)) * 20, "regression", None),
        ([0.5, 1.0] * 50, "regression", None),
    ],
)
def test_target_encodes_and_decodes(y, task, classes):
    target = Target.of(y)
    assert target.task == task
    assert (None if target.classes is None else target.classes.tolist()) == classes
    plain = np.asarray(y).ravel().tolist()
    assert target.decode(target.values).tolist() == plain
    assert np.array_equal(target.encode(y), target.values)
    assert target.values.dtype == (np.float64 if classes is None else np.int64)


def test_target_of_explicit_task():
    y = pd.Series([1, 2, 3] * 10, name="stars")
    target = Target.of(y, task="regression")
    assert (target.task, target.name, target.classes) == ("regression", "stars", None)
    assert Target.of([1, 2, 3] * 9, task="multiclass", name="n").classes.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("y", "task", "says"),
    [
        ([None, "a", "b", None], None, "2 of 4 rows without"),
        ([np.inf, 1.0, 2.5], None, "1 of 3 values infinite"),
        (["a", "a"], None, "one class only, 'a'"),
        ([2, 2, 2], "regression", "one value only, 2"),
        (["a", 1, "b"], None, "int, str"),
        (["a", "b"], "regression", "must be numbers"),
        ([1, 2, 3], "binary", "3 classes"),
        ([], None, "must have values"),
        (np.zeros((4, 2)), None, "must be one column"),
        (None, None, "must be one column"),
        (pd.date_range("2020", periods=3), None, "must be numbers, texts"),
        (pd.Series([{}, {}]), None, "must hold plain values"),
    ],
)
def test_target_refuses_bad_values(y, task, says):
    with pytest.raises(TableError, match=says):
        Target.of(y, task=task)


def test_encode_accepts_single_classes():
    assert Target.of([1.5, 2.0]).encode([7.0, 7.0]).tolist() == [7.0, 7.0]
    assert Target.of(["a", "b"]).encode(["b"]).tolist() == [1]
    with pytest.raises(TableError, match="got 'c'"):
        Target.of(["a", "b"]).encode(["a", "c"])
    with pytest.raises(TableError, match="must be numbers"):
        Target.of([1.5, 2.0]).encode(["a"])


@pytest.mark.parametrize("zone", [None, "UTC"])
def test_target_refuses_dates(zone):
    dates = pd.Series(pd.date_range("2020-01-01", periods=30, tz=zone))
    with pytest.raises(TableError):
        Target.of(dates)


@pytest.mark.parametrize("n_bad", [0, 1, 4, 60])
def test_known_takes_the_numbers_of_a_block_whatever_else_is_in_it(n_bad):
    target = Target.of(pd.Series([1.5, 2.0] * 20), task="regression")
    block = pd.Series([*(f"{i}.5" for i in range(100 - n_bad)), *["many"] * n_bad], dtype=object)
    rows, values = target.known(block)
    assert rows.tolist() == list(range(100 - n_bad))
    assert values.tolist() == [i + 0.5 for i in range(100 - n_bad)]
    rows, _ = target.known(pd.Series([True, "1.5", None], dtype=object))
    assert rows.tolist() == [1]
