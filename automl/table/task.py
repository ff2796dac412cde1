"""Infer the task of a target, with the reason."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from automl.table.column_types import few_others
from automl.table.converters import RawColumn

__all__ = ["Inferred", "Kind", "Task", "TaskHint", "infer_task", "numbers_of"]

Task = Literal["binary", "multiclass", "regression"]
Kind = Literal["classification", "regression"]

MOST_INTEGER_CLASSES = 20
ROWS_A_CLASS = 10


class TaskHint(NamedTuple):
    """The task that a scorer or a space implies for a numeric target."""

    kind: Kind
    reason: str


class Inferred(NamedTuple):
    """A task and its reason."""

    task: Task
    reason: str


def infer_task(column: pd.Series, task: Task | None = None, hint: TaskHint | None = None) -> Inferred:
    """Return the task of a target, with the reason.

    Parameters
    ----------
    column : Series of shape (n,)
        The target, none missing, from `as_series`.
    task : {"binary", "multiclass", "regression"}, optional
        The requested task.
    hint : TaskHint, optional
        The kind of target that the scorer or the space needs. It decides for numbers, unless they have fractions and
        many values.

    Examples
    --------
    >>> infer_task(pd.Series([3, 4, 5] * 10))
    Inferred(task='multiclass', reason="3 distinct whole numbers; say task='regression' otherwise")
    >>> infer_task(pd.Series([3, 4, 5] * 10), hint=TaskHint("regression", "scoring r2 is for numbers"))
    Inferred(task='regression', reason='scoring r2 is for numbers')
    """
    if task is not None:
        return Inferred(task, f"task={task!r} was given")
    known = column.nunique()
    classes: Task = "binary" if known == 2 else "multiclass"
    numbers = numbers_of(column)
    if numbers is None:
        return Inferred(classes, "truth values" if column.dtype == bool else f"{known} labels")
    whole = bool((numbers[~np.isnan(numbers)] % 1 == 0).all())
    few = known <= MOST_INTEGER_CLASSES and len(column) >= ROWS_A_CLASS * known
    if hint is not None and (hint.kind == "regression" or whole or few):
        return Inferred("regression" if hint.kind == "regression" else classes, hint.reason)
    as_classes = whole and (few or known == 2)
    other = "regression" if as_classes else classes
    what = "distinct whole numbers" if whole else "distinct numbers with fractions"
    reason = f"{known} {what}; say task={other!r} otherwise"
    return Inferred(classes if as_classes else "regression", reason)


def numbers_of(column: pd.Series) -> np.ndarray | None:
    """Return the numbers of a target as float64; None if it holds booleans or texts that are no numbers.

    Texts such as "12" and decimals are numbers; NaN replaces texts that mean "missing", and a few others.

    Examples
    --------
    >>> numbers_of(pd.Series(["1.5", "2"]))
    array([1.5, 2. ])
    >>> numbers_of(pd.Series(["1.5", "many"]))
    """
    if column.dtype.kind in "iuf":
        return column.to_numpy(dtype=float)
    if column.dtype.kind != "O" or any(isinstance(value, bool) for value in column):
        return None
    try:
        raw = RawColumn(column.astype(object))
        found = raw.found_numbers(".")  # may have decimal commas
        few = found is not None and few_others(raw.texts, found.values, found.other)
        numbers, other = raw.numbers(found.decimal if found else ".", strict=few)
    except TypeError:  # lists or other containers
        return None
    return None if (other is not None and not few) or np.isnan(numbers).all() else np.asarray(numbers)
