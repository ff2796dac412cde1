"""Numbers and dates that are written as text: recognise their format, and parse them."""

from __future__ import annotations

import re
from itertools import islice

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

__all__ = [
    "DECIMAL_SIGNS",
    "ISO",
    "MISSING",
    "bad_examples",
    "date_format",
    "decimal_sign",
    "parse_dates",
    "parse_numbers",
    "plain_numbers",
]

# Texts for "missing" in columns of numbers, truth values and dates. Among categories only a blank is missing:
# "NA" or "None" can be a category.
MISSING = frozenset(
    ("", "na", "n/a", "nan", "-nan", "nat", "null", "none", "missing", "?", "-", "--", ".", "\\n")
    + ("<na>", "#na", "#n/a", "#n/a n/a", "#div/0!", "#value!", "#ref!", "#num!", "#name?", "#null!")
    + ("1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan")
)
ISO = "ISO8601"
DECIMAL_SIGNS = (".", ",")

_SAMPLE = 50  # texts that are tried before all of them
_CODE = r"^[+-]?0\d"  # a leading zero: "01067" is a postcode
_MONEY = r"(?:[$€£¥₹₽₩]|US\$|USD|EUR|GBP|CHF|JPY|CNY|INR|AUD|CAD|SEK|NOK|DKK|PLN|BRL)"
_DAYS = {  # pattern of a date: its formats, the first that fits all values is taken
    r"\d{1,2}/\d{1,2}/\d{4}": ("%m/%d/%Y", "%d/%m/%Y"),
    r"\d{1,2}/\d{1,2}/\d{2}": ("%m/%d/%y", "%d/%m/%y"),
    r"\d{1,2}\.\d{1,2}\.\d{4}": ("%d.%m.%Y",),
    r"\d{2}\.\d{2}\.\d{2}": ("%d.%m.%y",),
    r"\d{1,2}-\d{1,2}-\d{4}": ("%d-%m-%Y", "%m-%d-%Y"),
    r"\d{2}-\d{2}-\d{2}": ("%d-%m-%y", "%m-%d-%y"),
    r"\d{4}/\d{1,2}/\d{1,2}": ("%Y/%m/%d",),
    r"\d{4}\.\d{1,2}\.\d{1,2}": ("%Y.%m.%d",),
    r"\d{1,2}-[A-Za-z]{3}-\d{4}": ("%d-%b-%Y",),
    r"\d{1,2}-[A-Za-z]{3}-\d{2}": ("%d-%b-%y",),
    r"\d{1,2}/[A-Za-z]{3}/\d{4}": ("%d/%b/%Y",),
    r"\d{1,2} [A-Za-z]{3,} \d{4}": ("%d %b %Y", "%d %B %Y"),
    r"\d{1,2}\. [A-Za-z]{3,} \d{4}": ("%d. %b %Y", "%d. %B %Y"),
    r"[A-Za-z]{3,} \d{1,2}, \d{4}": ("%b %d, %Y", "%B %d, %Y"),
    r"[A-Za-z]{3,} \d{1,2} \d{4}": ("%b %d %Y", "%B %d %Y"),
    r"[A-Za-z]{3}, \d{1,2} [A-Za-z]{3} \d{4}": ("%a, %d %b %Y",),
}
_TIME = re.compile(r"(,? |T|:)\d{1,2}:\d{2}(:\d{2})?(\.\d+)?( ?[AaPp][Mm])?( ?(?:Z|UTC|[+-]\d{2}:?\d{2}))?$")


