"""Matrices that do not fit into memory: rows read block by block, such as those of a Parquet file."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import Any

import numpy as np

from automl.descent.data import ArrayRows, Rows, copy_rows, dense
from automl.descent.kernels import Array, Ops
from automl.descent.kernels import numpy as numpy_ops

__all__ = ["ParquetMatrix", "StreamedRows", "make_rows", "sample_rows"]

_SAMPLED_ROWS = 2048
_SAMPLED_BLOCKS = 16
_WINDOW_FLOATS = 1 << 24
_MAPPED_BYTES = 1 << 30
"""Memory maps of this size or more are read block by block; row by row they would be read from the disk."""


def make_rows(X: Any, y: Array, weight: Array | None, seed: Sequence[int], ops: Ops = numpy_ops) -> Rows:
    """Return the rows of ``X``, streamed if it has ``blocks`` or is a large memory map."""
    streams = hasattr(X, "blocks") or (isinstance(X, np.memmap) and X.nbytes >= _MAPPED_BYTES)
    return (StreamedRows if streams else ArrayRows)(X, y, weight, seed, ops)


def sample_rows(X: Any) -> Array:
    """Return some of the rows ``(m, d)`` of ``X``, evenly spread, dense."""
    n = X.shape[0]
    if hasattr(X, "blocks"):
        size = _SAMPLED_ROWS // _SAMPLED_BLOCKS
        blocks = X.blocks[:: -(-len(X.blocks) // _SAMPLED_BLOCKS)]
        return np.concatenate([dense(X[start : min(stop, start + size)]) for start, stop in blocks])
    most = _SAMPLED_ROWS
    if hasattr(X, "toarray"):  # a sparse matrix may have very many columns
        most = max(1, min(most, _WINDOW_FLOATS // X.shape[1]))
    return np.asarray(dense(X[:: -(-n // most)]))


class StreamedRows(Rows):
    """Rows read in blocks, for matrices that do not fit into memory.

    The order of the blocks is random, and so is that of the rows within a window of some blocks: memory is bounded
    and the disk is read in long stretches. ``X.blocks``, a list of ``(start, stop)``, gives the stretches that are
    cheap to read at once, such as the row groups of a Parquet file.
    """

    def begin(self, epoch: int) -> None:
        """Start an epoch with a new order of the blocks."""
        self._epoch = epoch
        blocks = getattr(self._X, "blocks", None) or self._even_blocks()
        rng = np.random.default_rng([*self._seed, epoch])
        self._windows: list[list[tuple[int, int]]] = []
        self._starts, rows = [0], 0
        for i in rng.permutation(len(blocks)).tolist():
            size = blocks[i][1] - blocks[i][0]
            if not self._windows or rows + size > _WINDOW_FLOATS // self.d:
                if self._windows:
                    self._starts.append(self._starts[-1] + rows)
                self._windows.append([])
                rows = 0
            self._windows[-1].append(blocks[i])
            rows += size
        self._starts.append(self.n)
        self._loaded = -1

    def _even_blocks(self) -> list[tuple[int, int]]:
        size = max(1, _WINDOW_FLOATS // self.d // 16)
        return [(start, min(start + size, self.n)) for start in range(0, self.n, size)]

    def _write(self, x: Array, start: int, end: int, shuffled: bool) -> Array | slice:
        which = np.empty(end - start, np.intp)
        position = start
        while position < end:
            window = int(np.searchsorted(self._starts, position, side="right")) - 1
            if window != self._loaded:
                self._load(window)
            begin = self._starts[window]
            stop = min(end, self._starts[window + 1])
            own = self._order[position - begin : stop - begin]
            copy_rows(self._rows[own], x[position - start : stop - start])
            which[position - start : stop - start] = self._index[own]
            position = stop
        return which

    def _load(self, window: int) -> None:
        """Read the blocks of a window and shuffle its rows."""
        self._rows = np.empty((0, 0), np.float32)
        blocks = self._windows[window]
        self._rows = np.empty((sum(stop - start for start, stop in blocks), self.d), np.float32)
        at = 0
        for start, stop in blocks:
            rows = self._X[start:stop]
            self._rows[at : at + stop - start] = dense(rows)
            at += stop - start
        self._index = np.concatenate([np.arange(start, stop) for start, stop in blocks])
        rng = np.random.default_rng([*self._seed, self._epoch, window])
        self._order = rng.permutation(len(self._index))
        self._loaded = window


class ParquetMatrix:
    """Numeric columns of a Parquet file as float32 rows: an ``X`` for `Training`.

    Its row groups are the blocks that are read at once. Groups of about ten thousand rows give good shuffling at
    little memory.

    Parameters
    ----------
    path : str or path
        The file.
    columns : list of str
        Numeric columns, in order; missing values become NaN.

    Examples
    --------
    >>> import pyarrow as pa, pyarrow.parquet as pq, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     table = pa.table({"a": [1.0, 2.0, 3.0], "b": [4, 5, 6]})
    ...     pq.write_table(table, folder + "/t.parquet", row_group_size=2)
    ...     matrix = ParquetMatrix(folder + "/t.parquet", ["b", "a"])
    ...     matrix.shape, matrix.blocks, matrix[1:3].tolist()
    ((3, 2), [(0, 2), (2, 3)], [[5.0, 2.0], [6.0, 3.0]])
    """

    ndim = 2

    def __init__(self, path: str | PathLike[str], columns: list[str]) -> None:
        import pyarrow.parquet

        self.path, self.columns = path, columns
        self._file: Any = pyarrow.parquet.ParquetFile(path)
        meta = self._file.metadata
        self.shape = (meta.num_rows, len(columns))
        ends = np.cumsum([meta.row_group(i).num_rows for i in range(meta.num_row_groups)]).tolist()
        self.blocks: list[tuple[int, int]] = list(zip([0, *ends[:-1]], ends, strict=True))
        self._last: tuple[int, Array] = (-1, np.empty((0, len(columns)), np.float32))

    def column(self, name: str) -> Array:
        """Return a whole column ``(n,)``, such as the target."""
        return np.concatenate([self._read(i, name) for i in range(len(self.blocks))])

    def _read(self, i: int, name: str) -> Array:
        return np.asarray(self._file.read_row_group(i, [name], use_threads=False).column(0).to_numpy())

    def __getitem__(self, rows: slice) -> Array:
        start, stop, _ = rows.indices(self.shape[0])
        parts = [
            self._block(i)[max(start - begin, 0) : stop - begin]
            for i, (begin, end) in enumerate(self.blocks)
            if begin < stop and start < end
        ]
        return np.concatenate(parts) if len(parts) != 1 else parts[0]

    def _block(self, i: int) -> Array:
        """Return row group ``i`` ``(m, d)``; the last one read is kept."""
        if self._last[0] != i:
            begin, end = self.blocks[i]
            block = np.empty((end - begin, len(self.columns)), np.float32)
            for j, name in enumerate(self.columns):
                block[:, j] = self._read(i, name)
            self._last = i, block
        return self._last[1]
