"""Learning-rate schedules: a factor by fractional epoch, for many trials at once, in one table.

``factor(t, total, h)`` takes times ``t`` ``(s, k)`` in epochs since the end of the warm-up, the trials'
``total`` ``(k,)`` epochs after it, and parameters ``h`` ``(k,)`` by name; it returns ``(s, k)`` factors of
the learning rate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from automl.constraints import Number, Parameter
from automl.descent.arrays import Array

__all__ = ["SCHEDULES", "Schedule"]

Params = Mapping[str, Array]


@dataclass(frozen=True)
class Schedule:
    """One row of the table.

    Parameters
    ----------
    about : str
        One line with the formula.
    factor : callable
        ``(t, total, h) -> factors``.
    parameters : mapping
        Name, rule and default of each parameter.
    """

    about: str
    factor: Callable[[Array, Array, Params], Array]
    parameters: Mapping[str, Parameter] = field(default_factory=dict)


def _constant(t: Array, total: Array, h: Params) -> Array:
    return np.ones_like(t)


def _exponential(t: Array, total: Array, h: Params) -> Array:
    return np.asarray(h["rate"] ** t)


def _step(t: Array, total: Array, h: Params) -> Array:
    return np.asarray(h["factor"] ** np.floor(t / h["every"]))


def _cosine(t: Array, total: Array, h: Params) -> Array:
    done = np.clip(t / np.maximum(total, 1e-9), 0, 1)
    return np.asarray(h["final"] + (1 - h["final"]) * 0.5 * (1 + np.cos(np.pi * done)))


_FRACTION = Number(0, 1)
_FACTOR = Number(0, 1, open_low=True)

SCHEDULES: dict[str, Schedule] = {
    "constant": Schedule("the learning rate itself", _constant),
    "exponential": Schedule(
        "rate^epoch",
        _exponential,
        {"rate": Parameter(_FACTOR, 0.95, "factor for each epoch")},
    ),
    "step": Schedule(
        "factor^floor(epoch / every)",
        _step,
        {
            "factor": Parameter(_FACTOR, 0.5, "factor at each step"),
            "every": Parameter(Number(1, integer=True), 10, "epochs between steps"),
        },
    ),
    "cosine": Schedule(
        "half a cosine from one to `final` over the epochs (Loshchilov and Hutter, arXiv 1608.03983)",
        _cosine,
        {"final": Parameter(_FRACTION, 0.0, "fraction of the learning rate at the end")},
    ),
}
