"""Optimizers: pairs of functions over the parameters of several trials at once, in one table.

``init(theta)`` returns the state, a dict of arrays whose first axis is the trials. ``update(g, state, h)`` turns
the gradient ``g`` ``(k, p)``, in place, into the direction to descend; ``h`` holds the optimizer's parameters,
``(k, 1)``. ``denominator(state, h)`` returns, after an update, the number by which the average gradient was
divided: a scalar, ``(k, 1)`` or ``(k, p)``. The proximal step of l1 uses it: taken in the optimizer's own metric,
it ends at the same optimum for all of them.

Names in the state that begin with an underscore are scratch arrays, which no snapshot contains.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from automl.constraints import Boolean, Number, Parameter
from automl.descent.kernels import Array

__all__ = ["OPTIMIZERS", "Optimizer", "Params", "State"]

State = dict[str, Array]
Params = Mapping[str, Array]


@dataclass(frozen=True)
class Optimizer:
    """One row of the table.

    Parameters
    ----------
    init : callable
        ``theta (k, p) -> state``.
    update : callable
        ``(g, state, h)``; turns ``g`` into the direction, in place.
    parameters : mapping
        Name, rule and default of each parameter. ``weight_decay`` adds to that of the config.
    denominator : callable
        ``(state, h) -> divisor of the average gradient``.
    fused : bool
        Whether the kernel ``fused_step`` does the same update. It has the arrays ``sum``, ``squares``,
        ``power1`` and ``power2`` and the parameters ``beta1`` (or ``momentum``), ``beta2``, ``epsilon`` and
        ``nesterov``.
    """

    init: Callable[[Array], State]
    update: Callable[[Array, State, Params], None]
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    denominator: Callable[[State, Params], Array | float] = lambda state, h: 1.0
    fused: bool = False


def _state(*zeros: str, ones: tuple[str, ...] = ()) -> Callable[[Array], State]:
    """Return the `init` of a state of zeros ``(k, p)`` and of ones ``(k, 1)``, by name."""

    def init(theta: Array) -> State:
        found = {name: np.zeros_like(theta) for name in zeros}
        return found | {name: np.ones((len(theta), 1)) for name in ones}

    return init


def _sgd(g: Array, state: State, h: Params) -> None:
    """Plain gradient descent: the gradient is the direction."""


def _momentum(g: Array, state: State, h: Params) -> None:
    """Heavy ball (Polyak 1964), or Nesterov's look-ahead ``g + mu v`` (Sutskever et al. 2013)."""
    velocity, mu, nesterov = state["sum"], h["momentum"], h["nesterov"]
    velocity *= mu
    velocity += g
    if nesterov.any():
        # the plain direction is v alone
        g *= nesterov
        g += np.where(nesterov > 0, mu, 1) * velocity
    else:
        np.copyto(g, velocity)


def _adagrad(g: Array, state: State, h: Params) -> None:
    """Adagrad (Duchi et al. 2011): by the root of the sum of squares."""
    state["square"] += np.multiply(g, g, out=state["_scratch"])
    _divide(g, state, h)


def _rmsprop(g: Array, state: State, h: Params) -> None:
    """RMSprop (Hinton 2012): by the root of the mean of squares."""
    _average(state["square"], g, h["decay"], state["_scratch"])
    _divide(g, state, h)


def _average(mean: Array, g: Array, decay: Array, scratch: Array) -> None:
    """Replace ``mean`` by ``decay * mean + (1 - decay) * g^2``."""
    mean *= decay
    np.multiply(g, g, out=scratch)
    scratch *= 1 - decay
    mean += scratch


def _divide(g: Array, state: State, h: Params) -> None:
    """Divide the gradient by the root of its squares, which stays in ``_scratch``."""
    root = np.sqrt(state["square"], out=state["_scratch"])
    root += h["epsilon"]
    g /= root


def _adadelta(g: Array, state: State, h: Params) -> None:
    """Adadelta (Zeiler, arXiv 1212.5701); its own learning rate is 1."""
    _average(state["square"], g, h["decay"], state["_scratch"])
    state["_root"] = np.sqrt((state["square"] + h["epsilon"]) / (state["square_step"] + h["epsilon"]))
    g /= state["_root"]
    _average(state["square_step"], g, h["decay"], state["_scratch"])


def _corrections(state: State, h: Params) -> tuple[Array, Array]:
    """Count one step and return the divisors ``(k, 1)`` that make unbiased averages of both decaying sums.

    A sum ``b s + g`` is ``1 / (1 - b)`` times the usual mean ``b m + (1 - b) g``, and one pass cheaper.
    """
    state["power1"] *= h["beta1"]
    state["power2"] *= h["beta2"]
    return (1 - state["power1"]) / (1 - h["beta1"]), (1 - state["power2"]) / (1 - h["beta2"])


