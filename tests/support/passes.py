"""Forward and backward passes through the bound layers of a model, as a training step does them."""

from __future__ import annotations

from collections.abc import Sequence

from automl.descent.kernels import Array
from automl.descent.model import Pass


def forward(passes: Sequence[Pass], x: Array) -> Array:
    """Return raw outputs ``(k, c, n)`` of rows ``(n, d + 1)``."""
    for one in passes:
        x = one.forward(x)
    return x


def backward(passes: Sequence[Pass], d: Array) -> None:
    """Fill the gradients, given the derivative by the outputs."""
    for one in reversed(passes):
        d = one.backward(d)
