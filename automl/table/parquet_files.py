"""Read Parquet files of any size a block of rows at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet

from automl.errors import Fault, TableError, nearest

__all__ = ["Block", "ParquetTable", "is_parquet", "files_of"]

_ENDINGS = (".parquet", ".pq")
_BLOCK_VALUES = 1 << 21  # values of a block of rows
_MIN_BLOCK_ROWS, _MAX_BLOCK_ROWS = 1 << 9, 1 << 17
_REMEDY = "Write the file again, or take it out of the folder."
# Arrow types that are interchangeable in the files of a folder.
_KINDS = (
    ("truth values", pa.types.is_boolean),
    ("numbers", lambda of: pa.types.is_integer(of) or pa.types.is_floating(of) or pa.types.is_decimal(of)),
    ("dates", lambda of: pa.types.is_date(of) or pa.types.is_timestamp(of)),
    ("texts", lambda of: pa.types.is_string(of) or pa.types.is_large_string(of)),
)


@dataclass(frozen=True)
class Block:
    """Some rows of a table, in order.

    Parameters
    ----------
    start : int
        Number of the first row.
    frame : DataFrame
        The rows.
    place : str
        File and row groups, for messages.
    """

    start: int
    frame: pd.DataFrame
    place: str


class ParquetTable:
    """A Parquet file, or a folder of them, that is read a block of rows at a time.

    Parameters
    ----------
    path : path
        The file or the folder. The names of folders such as ``year=2024`` are columns.

    Attributes
    ----------
    path : Path
        As the parameter.
    n_rows : int
        Number of rows.
    names : list of str
        Names of the columns.

    Raises
    ------
    TableError
        If a file is broken, lacks a column, or has another type of column than the first file; with every fault.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._files = files_of(self.path)
        if not self._files:
            raise TableError(Fault(str(path), "a folder must hold .parquet files", "a folder without"))
        found, faults = [], []
        for file in self._files:
            try:
                with parquet.ParquetFile(file) as one:
                    found.append((one.metadata.num_rows, one.schema_arrow, _partitions(file, self.path)))
            except (OSError, ValueError) as error:
                faults.append(Fault(str(file), "must be a Parquet file", _first_line(error), _REMEDY))
        if faults:
            raise TableError(faults)
        self.n_rows = sum(n for n, _, _ in found)
        self._schema: pa.Schema = found[0][1]
        index = (self._schema.pandas_metadata or {}).get("index_columns", [])
        written = [name for name in self._schema.names if name not in index]
        self.names = [*written, *found[0][2]]
        repeated = sorted({name for name in self.names if self.names.count(name) > 1})
        if repeated:
            rule = "every column name must occur once"
            raise TableError(Fault(str(path), rule, f"{', '.join(repeated)} repeated", "Rename them."))
        for file, (_, schema, partitions) in zip(self._files, found, strict=True):
            faults += _differences(
                file, schema, list(partitions), self._files[0], self._schema, written, list(found[0][2])
            )
        if faults:
            raise TableError(faults)

    @property
    def decimal(self) -> str:
        """The decimal sign of texts in a file that was converted from separated text."""
        return str((self._schema.metadata or {}).get(b"decimal", b".").decode())

    @property
    def categories(self) -> list[str]:
        """The columns that are categories in pandas."""
        return [name for name in self.names if name in self._schema.names and self._is_coded(name)]

    def _is_coded(self, name: str) -> bool:
        return bool(pa.types.is_dictionary(self._schema.field(name).type))

    def type_of(self, name: str) -> pa.DataType:
        """Return the Arrow type of a column."""
        known = name in self._schema.names
        found = self._schema.field(name).type if known else pa.string()
        return found.value_type if pa.types.is_dictionary(found) else found

    def check_columns(self, *names: str) -> None:
        """Raise TableError if a column is missing."""
        faults = [
            Fault(str(self.path), "must have the column", f'no "{name}"', nearest(name, self.names))
            for name in names
            if name not in self.names
        ]
        if faults:
            raise TableError(faults)

    @cached_property
    def row_bytes(self) -> int:
        """Bytes of a row in memory, measured on the first block."""
        frame = next(self.blocks()).frame
        return max(1, int(frame.memory_usage(index=False, deep=True).sum()) // len(frame))

    def blocks(self, columns: Sequence[str] | None = None) -> Iterator[Block]:
        """Yield all rows in order; memory does not grow with their number.

        Parameters
        ----------
        columns : sequence of str, optional
            The columns to read; all by default.

        Raises
        ------
        TableError
            If a row group cannot be read; the message names the file and the row group.
        """
        names = self.names if columns is None else list(columns)
        # The size does not depend on the columns that are read, so that blocks start at the same rows.
        most = min(_MAX_BLOCK_ROWS, max(_MIN_BLOCK_ROWS, _BLOCK_VALUES // len(self.names)))
        start = 0
        for file in self._files:
            partitions = _partitions(file, self.path)
            for table, place in _tables(file, [name for name in names if name not in partitions], most):
                frame = table.to_pandas(ignore_metadata=True)
                for name, value in partitions.items():
                    frame[name] = value
                yield Block(start, frame[names], place)
                start += table.num_rows


def is_parquet(path: Path) -> bool:
    """Return whether a path is a Parquet file with rows, by its ending, or a folder of them."""
    if not path.is_dir() and path.suffix.lower() not in _ENDINGS:
        return False
    return any(file.is_file() and file.stat().st_size for file in files_of(path))


def files_of(path: Path) -> list[Path]:
    """Return the Parquet files of a folder in the order of their names, or the file itself."""
    if not path.is_dir():
        return [path]
    return [file for file in sorted(path.rglob("*")) if file.suffix.lower() in _ENDINGS]


def _tables(file: Path, names: list[str], most: int) -> Iterator[tuple[pa.Table, str]]:
    """Yield tables of ``most`` rows, the last one of fewer, with the file and row groups that they are from."""
    waiting: list[pa.RecordBatch] = []
    n_waiting = first = 0
    # Without a buffer for whole row groups; large groups are read a page at a time.
    with parquet.ParquetFile(file, pre_buffer=False, buffer_size=1 << 20) as source:
        for group in range(source.num_row_groups):
            batches = source.iter_batches(most, [group], names, use_threads=True)
            while True:
                try:
                    batch = next(batches, None)
                except (OSError, ValueError) as error:
                    where = f"{file}, row group {group}"
                    raise TableError(Fault(where, "must be readable", _first_line(error), _REMEDY)) from error
                if batch is None:
                    break
                while len(batch):
                    first = first if waiting else group
                    part = batch.slice(0, most - n_waiting)
                    batch = batch.slice(len(part))
                    waiting.append(part)
                    n_waiting += len(part)
                    if n_waiting == most:
                        yield _table(waiting), _place(file, first, group)
                        waiting, n_waiting = [], 0
        if waiting:
            yield _table(waiting), _place(file, first, group)


def _table(batches: list[pa.RecordBatch]) -> pa.Table:
    return pa.Table.from_batches(batches)


def _place(file: Path, first: int, last: int) -> str:
    return f"{file}, row group {first}" if first == last else f"{file}, row groups {first} to {last}"


def _partitions(file: Path, top: Path) -> dict[str, str]:
    """Return the columns that the folders above a file stand for: ``year=2024``."""
    if not top.is_dir():
        return {}
    pairs = (part.partition("=") for part in file.relative_to(top).parts[:-1])
    return {unquote(name): unquote(value) for name, equals, value in pairs if equals}


def _differences(
    file: Path,
    schema: pa.Schema,
    partitions: Sequence[str],
    first: Path,
    expected: pa.Schema,
    names: Sequence[str],
    known: Sequence[str],
) -> list[Fault]:
    """Return where the columns of a file differ from those of the first file."""
    faults = []
    for name in names:
        if name not in schema.names:
            rule = f'must have the column "{name}", as {first.name} has'
            faults.append(Fault(str(file), rule, "no such column", nearest(name, schema.names)))
            continue
        own, other = _kind(schema.field(name).type), _kind(expected.field(name).type)
        if own != other and "nothing" not in (own, other):
            rule = f'column "{name}" must hold {other} in every row group, as in {first.name}'
            faults.append(Fault(str(file), rule, own, "Convert the file, or take it out of the folder."))
    missing = [name for name in known if name not in partitions]
    if missing:
        rule = f"must be in a folder such as {missing[0]}=..., as {first.name} is"
        faults.append(Fault(str(file), rule, "another folder"))
    return faults


def _kind(of: Any) -> str:
    """Return the kind of values of an Arrow type."""
    if pa.types.is_dictionary(of):
        return _kind(of.value_type)
    if pa.types.is_null(of):
        return "nothing"
    return next((kind for kind, matches in _KINDS if matches(of)), str(of))


def _first_line(error: Exception) -> str:
    return (str(error).strip().split("\n")[0] or type(error).__name__).rstrip(".")
