"""Dense layers: one matrix product for all trials, forward beside backward."""

from __future__ import annotations

import numpy as np
from typing_extensions import override

from automl.descent.kernels import Array
from automl.descent.model import BindContext, Layer, Pass

__all__ = ["Dense", "DensePass", "SharedDense", "product"]


class Dense(Layer):
    """``a -> W a + b`` on hidden units; the bias is the last column of ``(n_out, n_in + 1)``.

    Parameters
    ----------
    n_in, n_out : int
        Units.
    output : bool
        Whether these are the model's outputs.
    zero : bool
        Whether all weights are zero at first, as where there is no hidden layer.
    """

    def __init__(self, n_in: int, n_out: int, *, output: bool = False, zero: bool = False) -> None:
        self.n_in, self.n_out, self.output, self.zero = n_in, n_out, output, zero
        self.size, self.width = n_out * (n_in + 1), n_out

    @override
    def init(self, rng: np.random.Generator, gain: float, X: Array) -> Array:
        # uniform weights that keep the variance (He et al., arXiv 1502.01852), and biases of zero
        weights = np.zeros((self.n_out, self.n_in + 1))
        if not self.zero:
            limit = np.sqrt(3 * (1.0 if self.output else gain) / self.n_in)
            weights[:, :-1] = rng.uniform(-limit, limit, (self.n_out, self.n_in))
        return weights.ravel()

    @override
    def decay_mask(self) -> Array:
        mask = np.ones((self.n_out, self.n_in + 1), bool)
        mask[:, -1] = False
        return mask.ravel()

    @override
    def coefficients(self, weights: Array) -> tuple[Array, Array]:
        block = weights.reshape(self.n_out, self.n_in + 1)
        return block[:, :-1].T.copy(), block[:, -1].copy()

    @override
    def bind(self, weights: Array, gradient: Array | None, n: int, context: BindContext) -> Pass:
        return DensePass(self, weights, gradient, n, context)


class SharedDense(Dense):
    """The first of several dense layers: all trials read the same rows ``(n, d + 1)``."""

    @override
    def bind(self, weights: Array, gradient: Array | None, n: int, context: BindContext) -> Pass:
        return SharedDensePass(self, weights, gradient, n, context)


class DensePass(Pass):
    """Stacked products, one for each trial."""

    reads_units = True

    def __init__(
        self, layer: Dense, weights: Array, gradient: Array | None, n: int, context: BindContext
    ) -> None:
        k, shape, pool = len(weights), (layer.n_out, layer.n_in + 1), context.buffers
        self.weights = weights.reshape(k, *shape)
        self.gradient = None if gradient is None else gradient.reshape(k, *shape)
        # hidden units are followed by a row of ones
        self.buffer = pool.empty((k, layer.n_out + (not layer.output), n), weights.dtype)
        self.buffer[:, layer.n_out :] = 1
        self.out = self.buffer[:, : layer.n_out]
        if gradient is not None and self.reads_units:
            self.back = pool.empty((k, layer.n_in, n), weights.dtype)

    @override
    def forward(self, a: Array) -> Array:
        self.inputs = a
        np.matmul(self.weights, a, out=self.out)
        return self.buffer

    @override
    def backward(self, d: Array) -> Array:
        product(d, self.inputs.transpose(0, 2, 1), self.gradient)
        return product(self.weights[:, :, :-1].transpose(0, 2, 1), d, self.back)


class SharedDensePass(DensePass):
    reads_units = False

    def __init__(
        self, layer: Dense, weights: Array, gradient: Array | None, n: int, context: BindContext
    ) -> None:
        super().__init__(layer, weights, gradient, n, context)
        # copied once for all trials: a product with a transposed view would pack it for each of them
        self.columns = context.buffers.empty((layer.n_in + 1, n), weights.dtype)
        self.copies = context.buffers.fresh

    @override
    def forward(self, a: Array) -> Array:
        self.inputs = a
        if self.copies:
            np.copyto(self.columns, a.T)
        np.matmul(self.weights, self.columns, out=self.out)
        return self.buffer

    @override
    def backward(self, d: Array) -> Array:
        product(d, self.inputs, self.gradient)
        return d


def product(a: Array, b: Array, out: Array | None) -> Array:
    """Return ``a @ b`` for ``a`` ``(k, m, n)`` and ``b`` ``(n, l)`` or ``(k, n, l)``.

    Where ``n`` is one, as for a single output or a single row, NumPy uses a plain loop instead of BLAS. A row
    of zeros beside the one keeps the product in BLAS, which is about six times faster.
    """
    if a.shape[2] > 1:
        return np.matmul(a, b, out=out)
    columns, rows = np.zeros((len(a), 2, a.shape[1]), a.dtype), np.zeros((len(a), 2, b.shape[-1]), a.dtype)
    columns[:, 0], rows[:, 0] = a[:, :, 0], b[..., 0, :]
    return np.matmul(columns.transpose(0, 2, 1), rows, out=out)
