"""From gradient to step: clipping, penalties and the optimizer, for neighbouring trials at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from itertools import groupby

import numpy as np
from typing_extensions import override

from automl.descent.accelerated import fastest
from automl.descent.arrays import Array
from automl.descent.config import TrainConfig
from automl.descent.optimizers import OPTIMIZERS, State

__all__ = ["OneKind", "Stepper", "given", "stepper_of", "steppers"]


_NOTHING = 1e-30
_SETTLE = 128  # steps after which what has decayed to nothing is set to zero
_CACHED_FLOATS = 1 << 15


class Stepper(ABC):
    """Steps the parameters of neighbouring trials.

    Parameters
    ----------
    theta : ndarray of shape (k, p)
        Their parameters, to shape the state after.

    Attributes
    ----------
    steps : int
        Steps done.
    """

    def __init__(self, theta: Array) -> None:
        self.part, self.steps = slice(0, len(theta)), 0
        self.state = self.start(theta)

    @abstractmethod
    def start(self, theta: Array) -> State:
        """Return the state before the first step: arrays whose first axis is the trials."""

    @abstractmethod
    def follow(self, configs: Sequence[TrainConfig], mask: Array) -> None:
        """Lay out what the configs of the bound trials say; ``mask`` as in `bind`."""

    @abstractmethod
    def step(self, rates: Array) -> None:
        """Go down the gradient with a group's learning rates ``(k, 1)``, or the same spread out ``(k, p)``.

        The gradient is used up.
        """

    def names(self, i: int) -> Mapping[str, str]:
        """Return the names that the optimizer of one of the trials has for its state, and those in `state`."""
        return {name: name for name in self.state}

    def state_of(self, i: int) -> State:
        """Return a copy of the state of one of the trials."""
        return {name: self.state[own][i].copy() for name, own in self.names(i).items()}

    def restore(self, i: int, state: State) -> None:
        """Go on with one of the trials from there; what is missing stays."""
        for name, own in self.names(i).items():
            if name in state:
                self.state[own][i] = state[name]

    def select(self, mask: Array) -> None:
        """Keep the trials where ``mask`` ``(k,)`` is true."""
        self.state = {name: array[mask] for name, array in self.state.items()}
        self.part = slice(0, int(mask.sum()))

    def bind(
        self, first: int, configs: Sequence[TrainConfig], theta: Array, gradient: Array, mask: Array
    ) -> None:
        """Work on the slots from ``first`` of a group's arrays ``(k, p)`` from here on.

        ``mask`` ``(p,)`` tells which parameters are penalised.
        """
        self.part = part = slice(first, first + self.part.stop - self.part.start)
        self.theta, self.gradient = theta[part], gradient[part]
        self.follow(configs[part], mask)

    @property
    def due(self) -> int:
        """Steps until `count` sets to zero what has decayed to nothing."""
        return _SETTLE - self.steps % _SETTLE

    def count(self, steps: int) -> None:
        """Take note of steps, at most as many as are `due`.

        A weight that is penalised, and the averages of one whose gradient is zero, such as those of a dead unit, end
        below the normal range of single precision, stay there, and make every pass over them many times slower.
        """
        self.steps += steps
        if self.steps % _SETTLE == 0:
            for array in (self.theta, *self.state.values()):
                array[np.abs(array) < _NOTHING] = 0


class OneKind(Stepper):
    """Steps trials of one optimizer, a key of `OPTIMIZERS`."""

    def __init__(self, kind: str, theta: Array) -> None:
        self._optimizer = OPTIMIZERS[kind]
        super().__init__(theta)

    @override
    def start(self, theta: Array) -> State:
        return self._optimizer.init(theta)

    @override
    def follow(self, configs: Sequence[TrainConfig], mask: Array) -> None:
        self._scratch = np.empty_like(self.theta)
        rows = [given(config) for config in configs]
        self._params = {
            name: np.array([row[name] for row in rows], np.float32)[:, None]
            for name in self._optimizer.parameters
        }
        self._l1 = _penalty([config.l1 for config in configs], mask)
        self._l2 = _penalty([config.l2 for config in configs], mask)
        decays = [
            config.weight_decay + row.get("weight_decay", 0)
            for config, row in zip(configs, rows, strict=True)
        ]
        self._decay = _penalty(decays, mask)
        clip = np.array([np.inf if r.clip_norm is None else r.clip_norm for r in configs], np.float32)
        self._clip = clip[:, None] if np.isfinite(clip).any() else None

    @override
    def step(self, rates: Array) -> None:
        theta, gradient, scratch, rate = self.theta, self.gradient, self._scratch, rates[self.part]
        if self._clip is not None:
            norm = np.sqrt(np.vecdot(gradient, gradient))[:, None]
            gradient *= np.minimum(self._clip / np.maximum(norm, np.float32(1e-30)), 1)
        if self._l2 is not None:
            np.multiply(theta, self._l2, out=scratch)
            gradient += scratch
        if self._decay is not None:
            np.multiply(theta, self._decay, out=scratch)
            scratch *= rate
            theta -= scratch
        self._optimizer.update(gradient, self.state, self._params)
        gradient *= rate
        theta -= gradient
        if self._l1 is not None:
            denominator = self._optimizer.denominator(self.state, self._params)
            _shrink(theta, self._l1 * rate / denominator)
        self.count(1)


@cache
def stepper_of(optimizer: str) -> Callable[[Array], Stepper]:
    """Return what makes a stepper for parameters ``(k, p)``; optimizers with the same one go together."""
    return partial(OneKind, optimizer)


def steppers(configs: Sequence[TrainConfig], theta: Array) -> Iterator[Stepper]:
    """Yield a stepper for each run of like optimizers among the configs of ``theta`` ``(k, p)``.

    Of large models each has only as many trials as stay in the cache with their state.
    """
    most, start, stepper = max(1, _CACHED_FLOATS // theta.shape[1]), 0, fastest(stepper_of)
    for make, run in groupby(stepper(config.optimizer) for config in configs):
        stop = start + len(list(run))
        for first in range(start, stop, most):
            yield make(theta[first : min(first + most, stop)])
        start = stop


def given(config: TrainConfig) -> dict[str, float]:
    """Return the parameters of a config's optimizer, defaults filled in."""
    rules = OPTIMIZERS[config.optimizer].parameters
    return {name: config.optimizer_params.get(name, rule.default) for name, rule in rules.items()}


def _shrink(theta: Array, threshold: Array) -> None:
    """Move ``theta`` towards zero by ``threshold`` and stop there: the proximal step of l1."""
    size = np.abs(theta)
    size -= threshold
    np.maximum(size, 0, out=size)
    np.copysign(size, theta, out=theta)


def _penalty(strengths: list[float], mask: Array) -> Array | None:
    """Return strengths ``(k, p)``, zero outside the mask, or None where all are zero."""
    if not np.any(strengths):
        return None
    return np.asarray(np.array(strengths, np.float32)[:, None] * mask.astype(np.float32))
