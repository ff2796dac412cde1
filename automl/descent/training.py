"""The loop: a cohort trained on one fold, epoch by epoch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from automl.descent.accelerated import fastest
from automl.descent.arrays import Array
from automl.descent.batch_group import BatchGroup, Snapshot
from automl.descent.config import Architecture, TrainConfig, check
from automl.descent.data import rows_of
from automl.descent.losses import LOSSES, Loss
from automl.descent.model import Network
from automl.errors import Fault, InputError

__all__ = ["Failure", "Snapshot", "Training"]

DIVERGENCE_FACTOR = 1000.0
"""A trial whose loss is this many times that of the constant prediction it starts from has diverged."""

DIVERGING: dict[str, Any] = {"all": "ignore"}
"""What NumPy does where numbers overflow: a trial that diverges is found out afterwards, and is no error."""


@dataclass(frozen=True)
class Failure:
    """Why and when a trial ended early.

    Parameters
    ----------
    reason : str
        In words.
    epoch : int
        The epoch in which it happened, from 1.
    """

    reason: str
    epoch: int


class Training:
    """A cohort being trained on one fold.

    Every trial trains as it would alone (but for rounding), whoever its neighbours are and whenever they are
    dropped. The order of rows is a function of ``order_seed`` and the epoch; initial weights, of each config's
    seed; dropout, of both.

    Regression targets are standardised inside (Poisson-like losses: divided by their mean), so that learning
    rates, penalties and the parameters of losses mean the same whatever the target's unit. `decision`,
    `predict` and `weights` are in the target's own unit; the losses of `history` are not: 0.5 is the squared
    loss of the mean.

    Parameters
    ----------
    architecture : Architecture
        What the trials share.
    configs : sequence of TrainConfig
        The trials.
    X : array of shape (n, d)
        Features, best float32 in C order (another order is copied); may be read-only, memory-mapped or a
        sparse array; never written to. Large memory maps and matrices with ``blocks`` (`ParquetMatrix`) are
        read in stretches and shuffled within windows of bounded memory.
    y : array of shape (n,)
        Regression targets, or class codes 0, 1, ....
    n_outputs : int
        1 for regression and two classes; the number of classes for more of them.
    sample_weight : array of shape (n,), optional
        Row weights; only their proportions count.
    order_seed : int or sequence of int
        What the order of rows is derived from, and, with each config's seed, what is dropped.
    resume : sequence of Snapshot, optional
        One for each config: go on from there.
    epoch : int
        Epochs done before; where training resumes.
    target_scale : tuple of float, optional
        The ``(shift, factor)`` of an earlier training; default: from ``y``.

    Attributes
    ----------
    epoch : int
        Epochs done.
    part : float
        How much of the next one is done; below 1.
    failures : dict
        TrainConfig position to its `Failure`; failed trials have left the arrays.
    target_scale : tuple of float
        ``(shift, factor)``: training sees ``(y - shift) / factor``.

    Raises
    ------
    InputError
        Where a config, the architecture or the data breaks a rule.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 3)).astype(np.float32)
    >>> y = (X[:, 0] > 0).astype(int)
    >>> configs = [TrainConfig(learning_rate=rate, batch_size=20) for rate in (0.001, 0.1)]
    >>> training = Training(Architecture("logistic"), configs, X, y)
    >>> training.advance(20)
    >>> losses, rates = training.history(1)
    >>> len(losses), bool(losses[-1] < 0.2), training.predict(X).shape
    (20, True, (2, 200, 2))
    >>> training.select(np.array([False, True]))
    >>> training.trials
    array([1])
    """

    def __init__(
        self,
        architecture: Architecture,
        configs: Sequence[TrainConfig],
        X: Any,
        y: Any,
        *,
        n_outputs: int = 1,
        sample_weight: Any = None,
        order_seed: int | Sequence[int] = 0,
        resume: Sequence[Snapshot] | None = None,
        epoch: int = 0,
        target_scale: tuple[float, float] | None = None,
    ) -> None:
        check(architecture, configs)
        self.architecture, self.configs = architecture, list(configs)
        self.loss: Loss = fastest(LOSSES[architecture.loss])(**architecture.loss_params)
        y = np.asarray(y)
        y = y.astype(np.int32) if y.dtype.kind == "b" else y
        _check_data(self.loss, architecture, X, y, sample_weight, n_outputs)
        weight = _mean_one(sample_weight, len(y))
        self.target_scale = target_scale or self.loss.scale(y, weight)
        y = self._scaled(y)
        seed = [order_seed] if isinstance(order_seed, int | np.integer) else list(order_seed)
        self._rows = rows_of(X, y, None if sample_weight is None else weight.astype(np.float32), seed)
        intercept = self.loss.start(y, weight, n_outputs)
        self._limit = DIVERGENCE_FACTOR * self._constant_loss(y, intercept)
        self._network = Network(architecture, X.shape[1], n_outputs)
        self._groups, self._rested = self._start_groups(intercept, seed), list[BatchGroup]()
        self._losses: list[list[float]] = [[] for _ in self.configs]
        self._rates: list[list[float]] = [[] for _ in self.configs]
        self.epoch, self.part, self._under_way = epoch, 0.0, False
        self.failures: dict[int, Failure] = {}
        if resume is not None:
            self._resume(resume)

    def _resume(self, snapshots: Sequence[Snapshot]) -> None:
        sizes = [snapshot.theta.shape for snapshot in snapshots]
        if sizes != [(self._network.size,)] * len(self.configs):
            rule = f"must be a snapshot of {self._network.size} parameters for each of {len(self.configs)} configs"
            remedy = "Columns, outputs and layers must be those of the training it was taken from."
            raise InputError(Fault("resume", rule, f"shapes {sizes}", remedy))
        for group in self._groups:
            group.restore(snapshots)

    def _scaled(self, y: Array) -> Array:
        """Return targets as the loss sees them."""
        shift, factor = self.target_scale
        if (shift, factor) != (0.0, 1.0):
            y = (y - shift) / factor
        return y.astype(np.float32, copy=False) if y.dtype.kind == "f" else y

    def _constant_loss(self, y: Array, intercept: Array) -> float:
        some = y[:: max(1, len(y) // 65536)]
        z = np.tile(intercept.astype(np.float32)[None, :, None], (1, 1, len(some)))
        weight = np.full(len(some), 1 / len(some), np.float32)
        return max(float(self.loss.value(z, some, weight)[0]), 0.01)

    def _start_groups(self, intercept: Array, seed: Sequence[int]) -> list[BatchGroup]:
        n, groups = self._rows.n, []
        batches = np.array([n if r.batch_size == "full" else min(int(r.batch_size), n) for r in self.configs])
        for batch in np.unique(batches).tolist():
            positions = np.flatnonzero(batches == batch).tolist()
            own = [self.configs[i] for i in positions]
            theta = np.stack([self._network.start(r.seed, intercept, r.activation) for r in own])
            groups.append(BatchGroup(self._network, self.loss, self.configs, positions, theta, batch, seed))
        return groups

    @property
    def trials(self) -> Array:
        """Positions, in the configs, of the trials still in the arrays, ascending ``(k,)``."""
        return np.sort(_positions(self._groups + self._rested))

    @property
    def updated(self) -> Array:
        """Which of `trials` have done a step ``(k,)``: not so full batches before the end of the first epoch."""
        groups = [group for group in self._groups + self._rested if self.epoch or group.position]
        return np.isin(self.trials, _positions(groups))

    def advance(self, epoch: float, stop: Callable[[], bool] | None = None) -> None:
        """Train on until ``epoch``.

        Parameters
        ----------
        epoch : float
            Trials whose ``max_epochs`` is reached before stay at their weights. Within an epoch training pauses
            once that share of the rows has passed, in whole batches: a trial with larger ones has not begun. A
            curve is the same with and without pauses.
        stop : callable, optional
            Asked between epochs and now and then within; when it says yes the method returns. An epoch cut
            short is neither counted nor in the history, but its steps so far are in the weights, and another
            call goes on from there.
        """
        stop = stop or (lambda: False)
        while self.epoch + self.part < epoch:
            if not self._under_way:
                self._begin()
            if stop():
                return
            part = min(1.0, epoch - self.epoch)
            with np.errstate(**DIVERGING):
                if not all(group.train(self._rows, int(part * self._rows.n), stop) for group in self._groups):
                    return
                self._take_note(part)

    def _begin(self) -> None:
        """Set out on an epoch, without the trials that have reached their last."""
        for group in self._groups:
            done = np.array([config.max_epochs <= self.epoch for config in group.configs])
            if done.any():
                self._rested.append(group.split(done))
        self._leave()
        self._rows.begin(self.epoch)
        for group in self._groups:
            group.begin(self.epoch, self._rows.n)
        self._under_way = True

    def _take_note(self, part: float) -> None:
        """Take note that a part of the epoch is done, or all of it; let trials leave that are beyond repair."""
        for group in self._groups:
            losses = np.zeros(len(group.positions))
            if part == 1:
                losses, rates = group.finish(self._rows.n)
                for i, loss, rate in zip(group.positions, losses.tolist(), rates.tolist(), strict=True):
                    self._losses[i].append(loss)
                    self._rates[i].append(rate)
            finite = np.isfinite(losses) & np.isfinite(group.theta).all(axis=1)
            broken = ~finite | (losses > self._limit)
            for slot in np.flatnonzero(broken).tolist():
                reason = "loss or weights are not finite"
                if finite[slot]:
                    loss, factor = losses[slot], DIVERGENCE_FACTOR
                    reason = f"loss {loss:.3g} is above {factor:g} times that of a constant prediction"
                self.failures[int(group.positions[slot])] = Failure(reason, self.epoch + 1)
            group.select(~broken)
        self._leave()
        self.epoch, self.part = (self.epoch + 1, 0.0) if part == 1 else (self.epoch, part)
        self._under_way = part < 1

    def select(self, mask: Any) -> None:
        """Drop the trials of `trials` where ``mask`` ``(k,)`` is false."""
        trials, mask = self.trials, np.asarray(mask, bool)
        if mask.shape != trials.shape:
            raise InputError(Fault("mask", f"must have shape {trials.shape}", str(mask.shape)))
        for group in self._groups + self._rested:
            group.select(np.isin(group.positions, trials[mask]))
        self._leave()

    def _leave(self) -> None:
        """Forget the groups that all trials have left."""
        self._groups = [group for group in self._groups if len(group.positions)]
        self._rested = [group for group in self._rested if len(group.positions)]

    def decision(self, X: Any) -> Array:
        """Return raw outputs ``(k, n, c)`` for rows ``(n, d)``, in the order of `trials`.

        Rows pass in chunks, so that nothing but the result grows with them.
        """
        return self.loss.restore(self._outputs(X), *self.target_scale)

    def _outputs(self, X: Any) -> Array:
        """Return raw outputs as training sees them."""
        if X.shape[1] != self._network.d:
            raise InputError(Fault("X", f"must have {self._network.d} columns", str(X.shape[1])))
        trials = self.trials
        out = np.empty((len(trials), X.shape[0], self._network.c), np.float32)
        for group in self._groups + self._rested:
            out[np.searchsorted(trials, group.positions)] = self._network.outputs(
                group.weights, [config.activation for config in group.configs], X
            )
        return out

    def loss_on(self, X: Any, y: Any, sample_weight: Any = None) -> Array:
        """Return the mean loss ``(k,)`` on other rows, in the sense of `history`: without penalties."""
        y = self._scaled(np.asarray(y))
        weight = (_mean_one(sample_weight, len(y)) / len(y)).astype(np.float32)
        z = np.ascontiguousarray(self._outputs(X).transpose(0, 2, 1))
        with np.errstate(**DIVERGING):
            return self.loss.value(z, y, weight)

    def predict(self, X: Any) -> Array:
        """Return values ``(k, n)`` for regression, else probabilities ``(k, n, classes)``.

        Raises
        ------
        InputError
            Where the loss has no probabilities (hinge); `decision` has its outputs.
        """
        if "regression" not in self.loss.tasks and not self.loss.probabilities:
            came = self.architecture.loss
            raise InputError(Fault("predict", "needs a loss with probabilities", came, "Use decision."))
        return self.loss.link(self.decision(X))

    def history(self, i: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return training losses and learning rates by epoch of config ``i``, also after it left."""
        return tuple(self._losses[i]), tuple(self._rates[i])

    def snapshot(self, i: int) -> Snapshot:
        """Return what config ``i`` needs to go on from here in another `Training`."""
        group, slot = self._find(i)
        return group.snapshot(slot)

    def _find(self, i: int) -> tuple[BatchGroup, int]:
        for group in self._groups + self._rested:
            for slot in np.flatnonzero(group.positions == i).tolist():
                return group, slot
        raise InputError(Fault("i", "must be a trial still in the arrays", str(i)))

    @property
    def shape(self) -> tuple[int, int]:
        """``(d, c)``: columns and raw outputs."""
        return self._network.d, self._network.c

    def theta(self, i: int) -> Array:
        """Return the flat parameters ``(p,)`` of config ``i``, as trained."""
        group, slot = self._find(i)
        return np.asarray(group.weights[slot].copy())

    def weights(self, i: int, theta: Array | None = None) -> list[tuple[Array, Array]]:
        """Return ``(W (d, h), b (h,))`` of each dense layer of config ``i``, the last in the target's unit.

        ``theta`` ``(p,)`` are other parameters to read, such as the best of an earlier epoch.
        """
        layers = self._network.weights(self.theta(i) if theta is None else theta)
        weight, bias = layers[-1]
        zero, one = self.loss.restore(np.array([0, 1], np.float32), 0.0, self.target_scale[1])
        layers[-1] = weight * (one - zero), self.loss.restore(bias, *self.target_scale)
        return layers


