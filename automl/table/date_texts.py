"""Dates that are written as text: recognise their format, and parse them."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from automl.table.texts import as_texts_array, is_missing, spread

__all__ = ["ISO", "Dates", "find_dates", "may_be_dates", "parse_dates"]

ISO = "ISO8601"

_SAMPLE = 50  # texts that are tried before all of them
_SAMPLE_OTHER = 5  # of these, texts that may be anything else
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
_PATTERNS = {re.compile(pattern): layouts for pattern, layouts in _DAYS.items()}
_ANY_DAY = re.compile("|".join(f"(?:{pattern})" for pattern in _DAYS))
_ISO_DAY = re.compile(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}")
_TIME = re.compile(r"(,? |T|:)\d{1,2}:\d{2}(:\d{2})?(\.\d+)?( ?[AaPp][Mm])?( ?(?:Z|UTC|[+-]\d{2}:?\d{2}))?$")


class Dates(NamedTuple):
    """The dates of texts.

    Parameters
    ----------
    layout : str
        The `strptime` format of the texts, or `ISO`.
    values : ndarray of shape (n,), datetime64[us]
        The dates in UTC, NaT where a text is none.
    other : ndarray of shape (n,)
        Which texts are neither dates nor mean "missing".
    """

    layout: str
    values: np.ndarray
    other: np.ndarray


def find_dates(texts: Any) -> Dates | None:
    """Return the dates of a column's texts, by the format that fits most; None if hardly any text is a date.

    If no value decides, the month is first with slashes, and the day with dots and dashes.

    Parameters
    ----------
    texts : Array of str, shape (n,)
        Distinct texts of a column, without surrounding blanks.

    Examples
    --------
    >>> [find_dates([text]).layout for text in ("15.06.20", "06/15/20", "Jun 15, 2020")]
    ['%d.%m.%y', '%m/%d/%y', '%b %d, %Y']
    >>> find_dates(["1.2.3"])
    """
    cells = as_texts_array(texts)
    sample = spread(cells, _SAMPLE)
    marked, best = None, None
    for layout in _candidates(sample):
        if len(sample) < len(cells):
            failed = np.isnat(parse_dates(sample, layout)) & ~is_missing(sample)
            if failed.sum() > _SAMPLE_OTHER:
                continue
        values = parse_dates(cells, layout)
        marked = is_missing(cells) if marked is None else marked
        found = Dates(layout, values, np.isnat(values) & ~marked)
        if best is None or found.other.sum() < best.other.sum():
            best = found
        if not best.other.any():
            break
    return None if best is None or np.isnat(best.values).all() else best


def may_be_dates(texts: pa.Array) -> bool:
    """Return whether some of the texts have a date's pattern."""
    return bool(_candidates(spread(texts, _SAMPLE)))


def parse_dates(texts: Any, layout: str) -> np.ndarray:
    """Return datetime64[us] in UTC, NaT where a text has another format."""
    cells = as_texts_array(texts)
    if layout == ISO:
        try:
            return np.asarray(cells.cast(pa.timestamp("us")))
        except pa.ArrowInvalid:
            pass  # time zones, and days and months of one digit
    objects = pd.Series(cells.to_pylist(), dtype=object)
    dates = pd.to_datetime(objects, format=layout, errors="coerce", utc=True)
    return dates.dt.tz_localize(None).to_numpy(dtype="datetime64[us]")


def _candidates(sample: pa.Array) -> list[str]:
    """Return the formats that the first text of a sample that is a date may have."""
    for text in sample.to_pylist():
        time = _TIME.search(text)
        day = text[: time.start()] if time else text
        layouts = [ISO] if _ISO_DAY.match(text) else []
        if _ANY_DAY.fullmatch(day):
            found = (days for pattern, days in _PATTERNS.items() if pattern.fullmatch(day))
            layouts += [layout + _time_format(time) for days in found for layout in days]
        if layouts:
            return layouts
    return []


def _time_format(time: re.Match[str] | None) -> str:
    if time is None:
        return ""
    gap, second, fraction, half, zone = time.groups()
    parts = [gap, "%I" if half else "%H", ":%M", ":%S" if second else "", ".%f" if fraction else ""]
    parts += [half[:-2] + "%p"] if half else []
    parts += [" %z" if zone[0] == " " else "%z"] if zone else []
    return "".join(parts)
