"""Conditions of initial points on the table of a search: rows, columns, classes and task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from automl.errors import nearest
from automl.space.source import Reporter, SourceNode
from automl.space.syntax import TASKS, show

__all__ = ["TableFacts", "When", "read_when"]

_COUNTS = ("rows", "columns", "classes")
_KEYS = (*_COUNTS, "task")
_BOUNDS = ("min", "max")


@dataclass(frozen=True)
class TableFacts:
    """The facts of a table that conditions may name.

    Parameters
    ----------
    task : {"binary", "multiclass", "regression"}
        The task.
    rows, columns : int
        Rows, and columns that a model learns from.
    classes : int
        Classes of the target; 0 for regression.
    """

    task: str
    rows: int
    columns: int
    classes: int = 0


@dataclass(frozen=True)
class When:
    """A condition on the table.

    Parameters
    ----------
    bounds : mapping
        ``{"rows": {"max": 20000}}``: inclusive bounds of counts.
    tasks : tuple of str
        The tasks; empty for all.

    Examples
    --------
    >>> When({"rows": {"max": 100}}).holds(TableFacts("binary", rows=100, columns=3, classes=2))
    True
    >>> str(When({}, ("regression",)))
    '{task: regression}'
    """

    bounds: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    tasks: tuple[str, ...] = ()

    def holds(self, facts: TableFacts) -> bool:
        """Return whether a table satisfies the condition."""
        if self.tasks and facts.task not in self.tasks:
            return False
        return all(
            bounds.get("min", 0) <= getattr(facts, name) <= bounds.get("max", float("inf"))
            for name, bounds in self.bounds.items()
        )

    def to_plain(self) -> dict[str, Any]:
        """Return the condition in the language; empty if it always holds."""
        plain: dict[str, Any] = {name: dict(bounds) for name, bounds in self.bounds.items()}
        if self.tasks:
            plain["task"] = self.tasks[0] if len(self.tasks) == 1 else list(self.tasks)
        return plain

    def __str__(self) -> str:
        return show(self.to_plain())


def read_when(source: SourceNode, path: str, reporter: Reporter) -> When:
    """Compile the key ``when`` of an initial point; its faults are reported."""
    if not source.is_mapping or not source.value:
        rule = f"must be a mapping of {', '.join(_KEYS)}"
        reporter.report(source, path, rule, str(source))
        return When()
    bounds: dict[str, dict[str, int]] = {}
    tasks: tuple[str, ...] = ()
    for key, item in source.value.items():
        here = f"{path}.{key}"
        if key == "task":
            tasks = _tasks(item, here, reporter)
        elif key in _COUNTS:
            bounds[key] = _bounds(item, here, reporter)
        else:
            reporter.report(item, here, f"must be one of {', '.join(_KEYS)}", key, nearest(key, _KEYS))
    return When(bounds, tasks)


def _tasks(source: SourceNode, path: str, reporter: Reporter) -> tuple[str, ...]:
    for item in source.items:
        if item.value not in TASKS:
            rule = f"must be one or more of {', '.join(TASKS)}"
            reporter.report(item, path, rule, str(item), nearest(str(item), TASKS))
    if not source.items:
        reporter.report(source, path, "must name at least one task", "[]")
    return tuple(item.value for item in source.items if item.value in TASKS)


def _bounds(source: SourceNode, path: str, reporter: Reporter) -> dict[str, int]:
    known = source.is_mapping and source.value and not source.value.keys() - set(_BOUNDS)
    values = {key: item.value for key, item in source.value.items()} if known else {}
    whole = all(isinstance(one, int) and not isinstance(one, bool) and one >= 0 for one in values.values())
    if not known or not whole:
        rule = "must be whole numbers of at least 0, as {min: 100}, {max: 20000} or both"
        reporter.report(source, path, rule, str(source))
        return {}
    if values.get("min", 0) > values.get("max", float("inf")):
        reporter.report(source, path, "min must be at most max", str(source))
    return values
