"""The only layer of a linear model: one wide matrix product for all trials, forward beside backward."""

from __future__ import annotations

import numpy as np
from typing_extensions import override

from automl.descent.kernels import Array
from automl.descent.layers.dense import Dense, DensePass
from automl.descent.model import BindContext, Pass

__all__ = ["Linear", "LinearPass"]


class Linear(Dense):
    """``x -> W x + b`` on the shared rows, from weights of zero."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__(n_in, n_out, output=True, zero=True)

    @override
    def bind(self, weights: Array, gradient: Array | None, n: int, context: BindContext) -> Pass:
        return LinearPass(self, weights, gradient, n, context)


class LinearPass(DensePass):
    """The outputs of all trials from the same rows ``(n, d + 1)``: one wide product."""

    reads_units = False

    def __init__(
        self, layer: Dense, weights: Array, gradient: Array | None, n: int, context: BindContext
    ) -> None:
        super().__init__(layer, weights, gradient, n, context)
        self.flat_weights = weights.reshape(-1, layer.n_in + 1)
        self.flat_out = self.out.reshape(-1, n)
        if gradient is not None:
            self.flat_gradient = gradient.reshape(-1, layer.n_in + 1)
        # BLAS is twice as fast with few weights where they lie transposed
        self.transposed = np.empty(self.flat_weights.shape[::-1], weights.dtype)
        self.transposes = 4 * len(self.flat_weights) <= n

    @override
    def forward(self, a: Array) -> Array:
        self.inputs = a
        if self.transposes:
            np.copyto(self.transposed, self.flat_weights.T)
            np.dot(self.transposed.T, a.T, out=self.flat_out)
        else:
            np.dot(self.flat_weights, a.T, out=self.flat_out)
        return self.buffer

    @override
    def backward(self, d: Array) -> Array:
        np.dot(d.reshape(len(self.flat_gradient), -1), self.inputs, out=self.flat_gradient)
        return d
