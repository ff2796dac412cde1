"""The kernels compiled by Numba; `automl.descent.kernels.numpy` documents them.

Three functions exist only here: `fused_step` and the linear steps, each of which replaces many calls.

Loops over the rows of a batch are innermost and contiguous, so that they become vector instructions. The
exponential and the logarithm are polynomials for the same reason. They are for single precision, in which
training runs. Infinities and NaN pass through: they reveal a diverging trial.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = [
    "dropout",
    "fused_step",
    "gather",
    "logistic_backward",
    "logistic_linear_steps",
    "logistic_total",
    "relu",
    "relu_backward",
    "softmax_backward",
    "softmax_linear_steps",
    "softmax_targets",
    "tanh",
]

Array = NDArray[Any]

# sums may be fused with products and divisions become products; NaN and the order of sums are kept
_compiled = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "arcp", "nsz"})
_inlined = numba.njit(error_model="numpy", fastmath={"contract", "arcp", "nsz"})

_f = np.float32


def relu(a: Array, zeros: Array) -> None:
    """Replace units by ``max(a, 0)``, in place."""
    _relu(a)


@_compiled
def _relu(a):  # type: ignore[no-untyped-def]
    k, h, n = a.shape
    for i in range(k):
        for u in range(h):
            for j in range(n):
                a[i, u, j] = 0 if a[i, u, j] < 0 else a[i, u, j]


@_compiled
def relu_backward(d, a):  # type: ignore[no-untyped-def]
    """Multiply derivatives by the slope at outputs ``a``, in place."""
    k, h, n = d.shape
    for i in range(k):
        for u in range(h):
            for j in range(n):
                d[i, u, j] = d[i, u, j] if a[i, u, j] > 0 else 0


def tanh(a: Array, slope: Array) -> None:
    """Replace units by their hyperbolic tangent and write its slope."""
    # NumPy's hyperbolic tangent uses vector instructions
    z = a[:, :-1]
    np.tanh(z, out=z)
    _tanh_slope(a, slope)


@_compiled
def _tanh_slope(a, slope):  # type: ignore[no-untyped-def]
    k, h, n = slope.shape
    for i in range(k):
        for u in range(h):
            for j in range(n):
                slope[i, u, j] = _f(1) - a[i, u, j] * a[i, u, j]


@_compiled
def dropout(a, bits, offsets, thresholds, scales):  # type: ignore[no-untyped-def]
    """Set units to zero at random and scale up the others, in place."""
    h, n = bits.shape
    for i in range(len(a)):
        offset, threshold, scale = offsets[i], thresholds[i], scales[i]
        for u in range(h if threshold > 0 else 0):
            for j in range(n):
                # a product with zero: a choice between two products is no vector instruction
                a[i, u, j] *= scale if np.uint16(bits[u, j] + offset) >= threshold else scale - scale


@_compiled
def gather(X, rows, out):  # type: ignore[no-untyped-def]
    """Write ``X[rows]`` and a column of ones into ``out``."""
    d = X.shape[1]
    for i in range(rows.size):
        row = rows[i]
        for j in range(d):
            out[i, j] = X[row, j]
        out[i, d] = 1


@_inlined
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


@_inlined
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


@_inlined
def _log(x):  # type: ignore[no-untyped-def]
    """Return ``log(x)`` for a normal ``x``: ``i log(2)`` plus the logarithm of a number near one."""
    bits = _f(x).view(np.int32)
    # the mantissa with an exponent such that it lies between sqrt(1/2) and sqrt(2)
    i = (bits - np.int32(0x3F3504F3)) >> np.int32(23)
    near = np.int32(bits - (i << np.int32(23))).view(np.float32)
    return _log_near_one(near - _f(1)) + _f(i) * _LOG2


@_compiled
def _logistic_backward(z, half, sign, smoothing, per_row):  # type: ignore[no-untyped-def]
    k, _, n = z.shape
    for i in range(k):
        kept = _f(1) - smoothing[i]
        for j in range(n):
            per_row[i, j] = _exp(-abs(z[i, 0, j]))
        for j in range(n):
            # tanh(z / 2) = (1 - e) / (1 + e) and log(1 + e) = 2 artanh(e / (2 + e)), with e = exp(-|z|); one
            # division for both
            middle, e = _f(0.5) * z[i, 0, j], per_row[i, j]
            one, two = _f(1) + e, _f(2) + e
            inverse = _f(1) / (one * two)
            slope = np.copysign((_f(1) - e) * two * inverse, middle)
            z[i, 0, j] = (slope + sign[j] * kept) * half[j]
            y = e * one * inverse
            square = y * y
            p = _f(2 / 11) * square + _f(2 / 9)
            p = p * square + _f(2 / 7)
            p = p * square + _f(2 / 5)
            p = p * square + _f(2 / 3)
            p = p * square + _f(2)
            per_row[i, j] = middle * sign[j] * kept + abs(middle) + p * y


def logistic_backward(z: Array, targets: tuple[Array, ...], smoothing: Array | None, per_row: Array) -> None:
    """Replace outputs by the derivative of the logistic loss; write the loss of each row."""
    half, sign = targets
    _logistic_backward(z, half, sign, _zeros_for_none(smoothing, z), per_row)


def _zeros_for_none(smoothing: Array | None, z: Array) -> Array:
    # one type to compile for
    return np.zeros(len(z), np.float32) if smoothing is None else smoothing


def logistic_total(per_row: Array, y: Array, weight: Array, smoothing: Array | None) -> Array:
    """Return the weighted sums of the loss over rows."""
    return np.asarray(np.matmul(per_row, weight[..., None])[..., 0])


def softmax_targets(codes: Array, weight: Array, c: int) -> tuple[Array, ...]:
    """Return the targets that `softmax_backward` of this module takes."""
    return weight, codes


def softmax_backward(z: Array, targets: tuple[Array, ...], smoothing: Array | None, per_row: Array) -> None:
    """Replace outputs by the derivative of the cross-entropy; write the loss of each row."""
    weight, codes = targets
    _softmax_backward(z, weight, codes, _zeros_for_none(smoothing, z), per_row)


@_compiled
def _softmax_backward(z, weight, codes, smoothing, per_row):  # type: ignore[no-untyped-def]
    k, c, n = z.shape
    top, total = np.empty(n, np.float32), np.empty(n, np.float32)
    for i in range(k):
        kept, share = _f(1) - smoothing[i], smoothing[i] / _f(c)
        for j in range(n):
            top[j] = z[i, 0, j]
            total[j] = 0
        for a in range(1, c):
            for j in range(n):
                top[j] = top[j] if top[j] > z[i, a, j] else z[i, a, j]
        for j in range(n):
            per_row[i, j] = kept * (top[j] - z[i, codes[j], j])
        if share > 0:
            for a in range(c):
                for j in range(n):
                    per_row[i, j] += share * (top[j] - z[i, a, j])
        for a in range(c):
            for j in range(n):
                z[i, a, j] = _exp(z[i, a, j] - top[j])
                total[j] += z[i, a, j]
        for j in range(n):
            per_row[i, j] += _log(total[j])
            total[j] = weight[j] / total[j]
        for a in range(c):
            for j in range(n):
                z[i, a, j] = z[i, a, j] * total[j] - share * weight[j]
        for j in range(n):
            z[i, codes[j], j] -= kept * weight[j]


@_compiled
def fused_step(rates, theta, g, mask, settings, sums, squares, power1, power2):  # type: ignore[no-untyped-def]
    """Clip, penalise and step trials of any of the optimizers whose row says ``fused``, in place.

    Parameters
    ----------
    rates : ndarray of shape (k, 1)
        Learning rates.
    theta, g : ndarray of shape (k, p)
        Parameters and gradients.
    mask : ndarray of shape (p,)
        1 for the parameters that penalties act on, else 0.
    settings : ndarray of shape (k,)
        Records of `automl.descent.kernels.FUSED_SETTINGS`.
    sums, squares : ndarray of shape (k, p)
        Decaying sums of gradients and of their squares.
    power1, power2 : ndarray of shape (k, 1)
        Powers of both decays, as in Adam.
    """
    k, p = theta.shape
    for i in range(k):
        rate, h = rates[i, 0], settings[i]
        beta1, beta2, l1, l2, decay = h.beta1, h.beta2, h.l1, h.l2, h.decay
        if h.clip < np.inf:
            size = 0.0
            for j in range(p):
                size += g[i, j] * g[i, j]
            share = _f(h.clip / max(np.sqrt(size), 1e-30))
            if share < 1:
                for j in range(p):
                    g[i, j] *= share
        scale, epsilon, below = _f(0), _f(0), _f(1) - beta1
        if h.adapts:
            power1[i, 0] *= beta1
            power2[i, 0] *= beta2
            first, second = (1 - power1[i, 0]) / (_f(1) - beta1), (1 - power2[i, 0]) / (_f(1) - beta2)
            scale, epsilon, below = _f(first / np.sqrt(second)), _f(first * h.epsilon), _f(1 / first)
            for j in range(p):
                slope = g[i, j] + l2 * mask[j] * theta[i, j]
                sums[i, j] = sums[i, j] * beta1 + slope
                squares[i, j] = squares[i, j] * beta2 + slope * slope
                g[i, j] = sums[i, j] / (np.sqrt(squares[i, j]) * scale + epsilon)
        else:
            # plain gradient descent is momentum with a decay of zero
            ahead, share = h.nesterov, beta1 if h.nesterov > 0 else _f(1)
            for j in range(p):
                slope = g[i, j] + l2 * mask[j] * theta[i, j]
                sums[i, j] = sums[i, j] * beta1 + slope
                g[i, j] = share * sums[i, j] + ahead * slope
        for j in range(p):
            theta[i, j] -= rate * (g[i, j] + decay * mask[j] * theta[i, j])
        if l1 > 0:
            for j in range(p):
                root = np.sqrt(squares[i, j]) * scale + epsilon if h.adapts else _f(1)
                size = abs(theta[i, j]) - l1 * mask[j] * rate / (root * below)
                theta[i, j] = np.copysign(_f(0) if size < 0 else size, theta[i, j])


@_inlined
def _forward(x, theta, transposes, z):  # type: ignore[no-untyped-def]
    weights = theta.reshape(-1, x.shape[1])
    if transposes:
        np.dot(np.asfortranarray(weights), x.T, z)
    else:
        np.dot(weights, x.T, z)


@_compiled
def logistic_linear_steps(x, targets, per_row, rates, transposes, smoothing, z, theta, gradient, *more):  # type: ignore[no-untyped-def]
    """Do all steps of a chunk for linear models with the logistic loss.

    Parameters
    ----------
    x : ndarray of shape (s, m, d + 1)
        Rows of ``s`` batches, with a column of ones.
    targets : tuple of ndarray
        From `automl.descent.losses.Loss.targets`; the first axis is the steps.
    per_row : ndarray of shape (s, k, m)
        Receives the loss of each row.
    rates : ndarray of shape (s, k, 1)
        Learning rates.
    transposes : bool
        Whether the product is faster with transposed weights.
    smoothing : ndarray of shape (k,)
        Label smoothing.
    z : ndarray of shape (k, c, m)
        Buffer of the outputs.
    theta, gradient, *more
        From ``theta`` on the arguments of `fused_step`.
    """
    half, sign = targets
    flat, slopes = z.reshape(-1, z.shape[2]), gradient.reshape(-1, x.shape[2])
    for s in range(len(x)):
        _forward(x[s], theta, transposes, flat)
        _logistic_backward(z, half[s], sign[s], smoothing, per_row[s])
        np.dot(flat, x[s], slopes)
        fused_step(rates[s], theta, gradient, *more)


@_compiled
def softmax_linear_steps(x, targets, per_row, rates, transposes, smoothing, z, theta, gradient, *more):  # type: ignore[no-untyped-def]
    """Do all steps of a chunk for linear models with the cross-entropy, as `logistic_linear_steps` does."""
    weight, codes = targets
    flat, slopes = z.reshape(-1, z.shape[2]), gradient.reshape(-1, x.shape[2])
    for s in range(len(x)):
        _forward(x[s], theta, transposes, flat)
        _softmax_backward(z, weight[s], codes[s], smoothing, per_row[s])
        np.dot(flat, x[s], slopes)
        fused_step(rates[s], theta, gradient, *more)
