"""The tree a space is: constants, ranges, choices, branches and groups of them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any, TypeAlias

__all__ = ["Branches", "Choices", "Constant", "Group", "Node", "Range", "canonical", "join", "leaves"]


@dataclass(frozen=True)
class Constant:
    """One plain value."""

    value: Any


@dataclass(frozen=True)
class Range:
    """Numbers from ``low`` to ``high``, both included.

    Parameters
    ----------
    low, high : float or int
        The ends.
    log : bool
        Whether equal ratios are equally likely, rather than equal differences.
    step : float or int, optional
        Distance between the values that may be taken, counted from ``low``.
    integer : bool
        Whether only whole numbers are taken.
    fidelity : bool
        Whether it says how long to train: a trial is given ``high``, and may be stopped from ``low`` on.
    """

    low: float
    high: float
    log: bool = False
    step: float | None = None
    integer: bool = False
    fidelity: bool = False

    @property
    def points(self) -> int | None:
        """How many values may be taken; None where there is no end of them."""
        if self.step:
            return self._steps + 1
        return int(self.high) - int(self.low) + 1 if self.integer else None

    @property
    def last(self) -> float:
        """The greatest value that may be taken."""
        return self.nth(self._steps) if self.step else self.high

    def nth(self, index: int) -> float:
        """Return the value ``index`` steps above ``low``, as written rather than as floats add up."""
        number = Decimal(str(self.low)) + Decimal(str(self.step or 1)) * index
        return int(number) if self.integer else float(number)

    @property
    def _steps(self) -> int:
        # In decimals, as Optuna counts: 0.1 to 0.3 by 0.1 are two steps.
        low, high, step = (Decimal(str(number)) for number in (self.low, self.high, self.step))
        return int((high - low) // step)

    def holds(self, value: Any) -> bool:
        """Return whether ``value`` may be taken."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return False
        if not self.low <= value <= self.high or (self.integer and value != int(value)):
            return False
        if not self.step:
            return True
        steps = (value - self.low) / self.step
        return abs(steps - round(steps)) < 1e-6


@dataclass(frozen=True)
class Choices:
    """One of several values or ranges, written as a list."""

    options: tuple[Constant | Range, ...]
    weights: tuple[float, ...] | None = None

    @cached_property
    def in_order(self) -> list[int]:
        """Positions of the options in an order that does not depend on how they were written."""
        return sorted(range(len(self.options)), key=lambda index: canonical(self.options[index]))


@dataclass(frozen=True)
class Branches:
    """One of several named branches, each with a subtree of its own."""

    options: Mapping[str, Group]
    weights: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Group:
    """Everything that stands side by side in a section."""

    children: Mapping[str, Node]


Node: TypeAlias = Constant | Range | Choices | Branches | Group


def join(path: str, key: str) -> str:
    """Return the dotted path of ``key`` under ``path``."""
    return f"{path}.{key}" if path else key


def leaves(node: Node, path: str = "") -> Iterator[tuple[str, Node]]:
    """Yield every node but the groups with its dotted path, parents first."""
    if isinstance(node, Group):
        for key, child in node.children.items():
            yield from leaves(child, join(path, key))
        return
    yield path, node
    if isinstance(node, Branches):
        for name, branch in node.options.items():
            yield from leaves(branch, join(path, name))


def canonical(node: Node) -> str:
    """Return a text that two nodes share exactly if they mean the same.

    Neither the order of keys nor the order of choices counts, nor whether 1 was written as 1.0.
    """
    return json.dumps(_canonical(node), sort_keys=True)


def _canonical(node: Node) -> Any:
    match node:
        case Constant(value):
            return {"value": _number(value)}
        case Range():
            ends: dict[str, Any] = {"low": _number(node.low), "high": _number(node.high)}
            flags = {"log": node.log, "integer": node.integer, "fidelity": node.fidelity}
            return ends | {"step": _number(node.step)} | flags
        case Choices(options, weights):
            pairs = zip(options, _shares(weights, len(options)), strict=True)
            return {"values": sorted([canonical(option), share] for option, share in pairs)}
        case Branches(branches, weights):
            shares = zip(branches.items(), _shares(weights, len(branches)), strict=True)
            return {"choice": {name: [_canonical(group), share] for (name, group), share in shares}}
        case Group(children):
            return {"group": {key: _canonical(child) for key, child in children.items()}}


def _shares(weights: tuple[float, ...] | None, count: int) -> list[float]:
    return (
        [round(weight / sum(weights), 12) for weight in weights]
        if weights
        else [round(1 / count, 12)] * count
    )


def _number(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_number(item) for item in value]
    if isinstance(value, dict):
        return {key: _number(item) for key, item in value.items()}
    return value
