"""A layer, and the one model: a stack of layers whose parameters lie flat, ``(k, p)``, one row a trial.

A `Layer` knows its shape. ``bind`` returns a `Pass`: the layer with the weights, gradients and buffers of some
trials, for a fixed number of rows. The first layer gets the shared rows ``(n, d + 1)``, whose last column is
one. Hidden arrays are ``(k, h + 1, n)``, whose last unit is one: the bias is then a column of the next
layer's weights and its gradient follows from the same product.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from automl.descent.data import copy_rows
from automl.descent.kernels import Array, Ops
from automl.descent.kernels import numpy as numpy_ops

__all__ = ["BindContext", "BufferPool", "Layer", "Model", "Pass"]

_OUTPUT_FLOATS = 1 << 21
_CACHED_FLOATS = 1 << 17


class BufferPool:
    """Buffers that the passes of neighbouring trials share, since they run one after the other.

    What a few trials leave in the cache is overwritten there by the next few. Each binding asks for its buffers
    in the same order, and the first binding has the most trials.
    """

    def __init__(self) -> None:
        self._buffers: list[Array] = []
        self._next = 0
        self.fresh = True

    def restart(self) -> None:
        """Begin a binding: hand out the buffers of the one before again."""
        self._next, self.fresh = 0, not self._buffers

    def empty(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """Return the next buffer, its first ``shape[0]`` entries."""
        if self.fresh:
            self._buffers.append(np.empty(shape, dtype))
        self._next += 1
        return self._buffers[self._next - 1][: shape[0]]


@dataclass(frozen=True)
class BindContext:
    """What a layer may use when it is bound, besides its weights.

    Parameters
    ----------
    configs : sequence of TrainConfig
        Settings of the trials, in the order of the weights.
    bits : callable, optional
        While training: ``(layer, shape)`` to the layer's random 16-bit numbers in this batch, shared by all trials.
    ops : module
        Kernels.
    buffers : BufferPool
        Source of buffers.
    """

    configs: Sequence[Any]
    bits: Callable[[Layer, tuple[int, ...]], Array] | None = None
    ops: Ops = numpy_ops
    buffers: BufferPool = field(default_factory=BufferPool)


class Pass(ABC):
    """A layer bound to weights ``(k, size)``, gradients of the same shape and ``n`` rows."""

    @abstractmethod
    def forward(self, a: Array) -> Array:
        """Return the outputs for inputs ``a``; both may share memory."""

    @abstractmethod
    def backward(self, d: Array) -> Array:
        """Return the derivative by the inputs, given that by the outputs, and fill the gradients."""


class Layer(ABC):
    """A layer's shape and initial weights.

    Attributes
    ----------
    size : int
        Parameters of one trial.
    width : int
        Units it writes to a buffer of its own; 0 if it works in place.
    """

    size: int = 0
    width: int = 0

    @abstractmethod
    def bind(self, weights: Array, gradient: Array | None, n: int, context: BindContext) -> Pass | None:
        """Return the pass for weights and gradients ``(k, size)`` and ``n`` rows; None if it does nothing.

        There is no gradient for prediction.
        """

    def init(self, rng: np.random.Generator, gain: float, X: Array) -> Array:
        """Return initial weights ``(size,)``.

        Parameters
        ----------
        rng : Generator
            Source of random numbers.
        gain : float
            Variance of weights that the trial's activation asks for, times the number of inputs.
        X : ndarray of shape (m, d)
            A sample of the rows to train on.
        """
        return np.zeros(self.size)

    def decay_mask(self) -> Array:
        """Return which of the ``(size,)`` weights l1, l2 and weight decay act on."""
        return np.zeros(self.size, bool)

    def coefficients(self, weights: Array) -> tuple[Array, Array] | None:
        """Return ``(W (n_in, n_out), b (n_out,))`` of one trial's weights, for layers that have such."""
        return None


class Model:
    """A stack of layers, from rows to raw outputs.

    Parameters
    ----------
    layers : sequence of Layer
        From the input to the output; the last ``c`` biases of the last layer shift the outputs.
    d, c : int
        Columns and outputs.
    """

    def __init__(self, layers: Sequence[Layer], d: int, c: int) -> None:
        self.layers, self.d, self.c = list(layers), d, c
        ends = np.cumsum([layer.size for layer in self.layers]).tolist()
        self._slices = [slice(end - layer.size, end) for end, layer in zip(ends, self.layers, strict=True)]
        self.size: int = ends[-1]
        self._widest = max(layer.width for layer in self.layers)
        self.hidden_units = sum(layer.width for layer in self.layers[:-1])

    @property
    def is_linear(self) -> bool:
        """Whether the rows are multiplied once and nothing else happens."""
        return len(self.layers) == 1

    def init(self, seed: int, gain: float, X: Array, intercept: Array) -> Array:
        """Return initial parameters ``(p,)``; see `Layer.init`. The outputs' biases are ``intercept`` ``(c,)``."""
        if self.is_linear:  # starts at zero; making a generator takes as long as some steps
            theta = np.zeros(self.size)
        else:
            rng = np.random.default_rng(seed)
            theta = np.concatenate([layer.init(rng, gain, X) for layer in self.layers])
        theta[self._slices[-1]].reshape(self.c, -1)[:, -1] = intercept
        return theta

    def decay_mask(self) -> Array:
        """Return which of the ``(p,)`` parameters penalties act on."""
        return np.concatenate([layer.decay_mask() for layer in self.layers])

    def trials_per_pass(self, n: int) -> int:
        """Return how many trials should pass at once with ``n`` rows, so that hidden units stay in the cache.

        Without hidden layers all of them: one wide product.
        """
        return max(1, _CACHED_FLOATS // (2 * n * self.hidden_units)) if self.hidden_units else sys.maxsize

    def bind(self, theta: Array, gradient: Array | None, n: int, context: BindContext) -> list[Pass]:
        """Return the passes for parameters ``(k, p)`` and ``n`` rows; no gradient for prediction."""
        context.buffers.restart()
        passes = [
            layer.bind(theta[:, part], None if gradient is None else gradient[:, part], n, context)
            for layer, part in zip(self.layers, self._slices, strict=True)
        ]
        return [bound for bound in passes if bound is not None]

    def outputs(self, theta: Array, configs: Sequence[Any], X: Any, ops: Ops = numpy_ops) -> Array:
        """Return raw outputs ``(k, n, c)`` of trials with parameters ``(k, p)`` for rows ``(n, d)``.

        Rows pass in chunks: only the result grows with their number.
        """
        n, k = X.shape[0], len(theta)
        out = np.empty((k, n, self.c), np.float32)
        size = max(1, min(n, _OUTPUT_FLOATS // (k * self._widest + self.d)))
        x, context = np.empty((size, self.d + 1), np.float32), BindContext(configs, ops=ops)
        passes = self.bind(theta, None, size, context)
        for start in range(0, n, size):
            m = min(size, n - start)
            if m < size:
                passes, x = self.bind(theta, None, m, BindContext(configs, ops=ops)), x[:m]
            copy_rows(X[start : start + m], x)
            z = x
            for one in passes:
                z = one.forward(z)
            out[:, start : start + m] = z.transpose(0, 2, 1)
        return out

    def coefficients(self, theta: Array) -> list[tuple[Array, Array]]:
        """Return ``(W (n_in, n_out), b (n_out,))`` of each dense layer for one trial's parameters ``(p,)``."""
        found = [
            layer.coefficients(theta[part]) for layer, part in zip(self.layers, self._slices, strict=True)
        ]
        return [pair for pair in found if pair is not None]
