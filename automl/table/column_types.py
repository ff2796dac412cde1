"""Decide the type of a column from its dtype and its values."""

from __future__ import annotations

import heapq
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from automl.table.converters import DAY_NUMBER, TRUTH, as_numbers, dense, distinct_texts
from automl.table.formats import ISO, MISSING, date_format, decimal_sign
from automl.table.order import TargetOrder

__all__ = ["DROPPED", "KINDS", "REQUESTED", "column_format", "column_type", "usable_columns"]

KINDS = ("numeric", "categorical", "boolean", "datetime", "text", "constant", "identifier", "drop")
REQUESTED = ("numeric", "categorical", "datetime", "text", "drop")  # types that a user may request
DROPPED = ("text", "constant", "identifier", "drop")

# With fewer rows, distinct values do not indicate an identifier.
FEW_ROWS = 20
# With fewer rows, distinct integers count the rows only if none is left out.
MANY_ROWS = 100
# "id", "row_id", "PID", "customerID"; not "paid" or "grid". "Unnamed: 0" is an index that pandas wrote.
IDENTIFIER_NAME = re.compile(
    r"(^|[^a-zA-Z])(?i:p?id)$|[a-z]I[dD]$|^Unnamed: \d+$|^(?i:index|row|row_?num(ber)?)$"
)

WORD = re.compile(r"\w+")


def usable_columns(column_types: Mapping[str, str], *, text: bool = False) -> list[str]:
    """Return the names of the columns that models use, in order; free text only on request."""
    return [name for name, kind in column_types.items() if kind not in DROPPED or (text and kind == "text")]


def column_type(
    column: pd.Series, target: TargetOrder | None = None, *, decimal: str = "."
) -> tuple[str, str]:
    """Return a column's type, and the format of its texts ("" without one).

    - constant: no value, or the same value in every row.
    - boolean: booleans, or texts with two truth values (true and false, yes and no, y and n, ...).
    - numeric: numbers, durations, and texts that are all numbers or missing (see `formats.parse_numbers`).
      Texts with leading zeros ("01067") are codes and therefore categories. The format is the decimal sign.
    - identifier: distinct integers that count the rows (in 0 .. 2 n) and do not order the target, and those
      with a name like "id"; distinct texts. Requires 20 rows.
    - datetime: dates, and texts in one format (see `formats.date_format`).
    - text: texts of at least five words on average, most of them rare; nearly distinct texts of at least two
      words without digits on average, such as names and titles.
    - categorical: all other columns, and every column with pandas' category dtype.

    Parameters
    ----------
    column : Series
        The raw values.
    target : TargetOrder, optional
        The target; without it, integers that count the rows are identifiers whatever they order.
    decimal : {".", ","}
        The decimal sign of numbers such as "1,234", which may have either.

    Raises
    ------
    TypeError
        If values are complex numbers, lists, mappings or other containers.
    """
    column = dense(column)
    dtype = column.dtype
    if pd.api.types.is_complex_dtype(dtype):
        raise TypeError("complex numbers (Complex data not supported)")
    if isinstance(dtype, pd.CategoricalDtype) or not (_is_date(dtype) or _is_number(dtype)):
        return _type_of_texts(column, target, decimal)
    if _is_constant(column):
        return "constant", ""
    if pd.api.types.is_bool_dtype(dtype):
        return "boolean", ""
    if _is_date(dtype):
        return "datetime", ISO
    whole = pd.api.types.is_integer_dtype(dtype)
    return (
        "identifier" if whole and _numbers_rows(as_numbers(column)[0], column.name, target) else "numeric"
    ), ""


def column_format(column: pd.Series, kind: str, *, decimal: str = ".") -> str:
    """Return the format of the texts of a column whose type was requested; "" if it needs none."""
    column = dense(column)
    texts = column.dtype == object or isinstance(column.dtype, pd.StringDtype | pd.CategoricalDtype)
    if kind == "datetime":
        if not texts:
            return DAY_NUMBER if _is_number(column.dtype) else ISO
        found = distinct_texts(column)[1]
        return date_format(found) or (DAY_NUMBER if decimal_sign(found) else ISO)
    return _sign(distinct_texts(column)[1], decimal) if kind == "numeric" and texts else ""


def _sign(texts: np.ndarray, decimal: str) -> str:
    """Return "," for decimal commas, else ""."""
    commas = decimal_sign(texts, decimal) == ","
    return "," if commas and any("," in text or "." in text for text in texts) else ""


def _is_date(dtype: Any) -> bool:
    return pd.api.types.is_datetime64_any_dtype(dtype) or isinstance(dtype, pd.PeriodDtype)


def _is_number(dtype: Any) -> bool:
    numbers = pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_bool_dtype(dtype)
    return numbers or pd.api.types.is_timedelta64_dtype(dtype)


def _is_constant(column: pd.Series) -> bool:
    first, last = column.iloc[0], column.iloc[-1]
    if not (pd.isna(first) or pd.isna(last)) and first != last:
        return False
    missing = column.isna()
    return bool(missing.all() if pd.isna(first) else not missing.any() and (column == first).all())


def _numbers_rows(values: np.ndarray, name: object, target: TargetOrder | None) -> bool:
    """Return whether distinct integers only tell the rows apart."""
    n = len(values)
    if n < FEW_ROWS or np.isnan(values).any() or (values % 1 != 0).any() or not pd.Series(values).is_unique:
        return False
    named = IDENTIFIER_NAME.search(str(name)) is not None
    counts = values.min() >= 0 and values.max() < 2 * n
    if named and counts:
        return True
    if not named and n < MANY_ROWS:
        counts = counts and values.max() - values.min() == n - 1
    return bool((named or counts) and not (target is not None and target.follows(values)))


def _type_of_texts(column: pd.Series, target: TargetOrder | None, decimal: str) -> tuple[str, str]:
    codes, texts = distinct_texts(column)
    rows = np.bincount(codes[codes >= 0], minlength=len(texts))
    rows[texts == ""] = 0
    present, seen = int(rows.sum()), rows > 0
    texts = pd.unique(texts[seen])
    if len(texts) == 0 or (len(texts) == 1 and present == len(column)):
        return "constant", ""
    if not isinstance(column.dtype, pd.CategoricalDtype):
        if _are_truths(texts):
            return "boolean", ""
        if decimal_sign(texts, decimal):
            sign = _sign(texts, decimal)
            numbers = as_numbers(column, sign or ".")[0]
            return ("identifier" if _numbers_rows(numbers, column.name, target) else "numeric"), sign
        if layout := date_format(texts):
            return "datetime", layout
        some = _first(texts, 1000)
        words = np.mean([text.count(" ") + 1 for text in some])
        if words >= 5 and len(texts) > max(FEW_ROWS, 0.1 * present):
            return "text", ""
        plain = np.mean([sum(word.isalpha() for word in WORD.findall(text)) for text in some])
        if plain >= 2 and present >= FEW_ROWS and len(texts) >= 0.95 * present:
            return "text", ""
    if present >= FEW_ROWS and len(texts) == present:
        return "identifier", ""
    return "categorical", ""


def _first(texts: np.ndarray, n: int) -> list[str]:
    """Return the first texts in alphabetical order, so that the order of the rows decides nothing."""
    return heapq.nsmallest(n, texts)


def _are_truths(texts: np.ndarray) -> bool:
    if len(texts) > 2 * len(TRUTH) + len(MISSING):
        return False
    words = {text.casefold() for text in texts} - MISSING
    return (
        len(words) == 2 and words.isdisjoint({"0", "1"}) and {TRUTH.get(word) for word in words} == {0.0, 1.0}
    )
