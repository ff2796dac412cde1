"""Compiled twins of losses: the derivative, and the value of each row, in one pass.

Loops over the rows of a batch are innermost and contiguous, so that they become vector instructions; the
exponential and the logarithm are polynomials for that reason. They are for single precision, in which training runs.
Infinities and NaN pass through, for a diverging trial is told by them.
"""

from __future__ import annotations

import numba
import numpy as np
from typing_extensions import override

from automl.descent import losses
from automl.descent.arrays import Array

__all__ = ["Logistic", "Softmax", "compiled", "inlined", "logistic_backward", "of_each", "softmax_backward"]

# sums may be fused with products and divisions become products; neither NaN nor the order of sums is given up
compiled = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "arcp", "nsz"})
inlined = numba.njit(error_model="numpy", fastmath={"contract", "arcp", "nsz"})

_f = np.float32


@inlined
def _exp(x):  # type: ignore[no-untyped-def]
    """Return ``exp(x)`` for ``x`` of at most 0, to an ulp or two: ``2^i exp(r)`` (Moshier's Cephes, expf)."""
    x = _f(-87.0) if x < _f(-87.0) else x
    i = np.floor(x * _f(1.44269504088896341) + _f(0.5))
    r = x - i * _f(0.693359375) + i * _f(2.12194440e-4)
    p = _f(1.9875691500e-4)
    p = p * r + _f(1.3981999507e-3)
    p = p * r + _f(8.3334519073e-3)
    p = p * r + _f(4.1665795894e-2)
    p = p * r + _f(1.6666665459e-1)
    p = p * r + _f(5.0000001201e-1)
    power = np.int32((np.int32(i) + np.int32(127)) << np.int32(23))
    return (p * r * r + r + _f(1)) * power.view(np.float32)


@inlined
def _log_near_one(x):  # type: ignore[no-untyped-def]
    """Return ``log(1 + x)`` for ``x`` between ``sqrt(1/2) - 1`` and ``sqrt(2) - 1`` (Moshier's Cephes, logf)."""
    p = _f(7.0376836292e-2)
    p = p * x + _f(-1.1514610310e-1)
    p = p * x + _f(1.1676998740e-1)
    p = p * x + _f(-1.2420140846e-1)
    p = p * x + _f(1.4249322787e-1)
    p = p * x + _f(-1.6668057665e-1)
    p = p * x + _f(2.0000714765e-1)
    p = p * x + _f(-2.4999993993e-1)
    p = p * x + _f(3.3333331174e-1)
    square = x * x
    return x + (p * x * square - _f(0.5) * square)


_LOG2 = _f(0.693147180559945)


@inlined
def _log(x):  # type: ignore[no-untyped-def]
    """Return ``log(x)`` for a normal ``x``: ``i log(2)`` and the logarithm of what is near one."""
    bits = _f(x).view(np.int32)
    # the mantissa with an exponent such that it lies between sqrt(1/2) and sqrt(2)
    i = (bits - np.int32(0x3F3504F3)) >> np.int32(23)
    near = np.int32(bits - (i << np.int32(23))).view(np.float32)
    return _log_near_one(near - _f(1)) + _f(i) * _LOG2


@compiled
def logistic_backward(z, half, sign, smoothing, left):  # type: ignore[no-untyped-def]
    """Do what `Logistic.backward` says; ``smoothing`` ``(k,)``."""
    k, _, n = z.shape
    for i in range(k):
        ease = _f(1) - smoothing[i]
        for j in range(n):
            left[i, j] = _exp(-abs(z[i, 0, j]))
        for j in range(n):
            # tanh(z / 2) = (1 - e) / (1 + e) and log(1 + e) = 2 artanh(e / (2 + e)), with e = exp(-|z|); one
            # division for both
            middle, e = _f(0.5) * z[i, 0, j], left[i, j]
            one, two = _f(1) + e, _f(2) + e
            inverse = _f(1) / (one * two)
            slope = np.copysign((_f(1) - e) * two * inverse, middle)
            z[i, 0, j] = (slope + sign[j] * ease) * half[j]
            y = e * one * inverse
            square = y * y
            p = _f(2 / 11) * square + _f(2 / 9)
            p = p * square + _f(2 / 7)
            p = p * square + _f(2 / 5)
            p = p * square + _f(2 / 3)
            p = p * square + _f(2)
            left[i, j] = middle * sign[j] * ease + abs(middle) + p * y


def of_each(smoothing: Array | None, z: Array) -> Array:
    """Return the label smoothing of each trial ``(k,)``, zeros where there is none: one type to compile for."""
    return np.zeros(len(z), np.float32) if smoothing is None else smoothing


class Logistic(losses.Logistic):
    """Derivative and value at once: what `backward` leaves is the value of each row."""

    @override
    def targets(self, y: Array, weight: Array, c: int) -> losses.Targets:
        return (0.5 * weight).astype(np.float32), (1 - 2 * y).astype(np.float32)

    @override
    def backward(
        self, z: Array, targets: losses.Targets, left: Array, smoothing: Array | None = None
    ) -> None:
        logistic_backward(z, *targets, of_each(smoothing, z), left)

    @override
    def total(self, left: Array, y: Array, weight: Array, smoothing: Array | None = None) -> Array:
        return losses.Loss.total(self, left, y, weight)


@compiled
def softmax_backward(z, weight, codes, smoothing, left):  # type: ignore[no-untyped-def]
    """Do what `Softmax.backward` says; ``smoothing`` ``(k,)``."""
    k, c, n = z.shape
    top, total = np.empty(n, np.float32), np.empty(n, np.float32)
    for i in range(k):
        ease, share = smoothing[i], smoothing[i] / _f(c)
        for j in range(n):
            top[j] = z[i, 0, j]
            total[j] = 0
        for a in range(1, c):
            for j in range(n):
                top[j] = top[j] if top[j] > z[i, a, j] else z[i, a, j]
        for j in range(n):
            left[i, j] = (_f(1) - ease) * (top[j] - z[i, codes[j], j])
        if ease > 0:
            for a in range(c):
                for j in range(n):
                    left[i, j] += share * (top[j] - z[i, a, j])
        for a in range(c):
            for j in range(n):
                z[i, a, j] = _exp(z[i, a, j] - top[j])
                total[j] += z[i, a, j]
        for j in range(n):
            left[i, j] += _log(total[j])
            total[j] = weight[j] / total[j]
        for a in range(c):
            for j in range(n):
                z[i, a, j] = z[i, a, j] * total[j] - share * weight[j]
        for j in range(n):
            z[i, codes[j], j] -= (_f(1) - ease) * weight[j]


class Softmax(losses.Softmax):
    """The softmax, its derivative and its value in one pass over each trial."""

    @override
    def targets(self, y: Array, weight: Array, c: int) -> losses.Targets:
        return weight, y.astype(np.intp)

    @override
    def backward(
        self, z: Array, targets: losses.Targets, left: Array, smoothing: Array | None = None
    ) -> None:
        softmax_backward(z, *targets, of_each(smoothing, z), left)
