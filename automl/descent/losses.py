"""Losses: value and derivative for whole cohorts, the link to predictions, the domain of the target.

Every loss is a mean over rows of ``w_i * loss(z_i, y_i)``; penalties are not part of it. Regression targets
are standardised inside (`Loss.scale`), so values and parameters in the target's unit (Huber's ``delta``, the
insensitive ``epsilon``) count in standard deviations of the target.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from automl.constraints import Number, Parameter
from automl.descent.arrays import Array

__all__ = ["DEFAULT_LOSSES", "LOSSES", "Loss"]

Targets = tuple[Array, ...]

_POSITIVE = Number(0, open_low=True)


class Loss(ABC):
    """A loss over raw outputs ``(k, c, n)``; its own parameters are attributes set by keyword."""

    about: ClassVar[str]
    tasks: ClassVar[frozenset[str]]
    parameters: ClassVar[Mapping[str, Parameter]] = {}
    probabilities: ClassVar[bool] = False
    smooths_labels: ClassVar[bool] = False

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
        """Return the best constant raw output ``(c,)`` for targets ``y`` with row weights of mean one."""

    @abstractmethod
    def targets(self, y: Array, c: int) -> Targets:
        """Return what `backward` wants to know of ``y``: arrays whose last axis is the rows."""

    @abstractmethod
    def backward(self, z: Array, targets: Targets, weight: Array, smoothing: Array | None = None) -> Array:
        """Return the weighted sums of the loss and turn the outputs into their derivative.

        Parameters
        ----------
        z : ndarray of shape (k, c, n)
            Raw outputs; overwritten by the derivative of the returned sums.
        targets : tuple of ndarray
            From `targets`, the same rows.
        weight : ndarray of shape (n,)
            Weight of each row, the division by the number of rows included.
        smoothing : ndarray of shape (k,), optional
            Label smoothing of each trial, where the loss has it.

        Returns
        -------
        ndarray of shape (k,)
        """

    def link(self, z: Array) -> Array:
        """Return predictions ``(k, n)`` or probabilities ``(k, n, classes)`` for outputs ``(k, n, c)``."""
        return z[..., 0]

    def restore(self, z: Array, shift: float, factor: float) -> Array:
        """Return raw outputs in the target's own units (in place)."""
        if factor != 1.0:
            z *= z.dtype.type(factor)
        if shift != 0.0:
            z += z.dtype.type(shift)
        return z


class _Regression(Loss):
    tasks = frozenset({"regression"})

    def scale(self, y: Array, weight: Array) -> tuple[float, float]:
        mean = float(np.average(y, weights=weight))
        spread = float(np.sqrt(np.average((y - mean) ** 2, weights=weight)))
        return mean, spread if spread > 1e-12 * max(abs(mean), 1e-300) else 1.0

    def targets(self, y: Array, c: int) -> Targets:
        return (y[None, :],)


class Squared(_Regression):
    """``(z - t)^2 / 2``."""

    about = "half the squared error; predicts the mean"

    def start(self, y: Array, weight: Array, c: int) -> Array:
        return np.array([np.average(y, weights=weight)])

    def backward(self, z: Array, targets: Targets, weight: Array, smoothing: Array | None = None) -> Array:
        z -= targets[0]
        sums = np.multiply(z, z)[:, 0] @ weight
        z *= weight
        return np.asarray(0.5 * sums)


class Huber(_Regression):
    """``r^2 / 2`` up to ``delta``, ``delta (|r| - delta / 2)`` beyond (Huber 1964)."""

    about = "squared near, absolute far: robust to outliers"
    parameters = {
        "delta": Parameter(_POSITIVE, 1.35, "where it turns absolute, in standard deviations of the target")
    }
    delta: float

    def start(self, y: Array, weight: Array, c: int) -> Array:
        return np.array([_quantile(y, weight, 0.5)])

    def backward(self, z: Array, targets: Targets, weight: Array, smoothing: Array | None = None) -> Array:
        z -= targets[0]
        value = np.clip(z, -self.delta, self.delta)
        z -= 0.5 * value
        z *= value
        sums = z[:, 0] @ weight
        np.multiply(value, weight, out=z)
        return np.asarray(sums)


class Absolute(_Regression):
    """``|r|``."""

    about = "absolute error; predicts the median"

    def start(self, y: Array, weight: Array, c: int) -> Array:
        return np.array([_quantile(y, weight, 0.5)])

    def backward(self, z: Array, targets: Targets, weight: Array, smoothing: Array | None = None) -> Array:
        z -= targets[0]
        sums = np.abs(z)[:, 0] @ weight
        np.sign(z, out=z)
        z *= weight
        return np.asarray(sums)


