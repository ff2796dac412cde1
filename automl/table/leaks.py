"""The target among the columns: refuse or report it before training."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from automl.errors import Fault, TableError
from automl.table.frames import quoted
from automl.table.target import Target

__all__ = ["check_leaks"]

FEW_ROWS = 20  # with fewer rows a column may equal the target by chance
SAMPLE = 1000  # rows that are compared before all of them


def check_leaks(frame: pd.DataFrame, column_types: Mapping[str, str], target: Target, name: Any) -> None:
    """Refuse a column with the target's name, and warn of columns that are the target in other words.

    Parameters
    ----------
    frame : DataFrame of shape (n, p)
        The typed columns.
    column_types : mapping of str to str
        The type of each column of the table.
    target : Target
        The encoded target.
    name : object
        The name of the target as given; None without one.

    Raises
    ------
    TableError
        If a used column has the name of the target.

    Warns
    -----
    UserWarning
        If a column is a one-to-one function of the target: equal, 1 and 0 for yes and no, or, for numbers, in the same
        order with the same ties.
    """
    if name is not None and str(name) in frame.columns:
        rule, remedy = (
            "must not be among the columns",
            f'Give fit(X.drop(columns="{name}"), y), or fit(X, "{name}").',
        )
        raise TableError(Fault(f'target "{name}"', rule, "a column of the same name", remedy))
    if len(frame) < FEW_ROWS:
        return
    test = _in_same_order if target.task == "regression" else _one_to_one
    some = np.linspace(0, len(frame) - 1, min(SAMPLE, len(frame))).astype(int)
    found = []
    alike = np.argsort(target.values, kind="stable")[:2]  # two rows of one class
    for name, column in frame.items():
        if column_types[str(name)] == "text":
            continue
        values = column.array.codes if isinstance(column.array, pd.Categorical) else column.to_numpy()
        if (
            target.task != "regression"
            and values[alike[0]] != values[alike[1]]
            and not pd.isna(values[alike[0]])
        ):
            continue  # two rows of one class differ
        if test(values[some], target.values[some]) and test(values, target.values):
            found.append(str(name))
    if found:
        what = "is" if len(found) == 1 else "are"
        warnings.warn(
            f'The target "{target.name}" is among the columns in other words: {quoted(found)} {what} a one-to-one '
            f"function of it. If new rows will not have it, leave it out: "
            f'columns={{"{found[0]}": "drop"}}.',
            stacklevel=4,
        )


def _one_to_one(values: np.ndarray, codes: np.ndarray) -> bool:
    """Return whether each class has one value, and each value one class."""
    n_classes = len(np.unique(codes))
    places, known = pd.factorize(values, use_na_sentinel=False)
    if len(known) != n_classes or n_classes < 2:
        return False
    return len(np.unique(places * (int(codes.max()) + 1) + codes)) == n_classes


def _in_same_order(values: np.ndarray, numbers: np.ndarray) -> bool:
    """Return whether sorted by the target the column rises or falls exactly where the target rises."""
    if values.dtype.kind not in "fiuM" or pd.isna(values).any():
        return False
    order = np.argsort(numbers, kind="stable")
    steps, rises = np.diff(values[order].astype(float)), np.diff(numbers[order]) > 0
    if not rises.any():
        return False
    return bool(
        ((steps > 0) == rises).all()
        and (steps >= 0).all()
        or ((steps < 0) == rises).all()
        and (steps <= 0).all()
    )
