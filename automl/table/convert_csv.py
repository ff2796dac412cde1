"""Convert separated text that does not fit into memory to a Parquet file, a part at a time."""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as parquet

from automl.errors import Fault, TableError
from automl.table.csv_text import (
    FALLBACK_ENCODING,
    as_separator,
    guess_encoding,
    read_layout,
    read_padded,
    typed_cells,
)
from automl.table.read import FAILURES, archive_member

__all__ = ["csv_bytes", "csv_to_parquet"]

_HEAD_BYTES = 1 << 18
_PART_BYTES = 1 << 24  # text that is parsed at a time
_UNPACKED = 5.0  # bytes of a packed byte of text
_TEXT = re.compile(r"\.(csv|tsv|txt)(\.(gz|bz2|xz|zst|zip))?$", re.IGNORECASE)
_UNPACK: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
_WHOLE, _FRACTIONS, _TEXTS, _TRUTHS = pa.int64(), pa.float64(), pa.large_string(), pa.bool_()
_WIDTHS = re.compile(r"Expected (\d+) columns, got (\d+)")


@dataclass(frozen=True)
class _Layout:
    """The shape of a text.

    Parameters
    ----------
    names : list of str
        Names of the columns, empty where the first line has none.
    separator, encoding : str
        Those of the text.
    skipped : int
        Lines before the names.
    line_bytes : int
        Mean bytes of a line.
    pads : bool
        Whether rows may be short.
    """

    names: list[str]
    separator: str
    encoding: str
    skipped: int
    line_bytes: int
    pads: bool = False


class _OtherType(Exception):
    """A part has a cell that the type of its column, known from earlier parts, does not hold."""

    def __init__(self, column: int, needed: pa.DataType) -> None:
        self.column, self.needed = column, needed


def csv_bytes(path: Path) -> float:
    """Return the size of a file of separated text, about that of its content if it is packed; 0 for other files."""
    found = _TEXT.search(path.name) if path.is_file() else None
    return 0.0 if found is None else path.stat().st_size * (_UNPACKED if found[2] else 1.0)


def csv_to_parquet(
    file: Path, output: Path, *, encoding: str | None = None, separator: str | None = None
) -> None:
    """Write the table of a text of separated values to a Parquet file, in constant memory.

    Cells get the types that `read_table` gives them. If a later cell contradicts the type of its column, the file is
    written again with that column as fractions or as text. Text with short rows is read with pandas, which is slower.

    Parameters
    ----------
    file : Path
        The text, which may be compressed.
    output : Path
        A new file; it does not exist after an error.
    encoding, separator : str, optional
        As in `read_table`.

    Raises
    ------
    TableError
        If the text cannot be read.
    """
    types: dict[int, pa.DataType] = {}
    separator = as_separator(separator)
    try:
        layout = _layout(file, encoding, separator)
        while True:
            try:
                _write(file, output, layout, types)
                return
            except _OtherType as found:
                types[found.column] = found.needed
            except (pa.ArrowInvalid, UnicodeDecodeError) as error:
                output.unlink(missing_ok=True)
                if not layout.pads and _is_short_row(error):
                    layout = replace(layout, pads=True)
                    continue
                if not _is_not_utf8(error) or encoding is not None or layout.encoding == FALLBACK_ENCODING:
                    raise
                warnings.warn(f"{file.name} is not UTF-8 and is read as {FALLBACK_ENCODING}.", stacklevel=4)
                layout = replace(_layout(file, FALLBACK_ENCODING, separator), pads=layout.pads)
            except BaseException:
                output.unlink(missing_ok=True)
                raise
    except FAILURES as error:
        came = (str(error).strip().split("\n")[0] or type(error).__name__).rstrip(".")
        remedy = "Correct the line, or convert the file to Parquet."
        raise TableError(Fault(str(file), "must be readable as separated text", came, remedy)) from error


def _is_short_row(error: Exception) -> bool:
    found = _WIDTHS.search(str(error))
    return found is not None and int(found[2]) < int(found[1])


def _is_not_utf8(error: Exception) -> bool:
    return "UTF8" in str(error) or (isinstance(error, UnicodeDecodeError) and error.encoding == "utf-8")


