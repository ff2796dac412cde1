"""Layers: forward next to its backward, for all trials of a cohort at once.

A `Layer` knows its shape; ``bind`` gives a *pass*: the layer with the trials' weights, gradients and buffers
for a fixed number of rows. Hidden arrays are ``(k, h + 1, n)``, the last row of units being one, so that the
bias is a column of the next layer's weights and its gradient falls out of the same product.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from typing_extensions import override

from automl.descent.accelerated import fastest
from automl.descent.arrays import Array

__all__ = ["Bits", "Dense", "Dropout", "DropoutPass", "Layer", "Noise", "Pass", "Slots", "Space", "product"]


class Space:
    """Buffers that the passes of neighbouring trials share, for they work one after the other.

    So what a few trials leave in the cache is overwritten there by the next few. Each pass asks for its
    buffers in the same order; only the first may be for more trials than the others.
    """

    def __init__(self) -> None:
        self._buffers: list[Array] = []
        self._next = 0
        self.fresh = True

    def restart(self) -> None:
        """Let the next passes have the buffers of the ones before."""
        self._next, self.fresh = 0, not self._buffers

    def empty(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """Return the next buffer, its first ``shape[0]`` entries."""
        if self.fresh:
            self._buffers.append(np.empty(shape, dtype))
        self._next += 1
        return self._buffers[self._next - 1][: shape[0]]


class Pass(ABC):
    """A layer bound to weights ``(k, size)``, gradients of the same shape and ``n`` rows."""

    @abstractmethod
    def forward(self, a: Array) -> Array:
        """Return the outputs for inputs ``a``; both may share memory."""

    @abstractmethod
    def backward(self, d: Array) -> Array:
        """Return the derivative by the inputs for ``d``, that by the outputs; fill the gradients."""


class Bits:
    """Random numbers of 16 bits, a batch at a time: one for each unit and row, the same for all trials.

    Parameters
    ----------
    seed : sequence of int
        What they are derived from, together with the epoch.
    """

    def __init__(self, seed: Sequence[int]) -> None:
        self._seed = tuple(seed)
        self.renew(0)

    def renew(self, epoch: int) -> None:
        """Set out on an epoch."""
        self._source = np.random.SFC64(np.random.SeedSequence(self._seed, spawn_key=(epoch,)))
        self.next()

    def next(self) -> None:
        """Go on to the next batch."""
        self._drawn: dict[Layer, Array] = {}

    def of(self, layer: Layer, shape: tuple[int, ...]) -> Array:
        """Return those of a layer in this batch, drawn when first asked for; layers ask in their order."""
        if layer not in self._drawn:
            size = math.prod(shape)
            # four units from each word of the source
            words = self._source.random_raw(-(-size // 4))
            self._drawn[layer] = words.view(np.uint16)[:size].reshape(shape)
        return self._drawn[layer]


class Noise:
    """What makes training random: the shared bits, and how each trial drops units by them.

    A trial turns all bits by an amount of its own, drawn by its seed, and drops the units whose bits come to lie below
    its rate: so one that trains beside others drops what it drops alone, and drawing costs the same for all of them.

    Parameters
    ----------
    dropout : sequence of float
        The trials' rates.
    seeds : sequence of int
        Their seeds.
    bits : Bits
        Shared by all.
    """

    def __init__(self, dropout: Sequence[float], seeds: Sequence[int], bits: Bits) -> None:
        self.dropout, self.bits = tuple(dropout), bits
        turns = [np.random.SeedSequence(seed).generate_state(1)[0] for seed in seeds]
        self.turns = np.array(turns, np.uint32).astype(np.uint16)
        self.below = np.array([rate * 65536 for rate in dropout], np.uint16)


@dataclass(frozen=True)
class Slots:
    """What differs between the trials that pass through the layers together.

    Parameters
    ----------
    activations : sequence of str
        The kind of each.
    noise : Noise, optional
        What makes their training random; None: for prediction.
    """

    activations: Sequence[str]
    noise: Noise | None = None


class Layer(ABC):
    """A layer's shape and start values."""

    size: int = 0

    @abstractmethod
    def bind(self, weights: Array, gradient: Array | None, n: int, slots: Slots, space: Space) -> Pass | None:
        """Return the pass for weights and gradients ``(k, size)`` and ``n`` rows; None: it does nothing."""

    def start(self, rng: np.random.Generator | None, gain: float) -> Array:
        """Return initial weights ``(size,)``; without a generator nothing is drawn.

        ``gain`` is the variance that the activation wants of weights before it, times the number of inputs.
        """
        return np.zeros(self.size)

    def penalised(self) -> Array:
        """Return which of the ``(size,)`` weights l1, l2 and decay act on."""
        return np.zeros(self.size, bool)


