"""Check a training table and list all faults before any training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from automl.errors import Fault, InputError, TableError, nearest
from automl.table.column_types import REQUESTED, usable_columns
from automl.table.columns import TypedColumns
from automl.table.frames import as_frame, repeated_names
from automl.table.sparse import SparseColumns, SparseTable, as_sparse
from automl.table.splits import default_split
from automl.table.target import Target, as_series, asked_task, class_faults, target_faults
from automl.table.task import Task

__all__ = ["check_table"]

FEWEST_ROWS = 10


def check_table(
    X: Any,
    y: Any,
    *,
    n_folds: int | None = None,
    task: Task | None = None,
    text: bool = False,
    types: Mapping[str, str] | None = None,
) -> tuple[TypedColumns | SparseColumns, pd.DataFrame | SparseTable]:
    """Return the types of a training table's columns and the typed table, or raise one error that lists every fault.

    Parameters
    ----------
    X : DataFrame, or array-like of shape (n, d)
        The raw table.
    y : array-like of shape (n,)
        The target.
    n_folds : int, optional
        Rows a class must have, at least 2; those of `default_split` by default.
    task : {"binary", "multiclass", "regression"}, optional
        As in `Target.of`.
    text : bool
        Whether free text is used.
    types : mapping of str to str, optional
        Types of columns by name, one of `REQUESTED` each; others are inferred.

    Returns
    -------
    TypedColumns or SparseColumns
        Fitted on ``X``; the latter for a large sparse table, see `as_sparse`.
    DataFrame or SparseTable
        The usable columns.

    Raises
    ------
    TableError
        Lists: no columns, repeated names, types of unknown columns, fewer than 10 rows, values that are not plain,
        no usable column; a target with missing or infinite values, a single class, a class with fewer rows than
        folds; X and y of different length.
    """
    faults: list[Fault] = []
    typed: Any = None
    frame = column = None
    large = as_sparse(X)
    columns: Any = TypedColumns(text=text, types=dict(types) if types else None)
    columns = columns if large is None else SparseColumns()
    try:
        column = as_series(y)
    except InputError:
        column = None  # the fault is reported below, after those of X
    try:
        frame = as_frame(X) if large is None else large
        wrong = _table_faults(frame) + _type_faults(frame, types or {})
        if large is not None and not wrong:
            typed = SparseTable(columns.fit_transform(X), large.columns)
        elif not wrong:
            typed = columns.fit_transform(X, column)
            wrong = _unusable(columns)
        faults += wrong
    except TableError as error:
        faults += error.faults
    try:
        column = as_series(y)
        task = asked_task(y, task)
        faults += target_faults(column, task) or _rare_classes(column, n_folds, task)
    except InputError as error:
        faults += error.faults
    if frame is not None and column is not None and len(frame) != len(column):
        faults.append(
            Fault("X and y", "must have the same number of rows", f"{len(frame)} and {len(column)}")
        )
    if faults:
        raise TableError(faults)
    return columns, typed


def _table_faults(frame: Any) -> list[Fault]:
    faults = repeated_names(frame)
    if len(frame) < FEWEST_ROWS:
        faults.append(Fault("X", f"must have at least {FEWEST_ROWS} rows", f"n_samples={len(frame)}"))
    return faults


def _type_faults(frame: Any, types: Mapping[str, str]) -> list[Fault]:
    """Return the faults of the requested types."""
    faults, names = [], list(frame.columns)
    for name, kind in types.items():
        if name not in names:
            faults.append(
                Fault("columns", "must name columns of the table", f'"{name}"', nearest(name, names))
            )
        if kind not in REQUESTED:
            rule = f"must be one of {', '.join(REQUESTED)}"
            faults.append(Fault(f'columns["{name}"]', rule, repr(kind), nearest(str(kind), REQUESTED)))
    return faults


def _unusable(columns: TypedColumns) -> list[Fault]:
    column_types = columns.column_types_
    if usable_columns(column_types, text=columns.text):
        return []
    came = ", ".join(f'"{name}" ({kind})' for name, kind in list(column_types.items())[:10])
    remedy = "Constants, identifiers and free text are left out: give columns that describe the rows"
    remedy += ", or a space with `text: {encode: tfidf}`." if "text" in column_types.values() else "."
    return [Fault("X", "must have a column to learn from", came, remedy)]


def _rare_classes(column: pd.Series, n_folds: int | None, task: Task | None) -> list[Fault]:
    target = Target.of(column, task=task)
    if target.classes is None:
        return []
    n_folds = default_split(len(column)).n_folds if n_folds is None else n_folds
    return class_faults(target.values, target.classes, max(2, n_folds), target.name)
