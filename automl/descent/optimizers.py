"""Optimizers: pairs of functions over the parameters of several trials at once, in one table.

``init(theta)`` returns the state, a dict of arrays whose first axis is the trials. ``update(g, state, h)``
turns the gradient ``g`` ``(k, p)``, in place, into the direction to go down; ``h`` holds the optimizer's
parameters, ``(k, 1)``. ``denominator(state, h)`` tells, after an update, what the average gradient was
divided by to become that direction: a number, ``(k, 1)`` or ``(k, p)``. The proximal step of l1 wants it:
taken in the optimizer's own metric, it ends at the same optimum for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from automl.constraints import Boolean, Number, Parameter
from automl.descent.arrays import Array

__all__ = ["OPTIMIZERS", "Optimizer", "Params", "State", "adam", "corrections"]

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
        ``(g, state, h)``; ``g`` becomes the direction in place.
    denominator : callable
        ``(state, h) -> what the average gradient was divided by``.
    parameters : mapping
        Name, rule and default of each parameter.
    """

    about: str
    init: Callable[[Array], State]
    update: Callable[[Array, State, Params], None]
    denominator: Callable[[State, Params], Array | float]
    parameters: Mapping[str, Parameter] = field(default_factory=dict)


def _lerp(average: Array, value: Array, decay: Array, scratch: Array) -> None:
    """Let ``average`` be ``decay * average + (1 - decay) * value``."""
    np.subtract(value, average, out=scratch)
    scratch *= 1 - decay
    average += scratch


def _nothing(theta: Array) -> State:
    return {}


def _sgd(g: Array, state: State, h: Params) -> None:
    pass


def _one(state: State, h: Params) -> float:
    return 1.0


def _momentum_init(theta: Array) -> State:
    return {"velocity": np.zeros_like(theta)}


def _momentum(g: Array, state: State, h: Params) -> None:
    velocity, mu, nesterov = state["velocity"], h["momentum"], h["nesterov"]
    velocity *= mu
    velocity += g
    if nesterov.any():
        # Nesterov's look-ahead g + mu v; the plain direction is v alone
        g *= nesterov
        g += np.where(nesterov > 0, mu, 1) * velocity
    else:
        np.copyto(g, velocity)


def _momentum_denominator(state: State, h: Params) -> Array:
    return 1 - h["momentum"]


def _adagrad_init(theta: Array) -> State:
    return {"square": np.zeros_like(theta), "scratch": np.empty_like(theta)}


def _adagrad(g: Array, state: State, h: Params) -> None:
    square, root = state["square"], state["scratch"]
    np.multiply(g, g, out=root)
    square += root
    np.sqrt(square, out=root)
    root += h["epsilon"]
    g /= root


def _scratch(state: State, h: Params) -> Array:
    return state["scratch"]


def _rmsprop(g: Array, state: State, h: Params) -> None:
    square, root = state["square"], state["scratch"]
    square *= h["decay"]
    np.multiply(g, g, out=root)
    root *= 1 - h["decay"]
    square += root
    np.sqrt(square, out=root)
    root += h["epsilon"]
    g /= root


def _adadelta_init(theta: Array) -> State:
    return {
        "square": np.zeros_like(theta),
        "square_step": np.zeros_like(theta),
        "root": np.empty_like(theta),
        "scratch": np.empty_like(theta),
    }


def _adadelta(g: Array, state: State, h: Params) -> None:
    square, square_step, scratch = state["square"], state["square_step"], state["scratch"]
    _lerp(square, g * g, h["decay"], scratch)
    state["root"] = np.sqrt((square + h["epsilon"]) / (square_step + h["epsilon"]))
    g /= state["root"]
    _lerp(square_step, g * g, h["decay"], scratch)


def _adadelta_denominator(state: State, h: Params) -> Array:
    return state["root"]


def _adam_init(theta: Array) -> State:
    k = len(theta)
    return {
        "sum": np.zeros_like(theta),
        "squares": np.zeros_like(theta),
        "scratch": np.empty_like(theta),
        "power1": np.ones((k, 1)),
        "power2": np.ones((k, 1)),
    }


def corrections(state: State, h: Params) -> tuple[Array, Array]:
    """Count one more step and return what divides each decaying sum ``(k, 1)`` to an unbiased average.

    A sum ``b s + g`` is ``1 / (1 - b)`` times the usual mean ``b m + (1 - b) g``, and a pass shorter.
    """
    state["power1"] *= h["beta1"]
    state["power2"] *= h["beta2"]
    return (1 - state["power1"]) / (1 - h["beta1"]), (1 - state["power2"]) / (1 - h["beta2"])


def _moments(g: Array, state: State, h: Params) -> tuple[Array, Array]:
    """Add the gradient and its square to the decaying sums; return their `corrections`."""
    sums, squares, scratch = state["sum"], state["squares"], state["scratch"]
    sums *= h["beta1"]
    sums += g
    squares *= h["beta2"]
    np.multiply(g, g, out=scratch)
    squares += scratch
    return corrections(state, h)


