"""Forbidden combinations and initial points, written with short keys: the ends of paths."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from automl.errors import nearest
from automl.space.containers import Conditional
from automl.space.leaves import Constant, Range
from automl.space.nodes import Leaf, ParamRef
from automl.space.source import Reporter, SourceNode
from automl.space.syntax import FAMILY_PARAM, PREPROCESS_PARAM, join, show
from automl.space.when import When, read_when

__all__ = ["Condition", "Forbidden", "InitialPoint", "read_forbidden", "read_initial_point"]

_BOUNDS = {"above", "below"}
_MAX_COMBINATIONS = 1000


@dataclass(frozen=True)
class Condition:
    """One key of a rule with its values, or with exclusive bounds ``above`` and ``below`` for a number."""

    key: str
    values: tuple[Any, ...] = ()
    above: float | None = None
    below: float | None = None

    def holds(self, value: Any) -> bool:
        """Return whether a value satisfies the condition."""
        if self.values:
            return any(Constant(known).contains(value) for known in self.values)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return (self.above is None or value > self.above) and (self.below is None or value < self.below)

    def possible(self, ref: ParamRef) -> bool:
        """Return whether some value of a parameter satisfies the condition."""
        if self.values:
            return any(ref.contains(value) for value in self.values)
        options = ref.node.alternatives if isinstance(ref.node, Leaf) else ()
        return any(
            self._overlaps(option) if isinstance(option, Range) else self.holds(option.value)
            for option in options
            if isinstance(option, Range | Constant)
        )

    def _overlaps(self, node: Range) -> bool:
        above = self.above is None or node.last > self.above
        return above and (self.below is None or node.low < self.below)

    def to_plain(self) -> Any:
        """Return the condition in the language."""
        if self.values:
            one = len(self.values) == 1 and not isinstance(self.values[0], list)
            return self.values[0] if one else list(self.values)
        bounds = {"above": self.above, "below": self.below}
        return {word: bound for word, bound in bounds.items() if bound is not None}


@dataclass(frozen=True)
class Forbidden:
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

    def to_plain(self) -> dict[str, Any]:
        """Return the rule in the language."""
        return {condition.key: condition.to_plain() for condition in self.conditions}

    def canonical(self) -> str:
        """Return a text that rules with the same keys and values share."""
        return Constant(self.to_plain()).canonical()

    def __str__(self) -> str:
        return "{" + ", ".join(f"{key}: {show(value)}" for key, value in self.to_plain().items()) + "}"


@dataclass(frozen=True)
class InitialPoint:
    """A good configuration, possibly partial, to try first.

    Parameters
    ----------
    written : mapping
        Values by the keys of the source.
    values : mapping
        Values by path; a key of several families gives a value for each of them.
    when : When
        Condition on the table.
    """

    written: Mapping[str, Any]
    values: Mapping[str, Any]
    when: When = field(default_factory=When)

    def to_plain(self) -> dict[str, Any]:
        """Return the point in the language."""
        when = self.when.to_plain()
        return {**self.written, **({"when": when} if when else {})}

    def __str__(self) -> str:
        return "{" + ", ".join(f"{key}: {show(value)}" for key, value in self.to_plain().items()) + "}"


def read_forbidden(
    source: SourceNode, known: Sequence[ParamRef], path: str, reporter: Reporter
) -> Forbidden | None:
    """Compile one item of ``forbid``; None where it has a fault."""
    if not source.is_mapping or not source.value:
        rule = "a rule must be a mapping of keys and values that must not meet"
        reporter.report(source, path, rule, str(source))
        return None
    conditions, sets = [], []
    items = list(_flatten(source, known))
    for key, item in items:
        refs = [ref for ref in known if ref.matches(key)]
        condition = _condition(key, item, refs, path, reporter)
        possible = [ref for ref in refs if condition is not None and condition.possible(ref)]
        if not refs:
            reporter.report(item, path, "must name a key of the space", key, _nearest_key(key, known))
        elif condition is not None and not possible:
            _report_impossible(item, item.plain(), key, refs, path, reporter)
        elif condition is not None:
            _check_members(item, condition, refs, path, reporter)
            conditions.append(condition)
            values = condition.values or (None,)
            sets.append([(r, v) for r in possible for v in values if not condition.values or r.contains(v)])
    if len(conditions) < len(items):
        return None
    if not _combinations(sets):
        reporter.report(source, path, "the conditions of a rule must be able to meet", str(source))
        return None
    return Forbidden(tuple(conditions))


def read_initial_point(
    source: SourceNode, known: Sequence[ParamRef], path: str, reporter: Reporter
) -> InitialPoint | None:
    """Compile one item of ``enqueue``; None where it has a fault.

    A key of several families, such as ``learning_rate``, counts for the family that the point names, otherwise for
    every family that can have the value.
    """
    if not source.is_mapping or not source.value:
        rule = "an initial point must be a mapping of keys and values"
        reporter.report(source, path, rule, str(source))
        return None
    condition, before = source.value.get("when"), len(reporter.faults)
    when = When() if condition is None else read_when(condition, f"{path}.when", reporter)
    source = source.with_value({key: item for key, item in source.value.items() if key != "when"})
    known = _of_family(source, known)
    items = list(_flatten(source, known))
    sets: list[list[tuple[ParamRef, Any]]] = []
    for key, item in items:
        refs = [ref for ref in known if ref.matches(key)]
        value = item.plain()
        able = [(ref, value) for ref in refs if ref.contains(value)]
        if not refs:
            reporter.report(item, path, "must name a key of the space", key, _nearest_key(key, known))
        elif not able:
            remedy = nearest(show(value), names) if (names := _names(refs)) else ""
            reporter.report(item, path, f"{key} must be inside the space", show(value), remedy)
        else:
            sets.append(able)
    if len(sets) < len(items) or len(reporter.faults) > before:
        return None
    combinations = _combinations(sets)
    if not combinations:
        rule = "the values of an initial point must be possible together"
        reporter.report(source, path, rule, str(source))
        return None
    values = {ref.path: value for combination in combinations for ref, value in combination}
    return InitialPoint({key: item.plain() for key, item in items}, values, when)


def _of_family(source: SourceNode, known: Sequence[ParamRef]) -> Sequence[ParamRef]:
    """Return the parameters that a point can name: a family with its own preprocessing has no shared one."""
    family = source.value[FAMILY_PARAM].plain() if FAMILY_PARAM in source.value else None
    own = f"{join(FAMILY_PARAM, str(family))}.{PREPROCESS_PARAM}."
    if not any(ref.path.startswith(own) for ref in known):
        return known
    return [ref for ref in known if not ref.path.startswith(f"{PREPROCESS_PARAM}.")]


def _condition(
    key: str, item: SourceNode, refs: Sequence[ParamRef], path: str, reporter: Reporter
) -> Condition | None:
    if item.is_mapping:
        bounds = {word: bound.value for word, bound in item.value.items()}
        numbers = all(
            isinstance(bound, int | float) and not isinstance(bound, bool) for bound in bounds.values()
        )
        if not bounds or bounds.keys() - _BOUNDS or not numbers:
            rule = f"{key} must be a value, a list of values, or {{above: 1, below: 2}}"
            reporter.report(item, path, rule, str(item))
            return None
        return Condition(key, above=bounds.get("above"), below=bounds.get("below"))
    value = item.plain()
    if item.is_list and not any(ref.contains(value) for ref in refs):
        if not value:
            reporter.report(item, path, f"{key} must have at least one value", "[]")
            return None
        return Condition(key, tuple(value))
    return Condition(key, (value,))


def _check_members(
    item: SourceNode, condition: Condition, refs: Sequence[ParamRef], path: str, reporter: Reporter
) -> None:
    """Report the values of a list that the key cannot have, or has twice."""
    if len(condition.values) < 2:
        return
    seen: set[str] = set()
    for member, value in zip(item.value, condition.values, strict=True):
        if not any(ref.contains(value) for ref in refs):
            _report_impossible(member, value, condition.key, refs, path, reporter)
        elif Constant(value).canonical() in seen:
            reporter.report(
                member, path, f"a value of {condition.key} must occur once", f"{show(value)} again"
            )
        else:
            seen.add(Constant(value).canonical())


def _report_impossible(
    node: SourceNode, value: Any, key: str, refs: Sequence[ParamRef], path: str, reporter: Reporter
) -> None:
    remedy = nearest(show(value), names) if (names := _names(refs)) else ""
    reporter.report(node, path, f"must be a value that {key} can have", show(value), remedy)


def _is_branch(name: str, key: str, known: Sequence[ParamRef]) -> bool:
    """Return whether a parameter with this key has a branch of this name."""
    return any(
        isinstance(ref.node, Conditional) and name in ref.node.options and ref.matches(key) for ref in known
    )


def _flatten(
    source: SourceNode, known: Sequence[ParamRef], key: str = ""
) -> Iterator[tuple[str, SourceNode]]:
    """Yield the keys and values of a mapping, nested ones with dotted keys, branches as values."""
    for name, item in source.value.items():
        here = join(key, name)
        if (
            item.is_mapping
            and len(item.value) == 1
            and _is_branch(branch := next(iter(item.value)), here, known)
        ):
            yield here, item.with_value(branch)
            if item.value[branch].is_mapping:
                yield from _flatten(item.value[branch], known, join(here, branch))
        elif item.is_mapping and item.value and not item.value.keys() & _BOUNDS:
            yield from _flatten(item, known, here)
        else:
            yield here, item


def _combinations(sets: list[list[tuple[ParamRef, Any]]]) -> list[tuple[tuple[ParamRef, Any], ...]]:
    """Return the ways to take one pair from each set such that all of them can be in one configuration."""
    found: list[tuple[dict[str, Any], tuple[tuple[ParamRef, Any], ...]]] = [({}, ())]
    for pairs in sets:
        longer = []
        for branches, taken in found:
            for ref, value in pairs:
                own = {ref.path: value} if isinstance(ref.node, Conditional) else {}
                needs = {**ref.needs, **own}
                if all(branches.get(path, name) == name for path, name in needs.items()):
                    longer.append(({**branches, **needs}, (*taken, (ref, value))))
        found = longer[:_MAX_COMBINATIONS]
    return [taken for _, taken in found]


def _names(refs: Sequence[ParamRef]) -> list[str]:
    """Return the texts that the parameters can have as values."""
    found: list[str] = []
    for ref in refs:
        if isinstance(ref.node, Conditional):
            found += ref.node.options
        elif isinstance(ref.node, Leaf):
            options = (option for option in ref.node.alternatives if isinstance(option, Constant))
            found += [option.value for option in options if isinstance(option.value, str)]
    return list(dict.fromkeys(found))


def _nearest_key(key: str, known: Sequence[ParamRef]) -> str:
    ends = [".".join(ref.path.split(".")[-(key.count(".") + 1) :]) for ref in known]
    return nearest(key, list(dict.fromkeys(ends)))
