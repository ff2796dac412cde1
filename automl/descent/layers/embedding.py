"""Learned vectors for categorical columns, forward beside backward."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from typing_extensions import override

from automl.descent.kernels import Array
from automl.descent.model import BindContext, Layer, Pass

__all__ = ["Embedding"]


class Embedding(Layer):
    """Replaces columns of codes by learned vectors (Guo and Berkhahn, arXiv 1604.06737).

    The last columns of the rows hold codes from 0; the outputs are the other columns, then the vectors. A code
    above the last one counts as the last, a negative one as the first.

    Parameters
    ----------
    d : int
        Input columns.
    categories : sequence of int
        Number of codes of each of the last columns.
    length : int
        Length of a vector; shorter where a column has few codes.
    """

    def __init__(self, d: int, categories: Sequence[int], length: int) -> None:
        self.n_numeric = d - len(categories)
        self.tables = [(int(codes), min(int(length), int(codes))) for codes in categories]
        self.width = self.n_numeric + sum(length for _, length in self.tables)
        self.size = sum(codes * length for codes, length in self.tables)

    @override
    def init(self, rng: np.random.Generator, gain: float, X: Array) -> Array:
        # normal values, but zeros for codes without a row, so that a category never seen adds nothing
        found = []
        for (codes, length), column in zip(self.tables, X[:, self.n_numeric :].T, strict=True):
            vectors = rng.normal(size=(length, codes))
            seen = np.isin(np.arange(codes), _codes(column, codes))
            found.append(np.where(seen, vectors, 0).ravel())
        return np.concatenate([np.empty(0), *found])

    @override
    def decay_mask(self) -> Array:
        return np.ones(self.size, bool)

    @override
    def bind(self, weights: Array, gradient: Array | None, n: int, context: BindContext) -> Pass:
        return _EmbeddingPass(self, weights, gradient, n, context)


class _EmbeddingPass(Pass):
    def __init__(
        self, layer: Embedding, weights: Array, gradient: Array | None, n: int, context: BindContext
    ) -> None:
        self.layer, k = layer, len(weights)
        self.buffer = context.buffers.empty((k, layer.width + 1, n), weights.dtype)
        self.buffer[:, -1] = 1
        self.tables, self.gradients, self.units = [], [], []
        at, unit = 0, layer.n_numeric
        for codes, length in layer.tables:
            part, shape = slice(at, at + codes * length), (k, length, codes)
            self.tables.append(weights[:, part].reshape(shape))
            if gradient is not None:
                self.gradients.append(gradient[:, part].reshape(shape))
            self.units.append(slice(unit, unit + length))
            at, unit = part.stop, unit + length

    @override
    def forward(self, a: Array) -> Array:
        numeric = self.layer.n_numeric
        self.buffer[:, :numeric] = a[:, :numeric].T
        self.codes = []
        for table, units, column in zip(self.tables, self.units, a[:, numeric:-1].T, strict=True):
            codes = _codes(column, table.shape[2])
            self.buffer[:, units] = np.take(table, codes, axis=2)
            self.codes.append(codes)
        return self.buffer

    @override
    def backward(self, d: Array) -> Array:
        for gradient, units, codes in zip(self.gradients, self.units, self.codes, strict=True):
            # sorting puts the rows of a code side by side; they are summed up to where the next code begins
            order = np.argsort(codes, kind="stable")
            present, starts = np.unique(codes[order], return_index=True)
            gradient[...] = 0
            gradient[:, :, present] = np.add.reduceat(np.take(d[:, units], order, axis=2), starts, axis=2)
        return d


def _codes(column: Array, count: int) -> Array:
    return np.clip(column, 0, count - 1).astype(np.intp)