def _positions(groups: Sequence[BatchGroup]) -> Array:
    return np.concatenate([np.empty(0, np.intp), *(group.positions for group in groups)])


def _mean_one(sample_weight: Any, n: int) -> Array:
    """Return row weights ``(n,)`` of mean one."""
    if sample_weight is None:
        return np.ones(n)
    weight = np.asarray(sample_weight, float)
    return np.asarray(weight / weight.mean())


def _check_data(
    loss: Loss, architecture: Architecture, X: Any, y: Array, sample_weight: Any, n_outputs: int
) -> None:
    if getattr(X, "ndim", 0) != 2:
        raise InputError(Fault("X", "must have two dimensions", str(getattr(X, "shape", type(X).__name__))))
    found, n, codes = [], X.shape[0], max(2, n_outputs)
    if len(architecture.embeddings) > X.shape[1]:
        rule = f"must have a column for each of {len(architecture.embeddings)} embeddings"
        found.append(Fault("X", rule, f"{X.shape[1]} columns"))
    if y.shape != (n,) or not n:
        found.append(Fault("y", f"must have one value for each of {n} rows, at least one", str(y.shape)))
    elif y.dtype.kind not in "iuf":
        found.append(Fault("y", "must be numbers", str(y.dtype)))
    elif rule := loss.fault(y):
        found.append(Fault("y", rule, f"values from {y.min()} to {y.max()}"))
    elif "regression" not in loss.tasks and y.max() >= codes:
        found.append(Fault("y", f"must be codes below {codes}", str(y.max())))
    one, several = loss.tasks & {"binary", "regression"}, loss.tasks & {"multiclass"}
    if n_outputs < 1 or not (one if n_outputs == 1 else several):
        rule = " or ".join(name for name, tasks in (("1", one), ("the number of classes", several)) if tasks)
        found.append(Fault("n_outputs", f"must be {rule} for the loss {architecture.loss}", str(n_outputs)))
    if sample_weight is not None:
        weight = np.asarray(sample_weight, float)
        if weight.shape != (n,) or not (np.isfinite(weight) & (weight >= 0)).all() or not weight.any():
            rule = "must be one finite number of at least 0 a row, not all 0"
            found.append(Fault("sample_weight", rule, "others"))
    if found:
        raise InputError(found)
