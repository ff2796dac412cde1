"""Activations: elementwise functions between layers, forward beside backward, in one table.

``forward(ops, a, work)`` replaces the units of ``a`` ``(k, h + 1, n)``, in place, and leaves the last unit, the
ones, as it is. ``backward(ops, d, a, work)`` multiplies the derivative ``d`` ``(k, h, n)`` by the slope, in
place. ``work`` belongs to the activation: most keep the slope there, since dropout changes the outputs later.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from typing_extensions import override

from automl.descent.kernels import Array, Ops
from automl.descent.model import BindContext, Layer, Pass

__all__ = ["ACTIVATIONS", "Activation", "ActivationLayer"]


def _units(a: Array) -> Array:
    return np.empty_like(a[:, :-1])


def _times_slope(ops: Ops, d: Array, a: Array, slope: Array) -> None:
    d *= slope


@dataclass(frozen=True)
class Activation:
    """One row of the table.

    Parameters
    ----------
    forward : callable
        ``(ops, a, work)``.
    gain : float
        Variance of the initial weights before it, times the number of inputs.
    backward : callable
        ``(ops, d, a, work)``; by default ``work`` is the slope.
    work : callable
        ``a -> work``, called once; by default an array of the shape of the units.
    """

    forward: Callable[[Ops, Array, Array], None]
    gain: float
    backward: Callable[[Ops, Array, Array, Array], None] = _times_slope
    work: Callable[[Array], Array] = _units


class ActivationLayer(Layer):
    """The activation of each trial."""

    @override
    def bind(self, weights: Array, gradient: Array | None, n: int, context: BindContext) -> Pass:
        runs, stop = list[tuple[slice, Pass]](), 0
        for name, run in groupby(config.activation for config in context.configs):
            start, stop = stop, stop + len(list(run))
            runs.append((slice(start, stop), _ActivationPass(ACTIVATIONS[name], context.ops)))
        return runs[0][1] if len(runs) == 1 else _RunsPass(runs)


class _ActivationPass(Pass):
    def __init__(self, row: Activation, ops: Ops) -> None:
        self.row, self.ops = row, ops
        self.work: Array | None = None

    @override
    def forward(self, a: Array) -> Array:
        if self.work is None:
            self.work = self.row.work(a)
        self.row.forward(self.ops, a, self.work)
        self.outputs = a
        return a

    @override
    def backward(self, d: Array) -> Array:
        assert self.work is not None
        self.row.backward(self.ops, d, self.outputs, self.work)
        return d


class _RunsPass(Pass):
    """Neighbouring trials with the same activation, one run after the other."""

    def __init__(self, runs: Sequence[tuple[slice, Pass]]) -> None:
        self.runs = runs

    @override
    def forward(self, a: Array) -> Array:
        for trials, run in self.runs:
            run.forward(a[trials])
        return a

    @override
    def backward(self, d: Array) -> Array:
        for trials, run in self.runs:
            run.backward(d[trials])
        return d


def _relu(ops: Ops, a: Array, zeros: Array) -> None:
    """``max(z, 0)``."""
    ops.relu(a, zeros)


def _relu_backward(ops: Ops, d: Array, a: Array, zeros: Array) -> None:
    ops.relu_backward(d, a)


def _tanh(ops: Ops, a: Array, slope: Array) -> None:
    """Hyperbolic tangent."""
    ops.tanh(a, slope)


def _silu(ops: Ops, a: Array, slope: Array) -> None:
    """``z / (1 + exp(-z))`` (Elfwing et al., arXiv 1702.03118)."""
    z = a[:, :-1]
    gate = np.multiply(z, 0.5)
    np.tanh(gate, out=gate)
    gate += 1
    gate *= 0.5
    # s + z s (1 - s), where s is the gate
    np.subtract(1, gate, out=slope)
    slope *= z
    slope += 1
    slope *= gate
    z *= gate


_ROOT = float(np.sqrt(2 / np.pi))
_FLAT = 10.0


def _gelu(ops: Ops, a: Array, slope: Array) -> None:
    """``z Phi(z)`` by its tanh form (Hendrycks and Gimpel, arXiv 1606.08415)."""
    z = a[:, :-1]
    # beyond these bounds the gate is 0 or 1 to the last bit, and a cube could overflow
    near = np.clip(z, -_FLAT, _FLAT)
    np.multiply(near, near, out=slope)
    inner = slope * (0.044715 * _ROOT)
    inner += _ROOT
    inner *= near
    np.tanh(inner, out=inner)
    # z / 2 (1 + t) has the slope (1 + t) / 2 + z / 2 (1 - t^2) u', where u' = root (1 + 0.134145 z^2)
    slope *= 3 * 0.044715 * _ROOT
    slope += _ROOT
    slope *= near
    slope *= 1 - inner * inner
    inner += 1
    slope += inner
    slope *= 0.5
    inner *= 0.5
    z *= inner


ACTIVATIONS: dict[str, Activation] = {
    "relu": Activation(_relu, 2.0, _relu_backward, work=np.zeros_like),
    "tanh": Activation(_tanh, 1.0),
    "gelu": Activation(_gelu, 2.0),
    "silu": Activation(_silu, 2.0),
}
