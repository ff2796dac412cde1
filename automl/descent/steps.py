"""From rows to steps: forward and backward passes, then updates, batch after batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import repeat

import numpy as np

from automl.descent.kernels import Array
from automl.descent.layers import LinearPass
from automl.descent.losses import Loss, Targets
from automl.descent.model import BoundModel, SharedBits
from automl.descent.updates import Updater

__all__ = ["ForwardBackward", "LinearRunner", "StepRunner"]

_SMALL = 256  # parameters up to which multiplying by an array of rates is faster than by a column


@dataclass(frozen=True)
class ForwardBackward:
    """Trials that pass through the layers together: from rows to gradients.

    Parameters
    ----------
    trials : slice
        Which trials of the group.
    model : BoundModel
        Their layers, bound to a number of rows.
    loss : Loss
        The loss.
    smoothing : ndarray of shape (k,), optional
        Label smoothing of each.
    """

    trials: slice
    model: BoundModel
    loss: Loss
    smoothing: Array | None

    def fill(self, x: Array, targets: Targets, per_row: Array) -> None:
        """Fill the gradients for rows ``(m, d + 1)``; ``per_row`` is the group's ``(k, m)`` for `Loss.total`."""
        z = self.model.forward(x)
        self.loss.backward(z, targets, per_row[self.trials], self.smoothing)
        self.model.backward(z)


@dataclass(frozen=True)
class StepRunner:
    """The steps of a group over batches of ``m`` rows.

    Parameters
    ----------
    passes : sequence of ForwardBackward
        All trials, bound to ``m`` rows.
    updaters : sequence of Updater
        The same trials, bound to the same parameters and gradients.
    bits : SharedBits
        Random numbers of the layers.
    """

    passes: Sequence[ForwardBackward]
    updaters: Sequence[Updater]
    bits: SharedBits

    def fill(self, x: Array, targets: Targets, per_row: Array) -> None:
        """Fill all gradients for one batch, or a part of one."""
        self.bits.next_batch()
        for some in self.passes:
            some.fill(x, targets, per_row)

    def run(self, x: Array, targets: Targets, per_row: Array, rates: Array) -> None:
        """Do a step for each of ``s`` batches.

        Parameters
        ----------
        x : ndarray of shape (s, m, d + 1)
            Rows.
        targets : tuple of ndarray
            From `Loss.targets`; the first axis is the steps.
        per_row : ndarray of shape (s, k, m)
            Receives what `Loss.total` needs.
        rates : ndarray of shape (s, k, 1)
            Learning rates.
        """
        p = self.updaters[0].n_parameters
        step_rates: Iterable[Array] = rates
        if p <= _SMALL and (rates == rates[0]).all():
            step_rates = repeat(np.repeat(rates[0], p, axis=1), len(rates))
        for rows, losses, rate, *target in zip(x, per_row, step_rates, *targets, strict=True):
            self.fill(rows, tuple(target), losses)
            for updater in self.updaters:
                updater.step(rate)


@dataclass(frozen=True)
class LinearRunner:
    """The same for linear models whose loss and optimizers have kernels: all steps in a few calls.

    Batches are small, and the calls of a step would take longer than the step.
    """

    kernel: Callable[..., None]
    some: ForwardBackward
    updater: Updater

    def fill(self, x: Array, targets: Targets, per_row: Array) -> None:
        """Fill the gradients, as `StepRunner.fill` does."""
        self.some.fill(x, targets, per_row)

    def run(self, x: Array, targets: Targets, per_row: Array, rates: Array) -> None:
        """Do a step for each of ``s`` batches, as `StepRunner.run` does."""
        layer, updater, trials = self.some.model.passes[0], self.updater, self.updater.trials
        assert isinstance(layer, LinearPass)
        smoothing = self.some.smoothing
        if smoothing is None:
            smoothing = np.zeros(len(layer.buffer), np.float32)
        arrays, done = (layer.transposes, smoothing, layer.buffer, *updater.fused_arrays), 0
        while done < len(x):
            steps = slice(done, done + updater.steps_to_flush)
            own = per_row[steps, trials], rates[steps, trials]
            self.kernel(x[steps], tuple(target[steps] for target in targets), *own, *arrays)
            updater.count(len(x[steps]))
            done = steps.stop
