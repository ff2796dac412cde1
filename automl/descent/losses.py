"""Losses: value and derivative for whole cohorts, the link to predictions, the domain of the target.

Every loss is a mean over rows of ``w_i * loss(z_i, y_i)``; penalties are not part of it. Regression targets
are standardised inside (`Loss.scale`), so values and parameters in the target's unit (Huber's ``delta``, the
insensitive ``epsilon``) count in standard deviations of the target.

A step wants the derivative; the value is for people. So `Loss.backward` leaves behind, by row, what the value
follows from (a residual, a margin), and `Loss.total` adds it up for many steps at once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from automl.constraints import Number, Parameter
from automl.descent.arrays import Array

__all__ = ["DEFAULT_LOSSES", "LOSSES", "Loss", "Targets"]

Targets = Sequence[Array]

_POSITIVE = Number(0, open_low=True)


class Loss(ABC):
    """A loss over raw outputs ``(k, c, n)``; its own parameters are attributes set by keyword."""

    tasks: ClassVar[frozenset[str]] = frozenset({"regression"})
    parameters: ClassVar[Mapping[str, Parameter]] = {}
    probabilities: ClassVar[bool] = False

    def __init__(self, **params: Any) -> None:
        for name, parameter in self.parameters.items():
            setattr(self, name, params.pop(name, parameter.default))
        if params:
            raise TypeError(f"{type(self).__name__} has no parameter {', '.join(params)}")

    def fault(self, y: Array) -> str:
        """Return which rule of the target's domain ``y`` breaks, or nothing."""
        return "" if np.isfinite(y).all() else "must be finite"

    def scale(self, y: Array, weight: Array) -> tuple[float, float]:
        """Return ``(shift, factor)``: training sees ``(y - shift) / factor``."""
        return 0.0, 1.0

    @abstractmethod
    def start(self, y: Array, weight: Array, c: int) -> Array:
        """Return the constant raw output ``(c,)`` to start from, for targets ``y`` with row weights of mean one.

        The best one where it has a formula; else one near by, as the median is for Huber's loss, or zero.
        """

    def targets(self, y: Array, weight: Array, c: int) -> Targets:
        """Return what `backward` wants to know of the rows: arrays whose last axis is the rows.

        ``weight`` ``(n,)`` is the weight of each row, the division by the number of rows included.
        """
        return y, weight

    @abstractmethod
    def backward(self, z: Array, targets: Targets, left: Array, smoothing: Array | None = None) -> None:
        """Turn raw outputs into the derivative of the weighted sum of the loss.

        Parameters
        ----------
        z : ndarray of shape (k, c, n)
            Raw outputs; overwritten by the derivative.
        targets : sequence of ndarray
            From `targets`, the same rows.
        left : ndarray of shape (k, n)
            Receives what `total` needs.
        smoothing : ndarray of shape (k,), optional
            Label smoothing of each trial, for losses with probabilities.
        """

    def total(self, left: Array, y: Array, weight: Array, smoothing: Array | None = None) -> Array:
        """Return the weighted sums of the loss ``(..., k)`` from what `backward` left, which it may overwrite.

        ``left`` is ``(..., k, n)``, ``y`` and ``weight`` are ``(..., n)``: several steps at once.
        """
        return _dot(left, weight)

    def value(self, z: Array, y: Array, weight: Array) -> Array:
        """Return the weighted sums of the loss ``(k,)`` of raw outputs ``(k, c, n)``, which it overwrites."""
        left = np.empty((len(z), z.shape[2]), z.dtype)
        self.backward(z, self.targets(y, weight, z.shape[1]), left)
        return self.total(left, y, weight)

    def link(self, z: Array) -> Array:
        """Return predictions ``(k, n)`` or probabilities ``(k, n, classes)`` for outputs ``(k, n, c)``."""
        return z[..., 0]

    def restore(self, z: Array, shift: float, factor: float) -> Array:
        """Return raw outputs in the target's own units (in place)."""
        return z


