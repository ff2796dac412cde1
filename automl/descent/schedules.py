"""Learning-rate schedules: a factor by fractional epoch, for many trials at once, in one table.

``factor(t, total, h)`` takes times ``t`` ``(s, k)`` in epochs since the end of the warm-up, the trials' ``total``
``(k,)`` epochs after it, and parameters ``h`` by name, ``(k,)`` each (lists: ``(k, m)``, padded with infinity).
It returns factors ``(s, k)`` of the learning rate.

A stateful schedule also has ``state``, the numbers a trial starts with, and ``observe(state, loss, h)``, which
returns the numbers after an epoch with that training loss. The first number multiplies the factor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

import numpy as np

from automl.constraints import ListOf, Number, Parameter
from automl.descent.kernels import Array

__all__ = ["SCHEDULES", "LearningRates", "Schedule"]

Params = Mapping[str, Array]
State = tuple[float, ...]


@dataclass(frozen=True)
class Schedule:
    """One row of the table.

    Parameters
    ----------
    factor : callable
        ``(t, total, h) -> factors``.
    parameters : mapping
        Name, rule and default of each parameter.
    state : tuple of float
        Initial state of a trial; empty for a schedule without state.
    observe : callable
        ``(state, loss, h) -> state``, called after each epoch; ``h`` holds plain values.
    """

    factor: Callable[[Array, Array, Params], Array]
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    state: State = ()
    observe: Callable[[State, float, Mapping[str, Any]], State] = lambda state, loss, h: state

    def values(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters of one trial, with defaults."""
        return {name: params.get(name, rule.default) for name, rule in self.parameters.items()}

    def columns(self, params: Sequence[Mapping[str, Any]]) -> dict[str, Array]:
        """Return the parameters of several trials as arrays, with defaults."""
        rows, columns = [self.values(one) for one in params], {}
        for name, rule in self.parameters.items():
            values: list[Any] = [row[name] for row in rows]
            if isinstance(rule.constraint, ListOf):
                values = list(zip(*zip_longest(*values, fillvalue=np.inf), strict=True))
            columns[name] = np.array(values, float)
        return columns


class LearningRates:
    """The learning rates of several trials, warm-up included.

    Parameters
    ----------
    configs : sequence of TrainConfig
        Settings of the trials.
    states : sequence of tuple of float, optional
        State of each trial's schedule; default: the initial ones.
    """

    def __init__(self, configs: Sequence[Any], states: Sequence[State] | None = None) -> None:
        self._configs = list(configs)
        self._rows = [SCHEDULES[config.schedule] for config in configs]
        self.states = [row.state for row in self._rows] if states is None else list(states)
        self._base = np.array([config.learning_rate for config in configs])
        self._warmup = np.array([config.warmup for config in configs], float)
        self._total = np.maximum(np.array([config.max_epochs for config in configs]) - self._warmup, 0)
        self._groups: list[tuple[Schedule, slice | list[int], dict[str, Array]]] = []
        for name in sorted({config.schedule for config in configs}):
            trials = [i for i, config in enumerate(configs) if config.schedule == name]
            columns = SCHEDULES[name].columns([configs[i].schedule_params for i in trials])
            every = len(trials) == len(configs)
            self._groups.append((SCHEDULES[name], slice(None) if every else trials, columns))

    def select(self, mask: Array) -> LearningRates:
        """Return those of the trials where ``mask`` ``(k,)`` is true."""
        kept = np.flatnonzero(mask).tolist()
        return LearningRates([self._configs[i] for i in kept], [self.states[i] for i in kept])

    def at(self, times: Array, width: float) -> Array:
        """Return the rates ``(s, k)`` of steps that begin at ``times`` ``(s,)`` epochs, ``width`` apart."""
        since = times[:, None] - self._warmup
        early, since = since < 0, np.maximum(since, 0)
        rates = np.empty((len(times), len(self._configs)))
        for schedule, trials, columns in self._groups:
            factor = schedule.factor(since[:, trials], self._total[trials], columns)
            rates[:, trials] = factor * self._base[trials]
        if self._warmup.any():
            ramp = (times[:, None] + width) / np.where(self._warmup > 0, self._warmup, 1)
            rates *= np.where(early, np.minimum(ramp, 1), 1)
        rates = rates.astype(np.float32)
        if any(self.states):
            rates *= [state[0] if state else 1.0 for state in self.states]
        return rates

    def observe(self, losses: Array) -> None:
        """Update the states after an epoch with training losses ``(k,)``."""
        self.states = [
            row.observe(state, loss, row.values(config.schedule_params)) if state else state
            for row, state, loss, config in zip(
                self._rows, self.states, losses.tolist(), self._configs, strict=True
            )
        ]


def _done(t: Array, total: Array) -> Array:
    return np.clip(t / np.maximum(total, 1e-9), 0, 1)


def _half_cosine(done: Array, final: Array | float) -> Array:
    """Return half a cosine from 1 at 0 to ``final`` at 1 (Loshchilov and Hutter, arXiv 1608.03983)."""
    return np.asarray(final + (1 - final) * 0.5 * (1 + np.cos(np.pi * done)))


