"""Any table in memory as a pandas DataFrame."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from automl.errors import Fault, TableError, nearest

__all__ = ["DENSE_BYTES", "as_frame", "has_names", "quoted", "repeated_names", "split_target", "unique_names"]

MAX_DENSE_BYTES = 2**31
DENSE_BYTES = 2**28  # of dense numbers, above which a sparse table stays sparse


def as_frame(X: Any) -> pd.DataFrame:
    """Return a DataFrame with string column names; columns of an array are ``x0``, ``x1``, ....

    Parameters
    ----------
    X : DataFrame, polars DataFrame, pyarrow Table, list of dict, sparse matrix, or array-like of shape (n, d)
        The table. Any object with ``__arrow_c_stream__`` or ``to_pandas`` keeps its names.

    Raises
    ------
    TableError
        If it is not two-dimensional, has no columns, or is a sparse matrix of more than 2 GB of numbers.

    Examples
    --------
    >>> as_frame([{"size": 1.5, "town": "Bern"}, {"size": 2.0}])["town"].tolist()
    ['Bern', nan]
    """
    named = _named_frame(X)
    frame = (
        _array_frame(X) if named is None else named.set_axis([str(name) for name in named.columns], axis=1)
    )
    if frame.shape[1] == 0:
        came = f"0 feature(s) (shape={frame.shape}) while a minimum of 1 is required"  # scikit-learn's words
        raise TableError(Fault("X", "must have at least one column", came))
    return frame


def has_names(X: Any) -> bool:
    """Return whether a table names its columns; an array and a DataFrame with columns 0, 1, ... do not."""
    if isinstance(X, pd.DataFrame):
        return not (isinstance(X.columns, pd.RangeIndex) and X.columns.equals(pd.RangeIndex(X.shape[1])))
    return _is_named(X)


def split_target(X: Any, y: Any) -> tuple[Any, Any]:
    """Return the other columns and the target if ``y`` is the name of a column of ``X``; else both unchanged.

    Raises
    ------
    TableError
        If there is no such column.
    """
    if not isinstance(y, str):
        return X, y
    frame = as_frame(X)
    if y not in frame.columns:
        rule, remedy = "the target must be a column of the table", nearest(y, list(frame.columns))
        raise TableError([*repeated_names(frame), Fault("y", rule, f'"{y}"', remedy)])
    return frame.drop(columns=y), frame[y]


def repeated_names(frame: pd.DataFrame) -> list[Fault]:
    """Return a fault if column names repeat."""
    repeated = list(dict.fromkeys(frame.columns[frame.columns.duplicated()]))
    if not repeated:
        return []
    return [Fault("X", "every column name must occur once", f"{quoted(repeated)} repeated", "Rename them.")]


def unique_names(names: Iterable[str]) -> np.ndarray:
    """Return names of prepared columns, where a repeated one has a number added.

    Examples
    --------
    >>> unique_names(["a_b_c", "a_b_c", "a_b_c_2"]).tolist()
    ['a_b_c', 'a_b_c_3', 'a_b_c_2']
    """
    given = list(names)
    taken, unique = set(given), []
    seen: set[str] = set()
    for name in given:
        found, number = name, 2
        while found in seen or (found != name and found in taken):
            found, number = f"{name}_{number}", number + 1
        seen.add(found)
        unique.append(found)
    return np.array(unique, dtype=object)


def quoted(names: list[str], most: int = 5) -> str:
    """Return names for a message, at most ``most`` of them."""
    shown = ", ".join(f'"{name}"' for name in names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def _is_named(X: Any) -> bool:
    if isinstance(X, pd.Series):
        return False
    tabular = any(hasattr(X, name) for name in ("__arrow_c_stream__", "to_pandas", "collect")) or _is_records(
        X
    )
    return tabular or getattr(getattr(X, "dtype", None), "names", None) is not None


def _is_records(X: Any) -> bool:
    return isinstance(X, list) and len(X) > 0 and all(isinstance(row, Mapping) for row in X)


def _named_frame(X: Any) -> pd.DataFrame | None:
    """Return a table that names its columns as a DataFrame; None for other objects."""
    if isinstance(X, pd.DataFrame):
        return X
    if not _is_named(X):
        return None
    if hasattr(X, "collect"):
        X = X.collect()  # polars.LazyFrame
    if hasattr(X, "__arrow_c_stream__"):
        return _from_arrow(X)
    return pd.DataFrame(X.to_pandas() if hasattr(X, "to_pandas") else X)


def _from_arrow(X: Any) -> pd.DataFrame | None:
    import pyarrow

    try:
        table = pyarrow.table(X)
    except pyarrow.ArrowInvalid:  # one column
        return None
    columns = [
        column.cast(pyarrow.float64()) if pyarrow.types.is_decimal(column.type) else column
        for column in table.columns
    ]
    names = [str(i) for i in range(len(columns))]  # pandas would drop one of two equal names
    frame: pd.DataFrame = pyarrow.table(columns, names=names).to_pandas(date_as_object=False)
    return frame.set_axis(table.column_names, axis=1)


def _array_frame(X: Any) -> pd.DataFrame:
    if hasattr(X, "toarray"):  # a sparse matrix
        needed = int(np.prod(X.shape)) * 8
        if needed > MAX_DENSE_BYTES:
            rule = f"a sparse matrix must fit in {MAX_DENSE_BYTES >> 30} GB as dense numbers"
            remedy = "Reduce its columns, e.g. with sklearn.decomposition.TruncatedSVD."
            raise TableError(
                Fault("X", rule, f"{X.shape[0]:,} x {X.shape[1]:,}, {needed / 1e9:.1f} GB", remedy)
            )
        X = X.toarray()
    array = np.asarray(X)
    if array.ndim != 2:
        came = f"{type(X).__name__} with {array.ndim} axes"
        remedy = "Reshape your data to a 2-d array, or give a DataFrame."
        raise TableError(Fault("X", "must be a table of rows and columns", came, remedy))
    return pd.DataFrame(array, columns=[f"x{i}" for i in range(array.shape[1])], copy=False)
