"""Losses for whole cohorts: value, derivative, link to predictions and domain of the target.

Every loss is a mean over rows of ``w_i * loss(z_i, y_i)``, without penalties. Regression targets are
standardised inside (`Loss.scale`): values and parameters in the target's unit (Huber's ``delta``, the insensitive
``epsilon``) count in standard deviations of the target.

A step needs only the derivative. `Loss.backward` therefore stores, by row, what the value follows from, such as
a residual, and `Loss.total` sums it up for many steps at once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from automl.constraints import Number, Parameter
from automl.descent.kernels import Array, Ops
from automl.descent.kernels import numpy as numpy_ops

__all__ = ["DEFAULT_LOSSES", "LOSSES", "Loss", "Targets"]

Targets = tuple[Array, ...]

_POSITIVE = Number(0, open_low=True)


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
        return _dot(per_row, weight)

    def value(self, z: Array, y: Array, weight: Array) -> Array:
        """Return the weighted sums of the loss ``(k,)`` of raw outputs ``(k, c, n)``, which it overwrites."""
        per_row = np.empty((len(z), z.shape[2]), z.dtype)
        self.backward(z, self.targets(y, weight, z.shape[1]), per_row)
        return self.total(per_row, y, weight)

    def link(self, z: Array) -> Array:
        """Return predictions ``(k, n)`` or probabilities ``(k, n, classes)`` for outputs ``(k, n, c)``."""
        return z[..., 0]

    def unscale(self, z: Array, shift: float, factor: float) -> Array:
        """Return raw outputs in the target's own units (in place)."""
        return z


class _Residual(Loss):
    """Losses of the residual ``r = z - t``: a slope and a cost."""

    quantile: float = 0.5
    """Quantile of the target that training starts from."""

    def scale(self, y: Array, weight: Array) -> tuple[float, float]:
        mean = float(np.average(y, weights=weight))
        spread = float(np.sqrt(np.average((y - mean) ** 2, weights=weight)))
        return mean, spread if spread > 1e-12 * max(abs(mean), 1e-300) else 1.0

    def init(self, y: Array, weight: Array, c: int) -> Array:
        return np.array([_quantile(y, weight, self.quantile)])

    @abstractmethod
    def _slope(self, r: Array) -> Array:
        """Return the derivative of the cost."""

    def _cost(self, r: Array) -> Array:
        """Return the loss of each residual; may overwrite them. By default straight lines from zero."""
        r *= self._slope(r)
        return r

    def backward(self, z: Array, targets: Targets, per_row: Array, smoothing: Array | None = None) -> None:
        t, weight = targets
        np.subtract(z[:, 0], t, out=per_row)
        np.multiply(self._slope(per_row), weight, out=z[:, 0])

    def total(self, per_row: Array, y: Array, weight: Array, smoothing: Array | None = None) -> Array:
        return _dot(self._cost(per_row), weight)

    def unscale(self, z: Array, shift: float, factor: float) -> Array:
        z *= z.dtype.type(factor)
        z += z.dtype.type(shift)
        return z


class Squared(_Residual):
    """``r^2 / 2``: predicts the mean."""

    def init(self, y: Array, weight: Array, c: int) -> Array:
        return np.array([np.average(y, weights=weight)])

    def _slope(self, r: Array) -> Array:
        return r

    def _cost(self, r: Array) -> Array:
        return np.asarray(np.square(r, out=r) * r.dtype.type(0.5))


class Huber(_Residual):
    """``r^2 / 2`` up to ``delta``, ``delta (|r| - delta / 2)`` beyond (Huber 1964): robust to outliers."""

    parameters = {
        "delta": Parameter(
            _POSITIVE, 1.35, "residual from which it is absolute, in standard deviations of the target"
        )
    }
    delta: float

    def _slope(self, r: Array) -> Array:
        return np.asarray(np.clip(r, -self.delta, self.delta))

    def _cost(self, r: Array) -> Array:
        near = self._slope(r)
        r -= 0.5 * near
        r *= near
        return r


class Absolute(_Residual):
    """``|r|``: predicts the median."""

    def _slope(self, r: Array) -> Array:
        return np.asarray(np.sign(r))


class Quantile(_Residual):
    """``q max(-r, 0) + (1 - q) max(r, 0)``, the pinball loss (Koenker and Bassett 1978): predicts a quantile."""

    parameters = {"quantile": Parameter(Number(0, 1, open_low=True, open_high=True), 0.5, "which one")}

    def _slope(self, r: Array) -> Array:
        return np.asarray(np.where(r > 0, r.dtype.type(1 - self.quantile), r.dtype.type(-self.quantile)))


class EpsilonInsensitive(_Residual):
    """``max(|r| - epsilon, 0)``: linear support vector regression (Vapnik 1995)."""

    parameters = {"epsilon": Parameter(Number(0), 0.1, "the margin, in standard deviations of the target")}
    epsilon: float

    def _slope(self, r: Array) -> Array:
        return np.asarray(np.sign(r) * (np.abs(r) > self.epsilon))

    def _cost(self, r: Array) -> Array:
        return np.asarray(np.maximum(np.abs(r, out=r) - self.epsilon, 0))


