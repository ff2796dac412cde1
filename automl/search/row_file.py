"""A prepared matrix in a file, written a block of rows at a time and read the same way."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from automl.families import Array

__all__ = ["RowFile"]

_BLOCK_VALUES = 1 << 18  # values that are read at once; blocks are shuffled


class RowFile:
    """Float32 rows in a file.

    A memory map would not do: its pages count as memory of the process.

    Parameters
    ----------
    path : Path
        A new file.
    n_columns : int
        Number of columns.

    Attributes
    ----------
    shape : (int, int)
        Rows so far, and columns.
    """

    ndim = 2

    def __init__(self, path: Path, n_columns: int) -> None:
        self.path, self.shape = path, (0, n_columns)
        self._file = path.open("wb+")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file and remove it."""
        self._file.close()
        self.path.unlink(missing_ok=True)

    def append(self, rows: Array) -> None:
        """Write rows of shape (m, d) behind the others."""
        self._file.write(np.ascontiguousarray(rows, dtype=np.float32).data)
        self.shape = self.shape[0] + len(rows), self.shape[1]

    @property
    def blocks(self) -> list[tuple[int, int]]:
        """Stretches of rows that are cheap to read at once: ``(start, stop)``."""
        n, d = self.shape
        step = max(1, _BLOCK_VALUES // d)
        return [(start, min(start + step, n)) for start in range(0, n, step)]

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> Array:
        start, stop, _ = rows.indices(self.shape[0])
        width = self.shape[1]
        found: Array = np.empty((max(0, stop - start), width), np.float32)
        self._file.seek(start * width * found.itemsize)
        if self._file.readinto(found.data.cast("B")) < found.nbytes:
            raise OSError(f"{self.path}: the file is shorter than {self.shape[0]} rows")
        return found