class Quantile(_Regression):
    """``q max(-r, 0) + (1 - q) max(r, 0)`` with ``r = z - t`` (Koenker and Bassett 1978)."""

    about = "pinball loss; predicts a quantile"
    parameters = {"quantile": Parameter(Number(0, 1, open_low=True, open_high=True), 0.5, "which one")}
    quantile: float

    def start(self, y: Array, weight: Array, c: int) -> Array:
        return np.array([_quantile(y, weight, self.quantile)])

    def backward(self, z: Array, targets: Targets, weight: Array, smoothing: Array | None = None) -> Array:
        z -= targets[0]
        slope = np.where(z > 0, z.dtype.type(1 - self.quantile), z.dtype.type(-self.quantile))
        z *= slope
        sums = z[:, 0] @ weight
        np.multiply(slope, weight, out=z)
        return np.asarray(sums)


class EpsilonInsensitive(_Regression):
    """``max(|r| - epsilon, 0)`` (Vapnik 1995)."""

    about = "absolute error beyond a margin: linear support vector regression"
    parameters = {"epsilon": Parameter(Number(0), 0.1, "the margin, in standard deviations of the target")}
    epsilon: float

    def start(self, y: Array, weight: Array, c: int) -> Array:
        return np.array([_quantile(y, weight, 0.5)])

    def backward(self, z: Array, targets: Targets, weight: Array, smoothing: Array | None = None) -> Array:
        z -= targets[0]
        beyond = np.abs(z)
        beyond -= self.epsilon
        np.maximum(beyond, 0, out=beyond)
        sums = beyond[:, 0] @ weight
        np.sign(z, out=z)
        z *= np.sign(beyond)
        z *= weight
        return np.asarray(sums)


class Poisson(_Regression):
    """``exp(z) - t z + t log t - t``: half the Poisson deviance, with the log link."""

    about = "half the Poisson deviance; predicts a positive mean by its logarithm"

    def fault(self, y: Array) -> str:
        known = np.isfinite(y).all() and (y >= 0).all() and (y > 0).any()
        return "" if known else "must be finite and at least 0, not all 0"

    def scale(self, y: Array, weight: Array) -> tuple[float, float]:
        return 0.0, float(np.average(y, weights=weight))

    def start(self, y: Array, weight: Array, c: int) -> Array:
        return np.array([np.log(np.average(y, weights=weight))])

    def targets(self, y: Array, c: int) -> Targets:
        y = y[None, :]
        return y, y * np.log(np.where(y > 0, y, 1)) - y

    def backward(self, z: Array, targets: Targets, weight: Array, smoothing: Array | None = None) -> Array:
        t, constant = targets
        mean = np.exp(z)
        z *= -t
        z += mean
        z += constant
        sums = z[:, 0] @ weight
        np.subtract(mean, t, out=z)
        z *= weight
        return np.asarray(sums)

    def link(self, z: Array) -> Array:
        return np.asarray(np.exp(z[..., 0]))

    def restore(self, z: Array, shift: float, factor: float) -> Array:
        z += z.dtype.type(np.log(factor))
        return z


def _quantile(y: Array, weight: Array, q: float) -> float:
    """Return the smallest value with at least the share ``q`` of the weight up to it."""
    order = np.argsort(y)
    share = np.cumsum(weight[order], dtype=float)
    return float(y[order[np.searchsorted(share, q * share[-1] * (1 - 1e-12))]])


class _Classification(Loss):
    tasks = frozenset({"binary", "multiclass"})

    def fault(self, y: Array) -> str:
        return (
            ""
            if np.isfinite(y).all() and (y >= 0).all() and (y == np.floor(y)).all()
            else ("must be class codes 0, 1, 2, ...")
        )


