"""Forbidden combinations, and known good starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from automl.errors import nearest
from automl.space.index import Spot, flat, together
from automl.space.nodes import Choices, Constant, Range, canonical
from automl.space.ranges import Report
from automl.space.raw import Raw, show

__all__ = ["Condition", "Rule", "Start", "read_rule", "read_start"]


@dataclass(frozen=True)
class Condition:
    """One key of a rule: the values it means, or numbers between ``above`` and ``below``, ends excluded."""

    key: str
    values: tuple[Any, ...] = ()
    above: float | None = None
    below: float | None = None

    def holds(self, value: Any) -> bool:
        """Return whether a value is meant."""
        if self.values:
            return any(canonical(Constant(value)) == canonical(Constant(known)) for known in self.values)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return (self.above is None or value > self.above) and (self.below is None or value < self.below)

    def possible(self, spot: Spot) -> bool:
        """Return whether some value of the spot is meant."""
        if self.values:
            return any(spot.takes(value) for value in self.values)
        options = spot.node.options if isinstance(spot.node, Choices) else (spot.node,)
        return any(
            self._overlaps(option) if isinstance(option, Range) else self.holds(option.value)
            for option in options
            if isinstance(option, Range | Constant)
        )

    def _overlaps(self, node: Range) -> bool:
        return (self.above is None or node.last > self.above) and (
            self.below is None or node.low < self.below
        )

    def plain(self) -> Any:
        """Return the condition as it is written."""
        if self.values:
            return (
                list(self.values)
                if len(self.values) > 1 or isinstance(self.values[0], list)
                else self.values[0]
            )
        bounds = {"above": self.above, "below": self.below}
        return {word: bound for word, bound in bounds.items() if bound is not None}


@dataclass(frozen=True)
class Rule:
    """Conditions that must not all hold together."""

    conditions: tuple[Condition, ...]

    def forbids(self, params: Mapping[str, Any]) -> bool:
        """Return whether all conditions hold for flat values by path."""
        return all(
            any(
                condition.holds(value)
                for path, value in params.items()
                if path == condition.key or path.endswith(f".{condition.key}")
            )
            for condition in self.conditions
        )

    def plain(self) -> dict[str, Any]:
        """Return the rule as it is written."""
        return {condition.key: condition.plain() for condition in self.conditions}

    def canonical(self) -> str:
        """Return a text that rules of the same keys and values share."""
        return canonical(Constant(self.plain()))

    def __str__(self) -> str:
        return "{" + ", ".join(f"{key}: {show(value)}" for key, value in self.plain().items()) + "}"


def read_rule(raw: Raw, known: list[Spot], path: str, report: Report) -> Rule | None:
    """Compile one item of ``forbid``; None where it has a fault."""
    if not raw.is_mapping or not raw.value:
        report(raw, path, "a rule must be a mapping of keys and values that must not meet", show(raw), "")
        return None
    conditions, sets = [], []
    for key, item in flat(raw, known):
        meant = [spot for spot in known if spot.answers(key)]
        condition = _condition(key, item, meant, path, report)
        possible = [spot for spot in meant if condition is not None and condition.possible(spot)]
        if not meant:
            report(item, path, "must name a key of the space", key, _nearest_key(key, known))
        elif condition is not None and not possible:
            remedy = nearest(show(item), names) if (names := _names(meant)) else ""
            report(item, path, f"must be something that {key} can be", show(item), remedy)
        elif condition is not None:
            conditions.append(condition)
            values = condition.values or (None,)
            sets.append([(s, v) for s in possible for v in values if not condition.values or s.takes(v)])
    if len(conditions) < len(list(flat(raw, known))):
        return None
    if not together(sets):
        report(raw, path, "the conditions of a rule must be able to meet", show(raw), "")
        return None
    return Rule(tuple(conditions))


def _condition(key: str, item: Raw, meant: list[Spot], path: str, report: Report) -> Condition | None:
    if item.is_mapping:
        bounds = {word: bound.value for word, bound in item.value.items()}
        numbers = all(
            isinstance(bound, int | float) and not isinstance(bound, bool) for bound in bounds.values()
        )
        if not bounds or bounds.keys() - {"above", "below"} or not numbers:
            report(
                item,
                path,
                f"{key} must be a value, a list of values, or {{above: 1, below: 2}}",
                show(item),
                "",
            )
            return None
        return Condition(key, above=bounds.get("above"), below=bounds.get("below"))
    value = item.plain()
    if item.is_list and not any(spot.takes(value) for spot in meant):
        if not value:
            report(item, path, f"{key} must have at least one value", "[]", "")
            return None
        return Condition(key, tuple(value))
    return Condition(key, (value,))


@dataclass(frozen=True)
class Start:
    """A known good start.

    Parameters
    ----------
    written : mapping
        Values by the keys they were written under.
    values : mapping
        The same by path; a key that several families share stands for each of them.
    """

    written: Mapping[str, Any]
    values: Mapping[str, Any]

    def __str__(self) -> str:
        return "{" + ", ".join(f"{key}: {show(value)}" for key, value in self.written.items()) + "}"


def read_start(raw: Raw, known: list[Spot], path: str, report: Report) -> Start | None:
    """Compile one item of ``enqueue``; None where it has a fault.

    A key that several families share, such as ``learning_rate``, is meant for the family that the start
    names, or for all that can take the value.
    """
    if not raw.is_mapping or not raw.value:
        report(raw, path, "a start must be a mapping of keys and values", show(raw), "")
        return None
    items = list(flat(raw, known))
    sets: list[list[tuple[Spot, Any]]] = []
    for key, item in items:
        meant = [spot for spot in known if spot.answers(key)]
        value = item.plain()
        able = [(spot, value) for spot in meant if spot.takes(value)]
        if not meant:
            report(item, path, "must name a key of the space", key, _nearest_key(key, known))
        elif not able:
            remedy = nearest(show(value), names) if (names := _names(meant)) else ""
            report(item, path, f"{key} must be inside the space", show(value), remedy)
        else:
            sets.append(able)
    if len(sets) < len(items):
        return None
    ways = together(sets)
    if not ways:
        report(raw, path, "the values of a start must be able to stand together", show(raw), "")
        return None
    values = {spot.path: value for way in ways for spot, value in way}
    return Start({key: item.plain() for key, item in items}, values)


def _names(meant: list[Spot]) -> list[str]:
    return list(dict.fromkeys(name for spot in meant for name in spot.names()))


def _nearest_key(key: str, known: list[Spot]) -> str:
    ends = [".".join(spot.path.split(".")[-(key.count(".") + 1) :]) for spot in known]
    return nearest(key, list(dict.fromkeys(ends)))
