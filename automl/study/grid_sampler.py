"""Points that are laid out before the search, and taken one after the other."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from itertools import islice, product
from typing import Any

import numpy as np
from optuna.samplers import GridSampler, RandomSampler
from optuna.trial import FixedTrial

from automl.errors import Fault, SettingError
from automl.space import Space

__all__ = ["Points"]

_MOST = 20_000  # points of a grid; more will never be trained


class Points(RandomSampler):
    """A list of points to take, in an order of their own; what else is asked for is random.

    Parameters
    ----------
    points : iterable of dict
        Optuna's parameters of each.
    seed : int
        What their order follows from. They are shuffled, so that a search that ends early has seen something of
        every corner.
    structural : callable
        Which of the parameters must be equal for trials to train together.
    """

    def __init__(
        self, points: Iterable[Mapping[str, Any]], seed: int, structural: Callable[[str], bool]
    ) -> None:
        super().__init__(seed)
        listed = list(points)
        self.points = [dict(listed[i]) for i in np.random.default_rng(seed).permutation(len(listed))]
        self._structural = structural
        self._left = dict.fromkeys(range(len(self.points)))
        self._alike: dict[str, list[int]] = {}
        for position in reversed(self._left):
            self._alike.setdefault(self._structure(self.points[position]), []).append(position)

    def take(self, like: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
        """Return the next point, of the same structure as another if one is given; None where there is none left."""
        if like is None:
            first = next(iter(self._left), None)
            if first is None:
                return None
            like = self.points[first]
        alike = self._alike.get(self._structure(like))
        if not alike:
            return None
        position = alike.pop()
        del self._left[position]
        return self.points[position]

    def _structure(self, point: Mapping[str, Any]) -> str:
        return repr(sorted((name, value) for name, value in point.items() if self._structural(name)))

    @classmethod
    def of_grid(cls, space: Space, seed: int, resolution: float) -> Points:
        """Lay a grid over a space, ``resolution`` values for each range.

        Raises
        ------
        SettingError
            If the grid has too many points to be a search.
        """
        if resolution < 1 or resolution != int(resolution):
            rule = "needs a whole number of values for each range"
            raise SettingError(Fault("sampler", rule, f'"grid:{resolution:g}"', "Write grid:5."))
        configurations = list(islice(space.grid(int(resolution)), _MOST + 1))
        if len(configurations) > _MOST:
            came = f"more than that, with {resolution:g} values a range"
            advice = "Narrow the space, take fewer values (grid:2), or another sampler."
            raise SettingError(Fault("sampler", f"a grid must have at most {_MOST:,} points", came, advice))
        return cls(map(space.to_trial, configurations), seed, space.structural)

    @classmethod
    def of_sampler(cls, sampler: GridSampler, seed: int, space: Space) -> Points:
        """Take the points of Optuna's own grid.

        Raises
        ------
        SettingError
            If a parameter that the space asks for is not in the grid, or a value is not in the space.
        """
        grid: dict[str, list[Any]] = sampler._search_space
        found: dict[str, dict[str, Any]] = {}
        for values in product(*grid.values()):
            point = dict(zip(grid, values, strict=True))
            trial = FixedTrial(point)
            if not space.forbidden(_configuration(space, trial)):
                # Points that differ in what another branch would ask for are the same.
                found.setdefault(repr(sorted(trial.params.items())), trial.params)
            if len(found) > _MOST:
                raise SettingError(Fault("sampler", f"a grid must have at most {_MOST:,} points", "more"))
        return cls(found.values(), seed, space.structural)


def _configuration(space: Space, trial: FixedTrial) -> dict[str, Any]:
    """Return what the space makes of a point, or say what is wrong with it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Optuna warns of a value out of range, and takes it
            return space.suggest(trial)
    except (ValueError, UserWarning) as error:
        rule = "a grid must have a value of the space for every parameter it asks for"
        raise SettingError(
            Fault("sampler", rule, f"one of which Optuna says: {str(error).rstrip('.')}")
        ) from error
