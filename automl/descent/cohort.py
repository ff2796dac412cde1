"""The trials of a cohort as arrays.

A `Lane` holds the trials of one batch size, so that each of its steps is a step of all of them. Within it
they are sorted by optimizer: forward and backward are shared, each optimizer updates its own slice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import numpy as np

from automl.descent.arrays import Array
from automl.descent.batches import CHUNK_ROWS, Rows, chunks
from automl.descent.layers import Noise
from automl.descent.losses import Loss
from automl.descent.network import Network, NetworkPass
from automl.descent.optimizers import OPTIMIZERS, Optimizer, State
from automl.descent.recipe import Recipe
from automl.descent.schedules import SCHEDULES, Plateau

__all__ = ["Lane", "Snapshot"]


@dataclass
class _Group:
    """Neighbouring trials of one optimizer."""

    part: slice
    optimizer: Optimizer
    state: State
    params: dict[str, Array] = field(default_factory=dict)
    theta: Array = field(init=False)
    gradient: Array = field(init=False)


@dataclass(frozen=True)
class Snapshot:
    """A trial between two epochs.

    Parameters
    ----------
    theta : ndarray of shape (p,)
        Parameters.
    state : dict
        The optimizer's arrays; none: it starts anew.
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


class Lane:
    """Trials of one batch size and how far they are.

    Parameters
    ----------
    network : Network
        The model.
    loss : Loss
        What is minimised.
    recipes : sequence of Recipe
        All recipes of the cohort.
    positions : sequence of int
        Which of them are in this lane.
    theta : ndarray of shape (k, p)
        Their initial parameters, in the order of ``positions``.
    batch : int
        Rows of a batch.
    """

    def __init__(
        self,
        network: Network,
        loss: Loss,
        recipes: Sequence[Recipe],
        positions: Sequence[int],
        theta: Array,
        batch: int,
    ) -> None:
        kinds = list(OPTIMIZERS)
        order = sorted(range(len(positions)), key=lambda i: kinds.index(recipes[positions[i]].optimizer))
        self.network, self.loss, self.batch = network, loss, batch
        self.positions = np.asarray(positions, np.intp)[order]
        self.recipes = [recipes[i] for i in self.positions]
        self.theta = np.ascontiguousarray(theta[order], np.float32)
        self._plateaus = [_plateau(recipe) for recipe in self.recipes]
        averages = any(recipe.average > 0 for recipe in self.recipes)
        self._mean = np.zeros_like(self.theta) if averages else None
        self._counts = np.zeros(len(self.theta), np.intp)
        self._groups = [
            _Group(part, OPTIMIZERS[kind], OPTIMIZERS[kind].init(self.theta[part]))
            for kind, part in _runs([recipe.optimizer for recipe in self.recipes])
        ]
        self._arrange()

    def _arrange(self) -> None:
        """Lay out everything that follows from the recipes and the number of trials."""
        recipes, p = self.recipes, self.network.size
        self._gradient = np.empty((len(recipes), p), np.float32)
        self._sum = np.empty((0, p), np.float32)
        self._scratch = np.empty((len(recipes), p), np.float32)
        self._passes: dict[int, NetworkPass] = {}
        mask = self.network.penalised()
        self._l1 = _penalty([recipe.l1 for recipe in recipes], mask)
        self._l2 = _penalty([recipe.l2 for recipe in recipes], mask)
        self._decay = _penalty([_decay(recipe) for recipe in recipes], mask)
        clip = np.array([np.inf if r.clip_norm is None else r.clip_norm for r in recipes], np.float32)
        self._clip = clip[:, None] if np.isfinite(clip).any() else None
        smoothing = np.array([recipe.label_smoothing for recipe in recipes], np.float32)
        self._smoothing = smoothing if smoothing.any() and self.loss.smooths_labels else None
        self._noise = Noise(
            tuple(recipe.dropout for recipe in recipes), tuple(recipe.seed for recipe in recipes)
        )
        for group, (_, part) in zip(self._groups, _runs([r.optimizer for r in recipes]), strict=True):
            group.part, group.theta, group.gradient = part, self.theta[part], self._gradient[part]
            given = [recipe.optimizer_params for recipe in recipes[part]]
            group.params = {
                name: np.array([params.get(name, rule.default) for params in given], np.float32)[:, None]
                for name, rule in group.optimizer.parameters.items()
            }

    def take(self, mask: Array) -> None:
        """Keep the trials where ``mask`` ``(k,)`` is true."""
        if mask.all():
            return
        kept = np.flatnonzero(mask)
        for group in self._groups:
            group.state = {name: array[mask[group.part]] for name, array in group.state.items()}
        self._groups = [group for group in self._groups if mask[group.part].any()]
        self.positions, self.theta = self.positions[kept], self.theta[kept]
        self.recipes = [self.recipes[i] for i in kept]
        self._plateaus = [self._plateaus[i] for i in kept]
        self._counts = self._counts[kept]
        if self._mean is not None:
            self._mean = self._mean[kept]
        self._arrange()

    def split(self, mask: Array) -> Lane:
        """Move the trials where ``mask`` ``(k,)`` is true into a lane of their own and return it."""
        other = copy(self)
        other._groups = [copy(group) for group in self._groups]
        other.take(mask)
        self.take(~mask)
        return other

    def snapshot(self, slot: int) -> Snapshot:
        """Return everything a trial needs to go on elsewhere."""
        group = next(group for group in self._groups if group.part.start <= slot < group.part.stop)
        plateau = self._plateaus[slot]
        return Snapshot(
            self.theta[slot].copy(),
            {name: array[slot - group.part.start].copy() for name, array in group.state.items()},
            None if self._mean is None else self._mean[slot].copy(),
            int(self._counts[slot]),
            None if plateau is None else plateau.state,
        )

    def restore(self, snapshots: Sequence[Snapshot]) -> None:
        """Go on from snapshots of all recipes of the cohort."""
        for group in self._groups:
            for slot in range(group.part.start, group.part.stop):
                taken = snapshots[self.positions[slot]]
                self.theta[slot] = taken.theta
                for name, row in taken.state.items():
                    group.state[name][slot - group.part.start] = row
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
        tail = np.array([epochs > r.max_epochs * (1 - r.average) for r in self.recipes])
        self._counts += tail
        share = tail / np.maximum(self._counts, 1)
        self._mean += share[:, None].astype(np.float32) * (self.theta - self._mean)

    def rates(self, times: Array) -> Array:
        """Return the learning rates ``(s, k)`` at fractional epochs ``(s,)``, the warm-up's ramp included."""
        times = np.asarray(times, float)
        rates = np.empty((len(times), len(self.recipes)))
        for kind in {recipe.schedule for recipe in self.recipes}:
            slots = [i for i, recipe in enumerate(self.recipes) if recipe.schedule == kind]
            chosen = [self.recipes[i] for i in slots]
            warmup = np.array([recipe.warmup for recipe in chosen], float)
            total = np.array([recipe.max_epochs for recipe in chosen]) - warmup
            params = SCHEDULES[kind].columns([recipe.schedule_params for recipe in chosen])
            since = times[:, None] - warmup
            rates[:, slots] = SCHEDULES[kind].factor(np.maximum(since, 0), np.maximum(total, 0), params)
            rates[:, slots] *= [self.recipes[i].learning_rate * self._level(i) for i in slots]
            if warmup.any():
                step = times[1] - times[0] if len(times) > 1 else 1.0
                ramp = (times[:, None] + step) / np.where(warmup > 0, warmup, 1)
                rates[:, slots] *= np.where(since < 0, np.minimum(ramp, 1), 1)
        return rates

    def _level(self, slot: int) -> float:
        plateau = self._plateaus[slot]
        return 1.0 if plateau is None else plateau.level

    def train_epoch(
        self, rows: Rows, order: Array | None, epoch: int, stop: Callable[[], bool]
    ) -> tuple[Array, Array] | None:
        """Train one epoch.

        Parameters
        ----------
        rows : Rows
            The rows of the fold.
        order : ndarray of shape (n,) or None
            Their order; None where the batch holds all of them.
        epoch : int
            Epochs done before.
        stop : callable
            Asked before every chunk.

        Returns
        -------
        losses : ndarray of shape (k,)
            Mean over the rows of the loss, each taken before the step its row was in.
        rates : ndarray of shape (k,)
            Learning rate of the last step.

        None where ``stop`` said so; the weights then stand within the epoch.
        """
        n, batch = rows.n, min(self.batch, rows.n)
        steps = -(-n // batch)
        total = np.zeros(len(self.recipes))
        self._noise.renew(epoch)
        for start, end in chunks(n, batch, rows.d):
            if stop():
                return None
            x, y, weight = rows.gather(slice(start, end) if order is None else order[start:end], end - start)
            first = start // batch
            rates = self._steps_rates(epoch, first, -(-end // batch) - first, steps)
            left = np.empty((len(total), end - start), np.float32)
            if batch <= CHUNK_ROWS:
                share = weight / np.float32(batch)
                if end % batch:
                    share[-(end % batch) :] *= np.float32(batch / (end % batch))
                targets = self.loss.targets(y, share, self.network.c)
                for rate, begin in zip(rates, range(0, end - start, batch), strict=True):
                    part = slice(begin, begin + batch)
                    self._backward(x[part], [target[..., part] for target in targets], left[:, part])
                    self._update(rate)
            else:
                m = min(batch, n - first * batch)
                targets = self.loss.targets(y, weight / np.float32(m), self.network.c)
                self._accumulate(x, targets, left, fresh=start == first * batch)
                if end == first * batch + m:
                    self._update(rates[0])
            total += self.loss.total(left, y, weight, self._smoothing)
        losses = total / n
        for plateau, loss in zip(self._plateaus, losses.tolist(), strict=True):
            if plateau is not None:
                plateau.observe(loss)
        self._average(epoch + 1)
        return losses, rates[-1, :, 0]

    def _steps_rates(self, epoch: int, first: int, count: int, steps: int) -> Array:
        times = epoch + np.arange(first, first + count + 1) / steps
        return self.rates(times)[:-1].astype(np.float32)[:, :, None]

    def _backward(self, x: Array, targets: Sequence[Array], left: Array) -> None:
        """Fill the gradient for rows ``(m, d + 1)``."""
        m = len(x)
        bound = self._passes.get(m)
        if bound is None:
            bound = self._passes[m] = self.network.bind(self.theta, self._gradient, m, self._noise)
        z = bound.forward(x)
        self.loss.backward(z, targets, left, self._smoothing)
        bound.backward(z)

    def _accumulate(self, x: Array, targets: Sequence[Array], left: Array, fresh: bool) -> None:
        """Add the gradient of a part of a batch to that of the parts before."""
        if not fresh:
            if not len(self._sum):
                self._sum = np.empty_like(self._gradient)
            np.copyto(self._sum, self._gradient)
        self._backward(x, targets, left)
        if not fresh:
            self._gradient += self._sum

    def _update(self, rates: Array) -> None:
        """Step down the gradient with learning rates ``(k, 1)``."""
        theta, gradient, scratch = self.theta, self._gradient, self._scratch
        if self._clip is not None:
            norm = np.sqrt(np.vecdot(gradient, gradient))[:, None]
            gradient *= np.minimum(self._clip / np.maximum(norm, np.float32(1e-30)), 1)
        if self._l2 is not None:
            np.multiply(theta, self._l2, out=scratch)
            gradient += scratch
        if self._decay is not None:
            np.multiply(theta, self._decay, out=scratch)
            scratch *= rates
            theta -= scratch
        for group in self._groups:
            part = group.part
            theta, gradient, rate = group.theta, group.gradient, rates[part]
            group.optimizer.update(gradient, group.state, group.params)
            gradient *= rate
            theta -= gradient
            if self._l1 is not None:
                denominator = group.optimizer.denominator(group.state, group.params)
                _shrink(theta, self._l1[part] * rate / denominator)


def _shrink(theta: Array, threshold: Array) -> None:
    """Move ``theta`` towards zero by ``threshold`` and stop there: the proximal step of l1."""
    size = np.abs(theta)
    size -= threshold
    np.maximum(size, 0, out=size)
    np.copysign(size, theta, out=theta)


def _plateau(recipe: Recipe) -> Plateau | None:
    schedule = SCHEDULES[recipe.schedule]
    if not schedule.watches:
        return None
    params = {name: rule.default for name, rule in schedule.parameters.items()} | dict(recipe.schedule_params)
    return Plateau(**params)


def _decay(recipe: Recipe) -> float:
    """Return the decoupled decay of a recipe, its optimizer's own included."""
    own = OPTIMIZERS[recipe.optimizer].parameters.get("weight_decay")
    return recipe.weight_decay + (
        0.0 if own is None else recipe.optimizer_params.get("weight_decay", own.default)
    )


def _penalty(strengths: list[float], mask: Array) -> Array | None:
    """Return strengths ``(k, p)``, zero outside the mask, or None where all are zero."""
    if not any(strengths):
        return None
    return np.asarray(np.array(strengths, np.float32)[:, None] * mask.astype(np.float32))


def _runs(names: Sequence[Any]) -> list[tuple[Any, slice]]:
    """Return each run of equal neighbours with its slice.

    Examples
    --------
    >>> _runs(["a", "a", "b"])
    [('a', slice(0, 2, None)), ('b', slice(2, 3, None))]
    """
    found, start = [], 0
    for name, run in groupby(names):
        stop = start + len(list(run))
        found.append((name, slice(start, stop)))
        start = stop
    return found
