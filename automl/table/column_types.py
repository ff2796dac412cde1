"""Decide the type of a column from its dtype and its values."""

from __future__ import annotations

import heapq
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from automl.table.converters import DAY_NUMBER, TRUTH, RawColumn
from automl.table.date_texts import ISO
from automl.table.order import TargetOrder
from automl.table.text_bytes import has_byte
from automl.table.texts import MISSING, Texts

__all__ = [
    "DROPPED",
    "KINDS",
    "REQUESTED",
    "ColumnType",
    "column_format",
    "column_type",
    "few_others",
    "odd_cells",
    "usable_columns",
]

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

# A column of numbers or dates may have other texts: in this share of its filled cells, or in one cell.
MOST_OTHER = 0.01
# In up to this share, they make a column of texts, with a warning.
ODD_OTHER = 0.1
# A requested type has room for others in this share.
MOST_OTHER_REQUESTED = 0.5
# With fewer distinct numbers or dates the column is categorical then, which loses nothing.
FEW_DISTINCT = 20


class ColumnType(NamedTuple):
    """The type of a column.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    layout : str
        The format of its texts: a `strptime` format, or "," for decimal commas; "" without one.
    coerced : bool
        Whether a few cells are neither numbers nor dates, as the others are, and become missing.
    """

    kind: str
    layout: str = ""
    coerced: bool = False


def usable_columns(column_types: Mapping[str, str], *, text: bool = False) -> list[str]:
    """Return the names of the columns that models use, in order; free text only on request."""
    return [name for name, kind in column_types.items() if kind not in DROPPED or (text and kind == "text")]


def column_type(raw: RawColumn, target: TargetOrder | None = None, *, decimal: str = ".") -> ColumnType:
    """Return a column's type.

    - constant: no value, or the same value in every row.
    - boolean: booleans, or texts with two truth values (true and false, yes and no, y and n, ...).
    - numeric: numbers, durations, and texts that are all numbers or missing (see `number_texts.find_numbers`).
      Texts with leading zeros ("01067") are codes and therefore categories.
    - identifier: distinct integers that count the rows (in 0 .. 2 n) and do not order the target, and those
      with a name like "id"; texts of which almost every row has its own. Requires 20 rows.
    - datetime: dates, and texts in one format (see `date_texts.find_dates`).
    - text: texts of at least five words on average, most of them rare; nearly distinct texts of at least two
      words without digits on average, such as names and titles.
    - categorical: all other columns, and every column with pandas' category dtype.

    Numbers or dates with more than 20 distinct values may have other texts among them, such as "12 kg", in one of 100
    filled cells, or in a single one of at least 20.

    Parameters
    ----------
    raw : RawColumn
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
    column, dtype = raw.column, raw.column.dtype
    if pd.api.types.is_complex_dtype(dtype):
        raise TypeError("complex numbers (Complex data not supported)")
    if isinstance(dtype, pd.CategoricalDtype) or not (_is_date(dtype) or _is_number(dtype)):
        return _type_of_texts(raw, target, decimal)
    if _is_constant(column):
        return ColumnType("constant")
    if pd.api.types.is_bool_dtype(dtype):
        return ColumnType("boolean")
    if _is_date(dtype):
        return ColumnType("datetime", ISO)
    whole = pd.api.types.is_integer_dtype(dtype)
    counts = whole and _numbers_rows(raw.numbers().values, raw.name, target)
    return ColumnType("identifier" if counts else "numeric")


def column_format(raw: RawColumn, kind: str, *, decimal: str = ".") -> ColumnType:
    """Return a requested type with the format of the column's texts."""
    column = raw.column
    texts = column.dtype == object or isinstance(column.dtype, pd.StringDtype | pd.CategoricalDtype)
    if kind == "datetime":
        if not texts:
            return ColumnType(kind, DAY_NUMBER if _is_number(column.dtype) else ISO)
        if dates := raw.found_dates():
            return ColumnType(
                kind, dates.layout, _tolerable(raw.date_texts, dates.other, MOST_OTHER_REQUESTED)
            )
        return ColumnType(kind, DAY_NUMBER if raw.found_numbers(".") else ISO)
    if kind == "numeric" and texts and (numbers := raw.found_numbers(decimal)):
        few = _tolerable(raw.texts, numbers.other, MOST_OTHER_REQUESTED)
        return ColumnType(kind, _sign(raw, numbers.decimal), few)
    return ColumnType(kind)


def _sign(raw: RawColumn, decimal: str) -> str:
    """Return "," for decimal commas, else ""."""
    values = raw.texts.values
    return "," if decimal == "," and (has_byte(values, ",") or has_byte(values, ".")) else ""


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


