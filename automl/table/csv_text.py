"""Read separated values as text, and give plain numbers and truth values their dtype."""

from __future__ import annotations

import codecs
import csv
import io
import re
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv

from automl.errors import Fault, TableError
from automl.table.converters import RawColumn
from automl.table.number_texts import cast_if_all, find_numbers, has_codes, plain_numbers
from automl.table.text_bytes import stripped
from automl.table.texts import MISSING, as_texts_array, is_missing, spread
from automl.table.threads import map_columns

__all__ = [
    "as_separator",
    "guess_encoding",
    "read_csv_text",
    "read_layout",
    "read_padded",
    "text_numbers",
    "typed_cells",
]

SEPARATORS = (",", ";", "\t", "|")
_WORDS = {"tab": "\t", "\\t": "\t"}  # separators that a shell can hardly pass
FALLBACK_ENCODING = "cp1252"  # Latin-1 as Windows writes it

_SAMPLE_BYTES = 1 << 16
_PART_BYTES = 1 << 20
_SAMPLE_RECORDS = 200
_SAMPLE_CELLS = 200
_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
# "1.234" is 1234 beside decimal commas, which other rows or other files may have.
_AMBIGUOUS = r"^[+-]?\d{1,3}(?:\.\d{3})+$"


def as_separator(given: str | None) -> str | None:
    """Return the character that the argument ``separator`` names; None stays None.

    Raises
    ------
    TableError
        If it is not one character or ``"tab"``.

    Examples
    --------
    >>> as_separator("tab") == as_separator(chr(9)) == chr(9)
    True
    """
    separator = None if given is None else _WORDS.get(given, given)
    if separator is not None and (len(separator) != 1 or separator in '"\r\n'):
        rule = "must be one character, no quote and no end of a line"
        raise TableError(Fault("separator", rule, repr(separator), 'For example ";" or "tab".'))
    return separator


def read_csv_text(
    content: bytes | pa.Buffer, encoding: str | None = None, separator: str | None = None
) -> pd.DataFrame:
    """Return the table of a text of separated values.

    Cells that are plain numbers in a whole column become int64 or float64, and true and false bool. All others stay
    text: the types of a search decide on the original text. Empty cells are missing.

    Parameters
    ----------
    content : bytes or Buffer
        The file.
    encoding : str, optional
        By default UTF-8, UTF-16 by its byte order mark or zero bytes, or else Windows-1252 with a warning.
    separator : str, optional
        By default the first line ``sep=;``, or the one of comma, semicolon, tab and pipe that splits the first records
        into the same number of fields.

    Returns
    -------
    DataFrame
        ``attrs["decimal"]`` is "," for a file with semicolons and without numbers with decimal points.

    Raises
    ------
    ValueError
        If the text cannot be decoded or split.
    """
    text = _as_utf8(content, encoding)
    names, width, separator, skipped = read_layout(text, separator)
    table = _parsed(text, names, separator, skipped)
    keep = [
        i
        for i, name in enumerate(names)
        if name or table.column(i).null_count < len(table) or len(table) == 0
    ]
    if width < len(names) and width in keep:
        raise ValueError(f"Expected {width} fields, as in the first line, saw {len(names)}")
    labels = [names[i] or f"Unnamed: {i}" for i in keep]
    read = map_columns(lambda i: typed_cells(table.column(i)), keep, table.num_rows * len(keep))
    columns = dict(zip(keep, read, strict=True))
    frame = pd.DataFrame(columns, copy=False).set_axis(labels, axis=1)
    if separator == ";" and not any(map(_has_fractions, columns.values())):
        frame.attrs["decimal"] = ","
    return frame


def read_layout(text: pa.Buffer, separator: str | None) -> tuple[list[str], int, str, int]:
    """Return the names of the columns, how many the first line has, the separator, and the lines before the names.

    Parameters
    ----------
    text : Buffer
        The text, or its first lines, as UTF-8.
    separator : str or None
        The separator; None guesses it.
    """
    sample = _sample(text)
    skipped = 0
    if mark := re.match(r"sep=(.)\r?\n", sample):
        separator, sample, skipped = separator or mark[1], sample[mark.end() :], 1
    separator = separator or _separator(sample)
    records = list(_records(sample, separator))
    if not records:
        raise pd.errors.EmptyDataError("no lines")
    names = [name.strip() for name in records[0]]
    width = len(names)
    if len(records) > 1 and all(len(row) == width + 1 and row[-1] == "" for row in records[1:]):
        names.append("")  # every row ends with a separator that the first line lacks
    return names, width, separator, skipped