def _cosine_restarts(t: Array, total: Array, h: Params) -> Array:
    """Return half cosines, restarted after each cycle (Loshchilov and Hutter, arXiv 1608.03983)."""
    period, growth = h["period"], h["growth"]
    grows = growth > 1
    base = np.where(grows, growth, 2.0)
    # cycles before t, from the geometric sum period (growth^i - 1) / (growth - 1) <= t
    cycle = np.where(grows, np.log(t / period * (base - 1) + 1) / np.log(base), t / period)
    cycle = np.floor(cycle + 1e-9)
    begin = np.where(grows, period * (base**cycle - 1) / (base - 1), period * cycle)
    length = np.where(grows, period * base**cycle, period)
    return _half_cosine(np.clip((t - begin) / length, 0, 1), h["final"])


def _cosine_log(t: Array, total: Array, h: Params) -> Array:
    """Return cosine waves, each twice as long as the one before (Holzmueller et al., arXiv 2407.04491)."""
    waves = np.log2(1 + (2 ** h["cycles"] - 1) * _done(t, total))
    return np.asarray(0.5 * (1 - np.cos(2 * np.pi * waves)))


def _one_cycle(t: Array, total: Array, h: Params) -> Array:
    """Return half cosines from ``start`` up to 1, then down to ``final`` (Smith and Topin, arXiv 1708.07120)."""
    done, rise = _done(t, total), h["rise"]
    up = 1 - _half_cosine(np.minimum(done / rise, 1), 0.0) * (1 - h["start"])
    return np.where(done < rise, up, _half_cosine(np.maximum(done - rise, 0) / (1 - rise), h["final"]))


def _plateau(state: State, loss: float, h: Mapping[str, Any]) -> State:
    """Reduce the factor when the training loss stops falling; the state is factor, best loss, epochs since."""
    level, best, waited = state
    if loss < best * (1 - h["threshold"]):
        return level, loss, 0.0
    if waited < h["patience"]:
        return level, best, waited + 1
    return level * h["factor"], best, 0.0


_FRACTION = Number(0, 1)
_FACTOR = Number(0, 1, open_low=True)
_OPEN = Number(0, 1, open_low=True, open_high=True)
_FINAL = {"final": Parameter(_FRACTION, 0.0, "fraction of the learning rate at the end")}

SCHEDULES: dict[str, Schedule] = {
    "constant": Schedule(lambda t, total, h: np.ones_like(t)),
    "exponential": Schedule(
        lambda t, total, h: h["rate"] ** t, {"rate": Parameter(_FACTOR, 0.95, "factor for each epoch")}
    ),
    "step": Schedule(
        lambda t, total, h: h["factor"] ** np.floor(t / h["every"]),
        {
            "factor": Parameter(_FACTOR, 0.5, "factor at each step"),
            "every": Parameter(Number(1, integer=True), 10, "epochs between steps"),
        },
    ),
    "multi_step": Schedule(
        lambda t, total, h: h["factor"] ** (t[:, :, None] >= h["milestones"]).sum(axis=-1),
        {
            "factor": Parameter(_FACTOR, 0.1, "factor at each milestone"),
            "milestones": Parameter(ListOf(Number(0)), (30, 60, 90), "epochs at which to step"),
        },
    ),
    "inverse_time": Schedule(
        lambda t, total, h: 1 / (1 + h["rate"] * t), {"rate": Parameter(Number(0), 0.1, "how fast it falls")}
    ),
    "linear": Schedule(lambda t, total, h: h["final"] + (1 - h["final"]) * (1 - _done(t, total)), _FINAL),
    "polynomial": Schedule(
        lambda t, total, h: h["final"] + (1 - h["final"]) * (1 - _done(t, total)) ** h["power"],
        {"power": Parameter(Number(0, open_low=True), 2.0, "1 is a line")} | _FINAL,
    ),
    "cosine": Schedule(lambda t, total, h: _half_cosine(_done(t, total), h["final"]), _FINAL),
    "cosine_restarts": Schedule(
        _cosine_restarts,
        {
            "period": Parameter(Number(0, open_low=True), 10, "epochs of the first cycle"),
            "growth": Parameter(Number(1), 2.0, "factor by which each cycle is longer than the one before"),
        }
        | _FINAL,
    ),
    "cosine_log": Schedule(
        _cosine_log,
        {"cycles": Parameter(Number(1, integer=True), 4, "number of waves, from 0 to 1 and to 0")},
    ),
    "one_cycle": Schedule(
        _one_cycle,
        {
            "rise": Parameter(_OPEN, 0.3, "share of the epochs on the way up"),
            "start": Parameter(_FRACTION, 0.04, "fraction of the learning rate at the start"),
            "final": Parameter(_FRACTION, 4e-6, "fraction of the learning rate at the end"),
        },
    ),
    "plateau": Schedule(
        lambda t, total, h: np.ones_like(t),
        {
            "factor": Parameter(_FACTOR, 0.5, "factor at each reduction"),
            "patience": Parameter(Number(0, integer=True), 5, "epochs without progress before a reduction"),
            "threshold": Parameter(_OPEN, 1e-4, "share of the best loss that counts as progress"),
        },
        state=(1.0, np.inf, 0.0),
        observe=_plateau,
    ),
}