class Poisson(Loss):
    """``exp(z) - t z + t log t - t``: half the Poisson deviance, with the log link.

    Predicts a positive mean by its logarithm.
    """

    def target_error(self, y: Array) -> str:
        known = np.isfinite(y).all() and (y >= 0).all() and (y > 0).any()
        return "" if known else "must be finite and at least 0, not all 0"

    def scale(self, y: Array, weight: Array) -> tuple[float, float]:
        return 0.0, float(np.average(y, weights=weight))

    def init(self, y: Array, weight: Array, c: int) -> Array:
        return np.array([np.log(np.average(y, weights=weight))])

    def backward(self, z: Array, targets: Targets, per_row: Array, smoothing: Array | None = None) -> None:
        t, weight = targets
        np.copyto(per_row, z[:, 0])
        np.exp(z, out=z)
        z -= t
        z *= weight

    def total(self, per_row: Array, y: Array, weight: Array, smoothing: Array | None = None) -> Array:
        y = y[..., None, :]
        constant = y * np.log(np.where(y > 0, y, 1)) - y
        return _dot(np.exp(per_row) - y * per_row + constant, weight)

    def link(self, z: Array) -> Array:
        return np.asarray(np.exp(z[..., 0]))

    def unscale(self, z: Array, shift: float, factor: float) -> Array:
        z += z.dtype.type(np.log(factor))
        return z


def _dot(per_row: Array, weight: Array) -> Array:
    """Return the weighted sums over rows ``(..., k)``."""
    return np.asarray(np.matmul(per_row, weight[..., None])[..., 0])


def _quantile(y: Array, weight: Array, q: float) -> float:
    """Return the smallest value up to which at least the share ``q`` of the weight lies."""
    order = np.argsort(y)
    share = np.cumsum(weight[order], dtype=float)
    return float(y[order[np.searchsorted(share, q * share[-1] * (1 - 1e-12))]])


class _Classification(Loss):
    tasks = frozenset({"binary", "multiclass"})

    def target_error(self, y: Array) -> str:
        known = np.isfinite(y).all() and (y >= 0).all() and (y == np.floor(y)).all()
        return "" if known else "must be class codes 0, 1, 2, ..."


class Logistic(_Classification):
    """``log(1 + exp(z)) - t z`` with ``t`` of 0 or 1: cross-entropy of two classes."""

    tasks = frozenset({"binary"})
    probabilities = True
    linear_steps = "logistic_linear_steps"

    def init(self, y: Array, weight: Array, c: int) -> Array:
        share = float(np.clip(np.average(y, weights=weight), 1e-6, 1 - 1e-6))
        return np.array([np.log(share / (1 - share))])

    def targets(self, y: Array, weight: Array, c: int) -> Targets:
        return (0.5 * weight).astype(weight.dtype), (1 - 2 * y).astype(weight.dtype)

    def backward(self, z: Array, targets: Targets, per_row: Array, smoothing: Array | None = None) -> None:
        self.ops.logistic_backward(z, targets, smoothing, per_row)

    def total(self, per_row: Array, y: Array, weight: Array, smoothing: Array | None = None) -> Array:
        return np.asarray(self.ops.logistic_total(per_row, y, weight, smoothing))

    def link(self, z: Array) -> Array:
        p = 0.5 * np.tanh(0.5 * z[..., 0]) + 0.5
        return np.stack([1 - p, p], axis=-1)


class Softmax(_Classification):
    """``log(sum_j exp(z_j)) - z_t``: cross-entropy of several classes."""

    tasks = frozenset({"multiclass"})
    probabilities = True
    linear_steps = "softmax_linear_steps"

    def init(self, y: Array, weight: Array, c: int) -> Array:
        share = np.bincount(y.astype(np.intp), weights=weight, minlength=c) / weight.sum()
        logs = np.log(np.clip(share, 1e-6, None))
        return np.asarray(logs - logs.mean())

    def targets(self, y: Array, weight: Array, c: int) -> Targets:
        return tuple(self.ops.softmax_targets(y.astype(np.intp), weight, c))

    def backward(self, z: Array, targets: Targets, per_row: Array, smoothing: Array | None = None) -> None:
        self.ops.softmax_backward(z, targets, smoothing, per_row)

    def link(self, z: Array) -> Array:
        p = np.exp(z - z.max(axis=-1, keepdims=True))
        return np.asarray(p / p.sum(axis=-1, keepdims=True))


class Hinge(_Classification):
    """``max(0, 1 - s z)`` with ``s`` of -1 or 1: the linear support vector machine.

    With several classes the sum over one against the rest.
    """

    def init(self, y: Array, weight: Array, c: int) -> Array:
        return np.zeros(c)

    def targets(self, y: Array, weight: Array, c: int) -> Targets:
        positive = y == np.arange(c)[:, None] if c > 1 else y[None, :] == 1
        sign = np.where(positive, weight.dtype.type(1), weight.dtype.type(-1))
        return sign, -sign * weight

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

    def _of_margins(self, z: Array, per_row: Array) -> None:
        np.sum(np.square(z), axis=1, out=per_row)
        z *= 2


LOSSES: dict[str, type[Loss]] = {
    "squared": Squared,
    "huber": Huber,
    "absolute": Absolute,
    "quantile": Quantile,
    "epsilon_insensitive": EpsilonInsensitive,
    "poisson": Poisson,
    "logistic": Logistic,
    "softmax": Softmax,
    "hinge": Hinge,
    "squared_hinge": SquaredHinge,
}

DEFAULT_LOSSES = {"regression": "squared", "binary": "logistic", "multiclass": "softmax"}
