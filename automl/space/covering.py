"""Few configurations in which every two values of a tree meet: what to try to find those that do not go together."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from itertools import combinations
from typing import Any, TypeAlias

import numpy as np

from automl.space.index import Spot, spots
from automl.space.nodes import Branches, Choices, Constant, Group, Node, Range, join

__all__ = ["Covering", "Point"]

_MOST_ASKED = 2  # times that two values are tried again after they did not train
_MOST_VALUES = 16  # of one key; of more, as many are taken, spread evenly and both ends among them

Point: TypeAlias = dict[int, int]
"""A configuration: the position of a value for each position of a spot that occurs."""


class Covering:
    """The spots of a tree with the values to try: all choices, and the ends of ranges.

    Parameters
    ----------
    root : Group
        The tree.
    refused : callable
        ``refused(params)`` tells which flat values, by path, are not to be met together; asked anew every time.
    low : callable
        ``low(path)`` tells which keys are to have their least value alone.
    """

    def __init__(
        self, root: Group, refused: Callable[[Mapping[str, Any]], bool], low: Callable[[str], bool]
    ) -> None:
        self._root, self._refused = root, refused
        self.spots: list[Spot] = list(spots(root))
        self.values = [_values(spot.node, low(spot.path)) for spot in self.spots]
        place = {spot.path: position for position, spot in enumerate(self.spots)}
        self._above: list[Point] = [
            {place[path]: self.values[place[path]].index(name) for path, name in spot.needs.items()}
            for spot in self.spots
        ]
        self._uses = [[0] * len(values) for values in self.values]

    def points(self) -> Generator[Point, bool, None]:
        """Yield configurations until every two values have met in one that trains, as far as that is found.

        The generator is to be sent whether the last one trained.
        """
        left = dict.fromkeys(self._pairs(), 0)
        while left:
            pair = next(iter(left))
            asked = left.pop(pair)
            point = self.fill(dict(pair), left)
            if point is None:
                continue
            for spot, value in point.items():
                self._uses[spot][value] += 1
            if (yield point):
                for both in combinations(sorted(point.items()), 2):
                    left.pop(both, None)
            elif asked < _MOST_ASKED:
                left[pair] = asked + 1  # in other company, later

    def fill(
        self, fixed: Point, wanted: Mapping[Any, int] | None = None, rng: np.random.Generator | None = None
    ) -> Point | None:
        """Return a configuration that holds what is fixed, and of ``wanted`` pairs as many as are easily had.

        What is left open is drawn, where there is a generator. None where the values that come to hand are refused.
        """
        point = dict(fixed)
        for spot in fixed:
            point |= self._above[spot]
        if any(point.get(spot, value) != value for spot, value in fixed.items()):
            return None
        for spot in range(len(self.spots)):
            if not self._occurs(spot, point):
                if spot in point:
                    return None
                continue
            if spot not in point:
                found = self._best(spot, point, wanted or {}, rng)
                if found is None:
                    return None
                point[spot] = found
        return None if self._refused(self.params(point)) else point

    def change(self, point: Point, spot: int, value: int) -> Point | None:
        """Return a configuration with one value changed, and what hangs on it; None where that is refused."""
        kept: Point = {}
        for other, theirs in {**point, spot: value}.items():
            if self._above[other].get(spot, value) == value:
                kept[other] = theirs
        return self.fill(kept)

    def params(self, point: Point) -> dict[str, Any]:
        """Return the values by path."""
        return {self.spots[spot].path: self.values[spot][value] for spot, value in point.items()}

    def configuration(self, point: Point) -> dict[str, Any]:
        """Return the configuration, nested."""
        made: dict[str, Any] = _compose(self._root, "", self.params(point))
        return made

    def _pairs(self) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
        for first, second in combinations(range(len(self.spots)), 2):
            for a in range(len(self.values[first])):
                for b in range(len(self.values[second])):
                    yield (first, a), (second, b)

    def _occurs(self, spot: int, point: Point) -> bool:
        return all(point.get(other) == value for other, value in self._above[spot].items())

    def _best(
        self, spot: int, point: Point, wanted: Mapping[Any, int], rng: np.random.Generator | None
    ) -> int | None:
        """Return the value that brings most of what is wanted, of equals the one used least."""
        params = self.params(point)
        path, values = self.spots[spot].path, self.values[spot]
        able = [i for i, value in enumerate(values) if not self._refused({**params, path: value})]
        if not able or rng is not None:
            return int(rng.choice(able)) if able and rng is not None else None

        def gain(value: int) -> tuple[int, int]:
            pairs = (tuple(sorted((item, (spot, value)))) for item in point.items())
            return sum(pair in wanted for pair in pairs), -self._uses[spot][value]

        return max(able, key=gain)


def _values(node: Node, low: bool) -> list[Any]:
    match node:
        case Constant(value):
            return [value]
        case Range():
            return [node.low] if low or node.fidelity else [node.low, node.last]
        case Choices(options):
            found = [value for option in options for value in _values(option, low)]
            plain = [
                value for value in found if not isinstance(value, bool) and isinstance(value, int | float)
            ]
            return [min(plain)] if low and plain else _spread(found)
        case Branches(branches):
            return list(branches)
        case Group():
            return []


def _spread(values: list[Any]) -> list[Any]:
    if len(values) <= _MOST_VALUES:
        return values
    return [values[round(i * (len(values) - 1) / (_MOST_VALUES - 1))] for i in range(_MOST_VALUES)]


def _compose(node: Node, path: str, params: Mapping[str, Any]) -> Any:
    match node:
        case Branches(branches):
            name = params[path]
            return {name: _compose(branches[name], join(path, name), params)}
        case Group(children):
            return {key: _compose(child, join(path, key), params) for key, child in children.items()}
        case _:
            return params[path]