class Logistic(_Classification):
    """``log(1 + exp(z)) - t z`` with ``t`` of 0 or 1."""

    about = "cross-entropy of two classes"
    tasks = frozenset({"binary"})
    probabilities = True
    smooths_labels = True

    def start(self, y: Array, weight: Array, c: int) -> Array:
        share = float(np.clip(np.average(y, weights=weight), 1e-6, 1 - 1e-6))
        return np.array([np.log(share / (1 - share))])

    def targets(self, y: Array, c: int) -> Targets:
        return (y[None, :].astype(np.float32),)

    def backward(self, z: Array, targets: Targets, weight: Array, smoothing: Array | None = None) -> Array:
        t = targets[0]
        if smoothing is None:
            sums = z[:, 0] @ ((0.5 - t[0]) * weight)
            t = 0.5 - t
        else:
            t = (0.5 - t) * (1 - smoothing[:, None, None])
            sums = np.vecdot(z[:, 0], t[:, 0] * weight)
        # log(1 + e^z) = log(1 + e^-|z|) + (|z| + z) / 2, and the derivative shares its exponential
        e = np.abs(z)
        sums += 0.5 * (e[:, 0] @ weight)
        np.exp(np.negative(e, out=e), out=e)
        e += 1
        r = np.reciprocal(e)
        sums += np.log(e, out=e)[:, 0] @ weight
        r -= 0.5
        np.copysign(r, z, out=z)
        z += t
        z *= weight
        return np.asarray(sums)

    def link(self, z: Array) -> Array:
        p = 0.5 * np.tanh(0.5 * z[..., 0]) + 0.5
        return np.stack([1 - p, p], axis=-1)


class Softmax(_Classification):
    """``log(sum_j exp(z_j)) - z_t``."""

    about = "cross-entropy of several classes"
    tasks = frozenset({"multiclass"})
    probabilities = True
    smooths_labels = True

    def start(self, y: Array, weight: Array, c: int) -> Array:
        share = np.bincount(y.astype(np.intp), weights=weight, minlength=c) / weight.sum()
        logs = np.log(np.clip(share, 1e-6, None))
        return np.asarray(logs - logs.mean())

    def targets(self, y: Array, c: int) -> Targets:
        codes = y.astype(np.intp)
        onehot = np.zeros((c, len(y)), np.float32)
        onehot[codes, np.arange(len(y))] = 1
        return onehot, codes

    def backward(self, z: Array, targets: Targets, weight: Array, smoothing: Array | None = None) -> Array:
        onehot, codes = targets
        k, c, n = z.shape
        z -= z.max(axis=1, keepdims=True)
        own = np.take(z.reshape(k, c * n), codes * n + np.arange(n), axis=1)
        if smoothing is not None:
            own *= 1 - smoothing[:, None]
            own += z.mean(axis=1) * smoothing[:, None]
        np.exp(z, out=z)
        total = z.sum(axis=1)
        np.subtract(np.log(total), own, out=own)
        sums = own @ weight
        np.divide(weight, total, out=total)
        z *= total[:, None]
        if smoothing is None:
            z -= onehot * weight
        else:
            ease = smoothing[:, None, None]
            z -= (onehot * (1 - ease) + ease / z.dtype.type(c)) * weight
        return np.asarray(sums)

    def link(self, z: Array) -> Array:
        p = np.exp(z - z.max(axis=-1, keepdims=True))
        return np.asarray(p / p.sum(axis=-1, keepdims=True))


class Hinge(_Classification):
    """``max(0, 1 - s z)`` with ``s`` of -1 or 1; several classes: the sum over one against the rest."""

    about = "linear support vector machine; several classes one against the rest"

    def start(self, y: Array, weight: Array, c: int) -> Array:
        return np.zeros(c)

    def targets(self, y: Array, c: int) -> Targets:
        if c == 1:
            return ((2 * y[None, :] - 1).astype(np.float32),)
        return (np.where(y == np.arange(c)[:, None], np.float32(1), np.float32(-1)),)

    def backward(self, z: Array, targets: Targets, weight: Array, smoothing: Array | None = None) -> Array:
        sign = targets[0]
        z *= sign
        np.subtract(1, z, out=z)
        np.maximum(z, 0, out=z)
        sums = (z @ weight).sum(axis=1)
        np.greater(z, 0, out=z, casting="unsafe")
        z *= -weight * sign
        return np.asarray(sums)


class SquaredHinge(Hinge):
    """``max(0, 1 - s z)^2`` with ``s`` of -1 or 1; several classes: the sum over one against the rest."""

    about = "support vector machine with a smooth loss; several classes one against the rest"

    def backward(self, z: Array, targets: Targets, weight: Array, smoothing: Array | None = None) -> Array:
        sign = targets[0]
        z *= sign
        np.subtract(1, z, out=z)
        np.maximum(z, 0, out=z)
        sums = (np.multiply(z, z) @ weight).sum(axis=1)
        z *= -2 * weight * sign
        return np.asarray(sums)


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
