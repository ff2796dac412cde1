"""How large a space is, and a grid laid over it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from automl.space.nodes import Branches, Choices, Constant, Group, Node, Range
from automl.space.walk import hidden_keys

__all__ = ["Size", "by_family", "grid", "size"]


@dataclass(frozen=True)
class Size:
    """How large a space is.

    Parameters
    ----------
    points : int or None
        How many configurations there are, each way to one counted; None where there is no end of them.
    dimensions : mapping
        How many values are searched in each family, what the families share included.
    """

    points: int | None
    dimensions: Mapping[str, int]


def size(root: Group) -> Size:
    """Return the size of a tree; forbidden combinations are counted too."""
    parts = dict(by_family(root))
    points = [_points(part) for part in parts.values()]
    total = None if None in points else sum(count for count in points if count is not None)
    return Size(total, {name: _dimensions(part) for name, part in parts.items()})


def grid(root: Group, resolution: int) -> Iterator[dict[str, Any]]:
    """Yield the configurations of a grid, ``resolution`` numbers for each range."""
    for _, part in by_family(root):
        yield from _grid(part, resolution)


def by_family(root: Group) -> Iterator[tuple[str, Group]]:
    """Yield, for each family, the tree with that family alone, without what it hides."""
    model = root.children.get("model")
    if not isinstance(model, Branches):
        yield "", root
        return
    for name, branch in model.options.items():
        hidden = hidden_keys(root, {"model": name})
        alone = {**root.children, "model": Branches({name: branch})}
        yield name, Group({key: child for key, child in alone.items() if key not in hidden})


def _points(node: Node) -> int | None:
    match node:
        case Constant():
            return 1
        case Range():
            return 1 if node.fidelity else node.points
        case Choices(options):
            counts = [_points(option) for option in options]
            return None if None in counts else sum(count or 0 for count in counts)
        case Branches(branches):
            counts = [_points(branch) for branch in branches.values()]
            return None if None in counts else sum(count or 0 for count in counts)
        case Group(children):
            counts = [_points(child) for child in children.values()]
            return None if None in counts else math.prod(count or 0 for count in counts)


def _dimensions(node: Node) -> int:
    match node:
        case Constant():
            return 0
        case Range():
            return 0 if node.fidelity else 1
        case Choices(options):
            return 1 + sum(_dimensions(option) for option in options)
        case Branches(branches):
            return (len(branches) > 1) + sum(_dimensions(branch) for branch in branches.values())
        case Group(children):
            return sum(_dimensions(child) for child in children.values())


def _grid(node: Node, resolution: int) -> Iterator[Any]:
    match node:
        case Constant(value):
            yield list(value) if isinstance(value, list) else value
        case Range():
            yield from _numbers(node, resolution)
        case Choices(options):
            for option in options:
                yield from _grid(option, resolution)
        case Branches(branches):
            for name, branch in branches.items():
                for value in _grid(branch, resolution):
                    yield {name: value}
        case Group(children):
            yield from _product(list(children.items()), resolution)


def _product(children: list[tuple[str, Node]], resolution: int) -> Iterator[dict[str, Any]]:
    if not children:
        yield {}
        return
    (key, child), *rest = children
    for value in _grid(child, resolution):
        for others in _product(rest, resolution):
            yield {key: value, **others}


def _numbers(node: Range, resolution: int) -> Iterator[float]:
    if node.fidelity:
        yield node.last
        return
    if node.points is not None and node.points <= resolution:
        yield from map(node.nth, range(node.points))
        return
    positions = np.linspace(0, 1, resolution) if resolution > 1 else np.array([0.5])
    if node.step:
        steps = np.round(positions * ((node.points or 1) - 1)).astype(int)
        yield from map(node.nth, steps.tolist())
        return
    if node.log:
        numbers = node.low * (node.high / node.low) ** positions
    else:
        numbers = node.low + (node.high - node.low) * positions
    numbers = np.clip(numbers, node.low, node.high)
    yield from np.unique(np.round(numbers).astype(int)).tolist() if node.integer else numbers.tolist()