def _grammar(decimal: str) -> str:
    """Return the pattern of a number with a decimal sign; groups of digits, a currency, % or (...) may occur."""
    groups = ["," if decimal == "." else r"\.", " ", "\u00a0", "\u202f", "'", "’"]
    grouped = "|".join(rf"\d{{1,3}}(?:{group}\d{{3}})+" for group in groups)
    indian = r"|\d{1,2}(?:,\d{2})+,\d{3}" if decimal == "." else ""
    point = re.escape(decimal)
    number = rf"(?:(?:{grouped}{indian}|\d+)(?:{point}\d*)?|{point}\d+)(?:[eE][+-]?\d+)?"
    amount = rf"[+\-−]?\s*{_MONEY}?\s*[+\-−]?{number}\s*(?:%|{_MONEY})?"
    return rf"^(?:{amount}|\({amount}\))$"


def bad_examples(texts: np.ndarray, failed: np.ndarray) -> list[str]:
    """Return up to three of the texts that failed and do not mean "missing"."""
    found = (text for text in texts[failed] if text.casefold() not in MISSING)
    return list(islice(found, 3))


def parse_numbers(texts: np.ndarray, decimal: str = ".") -> np.ndarray:
    """Return float64, shape (n,), NaN where a text is no number.

    Parameters
    ----------
    texts : ndarray of str, shape (n,)
        Without surrounding blanks.
    decimal : {".", ","}
        The decimal sign. The other one, spaces and apostrophes may group digits by three.

    Examples
    --------
    >>> parse_numbers(np.array(["1,234.50", "$1,200", "45%", "(3)", "1e3", "x"], object)).tolist()
    [1234.5, 1200.0, 0.45, -3.0, 1000.0, nan]
    >>> parse_numbers(np.array(["1.234,50", "0,5", "7"], object), ",").tolist()
    [1234.5, 0.5, 7.0]
    """
    values, cells = np.full(len(texts), np.nan), pa.array(texts, pa.large_string())
    grammars = (_COMMAS,) if decimal == "," else ()
    for pattern, parse in (*grammars, _PLAIN, _POINTS, _DURATIONS):
        rows = np.flatnonzero(np.isnan(values))
        if len(rows) == 0:
            break
        rest = cells if len(rows) == len(cells) else cells.take(pa.array(rows))
        matches = _match(rest, pattern)
        if matches.any():
            values[rows[matches]] = parse(rest.filter(pa.array(matches)))
    return values


def decimal_sign(texts: np.ndarray, prefer: str = ".") -> str:
    """Return the decimal sign of texts that are numbers or missing; "" if they are not, or none is a number.

    Parameters
    ----------
    texts : ndarray of str, shape (n,)
        Distinct texts of a column, without surrounding blanks.
    prefer : {".", ","}
        The sign for numbers such as "1,234", which may have either; amounts in $, £ and ₹ have points.

    Examples
    --------
    >>> [decimal_sign(np.array(texts, object)) for texts in (["1,5", "NA"], ["1,234"], ["01067"], ["1.5", "2,5"])]
    [',', '.', '', '']
    """
    points = prefer == "." or any(text[:1] in "$£₹" for text in texts[:_SAMPLE])
    signs: tuple[str, ...] = DECIMAL_SIGNS if points else DECIMAL_SIGNS[::-1]
    for some in (texts[:_SAMPLE], texts):
        cells = pa.array(some, pa.large_string())
        if _match(cells, _CODE).any():
            return ""
        failed = {sign: ~_is_number(cells, sign) for sign in signs}
        signs = tuple(sign for sign in signs if not bad_examples(some, failed[sign]))
        if not signs:
            return ""
    return "" if failed[signs[0]].all() else signs[0]


def plain_numbers(texts: np.ndarray) -> np.ndarray | None:
    """Return the numbers of texts such as "-1.5e3" or "NA", shape (n,); None if one is anything else.

    Numbers with leading zeros, grouped digits or a currency are something else.
    """
    cells = pa.array(texts, pa.large_string())
    plain = _match(cells, _PLAIN[0])
    if not plain.any() or _match(cells, _CODE).any() or bad_examples(texts, ~plain):
        return None
    values = np.full(len(texts), np.nan)
    values[plain] = _parse_plain(cells.filter(pa.array(plain)))
    return values


