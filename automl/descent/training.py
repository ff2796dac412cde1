"""The training loop: a cohort on one fold, epoch by epoch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from automl.descent.batch_group import BatchGroup
from automl.descent.checks import check_data, check_snapshots, mean_one
from automl.descent.config import Architecture, TrainConfig, check
from automl.descent.kernels import Array, ops
from automl.descent.layers import ACTIVATIONS
from automl.descent.records import Failure, Snapshot
from automl.descent.streamed import make_rows, sample_rows
from automl.errors import Fault, InputError

__all__ = ["Training"]

DIVERGENCE_FACTOR = 1000.0
"""A trial has diverged when its loss exceeds that of a constant prediction by this factor."""

DIVERGING: dict[str, Any] = {"all": "ignore"}
"""NumPy's error state while training: divergence is detected afterwards and ends the trial, not the cohort."""


class Training:
    """A cohort being trained on one fold.

    Every trial trains as it would alone, except for rounding: neighbours make no difference, nor does dropping
    them. The order of rows is a function of ``order_seed`` and the epoch, initial weights are a function of each
    config's seed, and dropout of both.

    Regression targets are standardised inside (Poisson-like losses: divided by their mean), so that learning
    rates, penalties and the parameters of losses do not depend on the target's unit. `decision`, `predict` and
    `weights` are in the target's own unit. The losses of `history` are not: 0.5 is the squared loss of the mean.

    Parameters
    ----------
    architecture : Architecture
        Settings shared by the trials.
    configs : sequence of TrainConfig
        Settings of each trial.
    X : array of shape (n, d)
        Features, best float32 in C order (another order is copied); may be read-only, memory-mapped or a
        sparse array; never written to. Large memory maps and matrices with ``blocks`` (`ParquetMatrix`) are
        read in stretches and shuffled within windows of bounded memory.
    y : array of shape (n,)
        Regression targets, or class codes 0, 1, ....
    n_outputs : int
        1 for regression and two classes; otherwise the number of classes.
    sample_weight : array of shape (n,), optional
        Row weights; only their proportions count.
    order_seed : int or sequence of int
        Seed of the order of rows and, with each config's seed, of dropout.
    resume : sequence of Snapshot, optional
        Snapshots to continue from, one for each config.
    epoch : int
        Epochs done before, when resuming.
    target_scale : tuple of float, optional
        The ``(shift, factor)`` of an earlier training; default: from ``y``.

    Attributes
    ----------
    epoch : int
        Epochs done.
    part : float
        Share of the next epoch that is done; below 1.
    failures : dict
        Position of a config to its `Failure`; failed trials have left the arrays.
    target_scale : tuple of float
        ``(shift, factor)``: training sees ``(y - shift) / factor``.

    Raises
    ------
    InputError
        If a config, the architecture or the data breaks a rule.

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
        self._ops = ops()
        self.loss = architecture.make_loss(self._ops)
        y = np.asarray(y)
        y = y.astype(np.int32) if y.dtype.kind == "b" else y
        check_data(self.loss, architecture, X, y, sample_weight, n_outputs)
        weight = mean_one(sample_weight, len(y))
        self.target_scale = target_scale or self.loss.scale(y, weight)
        y = self._scaled(y)
        seed = [order_seed] if isinstance(order_seed, int | np.integer) else list(order_seed)
        row_weight = None if sample_weight is None else weight.astype(np.float32)
        self._rows = make_rows(X, y, row_weight, seed, self._ops)
        intercept = self.loss.init(y, weight, n_outputs)
        self._limit = DIVERGENCE_FACTOR * max(self.loss.constant_value(intercept, y), 0.01)
        self._model = architecture.make_model(X.shape[1], n_outputs)
        self._groups, self._complete = self._make_groups(sample_rows(X), intercept, seed), list[BatchGroup]()
        self._losses: list[list[float]] = [[] for _ in self.configs]
        self._rates: list[list[float]] = [[] for _ in self.configs]
        self.epoch, self.part, self._in_epoch = epoch, 0.0, False
        self.failures: dict[int, Failure] = {}
        if resume is not None:
            check_snapshots(resume, len(self.configs), self._model.size)
            for group in self._groups:
                group.restore(resume)

    def _scaled(self, y: Array) -> Array:
        """Return targets as the loss sees them."""
        shift, factor = self.target_scale
        if (shift, factor) != (0.0, 1.0):
            y = (y - shift) / factor
        return y.astype(np.float32, copy=False) if y.dtype.kind == "f" else y

    def _make_groups(self, sample: Array, intercept: Array, seed: Sequence[int]) -> list[BatchGroup]:
        n, model, groups = self._rows.n, self._model, []
        batches = np.array([n if c.batch_size == "full" else min(int(c.batch_size), n) for c in self.configs])
        for batch in np.unique(batches).tolist():
            positions = np.flatnonzero(batches == batch).tolist()
            theta = [
                model.init(config.seed, ACTIVATIONS[config.activation].gain, sample, intercept)
                for config in (self.configs[i] for i in positions)
            ]
            groups.append(
                BatchGroup(model, self.loss, self.configs, positions, np.stack(theta), batch, seed, self._ops)
            )
        return groups

    @property
    def trials(self) -> Array:
        """Positions of the trials still in the arrays, ascending ``(k,)``."""
        return np.sort(_positions(self._groups + self._complete))

    @property
    def updated(self) -> Array:
        """Which of `trials` have done a step ``(k,)``; large batches may not have, within the first epoch."""
        groups = [group for group in self._groups + self._complete if self.epoch or group.position]
        return np.isin(self.trials, _positions(groups))

    def advance(self, epoch: float, stop: Callable[[], bool] | None = None) -> None:
        """Train until ``epoch``.

        Parameters
        ----------
        epoch : float
            Trials that reach their ``max_epochs`` before keep their weights. Within an epoch training pauses
            when that share of the rows has passed, in whole batches; a trial with larger batches does no step.
            A learning curve is the same with and without pauses.
        stop : callable, optional
            Asked between epochs and from time to time within; the method returns when the answer is true. An
            interrupted epoch is neither counted nor in the history, but its steps are in the weights, and the
            next call continues from there.
        """
        stop = stop or (lambda: False)
        while self.epoch + self.part < epoch:
            if not self._in_epoch:
                self._start_epoch()
            if stop():
                return
            part = min(1.0, epoch - self.epoch)
            with np.errstate(**DIVERGING):
                if not all(group.train(self._rows, int(part * self._rows.n), stop) for group in self._groups):
                    return
                self._finish_part(part)

    def _start_epoch(self) -> None:
        """Start an epoch, without the trials that are complete."""
        for group in self._groups:
            done = np.array([config.max_epochs <= self.epoch for config in group.configs])
            if done.any():
                self._complete.append(group.split(done))
        self._remove_empty()
        self._rows.begin(self.epoch)
        for group in self._groups:
            group.start_epoch(self.epoch, self._rows.n)
        self._in_epoch = True

    def _finish_part(self, part: float) -> None:
        """Record that a part of the epoch is done, or all of it, and remove diverged trials."""
        for group in self._groups:
            losses = np.zeros(len(group.positions))
            if part == 1:
                losses, rates = group.finish_epoch(self._rows.n)
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
        self._remove_empty()
        self.epoch, self.part = (self.epoch + 1, 0.0) if part == 1 else (self.epoch, part)
        self._in_epoch = part < 1

    def select(self, mask: Any) -> None:
        """Keep those of `trials` where ``mask`` ``(k,)`` is true."""
        trials, mask = self.trials, np.asarray(mask, bool)
        if mask.shape != trials.shape:
            raise InputError(Fault("mask", f"must have shape {trials.shape}", str(mask.shape)))
        for group in self._groups + self._complete:
            group.select(np.isin(group.positions, trials[mask]))
        self._remove_empty()

    def _remove_empty(self) -> None:
        self._groups = [group for group in self._groups if len(group.positions)]
        self._complete = [group for group in self._complete if len(group.positions)]

    def decision(self, X: Any) -> Array:
        """Return raw outputs ``(k, n, c)`` for rows ``(n, d)``, in the order of `trials`.

        Rows pass in chunks: only the result grows with their number.
        """
        return self.loss.unscale(self._outputs(X), *self.target_scale)

    def _outputs(self, X: Any) -> Array:
        """Return raw outputs as training sees them."""
        if X.shape[1] != self._model.d:
            raise InputError(Fault("X", f"must have {self._model.d} columns", str(X.shape[1])))
        trials = self.trials
        out = np.empty((len(trials), X.shape[0], self._model.c), np.float32)
        for group in self._groups + self._complete:
            out[np.searchsorted(trials, group.positions)] = self._model.outputs(
                group.weights, group.configs, X, self._ops
            )
        return out

    def loss_on(self, X: Any, y: Any, sample_weight: Any = None) -> Array:
        """Return the mean loss ``(k,)`` on other rows, without penalties, as in `history`."""
        y = self._scaled(np.asarray(y))
        weight = (mean_one(sample_weight, len(y)) / len(y)).astype(np.float32)
        z = np.ascontiguousarray(self._outputs(X).transpose(0, 2, 1))
        with np.errstate(**DIVERGING):
            return self.loss.value(z, y, weight)

    def predict(self, X: Any) -> Array:
        """Return values ``(k, n)`` for regression, else probabilities ``(k, n, classes)``.

        Raises
        ------
        InputError
            If the loss has no probabilities (hinge); use `decision`.
        """
        if "regression" not in self.loss.tasks and not self.loss.probabilities:
            came = self.architecture.loss
            raise InputError(Fault("predict", "needs a loss with probabilities", came, "Use decision."))
        return self.loss.link(self.decision(X))

    def history(self, i: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return training losses and learning rates by epoch of config ``i``, even after the trial ended."""
        return tuple(self._losses[i]), tuple(self._rates[i])

    def snapshot(self, i: int) -> Snapshot:
        """Return everything that another `Training` needs to continue config ``i``."""
        group, slot = self._find(i)
        return group.snapshot(slot)

    def _find(self, i: int) -> tuple[BatchGroup, int]:
        for group in self._groups + self._complete:
            for slot in np.flatnonzero(group.positions == i).tolist():
                return group, slot
        raise InputError(Fault("i", "must be a trial still in the arrays", str(i)))

    @property
    def shape(self) -> tuple[int, int]:
        """``(d, c)``: columns and raw outputs."""
        return self._model.d, self._model.c

    def theta(self, i: int) -> Array:
        """Return the flat parameters ``(p,)`` of config ``i``, in the units of training."""
        group, slot = self._find(i)
        return np.asarray(group.weights[slot].copy())

    def weights(self, i: int) -> list[tuple[Array, Array]]:
        """Return ``(W (n_in, n_out), b (n_out,))`` of each dense layer of config ``i``, in the target's unit."""
        return self.loss.unscale_layers(self._model.coefficients(self.theta(i)), *self.target_scale)


def _positions(groups: Sequence[BatchGroup]) -> Array:
    return np.concatenate([np.empty(0, np.intp), *(group.positions for group in groups)])