def _layout(file: Path, encoding: str | None, separator: str | None) -> _Layout:
    with _opened(file) as stream:
        head = stream.read(_HEAD_BYTES)
    encoding = encoding or guess_encoding(head) or "utf-8"
    text = head.decode(encoding, "ignore").lstrip("\ufeff")
    names, _, separator, skipped = read_layout(pa.py_buffer(text.encode()), separator)
    return _Layout(names, separator, encoding, skipped, max(1, len(head) // max(1, head.count(b"\n"))))


@contextmanager
def _opened(file: Path) -> Iterator[Any]:
    """Yield the text of a file as a stream of bytes."""
    suffix = file.suffix.lower()
    if suffix == ".zst":
        with pa.CompressedInputStream(pa.OSFile(str(file)), "zstd") as stream:
            yield stream
    elif suffix == ".zip":
        with zipfile.ZipFile(file) as archive, archive.open(archive_member(archive)) as part:
            yield part
    else:
        with _UNPACK.get(suffix, Path.open)(file, "rb") as part:
            yield part


def _write(file: Path, output: Path, layout: _Layout, types: dict[int, pa.DataType]) -> None:
    """Write all parts; the types of columns that ``types`` lacks follow from the first part with values.

    Raises
    ------
    _OtherType
        If a later part contradicts a type.
    """
    kept: list[int] = []
    with _opened(file) as stream:
        writer = None
        try:
            for part in _parts(stream, layout):
                if writer is None:
                    kept = [
                        i
                        for i, name in enumerate(layout.names)
                        if name or part.column(i).null_count < len(part)
                    ]
                    for i in kept:
                        types.setdefault(i, _type_of(part.column(i)))
                    writer = parquet.ParquetWriter(output, _schema(layout, kept, types))
                columns = [_converted(part.column(i), types[i], i) for i in kept]
                writer.write_table(pa.table(columns, schema=writer.schema))
        finally:
            if writer is not None:
                writer.close()
    if writer is None:
        raise ValueError("there are no rows")


def _parts(stream: Any, layout: _Layout) -> Iterator[pa.Table]:
    if layout.pads:
        rows, width = max(1, _PART_BYTES // layout.line_bytes), len(layout.names)
        found = read_padded(
            stream, width, layout.separator, layout.skipped, encoding=layout.encoding, rows=rows
        )
        yield from (part for part in found if len(part))
        return
    labels = [str(i) for i in range(len(layout.names))]
    reader = arrow_csv.open_csv(
        stream,
        arrow_csv.ReadOptions(
            column_names=labels,
            skip_rows=layout.skipped,
            skip_rows_after_names=1,
            block_size=_PART_BYTES,
            encoding=layout.encoding,
        ),
        arrow_csv.ParseOptions(delimiter=layout.separator, newlines_in_values=True),
        arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(labels, pa.large_string()),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
        ),
    )
    for batch in reader:
        if len(batch):
            yield pa.Table.from_batches([batch])


def _schema(layout: _Layout, kept: list[int], types: dict[int, pa.DataType]) -> pa.Schema:
    """Return the schema; its metadata has the decimal sign that `read_table` would assume."""
    fields = [(layout.names[i] or f"Unnamed: {i}", types[i]) for i in kept]
    decimal = "," if layout.separator == ";" and _FRACTIONS not in types.values() else "."
    return pa.schema(fields, metadata={"decimal": decimal})


def _type_of(cells: pa.ChunkedArray) -> pa.DataType:
    """Return the type of a column by its first cells."""
    found = typed_cells(cells).dtype
    if isinstance(found, np.dtype) and found.kind in "if":
        return _WHOLE if found.kind == "i" else _FRACTIONS
    return _TRUTHS if str(found).startswith("bool") else _TEXTS


def _converted(cells: pa.ChunkedArray, of: pa.DataType, column: int) -> pa.ChunkedArray:
    """Return cells of a type.

    Raises
    ------
    _OtherType
        If some are of another type.
    """
    if of == _TEXTS or cells.null_count == len(cells):
        return cells if of == _TEXTS else pa.chunked_array([pa.nulls(len(cells), of)])
    values = typed_cells(cells)
    found = _type_of(cells)
    if found == of or (of == _FRACTIONS and found == _WHOLE):
        return pa.chunked_array([pa.array(values, of, from_pandas=True)])
    if of == _WHOLE and found == _FRACTIONS:
        whole = values.isna() | (values % 1 == 0)
        if whole.all() and values.abs().max() < 2**53:  # whole numbers, some missing
            return pa.chunked_array([pa.array(values, pa.float64(), from_pandas=True).cast(_WHOLE)])
        raise _OtherType(column, _FRACTIONS)
    raise _OtherType(column, _TEXTS)