def _is_number(cells: pa.Array, decimal: str) -> np.ndarray:
    if decimal == ",":
        return _match(cells, _COMMAS[0])
    found = _match(cells, _PLAIN[0])
    return found if found.all() else found | _match(cells, _POINTS[0]) | _match(cells, _DURATIONS[0])


def _match(cells: pa.Array, pattern: str) -> np.ndarray:
    matches: np.ndarray = pc.match_substring_regex(cells, pattern).to_numpy(zero_copy_only=False)
    return matches


def _parse_plain(cells: pa.Array) -> np.ndarray:
    return np.asarray(pc.utf8_ltrim(cells, "+").cast(pa.float64()))


def _parse_points(cells: pa.Array) -> np.ndarray:
    negative, percent = _match(cells, r"^[^0-9]*[-−(]"), _match(cells, r"%\)?$")
    bare = pc.replace_substring_regex(cells, r"^[^0-9.]+|[^0-9.]+$|[^0-9.eE+\-]", "")
    values = np.asarray(bare.cast(pa.float64())) / np.where(percent, 100.0, 1.0)
    return np.where(negative, -values, values)


def _parse_commas(cells: pa.Array) -> np.ndarray:
    return _parse_points(pc.replace_substring(pc.replace_substring(cells, ".", ""), ",", "."))


def _parse_durations(cells: pa.Array) -> np.ndarray:
    durations = pd.to_timedelta(pd.Series(cells.to_pylist(), dtype=object))
    return durations.dt.total_seconds().to_numpy(dtype=float)


_PLAIN = (r"^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$|^[+-]?(?i:inf|infinity)$", _parse_plain)
_POINTS = (_grammar("."), _parse_points)
_COMMAS = (_grammar(","), _parse_commas)
_DURATIONS = (r"^-?\d+ days?(?: [+-]?\d\d:\d\d:\d\d(?:\.\d+)?)?$", _parse_durations)


def date_format(texts: np.ndarray) -> str:
    """Return the `strptime` format of texts that are dates or missing, `ISO`, or "" if they are not.

    If no value decides, the month is first with slashes, and the day with dots and dashes.

    Parameters
    ----------
    texts : ndarray of str, shape (n,)
        Distinct texts of a column, without surrounding blanks.

    Examples
    --------
    >>> [date_format(np.array([text], object)) for text in ("15.06.20", "06/15/20", "Jun 15, 2020", "1.2.3")]
    ['%d.%m.%y', '%m/%d/%y', '%b %d, %Y', '']
    """
    some = texts[:_SAMPLE]
    for layout in _candidates(next((text for text in some if text.casefold() not in MISSING), "")):
        if not any(bad_examples(part, np.isnat(parse_dates(part, layout))) for part in (some, texts)):
            return layout
    return ""


def _candidates(text: str) -> list[str]:
    """Return the formats that one text may have."""
    time = _TIME.search(text)
    day = text[: time.start()] if time else text
    layouts = [ISO] if re.match(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}", text) else []
    for pattern, days in _DAYS.items():
        if re.fullmatch(pattern, day):
            layouts += [layout + _time_format(time) for layout in days]
    return layouts


def _time_format(time: re.Match[str] | None) -> str:
    if time is None:
        return ""
    gap, second, fraction, half, zone = time.groups()
    parts = [gap, "%I" if half else "%H", ":%M", ":%S" if second else "", ".%f" if fraction else ""]
    parts += [half[:-2] + "%p"] if half else []
    parts += [" %z" if zone[0] == " " else "%z"] if zone else []
    return "".join(parts)


def parse_dates(texts: np.ndarray, layout: str) -> np.ndarray:
    """Return datetime64[us] in UTC, NaT where a text has another format."""
    dates = pd.to_datetime(pd.Series(texts, dtype=object), format=layout, errors="coerce", utc=True)
    return dates.dt.tz_localize(None).to_numpy(dtype="datetime64[us]")