def _moments(g: Array, state: State, h: Params) -> tuple[Array, Array]:
    """Add the gradient and its square to the decaying sums; return their `_corrections`."""
    sums, squares, scratch = state["sum"], state["squares"], state["_scratch"]
    sums *= h["beta1"]
    sums += g
    squares *= h["beta2"]
    np.multiply(g, g, out=scratch)
    squares += scratch
    return _corrections(state, h)


def _root(square: Array, first: Array, second: Array, state: State, h: Params) -> Array:
    """Return ``first * (sqrt(square / second) + epsilon)``: both corrections in the denominator."""
    root = state["_scratch"]
    np.sqrt(square, out=root)
    root *= (first / np.sqrt(second)).astype(root.dtype)
    root += (first * h["epsilon"]).astype(root.dtype)
    return root


def _adam(g: Array, state: State, h: Params) -> None:
    """Adam (Kingma and Ba, arXiv 1412.6980), or AdamW (Loshchilov and Hutter, arXiv 1711.05101) by its own decay."""
    first, second = _moments(g, state, h)
    np.divide(state["sum"], _root(state["squares"], first, second, state, h), out=g)


def _adam_denominator(state: State, h: Params) -> Array:
    correction = (1 - h["beta1"]) / (1 - state["power1"])
    return np.asarray(state["_scratch"] * correction.astype(h["beta1"].dtype))


def _amsgrad(g: Array, state: State, h: Params) -> None:
    """AMSGrad (Reddi et al., arXiv 1904.09237): by the largest root so far."""
    first, second = _moments(g, state, h)
    largest = np.maximum(state["largest"], state["squares"], out=state["largest"])
    np.divide(state["sum"], _root(largest, first, second, state, h), out=g)


def _nadam(g: Array, state: State, h: Params) -> None:
    """Adam with Nesterov momentum (Dozat 2016)."""
    first, second = _moments(g, state, h)
    root = _root(state["squares"], first, second, state, h)
    # (b1 s / (1 - b1^(t+1)) + g / (1 - b1^t)) (1 - b1), of which `root` already divides by
    # (1 - b1^t) / (1 - b1)
    ahead = (1 - state["power1"] * h["beta1"]) / (1 - h["beta1"])
    g += state["sum"] * (h["beta1"] * first / ahead).astype(g.dtype)
    g /= root


def _lion(g: Array, state: State, h: Params) -> None:
    """Lion (Chen et al., arXiv 2302.06675): all steps have the same size, so l1 has no metric to follow."""
    mean, scratch = state["mean"], state["_scratch"]
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


# In single precision a gradient that should be zero is about 1e-8, and a smaller epsilon would make a step of it.
_ADAM = _betas(0.999) | _epsilon(1e-7)

_VELOCITY = {
    "momentum": Parameter(_DECAY, 0.9, "share of the velocity kept each step"),
    "nesterov": Parameter(Boolean(), False, "look ahead along the velocity"),
}
_OWN_DECAY = {"weight_decay": Parameter(Number(0), 0.01, "decay of weights, times the learning rate a step")}


def _scratch(state: State, h: Params) -> Array:
    return state["_scratch"]


_adam_init = _state("sum", "squares", "_scratch", ones=("power1", "power2"))
_largest_init = _state("sum", "squares", "largest", "_scratch", ones=("power1", "power2"))

OPTIMIZERS: dict[str, Optimizer] = {
    "sgd": Optimizer(_state(), _sgd, fused=True),
    "momentum": Optimizer(
        _state("sum"), _momentum, _VELOCITY, lambda state, h: 1 - h["momentum"], fused=True
    ),
    "adagrad": Optimizer(_state("square", "_scratch"), _adagrad, _epsilon(1e-7), _scratch),
    "adadelta": Optimizer(
        _state("square", "square_step", "_root", "_scratch"),
        _adadelta,
        {"decay": Parameter(_DECAY, 0.9, "decay of both means of squares")} | _epsilon(1e-6),
        lambda state, h: state["_root"],
    ),
    "rmsprop": Optimizer(
        _state("square", "_scratch"),
        _rmsprop,
        {"decay": Parameter(_DECAY, 0.9, "decay of the mean of squares")} | _epsilon(1e-7),
        _scratch,
    ),
    "adam": Optimizer(_adam_init, _adam, _ADAM, _adam_denominator, fused=True),
    "amsgrad": Optimizer(_largest_init, _amsgrad, _ADAM, _adam_denominator),
    "nadam": Optimizer(_adam_init, _nadam, _ADAM, _adam_denominator),
    "adamw": Optimizer(_adam_init, _adam, _ADAM | _OWN_DECAY, _adam_denominator, fused=True),
    "lion": Optimizer(_state("mean", "_scratch"), _lion, _betas(0.99)),
}
