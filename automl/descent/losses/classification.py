"""Losses of classification; targets are class codes 0, 1, ...."""

from __future__ import annotations

import numpy as np
from typing_extensions import override

from automl.descent.kernels import Array
from automl.descent.losses.base import Loss, Targets

__all__ = ["Hinge", "Logistic", "Softmax", "SquaredHinge"]


class _Classification(Loss):
    tasks = frozenset({"binary", "multiclass"})

    @override
    def target_error(self, y: Array) -> str:
        known = np.isfinite(y).all() and (y >= 0).all() and (y == np.floor(y)).all()
        return "" if known else "must be class codes 0, 1, 2, ..."


class Logistic(_Classification):
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


class Softmax(_Classification):
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


class Hinge(_Classification):
    """``max(0, 1 - s z)`` with ``s`` of -1 or 1: the linear support vector machine.

    With several classes the sum over one against the rest.
    """

    @override
    def init(self, y: Array, weight: Array, c: int) -> Array:
        return np.zeros(c)

    @override
    def targets(self, y: Array, weight: Array, c: int) -> Targets:
        positive = y == np.arange(c)[:, None] if c > 1 else y[None, :] == 1
        sign = np.where(positive, weight.dtype.type(1), weight.dtype.type(-1))
        return sign, -sign * weight

    @override
    def backward(self, z: Array, targets: Targets, per_row: Array, smoothing: Array | None = None) -> None:
        sign, slope = targets
        z *= sign
        np.subtract(1, z, out=z)
        np.maximum(z, 0, out=z)
        self._of_margins(z, per_row)
        z *= slope

    def _of_margins(self, z: Array, per_row: Array) -> None:
        """Sum up the loss of ``z = max(0, 1 - s z)`` and replace ``z`` by its derivative."""
        np.sum(z, axis=1, out=per_row)
        np.sign(z, out=z)


class SquaredHinge(Hinge):
    """``max(0, 1 - s z)^2``, the smooth hinge; several classes: the sum over one against the rest."""

    @override
    def _of_margins(self, z: Array, per_row: Array) -> None:
        np.sum(np.square(z), axis=1, out=per_row)
        z *= 2
