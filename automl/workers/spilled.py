"""Matrices assembled from blocks of columns, in memory or on disk."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from scipy import sparse

from automl.families import Array

__all__ = ["SpilledArray", "hstack", "write_hstack"]

_CHUNK_VALUES = 1 << 20  # values that are copied at a time


class SpilledArray:
    """An array in a file, read a slice of rows at a time.

    A memory map would not do: its pages count as memory of the process.

    Parameters
    ----------
    array : ndarray of shape (n, d)
        Written to a file of its own.
    folder : Path
        Folder of the file.
    """

    def __init__(self, array: Array, folder: Path) -> None:
        self.shape, self._dtype = array.shape, array.dtype
        handle, name = tempfile.mkstemp(dir=folder)
        self.path = Path(name)
        with open(handle, "wb") as file:
            file.write(np.ascontiguousarray(array).data)

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, rows: slice) -> Array:
        start, stop, _ = rows.indices(len(self))
        size, width = self._dtype.itemsize, self.shape[1]
        values = np.fromfile(self.path, self._dtype, (stop - start) * width, offset=start * width * size)
        return values.reshape(stop - start, width)


def hstack(blocks: Sequence[Array]) -> Array:
    """Return the float32 matrix of these blocks side by side; a sparse matrix is a single block."""
    if sparse.issparse(blocks[0]):
        return blocks[0]
    if len(blocks) == 1:
        return np.ascontiguousarray(blocks[0], dtype=np.float32)
    matrix = np.empty((len(blocks[0]), sum(block.shape[1] for block in blocks)), np.float32)
    start = 0
    for rows in _chunks(blocks):
        matrix[start : start + len(rows)] = rows
        start += len(rows)
    return matrix


def write_hstack(path: Path, blocks: Sequence[Array | SpilledArray]) -> None:
    """Write the same matrix to an ``.npy`` file without holding it in memory."""
    shape = len(blocks[0]), sum(block.shape[1] for block in blocks)
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for rows in _chunks(blocks):
            file.write(np.ascontiguousarray(rows, dtype="<f4").data)


def _chunks(blocks: Sequence[Array | SpilledArray]) -> Iterator[Array]:
    """Yield the rows of all blocks side by side, some at a time."""
    step = max(1, _CHUNK_VALUES // sum(block.shape[1] for block in blocks))
    for start in range(0, len(blocks[0]), step):
        yield np.hstack([block[start : start + step] for block in blocks]).astype(np.float32, copy=False)
