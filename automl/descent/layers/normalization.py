"""Normalization of hidden units before their activation, forward beside backward, in one table.

Both end in ``gain * x + shift`` for each unit. Batch normalization keeps its running means and variances among
the parameters, with a gradient of zero: they are stacked, dropped and stored with the rest.
"""

from __future__ import annotations

import numpy as np
from typing_extensions import override

from automl.descent.kernels import Array
from automl.descent.model import BindContext, Layer, Pass

__all__ = ["NORMALIZATIONS", "BatchNormalization", "LayerNormalization", "Normalization"]

_EPSILON = 1e-5
_MOMENTUM = 0.1


class Normalization(Layer):
    """A layer with a few values for each unit.

    Parameters
    ----------
    h : int
        Units.
    """

    values: tuple[float, ...] = (1.0, 0.0)
    """Initial gain and shift."""

    def __init__(self, h: int) -> None:
        self.h, self.size = h, len(self.values) * h

    @override
    def init(self, rng: np.random.Generator, gain: float, X: Array) -> Array:
        return np.repeat(self.values, self.h)


class LayerNormalization(Normalization):
    """Each row's units to mean zero and variance one (Ba et al., arXiv 1607.06450)."""

    @override
    def bind(self, weights: Array, gradient: Array | None, n: int, context: BindContext) -> Pass:
        return _NormalPass(self.h, weights, gradient)


class BatchNormalization(Normalization):
    """Each unit over the rows of a batch to mean zero and variance one (Ioffe and Szegedy, arXiv 1502.03167).

    A batch of one row, and prediction, use the running means and variances. A batch of more than
    `automl.descent.data.CHUNK_ROWS` rows is normalized chunk by chunk.
    """

    values = (1.0, 0.0, 0.0, 1.0)
    """Initial gain, shift, running mean and running variance."""

    @override
    def bind(self, weights: Array, gradient: Array | None, n: int, context: BindContext) -> Pass:
        return _BatchPass(self.h, weights, gradient, n)


class _NormalPass(Pass):
    """``gain * x + shift`` of units normalized along an axis."""

    axis = 1

    def __init__(self, h: int, weights: Array, gradient: Array | None, learns: bool = True) -> None:
        self.gain, self.shift, self.learns = weights[:, :h, None], weights[:, h : 2 * h, None], learns
        if gradient is not None:
            self.gain_gradient, self.shift_gradient = gradient[:, :h], gradient[:, h : 2 * h]

    def moments(self, z: Array) -> tuple[Array, Array]:
        """Return mean and variance of these rows."""
        mean = z.mean(axis=self.axis, keepdims=True)
        return mean, np.square(z - mean).mean(axis=self.axis, keepdims=True)

    @override
    def forward(self, a: Array) -> Array:
        z = a[:, :-1]
        mean, variance = self.moments(z)
        self.root = np.sqrt(variance + z.dtype.type(_EPSILON))
        self.normal = (z - mean) / self.root
        np.multiply(self.normal, self.gain, out=z)
        z += self.shift
        return a

    @override
    def backward(self, d: Array) -> Array:
        np.vecdot(d, self.normal, out=self.gain_gradient)
        np.sum(d, axis=2, out=self.shift_gradient)
        d *= self.gain
        if self.learns:
            # also through the mean and the variance
            along = (d * self.normal).mean(axis=self.axis, keepdims=True)
            d -= d.mean(axis=self.axis, keepdims=True)
            d -= self.normal * along
        d /= self.root
        return d


class _BatchPass(_NormalPass):
    axis = 2

    def __init__(self, h: int, weights: Array, gradient: Array | None, n: int) -> None:
        super().__init__(h, weights, gradient, learns=gradient is not None and n > 1)
        self.running = weights[:, 2 * h : 3 * h, None], weights[:, 3 * h :, None]
        if gradient is not None:
            self.rest = gradient[:, 2 * h :]
        self.unbiased = n / max(1, n - 1)

    @override
    def moments(self, z: Array) -> tuple[Array, Array]:
        if not self.learns:
            return self.running
        found = super().moments(z)
        for running, new, factor in zip(self.running, found, (1, self.unbiased), strict=True):
            running += _MOMENTUM * (new * factor - running)
        return found

    @override
    def backward(self, d: Array) -> Array:
        # the optimizer overwrites the whole gradient, so the zeros of the running values are written each time
        self.rest[...] = 0
        return super().backward(d)


NORMALIZATIONS: dict[str, type[Normalization]] = {"layer": LayerNormalization, "batch": BatchNormalization}
