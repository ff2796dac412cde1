"""The trials of a cohort as arrays.

A `BatchGroup` holds the trials of one batch size, so that each of its steps is a step of all of them. Within it
they are sorted by activation and optimizer: products are shared, each activation and optimizer has its own slices.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, field

import numpy as np

from automl.descent.accelerated import fastest
from automl.descent.arrays import Array
from automl.descent.config import TrainConfig
from automl.descent.data import CHUNK_ROWS, Rows, chunks
from automl.descent.layers.dense import Bits, Noise, Slots, Space
from automl.descent.losses import Loss
from automl.descent.model import Network
from automl.descent.optimizers import OPTIMIZERS
from automl.descent.passes import Part, Steps
from automl.descent.schedules import SCHEDULES, Plateau
from automl.descent.updates import steppers

__all__ = ["BatchGroup", "Snapshot"]


_RATES = 1024
"""Steps whose learning rates are worked out at once."""


class _Plan:
    """The learning rates of the trials of one schedule."""

    def __init__(self, kind: str, slots: list[int], configs: Sequence[TrainConfig]) -> None:
        chosen = [configs[i] for i in slots]
        self.slots: slice | list[int] = slice(None) if len(slots) == len(configs) else slots
        self._schedule = SCHEDULES[kind]
        self._base = np.array([config.learning_rate for config in chosen])
        self._warmup = np.array([config.warmup for config in chosen], float)
        self._total = np.maximum(np.array([config.max_epochs for config in chosen]) - self._warmup, 0)
        self._params = self._schedule.columns([config.schedule_params for config in chosen])

    def rates(self, times: Array, width: float) -> Array:
        """Return the rates of steps at ``times`` ``(s,)``, ``width`` apart, the warm-up's ramp included."""
        since = times[:, None] - self._warmup
        warms = self._warmup.any()
        if warms:
            early = since < 0
            np.maximum(since, 0, out=since)
        rates = self._schedule.factor(since, self._total, self._params) * self._base
        if warms:
            ramp = (times[:, None] + width) / np.where(self._warmup > 0, self._warmup, 1)
            rates *= np.where(early, np.minimum(ramp, 1), 1)
        return np.asarray(rates)


@dataclass(frozen=True)
class Snapshot:
    """A trial between two epochs.

    Parameters
    ----------
    theta : ndarray of shape (p,)
        Parameters.
    state : dict
        The optimizer's arrays; those that are not there start anew.
    mean : ndarray of shape (p,), optional
        Averaged parameters, and
    count : int
        over how many epochs.
    plateau : tuple of float, optional
        State of a schedule that watches the loss.
    """

    theta: Array
    state: dict[str, Array] = field(default_factory=dict)
    mean: Array | None = None
    count: int = 0
    plateau: tuple[float, float, float] | None = None