class Dense(Layer):
    """``a -> W a + b``, the bias being the last column of ``(n_out, n_in + 1)``.

    Parameters
    ----------
    n_in, n_out : int
        Units.
    first, last : bool
        Whether the inputs are the shared rows of the table; whether the outputs are the model's.
    alone : bool
        Whether no hidden layer stands before it, nor after.
    """

    def __init__(self, n_in: int, n_out: int, first: bool, last: bool, alone: bool = False) -> None:
        self.n_in, self.n_out, self.first, self.last, self.alone = n_in, n_out, first, last, alone
        self.size = n_out * (n_in + 1)

    def start(self, rng: np.random.Generator | None, gain: float) -> Array:
        """Return zero biases, and uniform weights (He et al., arXiv 1502.01852): the outputs keep the variance.

        Outputs behind no hidden layer start at zero.
        """
        weights = np.zeros((self.n_out, self.n_in + 1))
        if rng is not None and not self.alone:
            limit = np.sqrt(3 * (1.0 if self.last else gain) / self.n_in)
            weights[:, :-1] = rng.uniform(-limit, limit, (self.n_out, self.n_in))
        return weights.ravel()

    def penalised(self) -> Array:
        """Return all but the biases."""
        mask = np.ones((self.n_out, self.n_in + 1), bool)
        mask[:, -1] = False
        return mask.ravel()

    def bind(self, weights: Array, gradient: Array | None, n: int, slots: Slots, space: Space) -> Pass:
        """Return the product with shared rows for the first layer, stacked products for the others."""
        kind = (WideDensePass if self.last else _SharedDensePass) if self.first else _DensePass
        return kind(self, weights, gradient, n, space)


class _DensePass(Pass):
    def __init__(self, layer: Dense, weights: Array, gradient: Array | None, n: int, space: Space) -> None:
        k, shape = len(weights), (layer.n_out, layer.n_in + 1)
        self.weights = weights.reshape(k, *shape)
        self.gradient = None if gradient is None else gradient.reshape(k, *shape)
        # after the units a row of ones, but for the model's outputs
        self.buffer = space.empty((k, layer.n_out + (not layer.last), n), weights.dtype)
        self.buffer[:, layer.n_out :] = 1
        self.out = self.buffer[:, : layer.n_out]
        if gradient is not None and not layer.first:
            self.back = space.empty((k, layer.n_in, n), weights.dtype)

    def forward(self, a: Array) -> Array:
        self.inputs = a
        np.matmul(self.weights, a, out=self.out)
        return self.buffer

    def backward(self, d: Array) -> Array:
        product(d, self.inputs.transpose(0, 2, 1), self.gradient)
        return product(self.weights[:, :, :-1].transpose(0, 2, 1), d, self.back)


