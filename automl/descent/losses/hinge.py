"""Losses of margins: classification without probabilities; targets are class codes 0, 1, ...."""

from __future__ import annotations

import numpy as np
from typing_extensions import override

from automl.descent.kernels import Array
from automl.descent.losses.base import Classification, Targets

__all__ = ["Hinge", "SquaredHinge"]


class Hinge(Classification):
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
