"""A learned scale of each column, forward beside backward."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from typing_extensions import override

from automl.descent.kernels import Array
from automl.descent.model import BindContext, Layer, Pass

__all__ = ["Scale"]


class Scale(Layer):
    """Multiplies each column by a learned factor, 1 at first (Holzmueller et al., arXiv 2407.04491).

    The weights are factors divided by ``speed``, so that a step of an optimizer such as Adam, whose length does not
    depend on the size of the gradient, changes a factor ``speed`` times faster than a weight. Columns that do not help
    fade out early.

    Parameters
    ----------
    d : int
        Columns.
    categories : sequence of int
        Not used: there are no codes.
    speed : float
        Learning rate of the factors, in learning rates of the model.
    """

    def __init__(self, d: int, categories: Sequence[int], speed: float) -> None:
        self.size = self.width = d
        self.speed = speed

    @override
    def init(self, rng: np.random.Generator, gain: float, X: Array) -> Array:
        return np.full(self.size, 1 / self.speed)

    @override
    def bind(self, weights: Array, gradient: Array | None, n: int, context: BindContext) -> Pass:
        return _ScalePass(self, weights, gradient, n, context)


class _ScalePass(Pass):
    def __init__(
        self, layer: Scale, weights: Array, gradient: Array | None, n: int, context: BindContext
    ) -> None:
        self.weights, self.gradient = weights, gradient
        self.speed = weights.dtype.type(layer.speed)
        self.buffer = context.buffers.empty((len(weights), layer.width + 1, n), weights.dtype)
        self.buffer[:, -1] = 1

    @override
    def forward(self, a: Array) -> Array:
        self.columns = a[:, :-1].T
        np.multiply((self.weights * self.speed)[:, :, None], self.columns, out=self.buffer[:, :-1])
        return self.buffer

    @override
    def backward(self, d: Array) -> Array:
        assert self.gradient is not None
        np.vecdot(d, self.columns, out=self.gradient)
        self.gradient *= self.speed
        return d
