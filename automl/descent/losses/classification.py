"""Losses of classification with probabilities; targets are class codes 0, 1, ...."""

from __future__ import annotations

import numpy as np
from typing_extensions import override

from automl.descent.kernels import Array
from automl.descent.losses.base import Classification, Targets

__all__ = ["Logistic", "Softmax"]


class Logistic(Classification):
    """``log(1 + exp(z)) - t z`` with ``t`` of 0 or 1: cross-entropy of two classes."""

    tasks = frozenset({"binary"})
    probabilities = True
    linear_steps = "logistic_linear_steps"

    @override
    def init(self, y: Array, weight: Array, c: int) -> Array:
        share = float(np.clip(np.average(y, weights=weight), 1e-6, 1 - 1e-6))
        return np.array([np.log(share / (1 - share))])

    @override
    def targets(self, y: Array, weight: Array, c: int) -> Targets:
        return (0.5 * weight).astype(weight.dtype), (1 - 2 * y).astype(weight.dtype)

    @override
    def backward(self, z: Array, targets: Targets, per_row: Array, smoothing: Array | None = None) -> None:
        self.ops.logistic_backward(z, targets, smoothing, per_row)

    @override
    def total(self, per_row: Array, y: Array, weight: Array, smoothing: Array | None = None) -> Array:
        return np.asarray(self.ops.logistic_total(per_row, y, weight, smoothing))

    @override
    def link(self, z: Array) -> Array:
        p = 0.5 * np.tanh(0.5 * z[..., 0]) + 0.5
        return np.stack([1 - p, p], axis=-1)


class Softmax(Classification):
    """``log(sum_j exp(z_j)) - z_t``: cross-entropy of several classes."""

    tasks = frozenset({"multiclass"})
    probabilities = True
    linear_steps = "softmax_linear_steps"

    @override
    def init(self, y: Array, weight: Array, c: int) -> Array:
        share = np.bincount(y.astype(np.intp), weights=weight, minlength=c) / weight.sum()
        logs = np.log(np.clip(share, 1e-6, None))
        return np.asarray(logs - logs.mean())

    @override
    def targets(self, y: Array, weight: Array, c: int) -> Targets:
        return tuple(self.ops.softmax_targets(y.astype(np.intp), weight, c))

    @override
    def backward(self, z: Array, targets: Targets, per_row: Array, smoothing: Array | None = None) -> None:
        self.ops.softmax_backward(z, targets, smoothing, per_row)

    @override
    def link(self, z: Array) -> Array:
        p = np.exp(z - z.max(axis=-1, keepdims=True))
        return np.asarray(p / p.sum(axis=-1, keepdims=True))