def _root(square: Array, first: Array, second: Array, state: State, h: Params) -> Array:
    """Return ``first * (sqrt(square / second) + epsilon)``: both corrections in the denominator."""
    root = state["scratch"]
    np.sqrt(square, out=root)
    root *= (first / np.sqrt(second)).astype(root.dtype)
    root += (first * h["epsilon"]).astype(root.dtype)
    return root


def adam(g: Array, state: State, h: Params) -> None:
    """Turn the gradient into Adam's direction."""
    first, second = _moments(g, state, h)
    root = _root(state["squares"], first, second, state, h)
    np.divide(state["sum"], root, out=g)


def _adam_denominator(state: State, h: Params) -> Array:
    correction = (1 - h["beta1"]) / (1 - state["power1"])
    return np.asarray(state["scratch"] * correction.astype(h["beta1"].dtype))


def _amsgrad_init(theta: Array) -> State:
    return _adam_init(theta) | {"largest": np.zeros_like(theta)}


def _amsgrad(g: Array, state: State, h: Params) -> None:
    first, second = _moments(g, state, h)
    np.maximum(state["largest"], state["squares"], out=state["largest"])
    root = _root(state["largest"], first, second, state, h)
    np.divide(state["sum"], root, out=g)


def _nadam(g: Array, state: State, h: Params) -> None:
    first, second = _moments(g, state, h)
    root = _root(state["squares"], first, second, state, h)
    # (b1 s / (1 - b1^(t+1)) + g / (1 - b1^t)) (1 - b1), of which `root` already divides by (1 - b1^t) / (1 -
    # b1)
    ahead = (1 - state["power1"] * h["beta1"]) / (1 - h["beta1"])
    g += state["sum"] * (h["beta1"] * first / ahead).astype(g.dtype)
    g /= root


def _lion_init(theta: Array) -> State:
    return {"mean": np.zeros_like(theta), "scratch": np.empty_like(theta)}


def _lion(g: Array, state: State, h: Params) -> None:
    mean, scratch = state["mean"], state["scratch"]
    np.subtract(mean, g, out=scratch)
    scratch *= h["beta1"]
    scratch += g
    np.subtract(g, mean, out=g)
    g *= 1 - h["beta2"]
    mean += g
    np.sign(scratch, out=g)


_DECAY = Number(0, 1, open_high=True)


def _epsilon(default: float) -> dict[str, Parameter]:
    return {"epsilon": Parameter(Number(0, open_low=True), default, "added to the root of the squares")}


def _betas(beta2: float) -> dict[str, Parameter]:
    return {
        "beta1": Parameter(_DECAY, 0.9, "decay of the mean of gradients"),
        "beta2": Parameter(_DECAY, beta2, "decay of the second mean"),
    }


# In single precision a gradient that should be zero is some 1e-8, which a smaller epsilon would blow up into
# a step.
_ADAM = _betas(0.999) | _epsilon(1e-7)

OPTIMIZERS: dict[str, Optimizer] = {
    "sgd": Optimizer("plain gradient descent", _nothing, _sgd, _one),
    "momentum": Optimizer(
        "heavy ball (Polyak 1964), or Nesterov's look-ahead (Sutskever et al. 2013)",
        _momentum_init,
        _momentum,
        _momentum_denominator,
        {
            "momentum": Parameter(_DECAY, 0.9, "share of the velocity kept each step"),
            "nesterov": Parameter(Boolean(), False, "look ahead along the velocity"),
        },
    ),
    "adagrad": Optimizer("Adagrad (Duchi et al. 2011)", _adagrad_init, _adagrad, _scratch, _epsilon(1e-7)),
    "adadelta": Optimizer(
        "Adadelta (Zeiler, arXiv 1212.5701); its own learning rate is 1",
        _adadelta_init,
        _adadelta,
        _adadelta_denominator,
        {"decay": Parameter(_DECAY, 0.9, "decay of both means of squares")} | _epsilon(1e-6),
    ),
    "rmsprop": Optimizer(
        "RMSprop (Hinton 2012)",
        _adagrad_init,
        _rmsprop,
        _scratch,
        {"decay": Parameter(_DECAY, 0.9, "decay of the mean of squares")} | _epsilon(1e-7),
    ),
    "adam": Optimizer("Adam (Kingma and Ba, arXiv 1412.6980)", _adam_init, adam, _adam_denominator, _ADAM),
    "amsgrad": Optimizer(
        "AMSGrad (Reddi et al., arXiv 1904.09237)", _amsgrad_init, _amsgrad, _adam_denominator, _ADAM
    ),
    "nadam": Optimizer(
        "Adam with Nesterov momentum (Dozat 2016)", _adam_init, _nadam, _adam_denominator, _ADAM
    ),
    "adamw": Optimizer(
        "Adam with decoupled weight decay (Loshchilov and Hutter, arXiv 1711.05101)",
        _adam_init,
        adam,
        _adam_denominator,
        _ADAM
        | {"weight_decay": Parameter(Number(0), 0.01, "decay of weights, times the learning rate a step")},
    ),
    "lion": Optimizer(
        "Lion (Chen et al., arXiv 2302.06675); steps of one size, so l1 has no metric to follow",
        _lion_init,
        _lion,
        _one,
        _betas(0.99),
    ),
}
"""A parameter ``weight_decay`` of a row adds to the recipe's own."""