class _Residual(Loss):
    """Losses of the residual ``r = z - t``, which is what they leave: a slope and a cost of it."""

    quantile: float = 0.5
    """Training starts from this quantile of the target."""

    def scale(self, y: Array, weight: Array) -> tuple[float, float]:
        mean = float(np.average(y, weights=weight))
        spread = float(np.sqrt(np.average((y - mean) ** 2, weights=weight)))
        return mean, spread if spread > 1e-12 * max(abs(mean), 1e-300) else 1.0

    def start(self, y: Array, weight: Array, c: int) -> Array:
        return np.array([_quantile(y, weight, self.quantile)])

    @abstractmethod
    def _slope(self, r: Array) -> Array:
        """Return the derivative of the cost."""

    def _cost(self, r: Array) -> Array:
        """Return the loss of each residual, which it may overwrite; here that of straight lines from zero."""
        r *= self._slope(r)
        return r

    def backward(self, z: Array, targets: Targets, left: Array, smoothing: Array | None = None) -> None:
        t, weight = targets
        np.subtract(z[:, 0], t, out=left)
        np.multiply(self._slope(left), weight, out=z[:, 0])

    def total(self, left: Array, y: Array, weight: Array, smoothing: Array | None = None) -> Array:
        return _dot(self._cost(left), weight)

    def restore(self, z: Array, shift: float, factor: float) -> Array:
        z *= z.dtype.type(factor)
        z += z.dtype.type(shift)
        return z


class Squared(_Residual):
    """``r^2 / 2``: predicts the mean."""

    def start(self, y: Array, weight: Array, c: int) -> Array:
        return np.array([np.average(y, weights=weight)])

    def _slope(self, r: Array) -> Array:
        return r

    def _cost(self, r: Array) -> Array:
        return np.asarray(np.square(r, out=r) * r.dtype.type(0.5))


