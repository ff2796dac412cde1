"""Activations, in one table, and dropout: elementwise functions between layers, forward beside backward.

``forward(ops, a, work)`` replaces the units of ``a`` ``(k, h + 1, n)``, in place, and leaves the last unit, the
ones, as it is. ``backward(ops, d, a, work)`` multiplies the derivative ``d`` ``(k, h, n)`` by the slope, in
place. ``work`` belongs to the activation: most keep the slope there, since dropout changes the outputs later.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from typing_extensions import override

from automl.descent.kernels import Array, Ops
from automl.descent.layers.smooth import gelu, mish, selu, silu
from automl.descent.model import BindContext, Layer, Pass

__all__ = ["ACTIVATIONS", "Activation", "ActivationLayer", "Dropout", "SharedBits"]


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


class SharedBits:
    """Random numbers of 16 bits, a batch at a time: one for each unit and row, shared by all trials.

    Parameters
    ----------
    seed : sequence of int
        Seed; the numbers follow from it and the epoch.
    """

    def __init__(self, seed: Sequence[int]) -> None:
        self._seed = tuple(seed)
        self.start_epoch(0)

    def start_epoch(self, epoch: int) -> None:
        """Seed the numbers of an epoch."""
        self._source = np.random.SFC64(np.random.SeedSequence(self._seed, spawn_key=(epoch,)))
        self.next_batch()

    def next_batch(self) -> None:
        """Forget the numbers of the batch before."""
        self._drawn: dict[Layer, Array] = {}

    def of(self, layer: Layer, shape: tuple[int, ...]) -> Array:
        """Return a layer's numbers in this batch; layers draw in the order of their first call."""
        if layer not in self._drawn:
            size = math.prod(shape)
            # each word of the source gives four numbers
            words = self._source.random_raw(-(-size // 4))
            self._drawn[layer] = words.view(np.uint16)[:size].reshape(shape)
        return self._drawn[layer]


class Dropout(Layer):
    """Sets units to zero at random while training and scales up the others (Srivastava et al. 2014).

    All trials share the random bits. Each adds an offset of its own, drawn by its seed, and drops the units
    whose sum is below its rate. A trial therefore drops the same units alone and in a cohort, and the cost of
    drawing does not grow with the number of trials.
    """

    @override
    def bind(self, weights: Array, gradient: Array | None, n: int, context: BindContext) -> Pass | None:
        drops = context.bits is not None and any(config.dropout for config in context.configs)
        return _DropoutPass(self, context) if drops else None


class _DropoutPass(Pass):
    def __init__(self, layer: Layer, context: BindContext) -> None:
        self.layer, self.bits, self.ops = layer, context.bits, context.ops
        rates = [config.dropout for config in context.configs]
        words = [np.random.SeedSequence(config.seed).generate_state(1)[0] for config in context.configs]
        self.offsets = np.array(words, np.uint32).astype(np.uint16)
        self.thresholds = np.array([rate * 65536 for rate in rates], np.uint16)
        self.scales = np.array([1 / (1 - rate) for rate in rates], np.float32)

    @override
    def forward(self, a: Array) -> Array:
        _, h, n = a.shape
        self._drop(a, (h - 1, n))
        return a

    @override
    def backward(self, d: Array) -> Array:
        self._drop(d, d.shape[1:])
        return d

    def _drop(self, a: Array, shape: tuple[int, ...]) -> None:
        assert self.bits is not None
        self.ops.dropout(a, self.bits(self.layer, shape), self.offsets, self.thresholds, self.scales)


def _relu(ops: Ops, a: Array, zeros: Array) -> None:
    """``max(z, 0)``."""
    ops.relu(a, zeros)


def _relu_backward(ops: Ops, d: Array, a: Array, zeros: Array) -> None:
    ops.relu_backward(d, a)


def _tanh(ops: Ops, a: Array, slope: Array) -> None:
    """Hyperbolic tangent."""
    ops.tanh(a, slope)


ACTIVATIONS: dict[str, Activation] = {
    "relu": Activation(_relu, 2.0, _relu_backward, work=np.zeros_like),
    "tanh": Activation(_tanh, 1.0),
    "gelu": Activation(gelu, 2.0),
    "silu": Activation(silu, 2.0),
    "mish": Activation(mish, 2.0),
    "selu": Activation(selu, 1.0),
}