def text_numbers(column: pd.Series, decimal: str = ".") -> pd.Series:
    """Return a column of texts as numbers if all of them are numbers in one format, else the column."""
    texts = RawColumn(column).texts
    found = find_numbers(texts.values, decimal)
    if found is None or found.other.any():
        return column
    return pd.Series(texts.expanded(found.values, np.nan), index=column.index, name=column.name)


def guess_encoding(head: bytes) -> str | None:
    """Return the encoding that the first bytes show, by a mark or zero bytes; None if they do not."""
    known = next((name for mark, name in _MARKS.items() if head.startswith(mark)), None)
    if known is None and 4 * head.count(0) > len(head):  # a single one may be a cell
        known = "utf-16-le" if head[1::2].count(0) > head[::2].count(0) else "utf-16-be"
    return known


def _as_utf8(content: bytes | pa.Buffer, encoding: str | None) -> pa.Buffer:
    buffer = pa.py_buffer(content)
    known = encoding or guess_encoding(buffer[:_SAMPLE_BYTES].to_pybytes())
    if known is None:
        try:
            codecs.utf_8_decode(memoryview(buffer), "strict", True)
            return buffer
        except UnicodeDecodeError:
            known = FALLBACK_ENCODING
            message = f"The text is not UTF-8 and is read as {known} (Western European). "
            warnings.warn(
                message + 'If letters are wrong, name its encoding: encoding="cp1250".', stacklevel=4
            )
    decoded = buffer.to_pybytes().decode(
        known, "replace" if known == FALLBACK_ENCODING and not encoding else "strict"
    )
    return pa.py_buffer(decoded.encode())


def _sample(text: pa.Buffer) -> str:
    """Return the first lines."""
    size = _SAMPLE_BYTES
    while size < len(text) and b"\n" not in text[:size].to_pybytes():
        size *= 4
    head = str(text[:size].to_pybytes(), "utf-8", "ignore").lstrip("\ufeff")
    return head[: head.rindex("\n") + 1] if len(text) > size and "\n" in head else head


def _records(sample: str, separator: str) -> list[list[str]]:
    try:
        rows = csv.reader(io.StringIO(sample), delimiter=separator)
        return [row for _, row in zip(range(_SAMPLE_RECORDS), (row for row in rows if row), strict=False)]
    except csv.Error as error:
        raise ValueError(str(error)) from error


def _separator(sample: str) -> str:
    """Return the separator with which most records have as many fields as the first one."""
    best, best_score = SEPARATORS[0], (False, 0)
    for separator in SEPARATORS:
        widths = [len(row) for row in _records(sample, separator)]
        if not widths or widths[0] < 2:
            continue
        same = all(width in (widths[0], widths[0] + 1) for width in widths)
        if (same, widths[0]) > best_score:
            best, best_score = separator, (same, widths[0])
    return best


def _parsed(text: pa.Buffer, names: list[str], separator: str, skipped: int) -> pa.Table:
    labels = [str(i) for i in range(len(names))]
    try:
        quotes = _count_quotes(text)
        if quotes % 2:
            raise pa.ArrowInvalid("a quoted cell without an end")
        return arrow_csv.read_csv(
            pa.BufferReader(text),
            read_options=arrow_csv.ReadOptions(
                column_names=labels, skip_rows=skipped, skip_rows_after_names=1, block_size=1 << 22
            ),
            parse_options=arrow_csv.ParseOptions(
                delimiter=separator, quote_char='"' if quotes else False, newlines_in_values=quotes > 0
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(labels, pa.large_string()),
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
                check_utf8=False,  # `_as_utf8` has checked it
            ),
        )
    except pa.ArrowInvalid:
        # Short rows, which pandas fills up, rows of more than 4 MB, or a fault that pandas names by its line.
        return next(read_padded(pa.BufferReader(text), len(names), separator, skipped))


