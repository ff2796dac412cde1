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


def _adagrad_init(theta: Array) -> State:
    return {"square": np.zeros_like(theta), "scratch": np.empty_like(theta)}


def _adagrad(g: Array, state: State, h: Params) -> Array:
    square, root = state["square"], state["scratch"]
    np.multiply(g, g, out=root)
    square += root
    np.sqrt(square, out=root)
    root += h["epsilon"]
    g /= root
    return root


def _rmsprop(g: Array, state: State, h: Params) -> Array:
    square, root = state["square"], state["scratch"]
    square *= h["decay"]
    np.multiply(g, g, out=root)
    root *= 1 - h["decay"]
    square += root
    np.sqrt(square, out=root)
    root += h["epsilon"]
    g /= root
    return root


def _adadelta_init(theta: Array) -> State:
    return {
        "square": np.zeros_like(theta),
        "square_step": np.zeros_like(theta),
        "scratch": np.empty_like(theta),
    }


def _adadelta(g: Array, state: State, h: Params) -> Array:
    square, square_step, scratch = state["square"], state["square_step"], state["scratch"]
    _lerp(square, g * g, h["decay"], scratch)
    denominator = np.sqrt((square + h["epsilon"]) / (square_step + h["epsilon"]))
    g /= denominator
    _lerp(square_step, g * g, h["decay"], scratch)
    return np.asarray(denominator)


def _adam_init(theta: Array) -> State:
    k = len(theta)
    return {
        "mean": np.zeros_like(theta),
        "square": np.zeros_like(theta),
        "scratch": np.empty_like(theta),
        "power1": np.ones((k, 1)),
        "power2": np.ones((k, 1)),
    }


def _moments(g: Array, state: State, h: Params) -> tuple[Array, Array]:
    """Update the averages of the gradient and of its square; return what corrects their start at zero."""
    mean, scratch = state["mean"], state["scratch"]
    state["power1"] *= h["beta1"]
    state["power2"] *= h["beta2"]
    _lerp(mean, g, h["beta1"], scratch)
    square = state["square"]
    square *= h["beta2"]
    np.multiply(g, g, out=scratch)
    scratch *= 1 - h["beta2"]
    square += scratch
    return 1 - state["power1"], 1 - state["power2"]


def _root(square: Array, first: Array, second: Array, state: State, h: Params) -> Array:
    """Return ``first * (sqrt(square / second) + epsilon)``: both corrections in the denominator."""
    root = state["scratch"]
    np.sqrt(square, out=root)
    root *= (first / np.sqrt(second)).astype(root.dtype)
    root += (first * h["epsilon"]).astype(root.dtype)
    return root


def _adam(g: Array, state: State, h: Params) -> Array:
    first, second = _moments(g, state, h)
    root = _root(state["square"], first, second, state, h)
    np.divide(state["mean"], root, out=g)
    return root


def _amsgrad_init(theta: Array) -> State:
    return _adam_init(theta) | {"largest": np.zeros_like(theta)}


def _amsgrad(g: Array, state: State, h: Params) -> Array:
    first, second = _moments(g, state, h)
    np.maximum(state["largest"], state["square"], out=state["largest"])
    root = _root(state["largest"], first, second, state, h)
    np.divide(state["mean"], root, out=g)
    return root


def _nadam(g: Array, state: State, h: Params) -> Array:
    first, second = _moments(g, state, h)
    root = _root(state["square"], first, second, state, h)
    # b1 m / (1 - b1^(t+1)) + (1 - b1) g / (1 - b1^t); `root` already divides by 1 - b1^t
    g *= 1 - h["beta1"]
    g += state["mean"] * (h["beta1"] * first / (1 - state["power1"] * h["beta1"])).astype(g.dtype)
    g /= root
    return root


def _lion_init(theta: Array) -> State:
    return {"mean": np.zeros_like(theta), "scratch": np.empty_like(theta)}


def _lion(g: Array, state: State, h: Params) -> float:
    mean, scratch = state["mean"], state["scratch"]
    np.subtract(mean, g, out=scratch)
    scratch *= h["beta1"]
    scratch += g
    np.subtract(g, mean, out=g)
    g *= 1 - h["beta2"]
    mean += g
    np.sign(scratch, out=g)
    return 1.0


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
    "adagrad": Optimizer("Adagrad (Duchi et al. 2011)", _adagrad_init, _adagrad, _epsilon(1e-7)),
    "adadelta": Optimizer(
        "Adadelta (Zeiler, arXiv 1212.5701); its own learning rate is 1",
        _adadelta_init,
        _adadelta,
        {"decay": Parameter(_DECAY, 0.9, "decay of both means of squares")} | _epsilon(1e-6),
    ),
    "rmsprop": Optimizer(
        "RMSprop (Hinton 2012)",
        _adagrad_init,
        _rmsprop,
        {"decay": Parameter(_DECAY, 0.9, "decay of the mean of squares")} | _epsilon(1e-7),
    ),
    "adam": Optimizer("Adam (Kingma and Ba, arXiv 1412.6980)", _adam_init, _adam, _ADAM),
    "amsgrad": Optimizer("AMSGrad (Reddi et al., arXiv 1904.09237)", _amsgrad_init, _amsgrad, _ADAM),
    "nadam": Optimizer("Adam with Nesterov momentum (Dozat 2016)", _adam_init, _nadam, _ADAM),
    "adamw": Optimizer(
        "Adam with decoupled weight decay (Loshchilov and Hutter, arXiv 1711.05101)",
        _adam_init,
        _adam,
        _ADAM
        | {"weight_decay": Parameter(Number(0), 0.01, "decay of weights, times the learning rate a step")},
    ),
    "lion": Optimizer(
        "Lion (Chen et al., arXiv 2302.06675); steps of one size, so l1 has no metric to follow",
        _lion_init,
        _lion,
        _betas(0.99),
    ),
}
"""A parameter ``weight_decay`` of a row adds to the recipe's own."""
