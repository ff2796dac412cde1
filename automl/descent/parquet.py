"""A Parquet file as a matrix that is read block by block."""

from __future__ import annotations

from os import PathLike
from typing import Any

import numpy as np

from automl.descent.kernels import Array

__all__ = ["ParquetMatrix"]


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
