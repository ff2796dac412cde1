"""Losses for whole cohorts: value, derivative, link to predictions and domain of the target.

Every loss is a mean over rows of ``w_i * loss(z_i, y_i)``, without penalties. Regression targets are
standardised inside (`Loss.scale`): values and parameters in the target's unit (Huber's ``delta``, the insensitive
``epsilon``) count in standard deviations of the target.

A step needs only the derivative. `Loss.backward` therefore stores one number a row from which the value follows, such
as a residual, and `Loss.total` sums it up for many steps at once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from typing_extensions import override

from automl.constraints import Parameter
from automl.descent.kernels import Array, Ops
from automl.descent.kernels import numpy as numpy_ops

__all__ = ["Classification", "Loss", "Targets", "weighted_sum"]

Targets = tuple[Array, ...]


class Loss(ABC):
    """A loss over raw outputs ``(k, c, n)``; its own parameters are attributes set by keyword.

    Parameters
    ----------
    ops : module
        Kernels.
    **params
        Values of the loss's own parameters.

    Attributes
    ----------
    tasks : frozenset of str
        Tasks it is for.
    parameters : mapping
        Name, rule and default of each parameter.
    probabilities : bool
        Whether the link gives probabilities.
    linear_steps : str or None
        Name of the kernel that does all steps of a linear model, where there is one.
    """

    tasks: ClassVar[frozenset[str]] = frozenset({"regression"})
    parameters: ClassVar[Mapping[str, Parameter]] = {}
    probabilities: ClassVar[bool] = False
    linear_steps: ClassVar[str | None] = None

    def __init__(self, ops: Ops = numpy_ops, **params: Any) -> None:
        self.ops = ops
        for name, parameter in self.parameters.items():
            setattr(self, name, params.pop(name, parameter.default))
        if params:
            raise TypeError(f"{type(self).__name__} has no parameter {', '.join(params)}")

    def target_error(self, y: Array) -> str:
        """Return the rule of the target's domain that ``y`` breaks, or an empty string."""
        return "" if np.isfinite(y).all() else "must be finite"

    def scale(self, y: Array, weight: Array) -> tuple[float, float]:
        """Return ``(shift, factor)``: training sees ``(y - shift) / factor``."""
        return 0.0, 1.0

    @abstractmethod
    def init(self, y: Array, weight: Array, c: int) -> Array:
        """Return the constant raw output ``(c,)`` to start from, for targets ``y`` with row weights of mean one.

        The best constant where it has a formula; else a good one, such as the median for Huber's loss, or zero.
        """

    def targets(self, y: Array, weight: Array, c: int) -> Targets:
        """Return what `backward` needs of the rows: arrays whose last axis is the rows.

        ``weight`` ``(n,)`` holds row weights divided by the number of rows.
        """
        return y, weight

    @abstractmethod
    def backward(self, z: Array, targets: Targets, per_row: Array, smoothing: Array | None = None) -> None:
        """Turn raw outputs into the derivative of the weighted sum of the loss.

        Parameters
        ----------
        z : ndarray of shape (k, c, n)
            Raw outputs; overwritten by the derivative.
        targets : sequence of ndarray
            From `targets`, the same rows.
        per_row : ndarray of shape (k, n)
            Receives what `total` needs.
        smoothing : ndarray of shape (k,), optional
            Label smoothing of each trial, for losses with probabilities.
        """

    def total(self, per_row: Array, y: Array, weight: Array, smoothing: Array | None = None) -> Array:
        """Return the weighted sums of the loss ``(..., k)``, possibly of several steps at once.

        Parameters
        ----------
        per_row : ndarray of shape (..., k, n)
            As `backward` filled it; may be overwritten.
        y, weight : ndarray of shape (..., n)
            Targets and row weights.
        smoothing : ndarray of shape (k,), optional
            Label smoothing of each trial.
        """
        return weighted_sum(per_row, weight)

    def value(self, z: Array, y: Array, weight: Array) -> Array:
        """Return the weighted sums of the loss ``(k,)`` of raw outputs ``(k, c, n)``, which it overwrites."""
        per_row = np.empty((len(z), z.shape[2]), z.dtype)
        self.backward(z, self.targets(y, weight, z.shape[1]), per_row)
        return self.total(per_row, y, weight)

    def constant_value(self, z: Array, y: Array) -> float:
        """Return the mean loss of one raw output ``(c,)`` for all rows, taken over a sample of them."""
        some = y[:: max(1, len(y) // 65536)]
        outputs = np.tile(z.astype(np.float32)[None, :, None], (1, 1, len(some)))
        return float(self.value(outputs, some, np.full(len(some), 1 / len(some), np.float32))[0])

    def link(self, z: Array) -> Array:
        """Return predictions ``(k, n)`` or probabilities ``(k, n, classes)`` for outputs ``(k, n, c)``."""
        return z[..., 0]

    def unscale(self, z: Array, shift: float, factor: float) -> Array:
        """Return raw outputs in the target's own unit, of regressions in float64."""
        return z

    def unscale_layers(
        self, layers: Sequence[tuple[Array, Array]], shift: float, factor: float
    ) -> list[tuple[Array, Array]]:
        """Return the coefficients of dense layers with the last one in the target's unit."""
        *hidden, (weight, bias) = layers
        zero, one = self.unscale(np.array([0, 1], np.float32), 0.0, factor)
        return [*hidden, (weight * (one - zero), self.unscale(bias, shift, factor))]


class Classification(Loss):
    """Losses whose targets are class codes."""

    tasks = frozenset({"binary", "multiclass"})

    @override
    def target_error(self, y: Array) -> str:
        known = np.isfinite(y).all() and (y >= 0).all() and (y == np.floor(y)).all()
        return "" if known else "must be class codes 0, 1, 2, ..."


def weighted_sum(per_row: Array, weight: Array) -> Array:
    """Return the weighted sums over rows ``(..., k)``."""
    return np.asarray(np.matmul(per_row, weight[..., None])[..., 0])
