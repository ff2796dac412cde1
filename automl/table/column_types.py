"""Decide the type of a column from its dtype and its values."""

from __future__ import annotations

import re
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from automl.table.converters import TRUTH, as_numbers, bad_examples, distinct_texts, parse_dates

__all__ = ["DROPPED", "KINDS", "column_type", "usable_columns"]

KINDS = ("numeric", "categorical", "boolean", "datetime", "text", "constant", "identifier")
DROPPED = ("text", "constant", "identifier")

# With fewer rows, distinct values do not indicate an identifier.
FEW_ROWS = 20
# "id", "row_id", "PID", "customerID"; not "paid" or "grid".
IDENTIFIER_NAME = re.compile(r"(^|[^a-zA-Z])(?i:p?id)$|[a-z]I[dD]$")
NUMBER_CODE = re.compile(r"[+-]?0\d")
DATE_LIKE = re.compile(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}")
# If no value decides, the month is first with slashes, the day with dots and dashes.
LAYOUTS = (
    "ISO8601",
    *(
        date + time
        for date, time in product(
            ("%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y"), ("", " %H:%M", " %H:%M:%S")
        )
    ),
)


def usable_columns(column_types: dict[str, str], *, text: bool = False) -> list[str]:
    """Return the names of the columns that models use, in order; free text only on request."""
    return [name for name, kind in column_types.items() if kind not in DROPPED or (text and kind == "text")]


def column_type(column: pd.Series) -> tuple[str, str]:
    """Return a column's type, and the format of its dates ("" where it holds none).

    - constant: no value, or the same value in every row.
    - boolean: booleans, or texts with two truth values (true and false, yes and no, y and n, ...).
    - numeric: numbers, durations, and texts that are all numbers or missing. Texts with leading zeros
      ("01067") are codes and therefore categories. Integers are always numeric.
    - identifier: distinct integers that count the rows (in 0 .. 2 n) or have a name like "id"; texts of which
      at least 95 % are distinct. Requires 20 rows.
    - datetime: dates, and texts in one format (ISO 8601, or day, month and year as numbers).
    - text: texts of at least five words on average, most of them rare.
    - categorical: all other columns, and every column with pandas' category dtype.

    Raises
    ------
    TypeError
        If values are complex numbers, lists, mappings or other containers.
    """
    column = column.infer_objects() if column.dtype == object else column
    dtype = column.dtype
    if pd.api.types.is_complex_dtype(dtype):
        raise TypeError("complex numbers")
    if isinstance(dtype, pd.CategoricalDtype) or not (_is_date(dtype) or _is_number(dtype)):
        return _kind_of_texts(column)
    if _is_constant(column):
        return "constant", ""
    if pd.api.types.is_bool_dtype(dtype):
        return "boolean", ""
    if _is_date(dtype):
        return "datetime", "ISO8601"
    whole = pd.api.types.is_integer_dtype(dtype)
    return ("identifier" if whole and _numbers_rows(as_numbers(column)[0], column.name) else "numeric"), ""


def _is_date(dtype: Any) -> bool:
    return pd.api.types.is_datetime64_any_dtype(dtype) or isinstance(dtype, pd.PeriodDtype)


def _is_number(dtype: Any) -> bool:
    return pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_timedelta64_dtype(dtype)


def _is_constant(column: pd.Series) -> bool:
    first = column.iloc[0]
    return bool(column.isna().all() if pd.isna(first) else (column == first).all())


def _numbers_rows(values: np.ndarray, name: object) -> bool:
    n = len(values)
    if n < FEW_ROWS or np.isnan(values).any() or (values % 1 != 0).any():
        return False
    numbering = values.min() >= 0 and values.max() < 2 * n
    return bool((numbering or IDENTIFIER_NAME.search(str(name))) and pd.Series(values).is_unique)


def _kind_of_texts(column: pd.Series) -> tuple[str, str]:
    codes, texts = distinct_texts(column)
    rows = np.bincount(codes[codes >= 0], minlength=len(texts))
    rows[texts == ""] = 0
    present, seen = int(rows.sum()), rows > 0
    texts = np.array(sorted(set(texts[seen])), dtype=object)
    if len(texts) == 0 or (len(texts) == 1 and present == len(column)):
        return "constant", ""
    if not isinstance(column.dtype, pd.CategoricalDtype):
        if _are_truths(texts):
            return "boolean", ""
        if _are_numbers(texts):
            return ("identifier" if _numbers_rows(as_numbers(column)[0], column.name) else "numeric"), ""
        if layout := _date_layout(texts):
            return "datetime", layout
        words = np.mean([text.count(" ") + 1 for text in texts[:1000]])
        if words >= 5 and len(texts) > max(FEW_ROWS, 0.1 * present):
            return "text", ""
    if present >= FEW_ROWS and len(texts) >= 0.95 * present:
        return "identifier", ""
    return "categorical", ""


def _are_truths(texts: np.ndarray) -> bool:
    words = {text.casefold() for text in texts}
    return (
        len(words) == 2 and words.isdisjoint({"0", "1"}) and {TRUTH.get(word) for word in words} == {0.0, 1.0}
    )


def _are_numbers(texts: np.ndarray) -> bool:
    for some in (texts[:50], texts):
        found = pd.to_numeric(pd.Series(some, dtype=object), errors="coerce").to_numpy(dtype=float)
        if bad_examples(some, np.isnan(found)):
            return False
    return not np.isnan(found).all() and not any(NUMBER_CODE.match(text) for text in texts)


def _date_layout(texts: np.ndarray) -> str:
    some = texts[:50]
    if not any(DATE_LIKE.match(text) for text in some):
        return ""
    for layout in LAYOUTS:
        if not any(bad_examples(part, np.isnat(parse_dates(part, layout))) for part in (some, texts)):
            return layout
    return ""
