"""Rows in their order: the shared order of an epoch, chunks of whole batches, and the gathering of both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from automl.descent.arrays import Array

__all__ = ["CHUNK_ROWS", "Rows", "chunks", "epoch_order"]

CHUNK_ROWS = 2048
"""Rows that pass through the layers at once, at most; larger batches add up their gradients."""

_GATHER_FLOATS = 1 << 18


def epoch_order(seed: Sequence[int], epoch: int, n: int) -> Array:
    """Return the order of ``n`` rows in an epoch, a function of these arguments alone."""
    return np.random.default_rng([*seed, epoch]).permutation(n)


def chunks(n: int, batch: int, d: int) -> Iterator[tuple[int, int]]:
    """Yield ``(start, stop)``: chunks of whole batches, or, where batches are large, parts of one batch.

    Examples
    --------
    >>> list(chunks(5000, 4000, 10))
    [(0, 2048), (2048, 4000), (4000, 5000)]
    """
    if batch > CHUNK_ROWS:
        for begin in range(0, n, batch):
            end = min(begin + batch, n)
            for start in range(begin, end, CHUNK_ROWS):
                yield start, min(start + CHUNK_ROWS, end)
    else:
        rows = batch * max(1, min(_GATHER_FLOATS // (d + 1), n) // batch)
        for start in range(0, n, rows):
            yield start, min(start + rows, n)


class Rows:
    """The rows of a fold, gathered chunk by chunk into one buffer with a column of ones.

    Parameters
    ----------
    X : array or sparse array of shape (n, d)
        Anything that gives rows by slices and by index arrays; never written to.
    y : ndarray of shape (n,)
        Targets as the loss sees them: standardised, or class codes.
    weight : ndarray of shape (n,) or None
        Row weights of mean one.
    """

    def __init__(self, X: Any, y: Array, weight: Array | None) -> None:
        self.n, self.d = X.shape
        # a view of memory maps too: plain arrays are quicker to read from
        self._X = np.asarray(X) if isinstance(X, np.ndarray) else X
        self._y, self._weight = y, weight
        self._scratch = np.empty((0, self.d), np.float32)
        self._buffer = np.empty((0, self.d + 1), np.float32)

    def gather(self, which: Array | slice, m: int) -> tuple[Array, Array, Array]:
        """Return ``m`` rows ``(m, d + 1)``, valid until the next call, their targets and their weights ``(m,)``."""
        if m > len(self._buffer):
            self._buffer = np.empty((m, self.d + 1), np.float32)
            self._scratch = np.empty((m, self.d), np.float32)
        x = self._buffer[:m]
        if isinstance(which, np.ndarray) and isinstance(self._X, np.ndarray) and self._X.dtype == np.float32:
            # "clip" spares the copy that checking the indices would need
            fill(x, np.take(self._X, which, axis=0, out=self._scratch[:m], mode="clip"))
        else:
            fill(x, self._X[which])
        weight = np.ones(m, np.float32) if self._weight is None else self._weight[which]
        return x, self._y[which], weight


def fill(x: Array, rows: Any) -> None:
    """Write rows ``(m, d)``, dense or sparse, and a column of ones into ``x`` ``(m, d + 1)``."""
    x[:, :-1] = rows.toarray() if hasattr(rows, "toarray") else rows
    x[:, -1] = 1
