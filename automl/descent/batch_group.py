"""The trials of a cohort that have the same batch size, as arrays: one step of the group steps all of them.

They are sorted by activation and optimizer. Matrix products are shared; each activation and each kind of
optimizer has a slice of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from typing import Any

import numpy as np

from automl.descent.averaging import WeightAverage
from automl.descent.data import CHUNK_ROWS, Rows, chunks
from automl.descent.kernels import Array, Ops
from automl.descent.layers import SharedBits
from automl.descent.losses import Loss
from automl.descent.model import Model
from automl.descent.records import Snapshot
from automl.descent.runners import LinearRunner, RunnerSetup, step_order, updaters
from automl.descent.schedules import LearningRates
from automl.descent.updates import StepRunner, Updater

__all__ = ["BatchGroup"]

_RATES = 1024  # steps whose learning rates are computed at once


class BatchGroup:
    """Trials of one batch size and their progress.

    Parameters
    ----------
    configs : sequence of TrainConfig
        All configs of the cohort.
    positions : sequence of int
        Which of them are in this group.
    theta : ndarray of shape (k, p)
        Their initial parameters, in the order of ``positions``.
    batch : int
        Rows of a batch.
    seed : sequence of int
        Seed of dropout, besides the epoch and the trial's own seed.

    Attributes
    ----------
    positions : ndarray of shape (k,)
        Positions of the trials among all configs, in the order of the arrays.
    position : int
        Rows of the epoch done.
    """

    def __init__(
        self,
        model: Model,
        loss: Loss,
        configs: Sequence[Any],
        positions: Sequence[int],
        theta: Array,
        batch: int,
        seed: Sequence[int],
        ops: Ops,
    ) -> None:
        order = step_order([configs[position] for position in positions], model)
        self.model, self.loss, self.batch, self._ops = model, loss, batch, ops
        self.positions = np.asarray(positions, np.intp)[order]
        self.configs = [configs[i] for i in self.positions]
        self.theta = np.ascontiguousarray(theta[order], np.float32)
        self._schedules = LearningRates(self.configs)
        averages = any(config.average > 0 for config in self.configs)
        self._average = WeightAverage(self.configs, model.size) if averages else None
        self._updaters = list(updaters(self.configs, self.theta, ops))
        self._known, self._rates = range(0), np.empty((1, len(self.theta), 1), np.float32)
        self._epoch, self.position, self._total = 0, 0, np.zeros(len(self.theta))
        self._bits = SharedBits(seed)
        self._arrange()

    def _arrange(self) -> None:
        """Set up everything that follows from the configs and the number of trials."""
        k = len(self.configs)
        self._gradient = np.empty((k, self.model.size), np.float32)
        smoothing = np.array([config.label_smoothing for config in self.configs], np.float32)
        self._smoothing = smoothing if smoothing.any() and self.loss.probabilities else None
        mask, first = self.model.decay_mask(), 0
        for updater in self._updaters:
            updater.bind(first, self.configs, self.theta, self._gradient, mask)
            first = updater.trials.stop
        arrays = self.configs, self.theta, self._gradient, self._smoothing, self._updaters
        self._setup = RunnerSetup(self.model, self.loss, *arrays, self.batch, self._bits, self._ops)
        self._runners: dict[int, list[StepRunner | LinearRunner]] = {}

    def select(self, mask: Array) -> None:
        """Keep the trials where ``mask`` ``(k,)`` is true."""
        if mask.all():
            return
        kept = np.flatnonzero(mask)
        chosen = [updater.select(mask[updater.trials]) for updater in self._updaters]
        self._updaters = [updater for updater in chosen if updater is not None]
        self.positions, self.theta = self.positions[kept], self.theta[kept]
        self.configs = [self.configs[i] for i in kept]
        self._schedules = self._schedules.select(mask)
        if self._average is not None:
            self._average.select(mask)
        self._rates, self._total = np.ascontiguousarray(self._rates[:, kept]), self._total[kept]
        gradient = self._gradient[kept]  # perhaps of a large batch that has passed in part
        self._arrange()
        self._gradient[:] = gradient

    def split(self, mask: Array) -> BatchGroup:
        """Move the trials where ``mask`` ``(k,)`` is true into a group of their own and return it."""
        other = copy(self)  # with the same random bits: only one of the two trains on
        other._average = copy(self._average)
        other.select(mask)
        self.select(~mask)
        return other

    def snapshot(self, slot: int) -> Snapshot:
        """Return everything that another `Training` needs to continue a trial."""
        updater = self._updater_of(slot)
        mean, count = (None, 0) if self._average is None else self._average.state_of(slot)
        state = updater.state_of(slot - updater.trials.start)
        return Snapshot(self.theta[slot].copy(), state, mean, count, self._schedules.states[slot])

    def restore(self, snapshots: Sequence[Snapshot]) -> None:
        """Continue from snapshots of all configs of the cohort."""
        for slot, position in enumerate(self.positions):
            snapshot, updater = snapshots[position], self._updater_of(slot)
            self.theta[slot] = snapshot.theta
            updater.load_state(slot - updater.trials.start, snapshot.state)
            if self._average is not None:
                self._average.load_state(slot, snapshot.mean, snapshot.count)
            if snapshot.schedule:
                self._schedules.states[slot] = snapshot.schedule

    def _updater_of(self, slot: int) -> Updater:
        return next(one for one in self._updaters if one.trials.start <= slot < one.trials.stop)

    @property
    def weights(self) -> Array:
        """Parameters ``(k, p)`` to predict with: averages where there are any."""
        return self.theta if self._average is None else self._average.weights(self.theta)

    def start_epoch(self, epoch: int, n: int) -> None:
        """Start an epoch over ``n`` rows; epochs count from 0."""
        self._epoch, self.position, self._known = epoch, 0, range(0)
        self._total = np.zeros(len(self.configs))
        self._bits.start_epoch(epoch)
        for updater in self._updaters:
            updater.steps = epoch * -(-n // self.batch)

    def train(self, rows: Rows, until: int, stop: Callable[[], bool]) -> bool:
        """Train within the epoch.

        Pauses change no number: random numbers and rates follow from steps, not from calls.

        Parameters
        ----------
        rows : Rows
            The rows of the fold, in the order of this epoch.
        until : int
            Position at which to stop; only whole batches are trained, unless it is the end of the rows.
        stop : callable
            Asked before every chunk.

        Returns
        -------
        bool
            False if ``stop`` ended training between two chunks.
        """
        n, batch = rows.n, self.batch
        until = n if until >= n else until // batch * batch
        for start, end in chunks(self.position, until, batch, rows.d):
            if stop():
                return False
            x, y, weight = rows.gather(start, end, shuffled=batch < n)
            rates = self._rates_of(start // batch, -(-end // batch), -(-n // batch))
            if batch <= CHUNK_ROWS:
                whole = (end - start) // batch * batch
                if whole:
                    self._run_steps(x[:whole], y[:whole], weight[:whole], rates[: whole // batch], batch)
                if whole < end - start:
                    self._run_steps(x[whole:], y[whole:], weight[whole:], rates[-1:], end - start - whole)
            else:
                first = start // batch * batch
                size = min(batch, n - first)
                self._total += self._add_gradient(x, y, weight, size, fresh=start == first)
                if end == first + size:
                    for updater in self._updaters:
                        updater.step(rates[0])
            self.position = end
        return True

    def finish_epoch(self, n: int) -> tuple[Array, Array]:
        """End an epoch over ``n`` rows.

        Returns
        -------
        losses : ndarray of shape (k,)
            Mean loss over the rows, each taken before the step of its batch.
        rates : ndarray of shape (k,)
            Learning rate of the last step.
        """
        losses = self._total / n
        self._schedules.observe(losses)
        if self._average is not None:
            self._average.update(self.theta, self._epoch + 1)
        return losses, self._rates[-1, :, 0]

    def _rates_of(self, first: int, last: int, steps: int) -> Array:
        """Return the learning rates ``(s, k, 1)`` of some of an epoch's steps."""
        if last > self._known.stop:
            self._known = range(first, min(max(first + _RATES, last), steps))
            times = self._epoch + np.arange(self._known.start, self._known.stop) / steps
            self._rates = self._schedules.at(times, 1 / steps)[:, :, None]
        return self._rates[first - self._known.start : last - self._known.start]

    def _run_steps(self, x: Array, y: Array, weight: Array, rates: Array, m: int) -> None:
        """Do a step for each ``m`` rows."""
        steps = len(y) // m
        targets = self.loss.targets(y, weight / np.float32(m), self.model.c)
        by_step = tuple(np.moveaxis(t.reshape(*t.shape[:-1], steps, m), -2, 0) for t in targets)
        per_row = np.empty((steps, len(self.configs), m), np.float32)
        for runner in self._runners_for(m):
            runner.run(x.reshape(steps, m, -1), by_step, per_row, rates)
        totals = self.loss.total(per_row, y.reshape(steps, m), weight.reshape(steps, m), self._smoothing)
        # added up step by step, so that the sum does not depend on how many steps a chunk has
        self._total = np.add.reduce(np.vstack([self._total, totals]), axis=0)

    def _add_gradient(self, x: Array, y: Array, weight: Array, size: int, fresh: bool) -> Array:
        """Add the gradient of a part of a batch of ``size`` rows; return its summed losses ``(k,)``."""
        targets = self.loss.targets(y, weight / np.float32(size), self.model.c)
        per_row = np.empty((len(self.configs), len(y)), np.float32)
        before = None if fresh else self._gradient.copy()
        for runner in self._runners_for(len(x)):
            runner.fill(x, targets, per_row)
        if before is not None:
            self._gradient += before
        return self.loss.total(per_row, y, weight, self._smoothing)

    def _runners_for(self, m: int) -> list[StepRunner | LinearRunner]:
        if m not in self._runners:
            self._runners[m] = self._setup.runners(m)
        return self._runners[m]