def _numbers_rows(values: np.ndarray, name: str, target: TargetOrder | None) -> bool:
    """Return whether distinct integers only tell the rows apart."""
    n = len(values)
    if n < FEW_ROWS or np.isnan(values).any():
        return False
    low, high = values.min(), values.max()
    named = IDENTIFIER_NAME.search(name) is not None
    counts = low >= 0 and high < 2 * n
    if high - low < n - 1 or not (named or counts):  # some number repeats, or the numbers do not count
        return False
    if (values % 1 != 0).any() or not pd.Series(values).is_unique:
        return False
    if named and counts:
        return True
    if not named and n < MANY_ROWS:
        counts = high - low == n - 1
    return bool((named or counts) and not (target is not None and target.follows(values)))


def _type_of_texts(raw: RawColumn, target: TargetOrder | None, decimal: str) -> ColumnType:
    texts, present = raw.texts, int(raw.texts.rows.sum())
    categories = isinstance(raw.column.dtype, pd.CategoricalDtype)
    if texts.encoded:
        words = texts.seen
        if len(words) == 0 or (len(words) == 1 and present == texts.n_rows):
            return ColumnType("constant")
        if not categories and _are_truths(words):
            return ColumnType("boolean")
    if not categories:
        if found := _numbers_or_dates(raw, target, decimal):
            return found
        if _is_free_text(texts, present):
            return ColumnType("text")
    if present >= FEW_ROWS and texts.n_distinct == present:
        return ColumnType("identifier")
    return ColumnType("categorical")


def _numbers_or_dates(raw: RawColumn, target: TargetOrder | None, decimal: str) -> ColumnType | None:
    """Return the type of texts that are numbers or dates, with a few others at most; None for others."""
    numbers = raw.found_numbers(decimal)
    if numbers and not numbers.other.any():
        sign = _sign(raw, numbers.decimal)
        counts = _numbers_rows(raw.numbers(numbers.decimal).values, raw.name, target)
        return ColumnType("identifier" if counts else "numeric", sign)
    dates = raw.found_dates()
    if dates and not dates.other.any():
        return ColumnType("datetime", dates.layout)
    if numbers and few_others(raw.texts, numbers.values, numbers.other):
        return ColumnType("numeric", _sign(raw, numbers.decimal), coerced=True)
    if dates and few_others(raw.date_texts, dates.values, dates.other):
        return ColumnType("datetime", dates.layout, coerced=True)
    return None


def few_others(texts: Texts, values: np.ndarray, other: np.ndarray) -> bool:
    """Return whether a few texts of a column of many numbers or dates are of another type."""
    return _tolerable(texts, other) and _many(values)


def _tolerable(texts: Texts, other: np.ndarray, share: float = MOST_OTHER) -> bool:
    """Return whether there are a few texts of another type."""
    n_other, present = int(texts.rows[other].sum()), int(texts.rows.sum())
    return 0 < n_other <= max(1, share * present) and present >= FEW_ROWS


def odd_cells(raw: RawColumn, found: ColumnType) -> tuple[str, np.ndarray] | None:
    """Return the rows that keep a column from being one of numbers or dates, with this type; None if there are many.

    Parameters
    ----------
    raw : RawColumn
        The column, for which `column_type` has tried numbers and dates.
    found : ColumnType
        Its type.
    """
    if found.kind in ("numeric", "datetime"):
        return None
    if (
        (numbers := raw.tried_numbers)
        and _tolerable(raw.texts, numbers.other, ODD_OTHER)
        and _many(numbers.values)
    ):
        return "numeric", raw.texts.expanded(numbers.other, False)
    if (
        (dates := raw.tried_dates)
        and _tolerable(raw.date_texts, dates.other, ODD_OTHER)
        and _many(dates.values)
    ):
        return "datetime", raw.date_texts.expanded(dates.other, False)
    return None


def _many(values: np.ndarray) -> bool:
    return len(pd.unique(values[~pd.isna(values)])) > FEW_DISTINCT


def _is_free_text(texts: Texts, present: int) -> bool:
    some = _some(texts, 1000)
    words = np.mean([text.count(" ") + 1 for text in some])
    if words >= 5 and texts.n_distinct > max(FEW_ROWS, 0.1 * present):
        return True
    plain = np.mean([sum(word.isalpha() for word in WORD.findall(text)) for text in some])
    return bool(plain >= 2 and present >= FEW_ROWS and texts.n_distinct >= 0.95 * present)


def _some(texts: Texts, n: int) -> list[str]:
    """Return the first texts in alphabetical order, so that the order of the rows decides nothing, or random ones."""
    return heapq.nsmallest(n, texts.seen) if texts.encoded else texts.sample(n).to_pylist()


def _are_truths(texts: list[str]) -> bool:
    if len(texts) > 2 * len(TRUTH) + len(MISSING):
        return False
    words = {text.casefold() for text in texts} - MISSING
    return (
        len(words) == 2 and words.isdisjoint({"0", "1"}) and {TRUTH.get(word) for word in words} == {0.0, 1.0}
    )
