"""From rows to steps: the trials of a group passed over batches of equal size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import repeat

import numpy as np

from automl.descent.arrays import Array
from automl.descent.layers.dense import Bits
from automl.descent.losses import Loss
from automl.descent.model import NetworkPass
from automl.descent.updates import Stepper

__all__ = ["Part", "Steps"]


_SHORT = 256
"""Up to so many parameters it is quicker to multiply by a whole array of rates than by a column."""


class Part:
    """Trials that pass together: from rows to gradients.

    Parameters
    ----------
    slots : slice
        Which trials of the group.
    layers : NetworkPass
        Their layers, bound to as many rows as there will be.
    loss : Loss
        What is minimised.
    smoothing : ndarray of shape (k,), optional
        Label smoothing of each.
    """

    def __init__(self, slots: slice, layers: NetworkPass, loss: Loss, smoothing: Array | None) -> None:
        self.slots, self.layers, self.loss, self.smoothing = slots, layers, loss, smoothing

    def fill(self, x: Array, targets: Sequence[Array], left: Array) -> None:
        """Fill the gradients for rows ``(m, d + 1)``; ``left`` is the group's ``(k, m)`` for `Loss.total`."""
        z = self.layers.forward(x)
        self.loss.backward(z, targets, left[self.slots], self.smoothing)
        self.layers.backward(z)


class Steps:
    """The steps of a group over batches of ``m`` rows.

    Parameters
    ----------
    parts : sequence of Part
        Its trials, bound to ``m`` rows.
    steppers : sequence of Stepper
        The same trials, bound to the same parameters and gradients.
    bits : Bits
        What the layers of all of them drop units by.
    """

    def __init__(self, parts: Sequence[Part], steppers: Sequence[Stepper], bits: Bits) -> None:
        self.parts, self.steppers, self.bits = parts, steppers, bits

    def fill(self, x: Array, targets: Sequence[Array], left: Array) -> None:
        """Fill all gradients for one batch, or a part of one, as `Part.fill` does."""
        self.bits.next()
        for part in self.parts:
            part.fill(x, targets, left)

    def run(self, x: Array, targets: Sequence[Array], left: Array, rates: Array) -> None:
        """Do a step for each of ``s`` batches.

        Parameters
        ----------
        x : ndarray of shape (s, m, d + 1)
            Rows.
        targets : sequence of ndarray
            From `Loss.targets`, the first axis the steps.
        left : ndarray of shape (s, k, m)
            Receives what `Loss.total` needs.
        rates : ndarray of shape (s, k, 1)
            Learning rates.
        """
        p = self.steppers[0].theta.shape[1]
        own_rates: Iterable[Array] = rates
        if p <= _SHORT and (rates == rates[0]).all():
            own_rates = repeat(np.repeat(rates[0], p, axis=1), len(rates))
        for rows, own, rate, *target in zip(x, left, own_rates, *targets, strict=True):
            self.fill(rows, target, own)
            for stepper in self.steppers:
                stepper.step(rate)
