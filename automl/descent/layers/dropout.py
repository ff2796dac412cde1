"""Dropout, forward beside backward."""

from __future__ import annotations

import numpy as np
from typing_extensions import override

from automl.descent.kernels import Array
from automl.descent.model import BindContext, Layer, Pass

__all__ = ["Dropout"]


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
        self.ops.dropout(a, self.bits.of(self.layer, shape), self.offsets, self.thresholds, self.scales)
