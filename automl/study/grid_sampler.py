"""A sampler of points that are listed before the search, such as a grid."""

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
from automl.study.optuna_private import grid_of

__all__ = ["FixedPointSampler"]

_MAX_POINTS = 20_000  # a larger grid cannot be searched


class FixedPointSampler(RandomSampler):
    """A list of points to try in random order; other parameters are drawn at random.

    Parameters
    ----------
    points : iterable of dict
        Optuna's parameters of each point.
    seed : int
        The seed of their order. They are shuffled, so that a search that ends early has tried all regions.
    structural : callable
        Whether trials must be equal in a parameter to train together.
    """

    def __init__(
        self, points: Iterable[Mapping[str, Any]], seed: int, structural: Callable[[str], bool]
    ) -> None:
        super().__init__(seed)
        listed = list(points)
        self.points = [dict(listed[i]) for i in np.random.default_rng(seed).permutation(len(listed))]
        self._structural = structural
        self._left = dict.fromkeys(range(len(self.points)))
        self._by_structure: dict[str, list[int]] = {}
        for position in reversed(self._left):
            structure = self._structure(self.points[position])
            self._by_structure.setdefault(structure, []).append(position)

    def take(self, like: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
        """Return the next point, of the same structure as ``like`` if given; None if none is left."""
        if like is None:
            first = next(iter(self._left), None)
            if first is None:
                return None
            like = self.points[first]
        positions = self._by_structure.get(self._structure(like))
        if not positions:
            return None
        position = positions.pop()
        del self._left[position]
        return self.points[position]

    def _structure(self, point: Mapping[str, Any]) -> str:
        return repr(sorted((name, value) for name, value in point.items() if self._structural(name)))

    @classmethod
    def of_grid(cls, space: Space, seed: int, resolution: float) -> FixedPointSampler:
        """Make a grid over a space, with ``resolution`` values of each range.

        Raises
        ------
        SettingError
            If the resolution is not a whole number, or the grid has too many points.
        """
        if resolution < 1 or resolution != int(resolution):
            rule = "needs a whole number of values for each range"
            raise SettingError(Fault("sampler", rule, f'"grid:{resolution:g}"', "Write grid:5."))
        configurations = list(islice(space.grid(int(resolution)), _MAX_POINTS + 1))
        if len(configurations) > _MAX_POINTS:
            came = f"more than that, with {resolution:g} values a range"
            advice = "Narrow the space, take fewer values (grid:2), or another sampler."
            rule = f"a grid must have at most {_MAX_POINTS:,} points"
            raise SettingError(Fault("sampler", rule, came, advice))
        return cls(map(space.to_trial, configurations), seed, space.structural)

    @classmethod
    def of_sampler(cls, sampler: GridSampler, seed: int, space: Space) -> FixedPointSampler:
        """Take the points of Optuna's grid sampler.

        Raises
        ------
        SettingError
            If the grid lacks a parameter of the space, or has a value outside the space.
        """
        grid = grid_of(sampler)
        found: dict[str, dict[str, Any]] = {}
        for values in product(*grid.values()):
            point = dict(zip(grid, values, strict=True))
            trial = FixedTrial(point)
            if not space.forbidden(_configuration(space, trial)):
                # Points that differ in the parameters of another branch alone are the same.
                found.setdefault(repr(sorted(trial.params.items())), trial.params)
            if len(found) > _MAX_POINTS:
                rule = f"a grid must have at most {_MAX_POINTS:,} points"
                raise SettingError(Fault("sampler", rule, "more"))
        return cls(found.values(), seed, space.structural)


def _configuration(space: Space, trial: FixedTrial) -> dict[str, Any]:
    """Return the configuration of a point, or raise the error that the space finds in it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Optuna only warns of a value out of range
            return space.suggest(trial)
    except (ValueError, UserWarning) as error:
        rule = "a grid must have a value of the space for every parameter it asks for"
        raise SettingError(
            Fault("sampler", rule, f"a grid with an error: {str(error).rstrip('.')}")
        ) from error
