"""Numbers that are written as text: recognise their format, and parse them."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from automl.table.shapes import Shapes, digits_as_number
from automl.table.text_bytes import byte_at, has_byte, replace_byte, stripped
from automl.table.texts import MISSING, as_texts_array, is_missing, matches, spread

__all__ = [
    "Numbers",
    "cast_if_all",
    "find_numbers",
    "has_codes",
    "parse_numbers",
    "plain_numbers",
    "read_numbers",
]

_SAMPLE = 50  # texts that are tried before all of them
_SAMPLE_OTHER = 5  # of these, texts that may be anything else
_MAYBE_NUMBER = re.compile("[0-9]|inf", re.IGNORECASE)
_CODE = (
    r"^[+-]?0(?:[xX]|\d+(?:[^\d:]|$))"  # a leading zero: "01067" is a postcode, "0x1F" a code of a machine
)
_AFTER_ZERO = np.zeros(256, bool)  # what makes a code of a leading zero
_AFTER_ZERO[list(b"0123456789xX")] = True
_MONEY = r"(?:[$€£¥₹₽₩]|US\$|USD|EUR|GBP|CHF|JPY|CNY|INR|AUD|CAD|SEK|NOK|DKK|PLN|BRL)"
_GROUPS = ",  \u00a0\u202f'’"
_NEGATIVE = r"^[^0-9]*[-−(]"
_AROUND = "ABCDEFGHIJKLMNOPQRSTUVWXYZ$€£¥₹₽₩%()+-−" + " \u00a0\u202f"


class Numbers(NamedTuple):
    """The numbers of texts.

    Parameters
    ----------
    decimal : {".", ","}
        The decimal sign of the texts.
    values : ndarray of shape (n,)
        The numbers, NaN where a text is none.
    other : ndarray of shape (n,)
        Which texts are neither numbers nor mean "missing".
    """

    decimal: str
    values: np.ndarray
    other: np.ndarray


def find_numbers(texts: Any, prefer: str = ".") -> Numbers | None:
    """Return the numbers of a column's texts, by the decimal sign that fits most; None if hardly any text is a number.

    Texts with leading zeros ("01067") are codes: a column with one of them has no numbers.

    Parameters
    ----------
    texts : Array of str, shape (n,)
        Without surrounding blanks.
    prefer : {".", ","}
        The sign for numbers such as "1,234", which may have either; amounts in $, £ and ₹ have points.

    Examples
    --------
    >>> [find_numbers(texts).decimal for texts in (["1,5", "NA"], ["1,234"])]
    [',', '.']
    >>> find_numbers(["01067"]), find_numbers(["NA"])
    (None, None)
    >>> find_numbers(["1.5", "2.5", "3,5 kg"]).other.tolist()
    [False, False, True]
    """
    cells = as_texts_array(texts)
    sample = spread(cells, _SAMPLE)
    # Reading texts without digits would take most of the time that a wide table of few rows takes.
    in_sample = sample.to_pylist()
    words = [text for text in in_sample if not _MAYBE_NUMBER.search(text)]
    if len(sample) == len(words) == len(cells):
        return None
    if len(sample) < len(cells) and sum(word.lower() not in MISSING for word in words) > _SAMPLE_OTHER:
        return None
    points = prefer == "." or any(text[:1] in ("$", "£", "₹") for text in in_sample)
    signs: tuple[str, ...] = (".", ",") if points else (",", ".")
    if len(sample) < len(cells):
        tried = {sign: read_numbers(sample, sign, strict=True).other.sum() for sign in signs}
        signs = tuple(sign for sign in signs if tried[sign] <= _SAMPLE_OTHER)
    if not signs or has_codes(cells):
        return None
    best: Numbers | None = None
    for sign in signs:
        found = read_numbers(cells, sign, strict=True)
        if best is None or found.other.sum() < best.other.sum():
            best = found
        if not best.other.any():
            break
    return None if best is None or np.isnan(best.values).all() else best


def read_numbers(texts: Any, decimal: str = ".", *, strict: bool = False) -> Numbers:
    """Return the numbers of texts with a known decimal sign.

    The other sign, spaces and apostrophes may group digits by three. A currency, a percent sign and parentheses for
    negative numbers may occur. Durations in days, and times of the day such as "10:30", are seconds.

    Parameters
    ----------
    texts : Array of str, shape (n,)
        Without surrounding blanks.
    decimal : {".", ","}
        The decimal sign.
    strict : bool
        Whether a text such as "1.5" is no number beside decimal commas.
    """
    cells = as_texts_array(texts)
    none = np.zeros(len(cells), dtype=bool)
    if (values := _cast(cells, decimal)) is not None:
        return Numbers(decimal, values, none)
    marked = is_missing(cells)
    if not marked.any():
        values = _by_grammar(cells, decimal, strict)
        return Numbers(decimal, values, np.isnan(values))
    values = np.full(len(cells), np.nan)
    present = cells.filter(pa.array(~marked))
    found = _cast(present, decimal)
    values[~marked] = _by_grammar(present, decimal, strict) if found is None else found
    return Numbers(decimal, values, np.isnan(values) & ~marked)


def parse_numbers(texts: Any, decimal: str = ".") -> np.ndarray:
    """Return float64, shape (n,), NaN where a text is no number.

    Examples
    --------
    >>> parse_numbers(["1,234.50", "$1,200", "45%", "(3)", "1e3", "x"]).tolist()
    [1234.5, 1200.0, 0.45, -3.0, 1000.0, nan]
    >>> parse_numbers(["1.234,50", "0,5", "7"], ",").tolist()
    [1234.5, 0.5, 7.0]
    """
    return read_numbers(texts, decimal).values


def has_codes(texts: pa.Array) -> bool:
    """Return whether a text has a leading zero, as codes have."""
    first, second = byte_at(texts, 0), byte_at(texts, 1)
    signed = (first == ord("+")) | (first == ord("-"))
    maybe = (first == ord("0")) | (signed & (second == ord("0")))
    if maybe.any():
        maybe &= _AFTER_ZERO[np.where(signed, byte_at(texts, 2), second)]
    if not maybe.any():
        return False
    some = texts.filter(pa.array(maybe))
    return any(bool(matches(part, _CODE).any()) for part in (some[:_SAMPLE], some))


def plain_numbers(cells: pa.Array) -> np.ndarray | None:
    """Return numbers such as "-1.5e3", NaN where a cell is null or means "missing"; None if one is anything else."""
    if (values := _cast(cells, ".")) is not None:
        return None if np.isnan(values).all() else values
    cells = stripped(cells)
    present = pc.is_valid(cells).to_numpy(zero_copy_only=False) & ~is_missing(cells)
    found = _cast(cells.filter(pa.array(present)), ".") if present.any() else None
    if found is None:
        return None
    values = np.full(len(cells), np.nan)
    values[present] = found
    return values


def cast_if_all(cells: pa.Array, to: pa.DataType) -> pa.Array | None:
    """Return texts as another type; None if one of them is not of that type."""
    try:
        spread(cells, _SAMPLE).cast(to)  # many faults would take long
        return cells.cast(to)
    except pa.ArrowInvalid:
        return None


def _cast(cells: pa.Array, decimal: str) -> np.ndarray | None:
    """Return plain numbers, read fast; None if a text is anything else."""
    if decimal == ",":
        if has_byte(cells, "."):
            return None
        cells = replace_byte(cells, ",", ".")
    if (numbers := cast_if_all(cells, pa.float64())) is None:
        return None
    values = np.asarray(numbers)
    lost = np.isnan(values)  # "nan" is a number for Arrow
    if not lost.any():
        return values
    return values if is_missing(cells.filter(pa.array(lost)).drop_null()).all() else None


def _by_grammar(cells: pa.Array, decimal: str, strict: bool) -> np.ndarray:
    values = np.full(len(cells), np.nan)
    points = (_POINTS, _DURATIONS, _INFINITE)
    for read in points if decimal == "." else (_COMMAS, _INFINITE) if strict else (_COMMAS, *points):
        rows = np.flatnonzero(np.isnan(values))
        if len(rows) == 0:
            break
        values[rows] = read(cells if len(rows) == len(cells) else cells.take(pa.array(rows)))
    return values


def _read(pattern: str, parse: Callable[[pa.Array], np.ndarray], cells: pa.Array) -> np.ndarray:
    """Return the numbers of the texts that match a pattern, NaN for others."""
    found = matches(cells, pattern)
    values = np.full(len(cells), np.nan)
    if found.any():
        values[found] = parse(cells if found.all() else cells.filter(pa.array(found)))
    return values


def _read_amounts(pattern: str, decimal: str, cells: pa.Array) -> np.ndarray:
    """Return the same for the grammar of amounts, which is tried on the shapes of many texts."""
    parse = partial(_parse_amounts, decimal=decimal)
    shapes = Shapes.of(cells)
    if shapes is None:
        return _read(pattern, parse, cells)
    values = np.full(len(cells), np.nan)
    for (shape, rows), is_number in zip(shapes.groups(), matches(shapes.values, pattern), strict=True):
        if not is_number:
            continue
        found = None if re.search(r"\d[eE]", shape) else digits_as_number(cells, shape, rows, decimal)
        if found is None:
            values[rows] = parse(cells.take(pa.array(rows)))
            continue
        found = found / 100.0 if "%" in shape else found
        values[rows] = -found if re.match(_NEGATIVE, shape) else found
    return values


def _grammar(decimal: str) -> str:
    """Return the pattern of a number with a decimal sign; groups of digits, a currency, % or (...) may occur."""
    groups = ["," if decimal == "." else r"\.", " ", "\u00a0", "\u202f", "'", "’"]
    grouped = "|".join(rf"\d{{1,3}}(?:{group}\d{{3}})+" for group in groups)
    indian = r"|\d{1,2}(?:,\d{2})+,\d{3}" if decimal == "." else ""
    point = "\\" + decimal
    number = rf"(?:(?:{grouped}{indian}|\d+)(?:{point}\d*)?|{point}\d+)(?:[eE][+-]?\d+)?"
    amount = rf"[+\-−]?\s*{_MONEY}?\s*[+\-−]?{number}\s*(?:%|{_MONEY})?"
    return rf"^(?:{amount}|\({amount}\))$"


def _parse_amounts(cells: pa.Array, decimal: str) -> np.ndarray:
    """Return the numbers of texts that the grammar has accepted."""
    if decimal == ",":
        cells = pc.replace_substring(pc.replace_substring(cells, ".", ""), ",", ".")
    bare = pc.replace_substring(pc.utf8_trim(cells, _AROUND), ",", "")
    try:
        values = np.asarray(bare.cast(pa.float64()))
    except pa.ArrowInvalid:
        values = np.asarray(pc.replace_substring_regex(bare, f"[{_GROUPS}]", "").cast(pa.float64()))
    percent = pc.match_substring(cells, "%")
    if pc.any(percent).as_py():
        values = values / np.where(percent, 100.0, 1.0)
    signed = pc.match_substring_regex(cells, r"[-−(]")
    return np.where(matches(cells, _NEGATIVE), -values, values) if pc.any(signed).as_py() else values


def _parse_durations(cells: pa.Array) -> np.ndarray:
    whole = pc.replace_substring_regex(cells, r"^(\d+:\d\d)$", r"\1:00")
    durations = pd.to_timedelta(pd.Series(whole.to_pylist(), dtype=object))
    return durations.dt.total_seconds().to_numpy(dtype=float)


def _parse_infinite(cells: pa.Array) -> np.ndarray:
    return np.asarray(cells.cast(pa.float64()))


_POINTS = partial(_read_amounts, _grammar("."), ".")
_COMMAS = partial(_read_amounts, _grammar(","), ",")
_TIME_OF_DAY = r"^(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d+)?)?$"
_DURATIONS = partial(
    _read, r"^-?\d+ days?(?: [+-]?\d\d:\d\d:\d\d(?:\.\d+)?)?$|" + _TIME_OF_DAY, _parse_durations
)
_INFINITE = partial(_read, r"^[+-]?(?i:inf|infinity)$", _parse_infinite)