class BatchGroup:
    """Trials of one batch size and how far they are.

    Parameters
    ----------
    network : Network
        The model.
    loss : Loss
        What is minimised.
    configs : sequence of TrainConfig
        All configs of the cohort.
    positions : sequence of int
        Which of them are in this group.
    theta : ndarray of shape (k, p)
        Their initial parameters, in the order of ``positions``.
    batch : int
        Rows of a batch.
    seed : sequence of int
        What is dropped follows from this, the epoch and the trial's own seed.
    """

    def __init__(
        self,
        network: Network,
        loss: Loss,
        configs: Sequence[TrainConfig],
        positions: Sequence[int],
        theta: Array,
        batch: int,
        seed: Sequence[int],
    ) -> None:
        kinds = list(OPTIMIZERS)
        own = [configs[position] for position in positions]
        order = sorted(
            range(len(own)),
            key=lambda i: (own[i].activation if network.units else "", kinds.index(own[i].optimizer)),
        )
        self.network, self.loss, self.batch = network, loss, batch
        self.positions = np.asarray(positions, np.intp)[order]
        self.configs = [configs[i] for i in self.positions]
        self.theta = np.ascontiguousarray(theta[order], np.float32)
        self._plateaus = [_plateau(config) for config in self.configs]
        averages = any(config.average > 0 for config in self.configs)
        self._mean = np.zeros_like(self.theta) if averages else None
        self._counts = np.zeros(len(self.theta), np.intp)
        self._steppers = list(steppers(self.configs, self.theta))
        self._known, self._rates = range(0), np.empty((1, len(self.theta), 1), np.float32)
        self._epoch, self.position, self._total = 0, 0, np.zeros(len(self.theta))
        self._bits = Bits(seed)
        self._arrange()

    def _arrange(self) -> None:
        """Lay out what follows from the configs and the number of trials."""
        configs, p = self.configs, self.network.size
        self._gradient = np.empty((len(configs), p), np.float32)
        size = max(1, min(self.network.together(min(self.batch, CHUNK_ROWS)), len(configs)))
        self._parts = [slice(i, i + size) for i in range(0, len(configs), size)]
        self._steps: dict[int, Steps] = {}
        mask = self.network.penalised()
        smoothing = np.array([config.label_smoothing for config in configs], np.float32)
        self._smoothing = smoothing if smoothing.any() and self.loss.probabilities else None
        by_kind = sorted({config.schedule for config in configs})
        self._plans = [
            _Plan(kind, [i for i, r in enumerate(configs) if r.schedule == kind], configs) for kind in by_kind
        ]
        first = 0
        for stepper in self._steppers:
            stepper.bind(first, configs, self.theta, self._gradient, mask)
            first = stepper.part.stop

    def select(self, mask: Array) -> None:
        """Keep the trials where ``mask`` ``(k,)`` is true."""
        if mask.all():
            return
        kept = np.flatnonzero(mask)
        parts = [mask[stepper.part] for stepper in self._steppers]
        for stepper, part in zip(self._steppers, parts, strict=True):
            stepper.select(part)
        self._steppers = [s for s, part in zip(self._steppers, parts, strict=True) if part.any()]
        self.positions, self.theta = self.positions[kept], self.theta[kept]
        self.configs = [self.configs[i] for i in kept]
        self._plateaus = [self._plateaus[i] for i in kept]
        self._counts = self._counts[kept]
        self._rates, self._total = np.ascontiguousarray(self._rates[:, kept]), self._total[kept]
        if self._mean is not None:
            self._mean = self._mean[kept]
        gradient = self._gradient[kept]  # of a large batch, perhaps, of which a part has passed
        self._arrange()
        self._gradient[:] = gradient

    def split(self, mask: Array) -> BatchGroup:
        """Move the trials where ``mask`` ``(k,)`` is true into a group of their own and return it."""
        other = copy(self)  # its bits too: either group trains on, not both
        other._steppers = [copy(stepper) for stepper in self._steppers]
        other.select(mask)
        self.select(~mask)
        return other

    def snapshot(self, slot: int) -> Snapshot:
        """Return everything a trial needs to go on elsewhere."""
        stepper = next(s for s in self._steppers if s.part.start <= slot < s.part.stop)
        plateau = self._plateaus[slot]
        return Snapshot(
            self.theta[slot].copy(),
            stepper.state_of(slot - stepper.part.start),
            None if self._mean is None else self._mean[slot].copy(),
            int(self._counts[slot]),
            None if plateau is None else plateau.state,
        )

    def restore(self, snapshots: Sequence[Snapshot]) -> None:
        """Go on from snapshots of all configs of the cohort."""
        for stepper in self._steppers:
            for slot in range(stepper.part.start, stepper.part.stop):
                taken = snapshots[self.positions[slot]]
                self.theta[slot] = taken.theta
                stepper.restore(slot - stepper.part.start, taken.state)
                self._counts[slot] = taken.count
                if self._mean is not None and taken.mean is not None:
                    self._mean[slot] = taken.mean
                plateau = self._plateaus[slot]
                if plateau is not None and taken.plateau is not None:
                    plateau.state = taken.plateau

    @property
    def weights(self) -> Array:
        """Parameters ``(k, p)`` to predict with: as they are, or their average where that has begun."""
        if self._mean is None:
            return self.theta
        return np.where(self._counts[:, None] > 0, self._mean, self.theta)

    def _average(self, epochs: int) -> None:
        """Take the weights after so many epochs into the averages of the trials that are in their tail."""
        if self._mean is None:
            return
        tail = np.array([epochs > r.max_epochs * (1 - r.average) for r in self.configs])
        self._counts += tail
        share = tail / np.maximum(self._counts, 1)
        self._mean += share[:, None].astype(np.float32) * (self.theta - self._mean)

    def rates(self, times: Array, width: float) -> Array:
        """Return the learning rates ``(s, k)`` of steps at fractional epochs ``(s,)``, ``width`` apart."""
        rates = np.empty((len(times), len(self.configs)), np.float32)
        for plan in self._plans:
            rates[:, plan.slots] = plan.rates(times, width)
        if any(self._plateaus):
            rates *= [1.0 if plateau is None else plateau.level for plateau in self._plateaus]
        return np.asarray(rates)

    def begin(self, epoch: int, n: int) -> None:
        """Set out on an epoch over ``n`` rows; so many epochs were done before."""
        self._epoch, self.position, self._known = epoch, 0, range(0)
        self._total = np.zeros(len(self.configs))
        self._bits.renew(epoch)
        for stepper in self._steppers:
            stepper.steps = epoch * -(-n // self.batch)

    def train(self, rows: Rows, until: int, stop: Callable[[], bool]) -> bool:
        """Train on within the epoch.

        Where it pauses makes no difference to any number: what follows goes by steps, not by calls.

        Parameters
        ----------
        rows : Rows
            The rows of the fold, in the order of this epoch.
        until : int
            The position to come to; before the last row only whole batches are trained.
        stop : callable
            Asked before every chunk.

        Returns
        -------
        bool
            False where ``stop`` said so; the weights then stand between two chunks.
        """
        n, batch = rows.n, self.batch
        end_of_all = n if until >= n else until // batch * batch
        for start, end in chunks(self.position, end_of_all, batch, rows.d):
            if stop():
                return False
            x, y, weight = rows.gather(start, end, shuffled=batch < n)
            own_rates = self._rates_of(start // batch, -(-end // batch), -(-n // batch))
            if batch <= CHUNK_ROWS:
                whole = (end - start) // batch * batch
                if whole:
                    self._run_steps(x[:whole], y[:whole], weight[:whole], own_rates[: whole // batch], batch)
                if whole < end - start:
                    self._run_steps(x[whole:], y[whole:], weight[whole:], own_rates[-1:], end - start - whole)
            else:
                first = start // batch * batch
                size = min(batch, n - first)
                self._total += self._run_part(x, y, weight, size, fresh=start == first)
                if end == first + size:
                    for stepper in self._steppers:
                        stepper.step(own_rates[0])
            self.position = end
        return True

    def finish(self, n: int) -> tuple[Array, Array]:
        """End an epoch over ``n`` rows.

        Returns
        -------
        losses : ndarray of shape (k,)
            Mean over the rows of the loss, each taken before the step its row was in.
        rates : ndarray of shape (k,)
            Learning rate of the last step.
        """
        losses = self._total / n
        for plateau, loss in zip(self._plateaus, losses.tolist(), strict=True):
            if plateau is not None:
                plateau.observe(loss)
        self._average(self._epoch + 1)
        return losses, self._rates[-1, :, 0]

    def _rates_of(self, first: int, last: int, steps: int) -> Array:
        """Return the learning rates ``(s, k, 1)`` of these of an epoch's steps."""
        if last > self._known.stop:
            self._known = range(first, min(max(first + _RATES, last), steps))
            times = self._epoch + np.arange(self._known.start, self._known.stop) / steps
            self._rates = self.rates(times, 1 / steps)[:, :, None]
        return self._rates[first - self._known.start : last - self._known.start]

    def _run_steps(self, x: Array, y: Array, weight: Array, rates: Array, m: int) -> None:
        """Do a step for each ``m`` rows."""
        steps = len(y) // m
        targets = self.loss.targets(y, weight / np.float32(m), self.network.c)
        parts = [np.moveaxis(t.reshape(*t.shape[:-1], steps, m), -2, 0) for t in targets]
        left = np.empty((steps, len(self.configs), m), np.float32)
        self._bound(m).run(x.reshape(steps, m, -1), parts, left, rates)
        weight = weight.reshape(steps, m)
        by_step = self.loss.total(left, y.reshape(steps, m), weight, self._smoothing)
        # Added up one after the other: the sum does not depend on how many steps a chunk has.
        self._total = np.add.reduce(np.vstack([self._total, by_step]), axis=0)

    def _run_part(self, x: Array, y: Array, weight: Array, size: int, fresh: bool) -> Array:
        """Add the gradient of a part of a batch of ``size`` rows; return the part's summed losses ``(k,)``."""
        targets = self.loss.targets(y, weight / np.float32(size), self.network.c)
        left = np.empty((len(self.configs), len(y)), np.float32)
        before = None if fresh else self._gradient.copy()
        self._bound(len(x)).fill(x, targets, left)
        if before is not None:
            self._gradient += before
        return self.loss.total(left, y, weight, self._smoothing)

    def _bound(self, m: int) -> Steps:
        """Return the steps of all trials over ``m`` rows, some trials passing at a time."""
        if m not in self._steps:
            space = Space()
            parts = [
                Part(
                    part,
                    self.network.bind(self.theta[part], self._gradient[part], m, self._slots(part), space),
                    self.loss,
                    None if self._smoothing is None else self._smoothing[part],
                )
                for part in self._parts
            ]
            self._steps[m] = fastest(Steps)(parts, self._steppers, self._bits)
        return self._steps[m]

    def _slots(self, part: slice) -> Slots:
        configs = self.configs[part]
        noise = Noise([r.dropout for r in configs], [r.seed for r in configs], self._bits)
        return Slots([r.activation for r in configs], noise)


def _plateau(config: TrainConfig) -> Plateau | None:
    schedule = SCHEDULES[config.schedule]
    if not schedule.watches:
        return None
    params = {name: rule.default for name, rule in schedule.parameters.items()} | dict(config.schedule_params)
    return Plateau(**params)
