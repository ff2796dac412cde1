"""The kernels in NumPy.

Shapes: ``k`` trials, ``n`` rows, ``d`` features, ``h`` hidden units, ``c`` outputs, ``p`` parameters. Hidden
arrays ``a`` are ``(k, h + 1, n)``; their last unit is one and stays one.
"""

from __future__ import annotations

from typing import Any

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

_GATHERED_ROWS = 512  # rows gathered at once: few enough to stay in the cache

fused_step = None
logistic_linear_steps = None
softmax_linear_steps = None


def relu(a: Array, zeros: Array) -> None:
    """Replace units by ``max(a, 0)``, in place; ``zeros`` has the shape of ``a``."""
    # the whole array, ones included, and an array of zeros: both faster than a view and a scalar
    np.maximum(a, zeros, out=a)


def relu_backward(d: Array, a: Array) -> None:
    """Multiply derivatives ``d`` ``(k, h, n)`` by the slope at outputs ``a``, in place."""
    d *= (a > 0)[:, :-1]


def tanh(a: Array, slope: Array) -> None:
    """Replace units by their hyperbolic tangent, in place; write its slope ``(k, h, n)``."""
    z = a[:, :-1]
    np.tanh(z, out=z)
    np.multiply(z, z, out=slope)
    np.subtract(1, slope, out=slope)


def dropout(a: Array, bits: Array, offsets: Array, thresholds: Array, scales: Array) -> None:
    """Set units to zero at random and scale up the others, in place.

    Parameters
    ----------
    a : ndarray of shape (k, h or h + 1, n)
        Units.
    bits : ndarray of shape (h, n), uint16
        Random numbers shared by all trials.
    offsets, thresholds : ndarray of shape (k,), uint16
        A trial keeps a unit where its bits plus its offset reach its threshold; 0 keeps all units.
    scales : ndarray of shape (k,)
        Factor of the kept units.
    """
    units = a[:, : len(bits)]
    for i in np.flatnonzero(thresholds).tolist():
        units[i] *= np.multiply(bits + offsets[i] >= thresholds[i], a.dtype.type(scales[i]))


def gather(X: Array, rows: Array, out: Array) -> None:
    """Write ``X[rows]`` ``(m, d)`` and a column of ones into ``out`` ``(m, d + 1)``."""
    scratch = np.empty((min(len(rows), _GATHERED_ROWS), X.shape[1]), X.dtype)
    for start in range(0, len(rows), _GATHERED_ROWS):
        some = rows[start : start + _GATHERED_ROWS]
        # "clip" avoids the copy that checking the indices needs
        out[start : start + len(some), :-1] = np.take(X, some, axis=0, out=scratch[: len(some)], mode="clip")
    out[:, -1] = 1


def logistic_backward(z: Array, targets: tuple[Array, ...], smoothing: Array | None, per_row: Array) -> None:
    """Replace outputs by the derivative of the logistic loss.

    Parameters
    ----------
    z : ndarray of shape (k, 1, n)
        Raw outputs; overwritten.
    targets : tuple of two ndarrays of shape (n,)
        Half the row weights; 1 for the first class and -1 for the second.
    smoothing : ndarray of shape (k,) or None
        Label smoothing of each trial.
    per_row : ndarray of shape (k, n)
        Receives what `logistic_total` of this module needs.
    """
    half, sign = targets
    # 1 / (1 + e^-z) - t = (tanh(z / 2) + 1 - 2 t) / 2, which cannot overflow
    row = z[:, 0]
    np.multiply(row, 0.5, out=per_row)
    np.tanh(per_row, out=row)
    row += sign if smoothing is None else sign * (1 - smoothing[:, None])
    row *= half


def logistic_total(per_row: Array, y: Array, weight: Array, smoothing: Array | None) -> Array:
    """Return the weighted sums of the loss ``(..., k)`` over rows; overwrites ``per_row`` ``(..., k, n)``."""
    # log(1 + e^z) - t z = log(1 + e^-|z|) + |z| / 2 + (1/2 - t) z
    sums = _dot(per_row, ((1 - 2 * y) * weight).astype(weight.dtype))
    if smoothing is not None:
        sums *= 1 - smoothing
    np.abs(per_row, out=per_row)
    sums += _dot(per_row, weight)
    per_row *= -2
    np.exp(per_row, out=per_row)
    per_row += 1
    return np.asarray(sums + _dot(np.log(per_row, out=per_row), weight))


def softmax_targets(codes: Array, weight: Array, c: int) -> tuple[Array, ...]:
    """Return the targets that `softmax_backward` of this module takes; their last axis is the rows."""
    onehot = np.zeros((c, len(codes)), weight.dtype)
    onehot[codes, np.arange(len(codes))] = weight
    return onehot, weight, codes


def softmax_backward(z: Array, targets: tuple[Array, ...], smoothing: Array | None, per_row: Array) -> None:
    """Replace outputs ``(k, c, n)`` by the derivative of the cross-entropy; write the loss of each row."""
    onehot, weight, codes = targets
    k, c, n = z.shape
    z -= z.max(axis=1, keepdims=True)
    own = np.take(z.reshape(k, c * n), codes * n + np.arange(n), axis=1)
    if smoothing is not None:
        own *= 1 - smoothing[:, None]
        own += z.mean(axis=1) * smoothing[:, None]
    np.exp(z, out=z)
    total = z.sum(axis=1)
    np.subtract(np.log(total), own, out=per_row)
    np.divide(weight, total, out=total)
    z *= total[:, None]
    if smoothing is None:
        z -= onehot
    else:
        share = smoothing[:, None, None]
        z -= onehot * (1 - share) + share / z.dtype.type(c) * weight


def _dot(per_row: Array, weight: Array) -> Array:
    return np.asarray(np.matmul(per_row, weight[..., None])[..., 0])
