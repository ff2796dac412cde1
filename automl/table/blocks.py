"""The rows of a file of any format, a block at a time."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pandas as pd

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
        if csv_bytes(file) > _LARGE:
            self._scratch = tempfile.TemporaryDirectory()
            text, file = file, Path(self._scratch.name) / f"{file.name}.parquet"
            try:
                csv_to_parquet(text, file, **reading)
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

    @property
    def streams(self) -> bool:
        """Whether there may be several blocks."""
        return self._parquet is not None

    def types(self, names: list[str]) -> dict[str, Any]:
        """Return the Arrow types of columns of a Parquet file; empty for other files."""
        return {} if self._parquet is None else {name: self._parquet.type_of(name) for name in names}

    def __iter__(self) -> Iterator[Block]:
        if self._parquet is not None:
            yield from self._parquet.blocks()
        elif self._frame is not None:
            yield Block(0, self._frame, self._place)
