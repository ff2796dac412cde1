"""Convert the raw values of a column to one type.

Every converter returns the values and a few examples of values it could not convert.
Texts, objects and categories are converted once for each distinct value.
"""

from __future__ import annotations

import datetime
import decimal
from typing import Any

import numpy as np
import pandas as pd

from automl.table.formats import ISO, bad_examples, parse_dates, parse_numbers

__all__ = [
    "TRUTH",
    "as_booleans",
    "as_dates",
    "as_labels",
    "as_numbers",
    "as_texts",
    "dense",
    "distinct_texts",
]

Converted = tuple[np.ndarray, list[str]]

TRUTH = {
    **dict.fromkeys(("true", "t", "yes", "y", "on", "1"), 1.0),
    **dict.fromkeys(("false", "f", "no", "n", "off", "0"), 0.0),
}


DAY_NUMBER = "%Y%m%d"  # dates such as 20200615, on request only


def label(cell: Any) -> str:
    """Return the text of a value, equal for 20, 20.0 and " 20"."""
    if isinstance(cell, str):
        return cell.strip()
    if isinstance(cell, datetime.date):
        return cell.isoformat()
    if isinstance(cell, bool | np.bool_):
        return str(bool(cell))
    if isinstance(cell, float | np.floating | decimal.Decimal) and float(cell).is_integer():
        return str(int(cell))
    return str(cell)


def distinct_texts(column: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Return each row's code, shape (n,), -1 where missing, and the text of each code.

    Raises
    ------
    TypeError
        If values are lists, mappings or other containers.
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes, cells = column.cat.codes.to_numpy(), column.cat.categories
    else:
        codes, cells = pd.factorize(column)
    if isinstance(cells.dtype, pd.StringDtype):
        return codes, cells.str.strip().to_numpy(dtype=object)
    return codes, np.array([label(cell) for cell in cells], dtype=object)


def dense(column: pd.Series) -> pd.Series:
    """Return a column without pandas' sparse dtype, and objects with their inferred dtype."""
    if isinstance(column.dtype, pd.SparseDtype):
        cells: Any = column.array
        return pd.Series(cells.to_dense(), index=column.index, name=column.name)
    return column.infer_objects() if column.dtype == object else column


def expand(codes: np.ndarray, values: np.ndarray, missing: Any) -> np.ndarray:
    """Return the value of each row's code, ``missing`` where the code is -1."""
    table = np.empty(len(values) + 1, dtype=values.dtype)
    table[:-1], table[-1] = values, missing
    rows: np.ndarray = table[codes]
    return rows


def as_numbers(column: pd.Series, decimal: str = ".") -> Converted:
    """Return float64, NaN where missing or infinite; durations in seconds, booleans as 0 and 1.

    ``decimal`` is the decimal sign of texts.
    """
    column = dense(column)
    dtype = column.dtype
    bad: list[str] = []
    if pd.api.types.is_timedelta64_dtype(dtype):
        values = column.dt.total_seconds().to_numpy(dtype=float)
    elif dtype == np.float64:
        values = column.to_numpy()  # no copy: most of a large table is this
    elif (
        pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_bool_dtype(dtype)
    ) and not pd.api.types.is_complex_dtype(dtype):
        values = column.to_numpy(dtype=float, na_value=np.nan)
    else:
        codes, texts = distinct_texts(column)
        found = parse_numbers(texts, decimal)
        bad = bad_examples(texts, np.isnan(found))
        values = expand(codes, found, np.nan)
    if np.isinf(values).any():
        values = np.where(np.isinf(values), np.nan, values)
    return values, bad


def as_booleans(column: pd.Series) -> Converted:
    """Return 0.0, 1.0 or NaN; other words are missing, like unseen categories."""
    column = dense(column)
    if pd.api.types.is_numeric_dtype(column.dtype):
        values, bad = as_numbers(column)
        wrong = ~np.isnan(values) & (values != 0) & (values != 1)
        return np.where(wrong, np.nan, values), [*bad, *(f"{value:g}" for value in values[wrong][:3])]
    codes, texts = distinct_texts(column)
    found = np.array([TRUTH.get(text.casefold(), np.nan) for text in texts], dtype=float)
    return expand(codes, found, np.nan), []


def as_dates(column: pd.Series, layout: str) -> Converted:
    """Return datetime64[us] in UTC without a time zone; ``layout`` is the `strptime` format of texts."""
    column = dense(column)
    dtype = column.dtype
    if isinstance(dtype, pd.PeriodDtype):
        column = column.dt.to_timestamp()
    if isinstance(dtype, pd.DatetimeTZDtype):
        column = column.dt.tz_convert("UTC").dt.tz_localize(None)
    if pd.api.types.is_datetime64_dtype(column.dtype):
        return column.to_numpy(dtype="datetime64[us]"), []
    if pd.api.types.is_numeric_dtype(dtype) and layout != DAY_NUMBER:
        bad = [] if column.isna().all() else [f"numbers ({dtype})"]
        return np.full(len(column), np.datetime64("NaT", "us")), bad
    codes, texts = distinct_texts(column)
    found = parse_dates(texts, layout)
    if layout != ISO:
        found = np.where(np.isnat(found), parse_dates(texts, ISO), found)
    return expand(codes, found, np.datetime64("NaT", "us")), bad_examples(texts, np.isnat(found))


def as_labels(column: pd.Series) -> tuple[pd.Categorical, list[str]]:
    """Return a categorical of sorted texts, missing where blank."""
    codes, texts = distinct_texts(dense(column))
    texts[texts == ""] = np.nan
    places, known = pd.factorize(texts, sort=True)
    return pd.Categorical.from_codes(expand(codes, places, -1), categories=pd.Index(known)), []


def as_texts(column: pd.Series) -> Converted:
    """Return texts, empty where missing."""
    codes, texts = distinct_texts(dense(column))
    return expand(codes, texts, ""), []
