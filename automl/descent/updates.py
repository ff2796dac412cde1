"""A step: forward and backward passes, then clipping, penalties and optimizers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import numpy as np

from automl.descent.kernels import FUSED_SETTINGS, Array, Ops
from automl.descent.layers import SharedBits
from automl.descent.losses import Loss, Targets
from automl.descent.model import Pass
from automl.descent.optimizers import OPTIMIZERS, State

__all__ = ["ForwardBackward", "StepRunner", "Updater"]

_TINY = 1e-30
_FLUSH_STEPS = 128  # steps after which numbers that have decayed to almost nothing become zero
_SMALL = 256  # parameters up to which multiplying by an array of rates is faster than by a column


class Updater:
    """Steps the parameters of neighbouring trials: one optimizer, or several that ``fused_step`` steps together.

    Parameters
    ----------
    configs : sequence of TrainConfig
        Settings of the trials.
    theta : ndarray of shape (k, p)
        Their parameters, which give the shape of the state.
    ops : module
        Kernels.

    Attributes
    ----------
    trials : slice
        Which trials of the batch group these are.
    fused_arrays : tuple of ndarray
        Arguments of ``fused_step`` after the rates; empty where it is not used.
    steps : int
        Steps done.
    """

    def __init__(self, configs: Sequence[Any], theta: Array, ops: Ops) -> None:
        self._ops, self._optimizer = ops, OPTIMIZERS[configs[0].optimizer]
        self._fused = self._optimizer.fused and ops.fused_step is not None
        # Adam's state is that of all fused optimizers
        self._state = OPTIMIZERS["adam"].init(theta) if self._fused else self._optimizer.init(theta)
        self.trials, self.steps = slice(0, len(theta)), 0
        self.fused_arrays: tuple[Array, ...] = ()

    def bind(self, first: int, configs: Sequence[Any], theta: Array, gradient: Array, mask: Array) -> None:
        """Use the rows from ``first`` of a batch group's parameters and gradients ``(k, p)`` from now on.

        ``mask`` ``(p,)`` tells which parameters penalties act on.
        """
        self.trials = slice(first, first + self.trials.stop - self.trials.start)
        self._configs, self._theta = list(configs[self.trials]), theta[self.trials]
        build = self._fused_step if self._fused else self._plain_step
        self._apply = build(gradient[self.trials], mask.astype(np.float32))

    def step(self, rates: Array) -> None:
        """Step with the group's learning rates ``(k, 1)``, or the same repeated ``(k, p)``; uses up the gradient."""
        self._apply(rates[self.trials])
        self.count(1)

    def _fused_step(self, gradient: Array, mask: Array) -> Callable[[Array], None]:
        rows = []
        for config in self._configs:
            h = _optimizer_params(config)
            clip = np.inf if config.clip_norm is None else config.clip_norm
            own = h.get("beta1", h.get("momentum", 0)), h.get("beta2", 0), h.get("epsilon", 0)
            penalties = config.l1, config.l2, _decay(config)
            rows.append((*own, h.get("nesterov", 0), *penalties, clip, "beta2" in h))
        state = (self._state[name] for name in ("sum", "squares", "power1", "power2"))
        arrays = self._theta, gradient, mask, np.array(rows, FUSED_SETTINGS), *state
        self.fused_arrays = arrays
        return lambda rates: self._ops.fused_step(rates, *arrays)

    def _plain_step(self, gradient: Array, mask: Array) -> Callable[[Array], None]:
        configs, theta, optimizer, state = self._configs, self._theta, self._optimizer, self._state
        scratch, rows = np.empty_like(theta), [_optimizer_params(config) for config in configs]
        h = {
            name: np.array([row[name] for row in rows], np.float32)[:, None] for name in optimizer.parameters
        }
        l1, l2 = (_penalty([getattr(c, name) for c in configs], mask) for name in ("l1", "l2"))
        decay = _penalty([_decay(config) for config in configs], mask)
        clip = np.array([[np.inf if c.clip_norm is None else c.clip_norm] for c in configs], np.float32)
        clips = np.isfinite(clip).any()

        def step(rate: Array) -> None:
            if clips:
                norm = np.sqrt(np.vecdot(gradient, gradient))[:, None]
                np.multiply(gradient, np.minimum(clip / np.maximum(norm, np.float32(_TINY)), 1), out=gradient)
            if l2 is not None:
                np.multiply(theta, l2, out=scratch)
                np.add(gradient, scratch, out=gradient)
            if decay is not None:
                np.multiply(theta, decay, out=scratch)
                np.multiply(scratch, rate, out=scratch)
                np.subtract(theta, scratch, out=theta)
            optimizer.update(gradient, state, h)
            np.multiply(gradient, rate, out=gradient)
            np.subtract(theta, gradient, out=theta)
            if l1 is not None:
                _shrink(theta, l1 * rate / optimizer.denominator(state, h))

        return step

    @property
    def n_parameters(self) -> int:
        """Parameters of one trial."""
        return int(self._theta.shape[1])

    @property
    def steps_to_flush(self) -> int:
        """Steps until `count` flushes."""
        return _FLUSH_STEPS - self.steps % _FLUSH_STEPS

    def count(self, steps: int) -> None:
        """Count steps, at most `steps_to_flush`, and set tiny numbers to zero every `_FLUSH_STEPS` steps.

        A penalised weight, and the averages of one whose gradient is zero, decay below the normal range of single
        precision and stay there, where they make every pass over them many times slower.
        """
        self.steps += steps
        if self.steps % _FLUSH_STEPS == 0:
            for array in (self._theta, *self._state.values()):
                array[np.abs(array) < _TINY] = 0

    def select(self, mask: Array) -> Updater | None:
        """Return an updater of the trials where ``mask`` ``(k,)`` is true; None if there are none."""
        if not mask.any():
            return None
        chosen = copy(self)
        chosen._state = {name: array[mask] for name, array in self._state.items()}
        chosen.trials = slice(0, int(mask.sum()))
        return chosen

    def state_of(self, i: int) -> State:
        """Return a copy of the state of trial ``i`` of these."""
        return {name: self._state[name][i].copy() for name in self._state_names(i)}

    def load_state(self, i: int, state: State) -> None:
        """Continue trial ``i`` of these from a state; missing arrays keep their values."""
        for name in self._state_names(i):
            if name in state:
                self._state[name][i] = state[name]

    def _state_names(self, i: int) -> list[str]:
        own = OPTIMIZERS[self._configs[i].optimizer].init(np.empty((0, 0), np.float32))
        return [name for name in own if not name.startswith("_")]


