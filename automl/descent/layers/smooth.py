"""Smooth activations: the values replace the units in place, and the slopes are kept for the backward pass."""

from __future__ import annotations

import numpy as np

from automl.descent.kernels import Array, Ops

__all__ = ["gelu", "mish", "selu", "silu"]


def silu(ops: Ops, a: Array, slope: Array) -> None:
    """``z / (1 + exp(-z))`` (Elfwing et al., arXiv 1702.03118)."""
    z = a[:, :-1]
    gate = np.multiply(z, 0.5)
    np.tanh(gate, out=gate)
    gate += 1
    gate *= 0.5
    # s + z s (1 - s), where s is the gate
    np.subtract(1, gate, out=slope)
    slope *= z
    slope += 1
    slope *= gate
    z *= gate


_ROOT = float(np.sqrt(2 / np.pi))
_FLAT = 10.0


def gelu(ops: Ops, a: Array, slope: Array) -> None:
    """``z Phi(z)`` by its tanh form (Hendrycks and Gimpel, arXiv 1606.08415)."""
    z = a[:, :-1]
    # beyond these bounds the gate is 0 or 1 to the last bit, and a cube could overflow
    near = np.clip(z, -_FLAT, _FLAT)
    np.multiply(near, near, out=slope)
    inner = slope * (0.044715 * _ROOT)
    inner += _ROOT
    inner *= near
    np.tanh(inner, out=inner)
    # z / 2 (1 + t) has the slope (1 + t) / 2 + z / 2 (1 - t^2) u', where u' = root (1 + 0.134145 z^2)
    slope *= 3 * 0.044715 * _ROOT
    slope += _ROOT
    slope *= near
    slope *= 1 - inner * inner
    inner += 1
    slope += inner
    slope *= 0.5
    inner *= 0.5
    z *= inner


_FAR = 40.0  # beyond, an exponential is zero beside one, or one beside it


def mish(ops: Ops, a: Array, slope: Array) -> None:
    """``z tanh(log(1 + exp(z)))`` (Misra, arXiv 1908.08681)."""
    z = a[:, :-1]
    np.maximum(z, -_FAR, out=z)
    e = np.exp(np.minimum(z, _FAR))
    # tanh(log(1 + e)) is n / (n + 2) for n = e (e + 2)
    gate = e * (e + 2)
    gate /= gate + 2
    # t + z s (1 - t^2), where t is the gate and s = e / (1 + e)
    np.divide(e, e + 1, out=slope)
    slope *= 1 - gate * gate
    slope *= z
    slope += gate
    z *= gate


_SELU_SCALE, _SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


def selu(ops: Ops, a: Array, slope: Array) -> None:
    """``scale z`` above 0, ``scale alpha (exp(z) - 1)`` below (Klambauer et al., arXiv 1706.02515)."""
    z = a[:, :-1]
    below = np.clip(z, -_FAR, 0)
    np.exp(below, out=slope)
    slope *= _SELU_SCALE * _SELU_ALPHA
    np.expm1(below, out=below)
    below *= _SELU_SCALE * _SELU_ALPHA
    slope[z > 0] = _SELU_SCALE
    np.maximum(z, 0, out=z)
    z *= _SELU_SCALE
    z += below
