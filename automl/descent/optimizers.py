"""Optimizers: pairs of functions over the parameters of several trials at once, in one table.

``init(theta)`` returns the state, a dict of arrays whose first axis is the trials. ``update(g, state, h)``
turns the gradient ``g`` ``(k, p)``, in place, into the direction to go down, and returns the *denominator*:
what the averaged gradient was divided by, a number, ``(k, 1)`` or ``(k, p)``. The proximal step of l1 needs
it: taken in the optimizer's own metric, its fixed point is the same for all of them. ``h`` holds the
optimizer's parameters, ``(k, 1)``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from automl.constraints import Boolean, Number, Parameter
from automl.descent.arrays import Array

__all__ = ["OPTIMIZERS", "Optimizer"]

State = dict[str, Array]
Params = Mapping[str, Array]


@dataclass(frozen=True)
class Optimizer:
    """One row of the table.

    Parameters
    ----------
    about : str
        One line with the source.
    init : callable
        ``theta (k, p) -> state``.
    update : callable
        ``(g, state, h) -> denominator``; ``g`` becomes the direction in place.
    parameters : mapping
        Name, rule and default of each parameter.
    """

    about: str
    init: Callable[[Array], State]
    update: Callable[[Array, State, Params], Array | float]
    parameters: Mapping[str, Parameter] = field(default_factory=dict)


def _lerp(average: Array, value: Array, decay: Array, scratch: Array) -> None:
    """Let ``average`` be ``decay * average + (1 - decay) * value``."""
    np.subtract(value, average, out=scratch)
    scratch *= 1 - decay
    average += scratch


def _nothing(theta: Array) -> State:
    return {}


def _sgd(g: Array, state: State, h: Params) -> float:
    return 1.0


def _momentum_init(theta: Array) -> State:
    return {"velocity": np.zeros_like(theta)}


def _momentum(g: Array, state: State, h: Params) -> Array:
    velocity, mu, nesterov = state["velocity"], h["momentum"], h["nesterov"]
    velocity *= mu
    velocity += g
    if nesterov.any():
        # Nesterov's look-ahead g + mu v; the plain direction is v alone
        g *= nesterov
        g += np.where(nesterov > 0, mu, 1) * velocity
    else:
        np.copyto(g, velocity)
    return 1 - mu


def _adam_init(theta: Array) -> State:
    k = len(theta)
    return {
        "mean": np.zeros_like(theta),
        "square": np.zeros_like(theta),
        "scratch": np.empty_like(theta),
        "power1": np.ones((k, 1)),
        "power2": np.ones((k, 1)),
    }


def _adam(g: Array, state: State, h: Params) -> Array:
    mean, square, scratch = state["mean"], state["square"], state["scratch"]
    state["power1"] *= h["beta1"]
    state["power2"] *= h["beta2"]
    _lerp(mean, g, h["beta1"], scratch)
    g *= g
    _lerp(square, g, h["beta2"], scratch)
    # both bias corrections go into the denominator: m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + eps)
    correction = 1 - state["power1"]
    np.sqrt(square, out=scratch)
    scratch *= (correction / np.sqrt(1 - state["power2"])).astype(g.dtype)
    scratch += (correction * h["epsilon"]).astype(g.dtype)
    np.divide(mean, scratch, out=g)
    return scratch


_DECAY = Number(0, 1, open_high=True)

OPTIMIZERS: dict[str, Optimizer] = {
    "sgd": Optimizer("plain gradient descent", _nothing, _sgd),
    "momentum": Optimizer(
        "heavy ball (Polyak 1964), or Nesterov's look-ahead (Sutskever et al. 2013)",
        _momentum_init,
        _momentum,
        {
            "momentum": Parameter(_DECAY, 0.9, "share of the velocity kept each step"),
            "nesterov": Parameter(Boolean(), False, "look ahead along the velocity"),
        },
    ),
    "adam": Optimizer(
        "Adam (Kingma and Ba, arXiv 1412.6980)",
        _adam_init,
        _adam,
        {
            "beta1": Parameter(_DECAY, 0.9, "decay of the mean of gradients"),
            "beta2": Parameter(_DECAY, 0.999, "decay of the mean of squared gradients"),
            "epsilon": Parameter(Number(0, open_low=True), 1e-8, "added to the root of the squares"),
        },
    ),
}
