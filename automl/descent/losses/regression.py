"""Losses of regression."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from typing_extensions import override

from automl.constraints import Number, Parameter
from automl.descent.kernels import Array
from automl.descent.losses.base import Loss, Targets, weighted_sum

__all__ = ["Absolute", "EpsilonInsensitive", "Huber", "Poisson", "Quantile", "Residual", "Squared"]

_POSITIVE = Number(0, open_low=True)


class Residual(Loss):
    """Losses of the residual ``r = z - t``: a slope and a cost."""

    quantile: float = 0.5
    """Quantile of the target that training starts from."""

    @override
    def scale(self, y: Array, weight: Array) -> tuple[float, float]:
        mean = float(np.average(y, weights=weight))
        spread = float(np.sqrt(np.average((y - mean) ** 2, weights=weight)))
        return mean, spread if spread > 1e-12 * max(abs(mean), 1e-300) else 1.0

    @override
    def init(self, y: Array, weight: Array, c: int) -> Array:
        return np.array([_quantile(y, weight, self.quantile)])

    @abstractmethod
    def _slope(self, r: Array) -> Array:
        """Return the derivative of the cost."""

    def _cost(self, r: Array) -> Array:
        """Return the loss of each residual; may overwrite them. By default straight lines from zero."""
        r *= self._slope(r)
        return r

    @override
    def backward(self, z: Array, targets: Targets, per_row: Array, smoothing: Array | None = None) -> None:
        t, weight = targets
        np.subtract(z[:, 0], t, out=per_row)
        np.multiply(self._slope(per_row), weight, out=z[:, 0])

    @override
    def total(self, per_row: Array, y: Array, weight: Array, smoothing: Array | None = None) -> Array:
        return weighted_sum(self._cost(per_row), weight)

    @override
    def unscale(self, z: Array, shift: float, factor: float) -> Array:
        # float32 would lose small differences beside a large shift
        return np.asarray(z.astype(np.float64) * factor + shift)


class Squared(Residual):
    """``r^2 / 2``: predicts the mean."""

    @override
    def init(self, y: Array, weight: Array, c: int) -> Array:
        return np.array([np.average(y, weights=weight)])

    @override
    def _slope(self, r: Array) -> Array:
        return r

    @override
    def _cost(self, r: Array) -> Array:
        return np.asarray(np.square(r, out=r) * r.dtype.type(0.5))


class Huber(Residual):
    """``r^2 / 2`` up to ``delta``, ``delta (|r| - delta / 2)`` beyond (Huber 1964): robust to outliers."""

    parameters = {
        "delta": Parameter(
            _POSITIVE, 1.35, "residual from which it is absolute, in standard deviations of the target"
        )
    }
    delta: float

    @override
    def _slope(self, r: Array) -> Array:
        return np.asarray(np.clip(r, -self.delta, self.delta))

    @override
    def _cost(self, r: Array) -> Array:
        near = self._slope(r)
        r -= 0.5 * near
        r *= near
        return r


class Absolute(Residual):
    """``|r|``: predicts the median."""

    @override
    def _slope(self, r: Array) -> Array:
        return np.asarray(np.sign(r))


class Quantile(Residual):
    """``q max(-r, 0) + (1 - q) max(r, 0)``, the pinball loss (Koenker and Bassett 1978): predicts a quantile."""

    parameters = {"quantile": Parameter(Number(0, 1, open_low=True, open_high=True), 0.5, "which one")}

    @override
    def _slope(self, r: Array) -> Array:
        return np.asarray(np.where(r > 0, r.dtype.type(1 - self.quantile), r.dtype.type(-self.quantile)))


class EpsilonInsensitive(Residual):
    """``max(|r| - epsilon, 0)``: linear support vector regression (Vapnik 1995)."""

    parameters = {"epsilon": Parameter(Number(0), 0.1, "the margin, in standard deviations of the target")}
    epsilon: float

    @override
    def _slope(self, r: Array) -> Array:
        return np.asarray(np.sign(r) * (np.abs(r) > self.epsilon))

    @override
    def _cost(self, r: Array) -> Array:
        return np.asarray(np.maximum(np.abs(r, out=r) - self.epsilon, 0))


class Poisson(Loss):
    """``exp(z) - t z + t log t - t``: half the Poisson deviance, with the log link.

    Predicts a positive mean by its logarithm.
    """

    @override
    def target_error(self, y: Array) -> str:
        known = np.isfinite(y).all() and (y >= 0).all() and (y > 0).any()
        return "" if known else "must be finite and at least 0, not all 0"

    @override
    def scale(self, y: Array, weight: Array) -> tuple[float, float]:
        return 0.0, float(np.average(y, weights=weight))

    @override
    def init(self, y: Array, weight: Array, c: int) -> Array:
        return np.array([np.log(np.average(y, weights=weight))])

    @override
    def backward(self, z: Array, targets: Targets, per_row: Array, smoothing: Array | None = None) -> None:
        t, weight = targets
        np.copyto(per_row, z[:, 0])
        np.exp(z, out=z)
        z -= t
        z *= weight

    @override
    def total(self, per_row: Array, y: Array, weight: Array, smoothing: Array | None = None) -> Array:
        y = y[..., None, :]
        constant = y * np.log(np.where(y > 0, y, 1)) - y
        return weighted_sum(np.exp(per_row) - y * per_row + constant, weight)

    @override
    def link(self, z: Array) -> Array:
        return np.asarray(np.exp(z[..., 0]))

    @override
    def unscale(self, z: Array, shift: float, factor: float) -> Array:
        return np.asarray(z.astype(np.float64) + np.log(factor))


def _quantile(y: Array, weight: Array, q: float) -> float:
    """Return the smallest value up to which at least the share ``q`` of the weight lies."""
    order = np.argsort(y)
    share = np.cumsum(weight[order], dtype=float)
    return float(y[order[np.searchsorted(share, q * share[-1] * (1 - 1e-12))]])
