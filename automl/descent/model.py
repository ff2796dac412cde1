"""The one model: a stack of layers whose parameters lie flat, ``(k, p)``, trial by trial."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from automl.descent.arrays import Array
from automl.descent.config import Architecture
from automl.descent.data import fill
from automl.descent.layers.activation import ACTIVATIONS, Activated
from automl.descent.layers.dense import Dense, Dropout, Layer, Pass, Slots, Space
from automl.descent.layers.embedding import Embedding
from automl.descent.layers.normalization import NORMALIZATIONS

__all__ = ["Network", "NetworkPass"]

_FLOATS = 1 << 21
_CACHED_FLOATS = 1 << 17


class Network:
    """Layers of an architecture for ``d`` inputs and ``c`` outputs.

    Parameters
    ----------
    architecture : Architecture
        Hidden layers.
    d, c : int
        Inputs and outputs.
    """

    def __init__(self, architecture: Architecture, d: int, c: int) -> None:
        self.layers: list[Layer] = []
        inputs = d
        if architecture.embeddings:
            embedding = Embedding(d, architecture.embeddings)
            self.layers.append(embedding)
            inputs = embedding.n_out
        sizes = [inputs, *architecture.hidden_layer_sizes, c]
        self.d, self.c = d, c
        self.widest = max(sizes if architecture.embeddings else sizes[1:])
        self.units = sum(sizes[1:-1])
        last = len(sizes) - 2
        for i, (n_in, n_out) in enumerate(pairwise(sizes)):
            self.layers.append(Dense(n_in, n_out, not self.layers, i == last, alone=last == 0))
            if i < last:
                if architecture.normalization is not None:
                    self.layers.append(NORMALIZATIONS[architecture.normalization](n_out))
                self.layers += [Activated(), Dropout()]
        ends = np.cumsum([layer.size for layer in self.layers]).tolist()
        self._slices = [slice(end - layer.size, end) for end, layer in zip(ends, self.layers, strict=True)]
        self.size: int = ends[-1]

    def start(self, seed: int, intercept: Array, activation: str) -> Array:
        """Return initial parameters ``(p,)``; the output's bias is ``intercept`` ``(c,)``."""
        rng = np.random.default_rng(seed) if len(self.layers) > 1 else None
        gain = ACTIVATIONS[activation].gain
        theta = np.concatenate([layer.start(rng, gain) for layer in self.layers])
        theta[self._slices[-1]].reshape(self.c, -1)[:, -1] = intercept
        return theta

    def penalised(self) -> Array:
        """Return which of the ``(p,)`` parameters penalties act on: weights, not biases."""
        return np.concatenate([layer.penalised() for layer in self.layers])

    def together(self, n: int) -> int:
        """Return how many trials should pass at once with ``n`` rows, so that hidden units stay in the cache.

        Without hidden layers all of them: one wide product.
        """
        return max(1, _CACHED_FLOATS // (2 * n * self.units)) if self.units else sys.maxsize

    def bind(
        self,
        theta: Array,
        gradient: Array | None,
        n: int,
        slots: Slots,
        space: Space | None = None,
    ) -> NetworkPass:
        """Return the passes for parameters ``(k, p)`` and ``n`` rows; no gradient: for prediction."""
        space = space or Space()
        space.restart()
        passes = [
            layer.bind(theta[:, part], None if gradient is None else gradient[:, part], n, slots, space)
            for layer, part in zip(self.layers, self._slices, strict=True)
        ]
        return NetworkPass([step for step in passes if step is not None])

    def outputs(self, theta: Array, activations: Sequence[str], X: Any) -> Array:
        """Return raw outputs ``(k, n, c)`` for parameters ``(k, p)`` and rows ``(n, d)``, chunk by chunk.

        Nothing but the result grows with the rows.
        """
        n, k = X.shape[0], len(theta)
        out = np.empty((k, n, self.c), np.float32)
        size = max(1, min(n, _FLOATS // (k * self.widest + self.d)))
        x = np.empty((size, self.d + 1), np.float32)
        slots = Slots(activations)
        bound = self.bind(theta, None, size, slots)
        for start in range(0, n, size):
            m = min(size, n - start)
            if m < size:
                bound, x = self.bind(theta, None, m, slots), x[:m]
            fill(x, X[start : start + m])
            out[:, start : start + m] = bound.forward(x).transpose(0, 2, 1)
        return out

    def weights(self, theta: Array) -> list[tuple[Array, Array]]:
        """Return ``(W (d, h), b (h,))`` of each dense layer for one trial's parameters ``(p,)``."""
        dense = [
            theta[part].reshape(layer.n_out, layer.n_in + 1)
            for layer, part in zip(self.layers, self._slices, strict=True)
            if isinstance(layer, Dense)
        ]
        return [(block[:, :-1].T.copy(), block[:, -1].copy()) for block in dense]


class NetworkPass:
    """All layers bound: from rows ``(n, d + 1)`` to outputs ``(k, c, n)``, and back."""

    def __init__(self, passes: list[Pass]) -> None:
        self.passes = passes
        self._forward = [step.forward for step in passes]
        self._backward = [step.backward for step in reversed(passes)]

    def forward(self, x: Array) -> Array:
        """Return raw outputs ``(k, c, n)`` in a buffer that the next call overwrites."""
        for forward in self._forward:
            x = forward(x)
        return x

    def backward(self, d: Array) -> None:
        """Fill the gradients for the derivative ``(k, c, n)`` by the outputs."""
        for backward in self._backward:
            d = backward(d)
