"""The rows of a file of any format, a block at a time."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pandas as pd

from automl.errors import TableError
from automl.table.convert_csv import csv_bytes, csv_to_parquet
from automl.table.parquet_files import Block, ParquetTable, is_parquet
from automl.table.read import read_table

__all__ = ["RowBlocks"]

_LARGE = 250_000_000  # bytes of separated text


class RowBlocks:
    """The rows of a file: a Parquet file or folder in constant memory, another file as one block.

    Separated text of more than 250 MB is converted to a temporary Parquet file first.

    Parameters
    ----------
    path : path
        The file.
    **reading
        Arguments of `read_table`.

    Attributes
    ----------
    n_rows : int
        Number of rows.
    names : list of str
        Names of the columns.

    Raises
    ------
    TableError
        As `read_table` and `ParquetTable`.
    """

    def __init__(self, path: str | os.PathLike[str], **reading: Any) -> None:
        file = Path(path)
        self._scratch: tempfile.TemporaryDirectory[str] | None = None
        self._text: Path | None = None
        if self.scratch_bytes(file):
            self._scratch = tempfile.TemporaryDirectory()
            self._text, file = file, Path(self._scratch.name) / f"{file.name}.parquet"
            try:
                csv_to_parquet(self._text, file, **reading)
            except BaseException:
                self._scratch.cleanup()
                raise
        self._parquet = ParquetTable(file) if is_parquet(file) else None
        self._frame: pd.DataFrame | None = None
        if self._parquet is not None and self._parquet.n_rows:
            self.n_rows, self.names = self._parquet.n_rows, self._parquet.names
        else:
            self._parquet = None
            read: Any = read_table(file, **reading)
            self._frame, self._place = read, str(file)
            self.n_rows, self.names = len(read), list(read.columns)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the temporary file."""
        if self._scratch is not None:
            self._scratch.cleanup()

    @staticmethod
    def scratch_bytes(path: str | os.PathLike[str]) -> int:
        """Return about the bytes of the temporary file that a file needs; 0 if it needs none."""
        size = csv_bytes(Path(path))
        return int(size) if size > _LARGE else 0

    @property
    def streams(self) -> bool:
        """Whether there may be several blocks."""
        return self._parquet is not None

    def types(self, names: list[str]) -> dict[str, Any]:
        """Return the Arrow types of columns of a Parquet file; empty for other files."""
        return {} if self._parquet is None else {name: self._parquet.type_of(name) for name in names}

    def __iter__(self) -> Iterator[Block]:
        if self._parquet is not None:
            for block in self._parquet.blocks():
                yield block if self._text is None else _of_text(block, self._text)
        elif self._frame is not None:
            yield Block(0, self._frame, self._place)

    @contextmanager
    def errors_within(self, block: Block) -> Iterator[None]:
        """Add the place of a block to a TableError, unless the block has all rows."""
        try:
            yield
        except TableError as error:
            if not self.streams:
                raise
            raise error.within(block.place) from error


def _of_text(block: Block, text: Path) -> Block:
    """Return a block with a place in the text; row groups of the temporary file say nothing to a user."""
    last = block.start + len(block.frame)
    return replace(block, place=f"{text}, rows {block.start + 1} to {last}")