class Huber(_Residual):
    """``r^2 / 2`` up to ``delta``, ``delta (|r| - delta / 2)`` beyond (Huber 1964): robust to outliers."""

    parameters = {
        "delta": Parameter(_POSITIVE, 1.35, "where it turns absolute, in standard deviations of the target")
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

    def fault(self, y: Array) -> str:
        known = np.isfinite(y).all() and (y >= 0).all() and (y > 0).any()
        return "" if known else "must be finite and at least 0, not all 0"

    def scale(self, y: Array, weight: Array) -> tuple[float, float]:
        return 0.0, float(np.average(y, weights=weight))

    def start(self, y: Array, weight: Array, c: int) -> Array:
        return np.array([np.log(np.average(y, weights=weight))])

    def backward(self, z: Array, targets: Targets, left: Array, smoothing: Array | None = None) -> None:
        t, weight = targets
        np.copyto(left, z[:, 0])
        np.exp(z, out=z)
        z -= t
        z *= weight

    def total(self, left: Array, y: Array, weight: Array, smoothing: Array | None = None) -> Array:
        y = y[..., None, :]
        constant = y * np.log(np.where(y > 0, y, 1)) - y
        return _dot(np.exp(left) - y * left + constant, weight)

    def link(self, z: Array) -> Array:
        return np.asarray(np.exp(z[..., 0]))

    def restore(self, z: Array, shift: float, factor: float) -> Array:
        z += z.dtype.type(np.log(factor))
        return z


def _dot(left: Array, weight: Array) -> Array:
    """Return the weighted sums over rows ``(..., k)``."""
    return np.asarray(np.matmul(left, weight[..., None])[..., 0])


def _quantile(y: Array, weight: Array, q: float) -> float:
    """Return the smallest value with at least the share ``q`` of the weight up to it."""
    order = np.argsort(y)
    share = np.cumsum(weight[order], dtype=float)
    return float(y[order[np.searchsorted(share, q * share[-1] * (1 - 1e-12))]])


class _Classification(Loss):
    tasks = frozenset({"binary", "multiclass"})

    def fault(self, y: Array) -> str:
        known = np.isfinite(y).all() and (y >= 0).all() and (y == np.floor(y)).all()
        return "" if known else "must be class codes 0, 1, 2, ..."


class Logistic(_Classification):
    """``log(1 + exp(z)) - t z`` with ``t`` of 0 or 1: cross-entropy of two classes."""

    tasks = frozenset({"binary"})
    probabilities = True

    def start(self, y: Array, weight: Array, c: int) -> Array:
        share = float(np.clip(np.average(y, weights=weight), 1e-6, 1 - 1e-6))
        return np.array([np.log(share / (1 - share))])

    def targets(self, y: Array, weight: Array, c: int) -> Targets:
        half = 0.5 * weight
        return half, (half - y * weight).astype(weight.dtype)

    def backward(self, z: Array, targets: Targets, left: Array, smoothing: Array | None = None) -> None:
        half, centred = targets
        # 1 / (1 + e^-z) - t = tanh(z / 2) / 2 + (1/2 - t), which cannot overflow; what is left is z / 2
        row = z[:, 0]
        np.multiply(row, 0.5, out=left)
        np.tanh(left, out=row)
        row *= half
        row += centred if smoothing is None else centred * (1 - smoothing[:, None])

    def total(self, left: Array, y: Array, weight: Array, smoothing: Array | None = None) -> Array:
        # log(1 + e^z) - t z = log(1 + e^-|z|) + |z| / 2 + (1/2 - t) z
        centred = ((1 - 2 * y) * weight).astype(weight.dtype)
        sums = _dot(left, centred)
        if smoothing is not None:
            sums *= 1 - smoothing
        np.abs(left, out=left)
        sums += _dot(left, weight)
        left *= -2
        np.exp(left, out=left)
        left += 1
        return np.asarray(sums + _dot(np.log(left, out=left), weight))

    def link(self, z: Array) -> Array:
        p = 0.5 * np.tanh(0.5 * z[..., 0]) + 0.5
        return np.stack([1 - p, p], axis=-1)


class Softmax(_Classification):
    """``log(sum_j exp(z_j)) - z_t``: cross-entropy of several classes."""

    tasks = frozenset({"multiclass"})
    probabilities = True

    def start(self, y: Array, weight: Array, c: int) -> Array:
        share = np.bincount(y.astype(np.intp), weights=weight, minlength=c) / weight.sum()
        logs = np.log(np.clip(share, 1e-6, None))
        return np.asarray(logs - logs.mean())

    def targets(self, y: Array, weight: Array, c: int) -> Targets:
        codes = y.astype(np.intp)
        onehot = np.zeros((c, len(y)), weight.dtype)
        onehot[codes, np.arange(len(y))] = weight
        return onehot, weight, codes

    def backward(self, z: Array, targets: Targets, left: Array, smoothing: Array | None = None) -> None:
        onehot, weight, codes = targets
        k, c, n = z.shape
        z -= z.max(axis=1, keepdims=True)
        own = np.take(z.reshape(k, c * n), codes * n + np.arange(n), axis=1)
        if smoothing is not None:
            own *= 1 - smoothing[:, None]
            own += z.mean(axis=1) * smoothing[:, None]
        np.exp(z, out=z)
        total = z.sum(axis=1)
        np.subtract(np.log(total), own, out=left)
        np.divide(weight, total, out=total)
        z *= total[:, None]
        if smoothing is None:
            z -= onehot
        else:
            ease = smoothing[:, None, None]
            z -= onehot * (1 - ease) + ease / z.dtype.type(c) * weight

    def link(self, z: Array) -> Array:
        p = np.exp(z - z.max(axis=-1, keepdims=True))
        return np.asarray(p / p.sum(axis=-1, keepdims=True))


class Hinge(_Classification):
    """``max(0, 1 - s z)`` with ``s`` of -1 or 1: the linear support vector machine.

    With several classes the sum over one against the rest.
    """

    def start(self, y: Array, weight: Array, c: int) -> Array:
        return np.zeros(c)

    def targets(self, y: Array, weight: Array, c: int) -> Targets:
        positive = y == np.arange(c)[:, None] if c > 1 else y[None, :] == 1
        sign = np.where(positive, weight.dtype.type(1), weight.dtype.type(-1))
        return sign, -sign * weight

    def backward(self, z: Array, targets: Targets, left: Array, smoothing: Array | None = None) -> None:
        sign, slope = targets
        z *= sign
        np.subtract(1, z, out=z)
        np.maximum(z, 0, out=z)
        self._of_margins(z, left)
        z *= slope

    def _of_margins(self, z: Array, left: Array) -> None:
        """Sum up the loss of ``max(0, 1 - s z)`` and put its derivative in the place of that."""
        np.sum(z, axis=1, out=left)
        np.sign(z, out=z)


class SquaredHinge(Hinge):
    """``max(0, 1 - s z)^2``, the smooth hinge; several classes: the sum over one against the rest."""

    def _of_margins(self, z: Array, left: Array) -> None:
        np.sum(np.square(z), axis=1, out=left)
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
