"""Elementwise functions between layers, forward next to backward, in one table.

They work in place on the units of ``(k, h + 1, n)`` arrays and leave the last row, the ones, alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from automl.descent.accelerated import fastest
from automl.descent.arrays import Array
from automl.descent.layers.dense import Layer, Pass, Slots, Space

__all__ = ["ACTIVATIONS", "Activated", "Activation"]


@dataclass(frozen=True)
class Activation:
    """One row of the table.

    Parameters
    ----------
    kind : type
        Its pass.
    gain : float
        Variance of the initial weights before it, times the number of inputs.
    """

    kind: type[Pass]
    gain: float


class Activated(Layer):
    """Every trial's own activation."""

    def bind(self, weights: Array, gradient: Array | None, n: int, slots: Slots, space: Space) -> Pass:
        """Return the pass of the one kind there is, or of each run of equal kinds among neighbouring trials."""
        runs, stop = list[tuple[slice, Pass]](), 0
        for kind, run in groupby(slots.activations):
            start, stop = stop, stop + len(list(run))
            runs.append((slice(start, stop), fastest(ACTIVATIONS[kind].kind)()))
        return runs[0][1] if len(runs) == 1 else _SeveralPass(runs)


class _SeveralPass(Pass):
    """Passes that work in place, each for some of the trials."""

    def __init__(self, runs: Sequence[tuple[slice, Pass]]) -> None:
        self.runs = runs

    def forward(self, a: Array) -> Array:
        for some, own in self.runs:
            own.forward(a[some])
        return a

    def backward(self, d: Array) -> Array:
        for some, own in self.runs:
            own.backward(d[some])
        return d


class ReluPass(Pass):
    """``max(z, 0)``."""

    def forward(self, a: Array) -> Array:
        # the row of ones stays as it is, and a whole array is quicker to pass over than a part; the largest of
        # two arrays is twice as quick as that of an array and a number
        if not hasattr(self, "zeros"):
            self.zeros = np.zeros_like(a)
        self.outputs = np.maximum(a, self.zeros, out=a)
        return a

    def backward(self, d: Array) -> Array:
        d *= (self.outputs > 0)[:, :-1]
        return d


class _SlopePass(Pass):
    """What works out its slope on the way forward: dropout changes the outputs after that."""

    slope: Array

    def backward(self, d: Array) -> Array:
        d *= self.slope
        return d


class TanhPass(_SlopePass):
    """Hyperbolic tangent."""

    def forward(self, a: Array) -> Array:
        z = a[:, :-1]
        np.tanh(z, out=z)
        self.slope = z * z
        np.subtract(1, self.slope, out=self.slope)
        return a


class _SiluPass(_SlopePass):
    """``z / (1 + exp(-z))`` (Elfwing et al., arXiv 1702.03118)."""

    def forward(self, a: Array) -> Array:
        z = a[:, :-1]
        gate = np.multiply(z, 0.5)
        np.tanh(gate, out=gate)
        gate += 1
        gate *= 0.5
        # s + z s (1 - s), with s the gate
        self.slope = 1 - gate
        self.slope *= z
        self.slope += 1
        self.slope *= gate
        z *= gate
        return a


_ROOT = float(np.sqrt(2 / np.pi))
_FLAT = 10.0


class _GeluPass(_SlopePass):
    """``z Phi(z)`` by its tanh form (Hendrycks and Gimpel, arXiv 1606.08415)."""

    def forward(self, a: Array) -> Array:
        z = a[:, :-1]
        # where the gate is 0 or 1 to the last bit; the cube of a larger number could overflow
        near = np.clip(z, -_FLAT, _FLAT)
        square = near * near
        inner = square * (0.044715 * _ROOT)
        inner += _ROOT
        inner *= near
        np.tanh(inner, out=inner)
        # z / 2 (1 + t) has the slope (1 + t) / 2 + z / 2 (1 - t^2) u', where u' = root (1 + 0.134145 z^2)
        square *= 3 * 0.044715 * _ROOT
        square += _ROOT
        square *= near
        square *= 1 - inner * inner
        inner += 1
        square += inner
        square *= 0.5
        self.slope = square
        inner *= 0.5
        z *= inner
        return a


ACTIVATIONS: dict[str, Activation] = {
    "relu": Activation(ReluPass, 2.0),
    "tanh": Activation(TanhPass, 1.0),
    "gelu": Activation(_GeluPass, 2.0),
    "silu": Activation(_SiluPass, 2.0),
}
