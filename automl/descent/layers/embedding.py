"""Embeddings of categorical columns, forward next to backward."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from automl.descent.arrays import Array
from automl.descent.layers.dense import Layer, Pass, Slots, Space

__all__ = ["Embedding"]


class Embedding(Layer):
    """Replaces columns of codes by learned vectors (Guo and Berkhahn, arXiv 1604.06737).

    The inputs are ``d`` columns, of which the last ones hold codes from 0; the outputs are the other columns
    and then the vectors. A code beyond the last one is read as the last, a negative one as the first.

    Parameters
    ----------
    d : int
        Input columns.
    tables : sequence of (int, int)
        Codes and length of the vectors, for each of the last columns.
    """

    def __init__(self, d: int, tables: Sequence[tuple[int, int]]) -> None:
        self.numeric = d - len(tables)
        self.tables = [(int(codes), int(length)) for codes, length in tables]
        self.n_out = self.numeric + sum(length for _, length in self.tables)
        self.size = sum(codes * length for codes, length in self.tables)

    def start(self, rng: np.random.Generator | None, gain: float) -> Array:
        """Return normal values whose vectors have a mean square of one."""
        return np.zeros(self.size) if rng is None else rng.normal(size=self.size)

    def penalised(self) -> Array:
        """Return all of them."""
        return np.ones(self.size, bool)

    def bind(self, weights: Array, gradient: Array | None, n: int, slots: Slots, space: Space) -> Pass:
        """Return the pass that looks vectors up."""
        return _EmbeddingPass(self, weights, gradient, n, space)


class _EmbeddingPass(Pass):
    def __init__(
        self, layer: Embedding, weights: Array, gradient: Array | None, n: int, space: Space
    ) -> None:
        self.layer, k = layer, len(weights)
        self.buffer = space.empty((k, layer.n_out + 1, n), weights.dtype)
        self.buffer[:, -1] = 1
        self.tables, self.gradients, self.units = [], [], []
        at, unit = 0, layer.numeric
        for codes, length in layer.tables:
            part, shape = slice(at, at + codes * length), (k, length, codes)
            self.tables.append(weights[:, part].reshape(shape))
            if gradient is not None:
                self.gradients.append(gradient[:, part].reshape(shape))
            self.units.append(slice(unit, unit + length))
            at, unit = part.stop, unit + length

    def forward(self, a: Array) -> Array:
        numeric = self.layer.numeric
        self.buffer[:, :numeric] = a[:, :numeric].T
        self.codes = []
        for table, units, column in zip(self.tables, self.units, a[:, numeric:-1].T, strict=True):
            codes = np.clip(column, 0, table.shape[2] - 1).astype(np.intp)
            self.buffer[:, units] = np.take(table, codes, axis=2)
            self.codes.append(codes)
        return self.buffer

    def backward(self, d: Array) -> Array:
        for gradient, units, codes in zip(self.gradients, self.units, self.codes, strict=True):
            # rows of one code lie together after sorting, and are summed where the next code begins
            order = np.argsort(codes, kind="stable")
            present, starts = np.unique(codes[order], return_index=True)
            gradient[...] = 0
            gradient[:, :, present] = np.add.reduceat(np.take(d[:, units], order, axis=2), starts, axis=2)
        return d
