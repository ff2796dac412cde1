"""Normalization of hidden units before their activation, forward next to backward, in one table.

Both end in ``gain * x + shift`` by unit. Batch normalization keeps its running means and variances among the
parameters, with a gradient of zero: so they are stacked, dropped and stored with the rest.
"""

from __future__ import annotations

import numpy as np

from automl.descent.arrays import Array
from automl.descent.layers import Layer, Noise, Pass, Space

__all__ = ["NORMALIZATIONS", "BatchNormalization", "LayerNormalization"]

_EPSILON = 1e-5
_MOMENTUM = 0.1


class LayerNormalization(Layer):
    """Each row's units to mean zero and variance one (Ba et al., arXiv 1607.06450).

    Parameters
    ----------
    h : int
        Units.
    """

    about = "each row over its units"

    def __init__(self, h: int) -> None:
        self.h = h
        self.size = 2 * h

    def start(self, rng: np.random.Generator | None) -> Array:
        """Return gains of one and shifts of zero."""
        return np.repeat([1.0, 0.0], self.h)

    def bind(self, weights: Array, gradient: Array | None, n: int, noise: Noise | None, space: Space) -> Pass:
        """Return the pass over units."""
        return _LayerPass(self.h, weights, gradient)


class BatchNormalization(Layer):
    """Each unit over the rows of a batch to mean zero and variance one (Ioffe and Szegedy, arXiv 1502.03167).

    A batch of one row, and prediction, use the running means and variances. Of batches above
    `automl.descent.batches.CHUNK_ROWS` rows each chunk is normalized by itself.

    Parameters
    ----------
    h : int
        Units.
    """

    about = "each unit over the rows of a batch"

    def __init__(self, h: int) -> None:
        self.h = h
        self.size = 4 * h

    def start(self, rng: np.random.Generator | None) -> Array:
        """Return gains and running variances of one, shifts and running means of zero."""
        return np.repeat([1.0, 0.0, 0.0, 1.0], self.h)

    def bind(self, weights: Array, gradient: Array | None, n: int, noise: Noise | None, space: Space) -> Pass:
        """Return the pass over rows, or that with running values where no gradient is wanted."""
        return _BatchPass(self.h, weights, gradient, n)


class _AffinePass(Pass):
    """``gain * x + shift`` and its gradients."""

    def __init__(self, h: int, weights: Array, gradient: Array | None) -> None:
        self.gain, self.shift = weights[:, :h, None], weights[:, h : 2 * h, None]
        if gradient is not None:
            self.gain_gradient, self.shift_gradient = gradient[:, :h], gradient[:, h : 2 * h]

    def finish(self, z: Array, normal: Array) -> None:
        np.multiply(normal, self.gain, out=z)
        z += self.shift

    def open(self, d: Array, normal: Array) -> None:
        """Fill the gradients and turn ``d`` into the derivative by the normalized units."""
        np.vecdot(d, normal, out=self.gain_gradient)
        np.sum(d, axis=2, out=self.shift_gradient)
        d *= self.gain


def _back(d: Array, normal: Array, root: Array, axis: int) -> Array:
    """Return the derivative by what was normalized along ``axis``, through the mean and the variance too."""
    along = (d * normal).mean(axis=axis, keepdims=True)
    d -= d.mean(axis=axis, keepdims=True)
    d -= normal * along
    d /= root
    return d


class _LayerPass(_AffinePass):
    def forward(self, a: Array) -> Array:
        z = a[:, :-1]
        self.normal = z - z.mean(axis=1, keepdims=True)
        variance = np.square(self.normal).mean(axis=1, keepdims=True)
        self.root = np.sqrt(variance + z.dtype.type(_EPSILON))
        self.normal /= self.root
        self.finish(z, self.normal)
        return a

    def backward(self, d: Array) -> Array:
        self.open(d, self.normal)
        return _back(d, self.normal, self.root, axis=1)


class _BatchPass(_AffinePass):
    def __init__(self, h: int, weights: Array, gradient: Array | None, n: int) -> None:
        super().__init__(h, weights, gradient)
        self.mean, self.variance = weights[:, 2 * h : 3 * h], weights[:, 3 * h :]
        self.n = n
        self.learns = gradient is not None and n > 1
        self.gradient = gradient

    def forward(self, a: Array) -> Array:
        z = a[:, :-1]
        if self.learns:
            mean = z.mean(axis=2, keepdims=True)
            self.normal = z - mean
            variance = np.square(self.normal).mean(axis=2, keepdims=True)
            self.mean += _MOMENTUM * (mean[:, :, 0] - self.mean)
            self.variance += _MOMENTUM * (variance[:, :, 0] * (self.n / (self.n - 1)) - self.variance)
        else:
            self.normal = z - self.mean[:, :, None]
            variance = self.variance[:, :, None]
        self.root = np.sqrt(variance + z.dtype.type(_EPSILON))
        self.normal /= self.root
        self.finish(z, self.normal)
        return a

    def backward(self, d: Array) -> Array:
        self.open(d, self.normal)
        # the optimizer turns the whole gradient into a step, so the running values' zeros are written each
        # time
        if self.gradient is not None:
            self.gradient[:, 2 * self.gain.shape[1] :] = 0
        if self.learns:
            return _back(d, self.normal, self.root, axis=2)
        d /= self.root
        return d


NORMALIZATIONS: dict[str, type[LayerNormalization] | type[BatchNormalization]] = {
    "layer": LayerNormalization,
    "batch": BatchNormalization,
}