def read_padded(
    source: Any,
    n_columns: int,
    separator: str,
    skipped: int,
    *,
    encoding: str = "utf-8",
    rows: int | None = None,
) -> Iterator[pa.Table]:
    """Yield the rows below the names as text; cells that short rows lack are missing.

    Parameters
    ----------
    source : file object
        The text, as bytes.
    n_columns : int
        Number of columns.
    separator, encoding : str
        Those of the text.
    skipped : int
        Lines before the names.
    rows : int, optional
        Rows of a table, the names being one; by default there is one table with all rows.

    Raises
    ------
    ValueError
        If a row has more cells than the names; the message has its line.
    """
    labels = [str(i) for i in range(n_columns)]
    with pd.read_csv(
        source,
        sep=separator,
        header=None,
        skiprows=skipped,
        dtype=str,
        keep_default_na=False,
        na_values=[""],
        encoding=encoding,
        iterator=True,
        chunksize=rows,
    ) as parts:
        for number, part in enumerate(parts):
            found = part if number else part[1:]
            cells = [pa.array(found[i], pa.large_string(), from_pandas=True) for i in found]
            cells += [pa.nulls(len(found), pa.large_string())] * (n_columns - len(cells))
            yield pa.table([pa.chunked_array([column]) for column in cells], names=labels)


def _count_quotes(text: pa.Buffer) -> int:
    parts = [text[i : i + _PART_BYTES] for i in range(0, len(text), _PART_BYTES)]
    if not any(b'"' in part.to_pybytes() for part in parts):  # ten times as fast as counting
        return 0
    return sum(part.to_pybytes().count(b'"') for part in parts)


def typed_cells(chunks: pa.ChunkedArray) -> pd.Series:
    """Return numbers and truth values with their dtype, and other cells as text."""
    cells = as_texts_array(chunks)
    some = spread(cells, _SAMPLE_CELLS).drop_null().to_pylist()
    values = None
    if all(map(_may_be_number, some)):
        values = _numbers(cells)
    elif {text.casefold() for text in some} <= {"true", "false"}:
        values = _truths(cells)
    return _pandas(cells) if values is None else values


def _has_fractions(column: pd.Series) -> bool:
    """Return whether a column has numbers that are not whole."""
    if column.dtype != np.float64:
        return False
    values = column.to_numpy()
    return any(bool((np.mod(some, 1) > 0).any()) for some in (values[:_SAMPLE_CELLS], values))


def _pandas(cells: pa.Array) -> pd.Series:
    column: pd.Series = cells.to_pandas()
    return column


def _may_be_number(text: str) -> bool:
    text = text.strip()
    return (
        text[:1].isdigit() or text[:1] in "+-." or text.casefold() in MISSING or text[-3:].casefold() == "inf"
    )


def _numbers(cells: pa.Array) -> pd.Series | None:
    some = spread(cells, _SAMPLE_CELLS).drop_null()
    plain = some.filter(pa.array(~is_missing(stripped(some))))
    if cells.null_count == len(cells) or cast_if_all(plain, pa.float64()) is None or has_codes(cells):
        return None
    if not cells.null_count:
        whole = cast_if_all(cells, pa.int64())
        if whole is not None:
            return _pandas(whole)
    values = plain_numbers(cells)
    return None if values is None or _are_ambiguous(cells) else pd.Series(values)


def _are_ambiguous(cells: pa.Array) -> bool:
    """Return whether all numbers with a point may be groups of three digits."""
    for some in (spread(cells, _SAMPLE_CELLS), cells):
        fractions = some.filter(pc.match_substring(some, "."))
        if not pc.all(pc.match_substring_regex(fractions, _AMBIGUOUS), min_count=0).as_py():
            return False
    return len(fractions) > 0


def _truths(cells: pa.Array) -> pd.Series | None:
    lower = pc.utf8_lower(cells)
    if not pc.all(pc.is_in(lower.drop_null(), pa.array(["true", "false"], pa.large_string()))).as_py():
        return None
    truths = _pandas(pc.equal(lower, "true"))
    return truths.astype("boolean") if cells.null_count else truths
