"""Rows in the order of an epoch, gathered in chunks of whole batches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from automl.descent.kernels import Array, Ops
from automl.descent.kernels import numpy as numpy_ops

__all__ = [
    "CHUNK_ROWS",
    "ArrayRows",
    "Rows",
    "chunks",
    "copy_rows",
    "dense",
]

CHUNK_ROWS = 2048
"""Most rows that pass through the layers at once; larger batches sum the gradients of several chunks."""

_GATHER_FLOATS = 1 << 18


def chunks(start: int, stop: int, batch: int, d: int) -> Iterator[tuple[int, int]]:
    """Yield ``(start, stop)`` of chunks of whole batches or, where batches are large, of parts of one batch.

    Examples
    --------
    >>> list(chunks(0, 5000, 4000, 10))
    [(0, 2048), (2048, 4000), (4000, 5000)]
    """
    if batch > CHUNK_ROWS:
        while start < stop:
            end = min(start + CHUNK_ROWS, start // batch * batch + batch, stop)
            yield start, end
            start = end
    else:
        rows = batch * max(1, min(_GATHER_FLOATS // (d + 1) // batch, -(-(stop - start) // batch)))
        for begin in range(start, stop, rows):
            yield begin, min(begin + rows, stop)


class Rows(ABC):
    """The rows of a fold in the order of an epoch, gathered chunk by chunk into one buffer with a column of ones.

    Parameters
    ----------
    X : array of shape (n, d)
        Never written to.
    y : ndarray of shape (n,)
        Targets as the loss sees them: standardised, or class codes.
    weight : ndarray of shape (n,) or None
        Row weights of mean one.
    seed : sequence of int
        Seed of the orders; each also depends on the epoch.
    ops : module
        Kernels.
    """

    def __init__(
        self, X: Any, y: Array, weight: Array | None, seed: Sequence[int], ops: Ops = numpy_ops
    ) -> None:
        self.n, self.d = X.shape
        # a view of rows in C order, memory maps included; rows of other layouts are slow to gather
        self._X = np.ascontiguousarray(X) if isinstance(X, np.ndarray) else X
        self._y, self._weight, self._seed, self._ops = y, weight, seed, ops
        self._buffer = np.empty((0, self.d + 1), np.float32)

    @abstractmethod
    def begin(self, epoch: int) -> None:
        """Start an epoch; its order is a function of the seed and the epoch."""

    @abstractmethod
    def _write(self, x: Array, start: int, end: int, shuffled: bool) -> Array | slice:
        """Write the rows at these positions into ``x`` and return their indices in ``X``."""

    def gather(self, start: int, end: int, shuffled: bool) -> tuple[Array, Array, Array]:
        """Return rows ``(m, d + 1)``, valid until the next call, their targets and their weights ``(m,)``.

        Parameters
        ----------
        start, end : int
            Positions in the order of the epoch.
        shuffled : bool
            Whether the order matters; it does not if one batch holds all rows.
        """
        m = end - start
        if m > len(self._buffer):
            self._buffer = np.empty((m, self.d + 1), np.float32)
        x = self._buffer[:m]
        which = self._write(x, start, end, shuffled)
        weight = np.ones(m, np.float32) if self._weight is None else self._weight[which]
        return x, self._y[which], weight


class ArrayRows(Rows):
    """Rows in memory, or cheap to read in any order."""

    def begin(self, epoch: int) -> None:
        """Start an epoch with a new permutation of all rows, made when first needed."""
        self._epoch = epoch
        self._order: Array | None = None

    def _write(self, x: Array, start: int, end: int, shuffled: bool) -> Array | slice:
        if not shuffled:
            copy_rows(self._X[start:end], x)
            return slice(start, end)
        if self._order is None:
            self._order = np.random.default_rng([*self._seed, self._epoch]).permutation(self.n)
        which: Array = self._order[start:end]
        if isinstance(self._X, np.ndarray) and self._X.dtype == np.float32:
            self._ops.gather(self._X, which, x)
        else:
            copy_rows(self._X[which], x)
        return which


def copy_rows(rows: Any, out: Array) -> None:
    """Write rows ``(m, d)``, dense or sparse, and a column of ones into ``out`` ``(m, d + 1)``."""
    out[:, :-1] = dense(rows)
    out[:, -1] = 1


def dense(rows: Any) -> Any:
    """Return rows, dense if they are sparse."""
    return rows.toarray() if hasattr(rows, "toarray") else rows
