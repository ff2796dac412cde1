"""Convert the raw values of a column to one type.

Every conversion returns the values of the rows, and which rows hold a value that could not be converted.
"""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Sequence
from functools import cached_property, lru_cache
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from automl.table.date_texts import ISO, Dates, find_dates, may_be_dates, parse_dates
from automl.table.number_texts import Numbers, find_numbers, read_numbers
from automl.table.texts import Texts, as_texts_array, is_missing

__all__ = ["DAY_NUMBER", "TRUTH", "Converted", "RawColumn", "label"]

TRUTH = {
    **dict.fromkeys(("true", "t", "yes", "y", "on", "1"), 1.0),
    **dict.fromkeys(("false", "f", "no", "n", "off", "0"), 0.0),
}

DAY_NUMBER = "%Y%m%d"  # dates such as 20200615, on request only

_EXAMPLES = 3
_FEW = 100  # categories of columns that share their type
_NAT = np.datetime64("NaT", "us")


class Converted(NamedTuple):
    """The values of a column's rows.

    Parameters
    ----------
    values : ndarray or Categorical of shape (n,)
        The values.
    other : ndarray of shape (n,) or None
        Rows with a value of another type, which is missing in ``values``; None if there are none.
    """

    values: Any
    other: np.ndarray | None = None


