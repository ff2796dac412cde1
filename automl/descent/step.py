"""From gradient to step: clipping, penalties and the optimizer, for neighbouring trials at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np

from automl.descent.accelerated import fastest
from automl.descent.arrays import Array
from automl.descent.optimizers import OPTIMIZERS, State
from automl.descent.recipe import Recipe

__all__ = ["Stepper", "descend", "pull", "steppers"]


_NOTHING = 1e-30
_SETTLE = 128  # steps after which what has decayed to nothing is set to zero
_CACHED_FLOATS = 1 << 15


class Stepper:
    """Steps the parameters of neighbouring trials of one optimizer.

    Parameters
    ----------
    kind : str
        A key of `OPTIMIZERS`.
    theta : ndarray of shape (k, p)
        Their parameters, to shape the state after.

    Attributes
    ----------
    steps : int
        Steps done.
    """

    def __init__(self, kind: str, theta: Array) -> None:
        self._optimizer = OPTIMIZERS[kind]
        self._update, self._pull = fastest(self._optimizer.update), fastest(pull)
        self._descend = fastest(descend)
        self.state: State = self._optimizer.init(theta)
        self.part = slice(0, len(theta))
        self.steps = 0

    def take(self, mask: Array) -> None:
        """Keep the trials where ``mask`` ``(k,)`` is true."""
        self.state = {name: array[mask] for name, array in self.state.items()}
        self.part = slice(0, int(mask.sum()))

    def bind(self, first: int, recipes: Sequence[Recipe], theta: Array, gradient: Array, mask: Array) -> None:
        """Work on the slots from ``first`` of a lane's arrays ``(k, p)`` from here on.

        ``mask`` ``(p,)`` tells which parameters are penalised.
        """
        self.part = part = slice(first, first + self.part.stop - self.part.start)
        self._theta, self._gradient = theta[part], gradient[part]
        self._scratch = np.empty_like(self._theta)
        recipes = recipes[part]
        given = [recipe.optimizer_params for recipe in recipes]
        self._params = {
            name: np.array([params.get(name, rule.default) for params in given], np.float32)[:, None]
            for name, rule in self._optimizer.parameters.items()
        }
        self._l1 = _penalty([recipe.l1 for recipe in recipes], mask)
        self._l2 = _penalty([recipe.l2 for recipe in recipes], mask)
        own = self._params.get("weight_decay", np.zeros((len(recipes), 1)))[:, 0]
        self._decay = _penalty([recipe.weight_decay for recipe in recipes] + own, mask)
        clip = np.array([np.inf if r.clip_norm is None else r.clip_norm for r in recipes], np.float32)
        self._clip = clip[:, None] if np.isfinite(clip).any() else None

    def step(self, rates: Array) -> None:
        """Go down the gradient with a lane's learning rates ``(k, 1)``; the gradient is used up."""
        theta, gradient, scratch, rate = self._theta, self._gradient, self._scratch, rates[self.part]
        if self._clip is not None:
            norm = np.sqrt(np.vecdot(gradient, gradient))[:, None]
            gradient *= np.minimum(self._clip / np.maximum(norm, np.float32(1e-30)), 1)
        if self._l2 is not None:
            self._pull(gradient, theta, self._l2, scratch)
        if self._decay is not None:
            np.multiply(theta, self._decay, out=scratch)
            scratch *= rate
            theta -= scratch
        self._update(gradient, self.state, self._params)
        self._descend(theta, gradient, rate)
        if self._l1 is not None:
            denominator = self._optimizer.denominator(self.state, self._params)
            _shrink(theta, self._l1 * rate / denominator)
        self.steps += 1
        if self.steps % _SETTLE == 0:
            self._settle()

    def _settle(self) -> None:
        """Set to zero what has decayed to nothing.

        A weight that is penalised, and the averages of one whose gradient is zero, such as those of a dead unit, end
        below the normal range of single precision, stay there, and make every pass over them many times slower.
        """
        for array in (self._theta, *self.state.values()):
            array[np.abs(array) < _NOTHING] = 0


def steppers(recipes: Sequence[Recipe], theta: Array) -> Iterator[Stepper]:
    """Yield a stepper for each run of equal optimizers among the recipes of ``theta`` ``(k, p)``.

    Of large models each has only as many trials as stay in the cache with their state.
    """
    most, start = max(1, _CACHED_FLOATS // theta.shape[1]), 0
    for kind, run in groupby(recipe.optimizer for recipe in recipes):
        stop = start + len(list(run))
        for first in range(start, stop, most):
            yield Stepper(kind, theta[first : min(first + most, stop)])
        start = stop


def pull(gradient: Array, theta: Array, l2: Array, scratch: Array) -> None:
    """Add the ridge penalty's gradient ``l2 * theta``, all ``(k, p)``."""
    np.multiply(theta, l2, out=scratch)
    gradient += scratch


def descend(theta: Array, gradient: Array, rate: Array) -> None:
    """Go down: ``theta - rate * gradient`` with rates ``(k, 1)``, or the same spread out ``(k, p)``."""
    gradient *= rate
    theta -= gradient


def _shrink(theta: Array, threshold: Array) -> None:
    """Move ``theta`` towards zero by ``threshold`` and stop there: the proximal step of l1."""
    size = np.abs(theta)
    size -= threshold
    np.maximum(size, 0, out=size)
    np.copysign(size, theta, out=theta)


def _penalty(strengths: Array | list[float], mask: Array) -> Array | None:
    """Return strengths ``(k, p)``, zero outside the mask, or None where all are zero."""
    if not np.any(strengths):
        return None
    return np.asarray(np.asarray(strengths, np.float32)[:, None] * mask.astype(np.float32))
