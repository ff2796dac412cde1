"""Twins, compiled by Numba, of what takes most of the time beside matrix products.

Elementwise passes between the products; and for linear models whose parameters stay in the cache, all steps of a chunk
of rows in one call: their batches are so small that calls would take longer than what they do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from typing_extensions import override

from automl.descent import data, losses, passes, updates
from automl.descent.arrays import Array
from automl.descent.compiled_losses import (
    Logistic,
    Softmax,
    compiled,
    inlined,
    logistic_backward,
    of_each,
    softmax_backward,
)
from automl.descent.compiled_step import SeveralKinds, go, stepper_of
from automl.descent.layers import activation as activations
from automl.descent.layers import dense as layers
from automl.descent.layers.dense import Bits, WideDensePass

__all__ = ["TWINS"]

_f = np.float32


@compiled
def _relu(a):  # type: ignore[no-untyped-def]
    k, h, n = a.shape
    for i in range(k):
        for u in range(h):
            for j in range(n):
                a[i, u, j] = 0 if a[i, u, j] < 0 else a[i, u, j]


@compiled
def _relu_back(d, outputs):  # type: ignore[no-untyped-def]
    k, h, n = d.shape
    for i in range(k):
        for u in range(h):
            for j in range(n):
                d[i, u, j] = d[i, u, j] if outputs[i, u, j] > 0 else 0


class ReluPass(activations.ReluPass):
    """Without an array for the mask."""

    @override
    def forward(self, a: Array) -> Array:
        self.outputs = a
        _relu(a)
        return a

    @override
    def backward(self, d: Array) -> Array:
        _relu_back(d, self.outputs)
        return d


@compiled
def _tanh_slope(outputs, slope):  # type: ignore[no-untyped-def]
    k, h, n = slope.shape
    for i in range(k):
        for u in range(h):
            for j in range(n):
                slope[i, u, j] = _f(1) - outputs[i, u, j] * outputs[i, u, j]


class TanhPass(activations.TanhPass):
    """The slope in one pass, and always in the same array."""

    @override
    def forward(self, a: Array) -> Array:
        z = a[:, :-1]
        np.tanh(z, out=z)
        if not hasattr(self, "slope"):
            self.slope = np.empty(z.shape, a.dtype)
        _tanh_slope(a, self.slope)
        return a


@compiled
def _drop(a, bits, turns, below, scales):  # type: ignore[no-untyped-def]
    h, n = bits.shape
    for i in range(len(a)):
        turn, least, scale = turns[i], below[i], scales[i]
        for u in range(h if least > 0 else 0):
            for j in range(n):
                # a product with zero: a choice between two products is no vector instruction
                a[i, u, j] *= scale if np.uint16(bits[u, j] + turn) >= least else scale - scale


class DropoutPass(layers.DropoutPass):
    """All trials in one call."""

    @override
    def __init__(self, layer: layers.Layer, noise: layers.Noise) -> None:
        super().__init__(layer, noise)
        self.scales = np.array([1 / (1 - rate) for rate in noise.dropout], np.float32)

    @override
    def drop(self, a: Array, bits: Array) -> None:
        _drop(a, bits, self.noise.turns, self.noise.below, self.scales)


@compiled
def _pick(X, which, x):  # type: ignore[no-untyped-def]
    d = X.shape[1]
    for i in range(which.size):
        row = which[i]
        for j in range(d):
            x[i, j] = X[row, j]
        x[i, d] = 1


@inlined
def _forward(x, theta, turns, z):  # type: ignore[no-untyped-def]
    weights = theta.reshape(-1, x.shape[1])
    if turns:
        np.dot(np.asfortranarray(weights), x.T, z)
    else:
        np.dot(weights, x.T, z)


@compiled
def _logistic_steps(x, half, sign, left, rates, turns, smoothing, z, theta, gradient, *more):  # type: ignore[no-untyped-def]
    flat, slopes = z.reshape(-1, z.shape[2]), gradient.reshape(-1, x.shape[2])
    for s in range(len(x)):
        _forward(x[s], theta, turns, flat)
        logistic_backward(z, half[s], sign[s], smoothing, left[s])
        np.dot(flat, x[s], slopes)
        go(rates[s], theta, gradient, *more)


@compiled
def _softmax_steps(x, weight, codes, left, rates, turns, smoothing, z, theta, gradient, *more):  # type: ignore[no-untyped-def]
    flat, slopes = z.reshape(-1, z.shape[2]), gradient.reshape(-1, x.shape[2])
    for s in range(len(x)):
        _forward(x[s], theta, turns, flat)
        softmax_backward(z, weight[s], codes[s], smoothing, left[s])
        np.dot(flat, x[s], slopes)
        go(rates[s], theta, gradient, *more)


_LINEAR: dict[type[losses.Loss], Callable[..., None]] = {Logistic: _logistic_steps, Softmax: _softmax_steps}


class Steps(passes.Steps):
    """Steps of linear models in one call for all of them."""

    def __init__(self, parts: Sequence[passes.Part], steppers: Sequence[updates.Stepper], bits: Bits) -> None:
        super().__init__(parts, steppers, bits)
        part, self._stepper = parts[0], steppers[0]
        layer, run = part.layers.passes[0], _LINEAR.get(type(part.loss))
        self._linear: tuple[Callable[..., None], tuple[Any, ...]] | None = None
        if (
            len(steppers) == 1
            and isinstance(self._stepper, SeveralKinds)
            and isinstance(layer, WideDensePass)
            and run is not None
        ):
            ease = of_each(part.smoothing, layer.buffer)
            self._linear = run, (layer.turns, ease, layer.buffer, *self._stepper.arrays)

    @override
    def run(self, x: Array, targets: Sequence[Array], left: Array, rates: Array) -> None:
        if self._linear is None:
            super().run(x, targets, left, rates)
            return
        (run, arrays), done = self._linear, 0
        while done < len(x):
            some = slice(done, done + self._stepper.due)
            run(x[some], *(target[some] for target in targets), left[some], rates[some], *arrays)
            self._stepper.count(len(x[some]))
            done = some.stop


TWINS: dict[Callable[..., Any], Callable[..., Any]] = {
    losses.Logistic: Logistic,
    losses.Softmax: Softmax,
    activations.ReluPass: ReluPass,
    activations.TanhPass: TanhPass,
    layers.DropoutPass: DropoutPass,
    data.pick: _pick,
    updates.stepper_of: stepper_of,
    passes.Steps: Steps,
}