class RawColumn:
    """A column with its raw values, whose texts are read and parsed once.

    Parameters
    ----------
    column : Series of shape (n,)
        The raw values.

    Raises
    ------
    TypeError
        By the properties and methods, if values are lists, mappings or other containers.
    """

    def __init__(self, column: pd.Series) -> None:
        if isinstance(column.dtype, pd.SparseDtype):
            cells: Any = column.array
            column = pd.Series(cells.to_dense(), index=column.index, name=column.name)
        self.column = column.infer_objects() if column.dtype == object else column
        self.name = str(column.name)
        self._numbers: dict[str, Numbers | None] = {}
        self._dates: list[Dates | None] = []  # empty until they are looked for

    @cached_property
    def texts(self) -> Texts:
        """The values as texts, equal for 20, 20.0 and " 20"."""
        column = self.column
        if isinstance(column.dtype, pd.StringDtype):
            return Texts.of(as_texts_array(column))
        if isinstance(column.dtype, pd.CategoricalDtype):
            codes, cells = column.cat.codes.to_numpy(), column.cat.categories
        else:
            codes, cells = pd.factorize(column)
        return Texts.of_codes([label(cell) for cell in cells], codes)

    def found_numbers(self, prefer: str) -> Numbers | None:
        """Return the numbers of the texts, if they are numbers; see `find_numbers`."""
        if prefer not in self._numbers:
            self._numbers[prefer] = find_numbers(self.texts.values, prefer)
        return self._numbers[prefer]

    @property
    def tried_numbers(self) -> Numbers | None:
        """The numbers that `found_numbers` has found; None if it was not called."""
        return next((one for one in self._numbers.values() if one is not None), None)

    @property
    def tried_dates(self) -> Dates | None:
        """The dates that `found_dates` has found; None if it was not called."""
        return self._dates[0] if self._dates else None

    def found_dates(self) -> Dates | None:
        """Return the dates of ``date_texts``, if they are dates; see `find_dates`."""
        if not self._dates:
            self._dates.append(find_dates(self.date_texts.values))
        return self._dates[0]

    @cached_property
    def date_texts(self) -> Texts:
        """The texts to parse as dates: distinct ones, if any may be a date."""
        texts = self.texts
        return texts.distinct if may_be_dates(texts.values) else texts

    def numbers(self, decimal: str = ".", *, strict: bool = False) -> Converted:
        """Return float64, NaN where missing or infinite; durations in seconds, booleans as 0 and 1.

        ``decimal`` is the decimal sign of texts; see `read_numbers` for ``strict``.
        """
        column, dtype, other = self.column, self.column.dtype, None
        if pd.api.types.is_timedelta64_dtype(dtype):
            values = column.dt.total_seconds().to_numpy(dtype=float)
        elif dtype == np.float64:
            values = column.to_numpy()  # no copy: most of a large table is this
        elif (
            pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_bool_dtype(dtype)
        ) and not pd.api.types.is_complex_dtype(dtype):
            values = column.to_numpy(dtype=float, na_value=np.nan)
        else:
            known = (one for one in self._numbers.values() if one is not None)
            usable = (one for one in known if one.decimal == decimal and (strict or not one.other.any()))
            read = next(usable, None) or read_numbers(self.texts.values, decimal, strict=strict)
            values, other = self.texts.expanded(read.values, np.nan), self._rows(read.other)
        infinite = np.isinf(values)
        return Converted(np.where(infinite, np.nan, values) if infinite.any() else values, other)

    def booleans(self) -> Converted:
        """Return 0.0, 1.0 or NaN; other words are missing, like unseen categories."""
        if pd.api.types.is_numeric_dtype(self.column.dtype):
            values, other = self.numbers()
            wrong = ~np.isnan(values) & (values != 0) & (values != 1)
            return Converted(np.where(wrong, np.nan, values), wrong if wrong.any() else other)
        texts = self.texts.distinct
        found = [TRUTH.get(text.casefold(), np.nan) for text in texts.values.to_pylist()]
        return Converted(texts.expanded(np.array(found, dtype=float), np.nan))

    def dates(self, layout: str) -> Converted:
        """Return datetime64[us] in UTC without a time zone; ``layout`` is the `strptime` format of texts."""
        column, dtype = self.column, self.column.dtype
        if isinstance(dtype, pd.PeriodDtype):
            column = column.dt.to_timestamp()
        if isinstance(dtype, pd.DatetimeTZDtype):
            column = column.dt.tz_convert("UTC").dt.tz_localize(None)
        if pd.api.types.is_datetime64_dtype(column.dtype):
            return Converted(column.to_numpy(dtype="datetime64[us]"))
        if pd.api.types.is_numeric_dtype(dtype) and layout != DAY_NUMBER:
            present = column.notna().to_numpy()
            return Converted(np.full(len(column), _NAT), present if present.any() else None)
        known = self.tried_dates
        texts = self.date_texts if known else self.texts.distinct
        found = known.values if known and known.layout == layout else parse_dates(texts.values, layout)
        if layout != ISO and np.isnat(found).any():
            found = np.where(np.isnat(found), parse_dates(texts.values, ISO), found)
        other = np.isnat(found)
        if other.any():
            other &= ~is_missing(texts.values)
        return Converted(texts.expanded(found, _NAT), self._rows(other, texts))

    def labels(self) -> Converted:
        """Return a categorical of sorted texts, missing where blank."""
        texts = self.texts.distinct
        words = texts.values.to_pylist()
        names = sorted(filter(None, words))
        dtype = _few_categories(tuple(names)) if len(names) <= _FEW else _categories(names)
        place = {name: i for i, name in enumerate(names)}
        places = np.fromiter((place.get(word, -1) for word in words), np.int32, len(words))
        return Converted(pd.Categorical.from_codes(texts.expanded(places, -1), dtype=dtype))

    def strings(self) -> Converted:
        """Return texts, empty where missing."""
        texts = self.texts
        return Converted(texts.expanded(texts.values.to_numpy(zero_copy_only=False), ""))

    def examples(self, rows: np.ndarray, most: int = _EXAMPLES) -> list[str]:
        """Return a few distinct values of rows, in order."""
        if pd.api.types.is_numeric_dtype(self.column.dtype):
            cells = (f"{cell:g}" for cell in self.column.to_numpy()[rows])
        else:
            cells = (label(cell) for cell in self.column[rows])
        return list(islice(dict.fromkeys(cells), most))

    def bare(self) -> RawColumn:
        """Return the same column without what was read of it."""
        return RawColumn(self.column)

    def _rows(self, other: np.ndarray, texts: Texts | None = None) -> np.ndarray | None:
        """Return the rows of texts that could not be converted; None if there are none."""
        return (texts or self.texts).expanded(other, False) if other.any() else None


def _categories(names: Sequence[str]) -> pd.CategoricalDtype:
    return pd.CategoricalDtype(pd.Index(names) if names else pd.Index([], dtype=object))


@lru_cache(maxsize=1_000)
def _few_categories(names: tuple[str, ...]) -> pd.CategoricalDtype:
    """Return the type of columns of these categories, which all share one: it takes a third of a millisecond."""
    return _categories(names)


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
