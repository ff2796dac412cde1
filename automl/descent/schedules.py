"""Learning-rate schedules: a factor by fractional epoch, for many trials at once, in one table.

``factor(t, total, h)`` takes times ``t`` ``(s, k)`` in epochs since the end of the warm-up, the trials'
``total`` ``(k,)`` epochs after it, and parameters ``h`` by name, ``(k,)`` each (lists: ``(k, m)``, filled up
with infinity); it returns ``(s, k)`` factors of the learning rate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

import numpy as np

from automl.constraints import ListOf, Number, Parameter
from automl.descent.arrays import Array

__all__ = ["SCHEDULES", "Plateau", "Schedule"]

Params = Mapping[str, Array]


@dataclass(frozen=True)
class Schedule:
    """One row of the table.

    Parameters
    ----------
    factor : callable
        ``(t, total, h) -> factors``.
    parameters : mapping
        Name, rule and default of each parameter.
    watches : bool
        Whether the factor also falls with the trial's `Plateau`, made from the same parameters.
    """

    factor: Callable[[Array, Array, Params], Array]
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    watches: bool = False

    def columns(self, given: Sequence[Mapping[str, object]]) -> dict[str, Array]:
        """Return the parameters of several trials as arrays, defaults filled in."""
        columns = {}
        for name, rule in self.parameters.items():
            values: list[Any] = [params.get(name, rule.default) for params in given]
            if isinstance(rule.constraint, ListOf):
                values = list(zip(*zip_longest(*values, fillvalue=np.inf), strict=True))
            columns[name] = np.array(values, float)
        return columns


class Plateau:
    """Divides a trial's learning rate when its training loss stops falling.

    Parameters
    ----------
    factor : float
        Factor at each reduction.
    patience : int
        Epochs without a new best loss that are borne.
    threshold : float
        Share of the best loss by which a new one must be lower.

    Attributes
    ----------
    state : tuple of float
        The factor so far, the best loss and the epochs since.
    """

    def __init__(self, factor: float, patience: int, threshold: float) -> None:
        self.factor, self.patience, self.threshold = factor, patience, threshold
        self.state = 1.0, np.inf, 0.0

    @property
    def level(self) -> float:
        """The factor so far."""
        return self.state[0]

    def observe(self, loss: float) -> None:
        """Take note of the loss of one more epoch."""
        level, best, waited = self.state
        if loss < best * (1 - self.threshold):
            best, waited = loss, 0.0
        elif waited < self.patience:
            waited += 1
        else:
            level, waited = level * self.factor, 0.0
        self.state = level, best, waited


def _done(t: Array, total: Array) -> Array:
    return np.clip(t / np.maximum(total, 1e-9), 0, 1)


def _fall(done: Array, final: Array | float) -> Array:
    """Return half a cosine from 1 at 0 to ``final`` at 1 (Loshchilov and Hutter, arXiv 1608.03983)."""
    return np.asarray(final + (1 - final) * 0.5 * (1 + np.cos(np.pi * done)))


def _cosine_restarts(t: Array, total: Array, h: Params) -> Array:
    """Return half cosines, each cycle starting anew (Loshchilov and Hutter, arXiv 1608.03983)."""
    period, growth = h["period"], h["growth"]
    grows = growth > 1
    base = np.where(grows, growth, 2.0)
    # cycles before t, from the geometric sum period (growth^i - 1) / (growth - 1) <= t
    cycle = np.where(grows, np.log(t / period * (base - 1) + 1) / np.log(base), t / period)
    cycle = np.floor(cycle + 1e-9)
    begin = np.where(grows, period * (base**cycle - 1) / (base - 1), period * cycle)
    length = np.where(grows, period * base**cycle, period)
    return _fall(np.clip((t - begin) / length, 0, 1), h["final"])


def _one_cycle(t: Array, total: Array, h: Params) -> Array:
    """Return half cosines from ``start`` up to 1, then down to ``final`` (Smith and Topin, arXiv 1708.07120)."""
    done, rise = _done(t, total), h["rise"]
    up = 1 - _fall(np.minimum(done / rise, 1), 0.0) * (1 - h["start"])
    return np.where(done < rise, up, _fall(np.maximum(done - rise, 0) / (1 - rise), h["final"]))


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
    "cosine": Schedule(lambda t, total, h: _fall(_done(t, total), h["final"]), _FINAL),
    "cosine_restarts": Schedule(
        _cosine_restarts,
        {
            "period": Parameter(Number(0, open_low=True), 10, "epochs of the first cycle"),
            "growth": Parameter(Number(1), 2.0, "each cycle is so many times longer"),
        }
        | _FINAL,
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
            "patience": Parameter(Number(0, integer=True), 5, "epochs without progress that are borne"),
            "threshold": Parameter(_OPEN, 1e-4, "share of the best loss that counts as progress"),
        },
        watches=True,
    ),
}