def _optimizer_params(config: Any) -> dict[str, float]:
    """Return the parameters of a config's optimizer, with defaults."""
    rules = OPTIMIZERS[config.optimizer].parameters
    return {name: config.optimizer_params.get(name, rule.default) for name, rule in rules.items()}


def _decay(config: Any) -> float:
    return float(config.weight_decay + _optimizer_params(config).get("weight_decay", 0))


def _shrink(theta: Array, threshold: Array) -> None:
    """Move ``theta`` towards zero by ``threshold`` but not past it: the proximal step of l1."""
    size = np.abs(theta)
    size -= threshold
    np.maximum(size, 0, out=size)
    np.copysign(size, theta, out=theta)


def _penalty(strengths: list[float], mask: Array) -> Array | None:
    """Return strengths ``(k, p)``, zero outside the mask; None if all are zero."""
    if not np.any(strengths):
        return None
    return np.asarray(np.array(strengths, np.float32)[:, None] * mask)


@dataclass(frozen=True)
class ForwardBackward:
    """Some trials of a group, with their layers bound to ``m`` rows: from rows to gradients."""

    trials: slice
    layers: Sequence[Pass]
    loss: Loss
    smoothing: Array | None

    def fill(self, x: Array, targets: Targets, per_row: Array) -> None:
        """Fill the gradients for rows ``(m, d + 1)``; ``per_row`` is the group's ``(k, m)`` for `Loss.total`."""
        for layer in self.layers:
            x = layer.forward(x)
        self.loss.backward(x, targets, per_row[self.trials], self.smoothing)
        for layer in reversed(self.layers):
            x = layer.backward(x)


@dataclass(frozen=True)
class StepRunner:
    """The steps of trials over batches of ``m`` rows; passes and updaters are of the same trials."""

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