class _SharedDensePass(_DensePass):
    """All trials read the same rows ``(n, d + 1)``."""

    def __init__(self, layer: Dense, weights: Array, gradient: Array | None, n: int, space: Space) -> None:
        super().__init__(layer, weights, gradient, n, space)
        # copied for the trials that read it, for a product with a transposed view packs it anew for each
        self.columns = space.empty((layer.n_in + 1, n), weights.dtype)
        self.copies = space.fresh

    def forward(self, a: Array) -> Array:
        self.inputs = a
        if self.copies:
            np.copyto(self.columns, a.T)
        np.matmul(self.weights, self.columns, out=self.out)
        return self.buffer

    def backward(self, d: Array) -> Array:
        product(d, self.inputs, self.gradient)
        return d


class WideDensePass(_DensePass):
    """The outputs of all trials from the same rows ``(n, d + 1)``: one wide product."""

    def __init__(self, layer: Dense, weights: Array, gradient: Array | None, n: int, space: Space) -> None:
        super().__init__(layer, weights, gradient, n, space)
        self.flat_weights = weights.reshape(-1, layer.n_in + 1)
        self.flat_out = self.out.reshape(-1, n)
        if gradient is not None:
            self.flat_gradient = gradient.reshape(-1, layer.n_in + 1)
        # BLAS is twice as quick with few weights where they lie transposed
        self.turned = np.empty(self.flat_weights.shape[::-1], weights.dtype)
        self.turns = 4 * len(self.flat_weights) <= n

    def forward(self, a: Array) -> Array:
        self.inputs = a
        if self.turns:
            np.copyto(self.turned, self.flat_weights.T)
            np.dot(self.turned.T, a.T, out=self.flat_out)
        else:
            np.dot(self.flat_weights, a.T, out=self.flat_out)
        return self.buffer

    def backward(self, d: Array) -> Array:
        np.dot(d.reshape(len(self.flat_gradient), -1), self.inputs, out=self.flat_gradient)
        return d


def product(a: Array, b: Array, out: Array | None) -> Array:
    """Return ``a @ b`` for ``a`` ``(k, m, n)`` and ``b`` ``(n, l)`` or ``(k, n, l)``.

    Where ``n`` is one, as for a single output or a single row, NumPy leaves BLAS for a plain loop; a row of
    zeros beside the one keeps the product there and is some six times quicker.
    """
    if a.shape[2] > 1:
        return np.matmul(a, b, out=out)
    columns, rows = np.zeros((len(a), 2, a.shape[1]), a.dtype), np.zeros((len(a), 2, b.shape[-1]), a.dtype)
    columns[:, 0], rows[:, 0] = a[:, :, 0], b[..., 0, :]
    return np.matmul(columns.transpose(0, 2, 1), rows, out=out)


class Dropout(Layer):
    """Units set to zero at random while training, the others scaled up (Srivastava et al. 2014)."""

    def bind(self, weights: Array, gradient: Array | None, n: int, slots: Slots, space: Space) -> Pass | None:
        """Return None where no trial drops anything."""
        noise = slots.noise
        return fastest(DropoutPass)(self, noise) if noise is not None and any(noise.dropout) else None


class DropoutPass(Pass):
    """Units times 0 or the inverse of the share that is kept; the same on the way back."""

    def __init__(self, layer: Layer, noise: Noise) -> None:
        self.layer, self.noise = layer, noise

    @override
    def forward(self, a: Array) -> Array:
        _, h, n = a.shape
        self.drop(a, self.noise.bits.of(self.layer, (h - 1, n)))
        return a

    @override
    def backward(self, d: Array) -> Array:
        self.drop(d, self.noise.bits.of(self.layer, d.shape[1:]))
        return d

    def drop(self, a: Array, bits: Array) -> None:
        """Drop some of the first units, as many as there are ``bits`` ``(h, n)``."""
        noise, units = self.noise, a[:, : len(bits)]
        for i, rate in enumerate(noise.dropout):
            if rate:
                kept = bits + noise.turns[i] >= noise.below[i]
                units[i] *= np.multiply(kept, a.dtype.type(1 / (1 - rate)))
