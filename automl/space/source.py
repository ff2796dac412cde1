"""A space as it is written, before it is checked: plain values with their lines, and a list of faults."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from automl.errors import Fault, SpaceError
from automl.space.syntax import join, show

__all__ = [
    "BROKEN",
    "Budget",
    "MAX_VALUES",
    "Reporter",
    "SourceLocation",
    "SourceNode",
    "from_python",
    "key_path",
    "number_fault",
    "text_fault",
]

MAX_DEPTH = 40
MAX_VALUES = 50_000
MAX_FAULTS = 100
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_MAX_WHOLE = 2**53  # greater integers are not exact as floats


class _Broken(str):
    """Replaces a value whose fault is already reported; it causes no other fault."""


BROKEN = _Broken("?")


@dataclass(frozen=True)
class SourceLocation:
    """A line of a file; empty for a space from Python."""

    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file

    def at(self, path: str) -> str:
        """Return the location with the path of a key, for `automl.errors.Fault`."""
        return " ".join(part for part in (str(self), path) if part) or "space"


@dataclass(frozen=True)
class SourceNode:
    """A value and its location: a scalar, a list of nodes, or a dict of nodes by text.

    In a dict the location of a value is the location of its key.
    """

    value: Any
    location: SourceLocation = SourceLocation()

    def __str__(self) -> str:
        return show(self.plain())

    @property
    def is_mapping(self) -> bool:
        """Whether it is a mapping."""
        return isinstance(self.value, dict)

    @property
    def is_list(self) -> bool:
        """Whether it is a list."""
        return isinstance(self.value, list)

    @property
    def is_empty(self) -> bool:
        """Whether it is ``null`` or an empty mapping."""
        return self.value is None or self.value == {}

    @property
    def items(self) -> list[SourceNode]:
        """The items of a list; the node itself where it is not a list."""
        return self.value if isinstance(self.value, list) else [self]

    def with_value(self, value: Any) -> SourceNode:
        """Return another value at the same location."""
        return SourceNode(value, self.location)

    def plain(self) -> Any:
        """Return the value without locations."""
        if isinstance(self.value, dict):
            return {key: item.plain() for key, item in self.value.items()}
        if isinstance(self.value, list):
            return [item.plain() for item in self.value]
        return self.value


class Reporter:
    """Collects the faults of a space.

    Attributes
    ----------
    faults : list of Fault
        The faults so far, each of them once.
    """

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self._seen: set[tuple[str, str, str]] = set()

    def report(self, node: SourceNode, path: str, rule: str, came: str, remedy: str = "") -> None:
        """Add a fault of a node, unless the node is broken or the same line has the same fault already."""
        key = (str(node.location) or path, rule, came)
        if node.value is not BROKEN and key not in self._seen:
            self._seen.add(key)
            self.add(Fault(node.location.at(path), rule, came, remedy))

    def add(self, fault: Fault) -> None:
        """Add a fault.

        Raises
        ------
        SpaceError
            After too many faults.
        """
        if len(self.faults) >= MAX_FAULTS:
            last = Fault("space", f"must have at most {MAX_FAULTS} faults to be read on", "more")
            raise SpaceError([*self.faults, last])
        self.faults.append(fault)


class Budget:
    """Limits the depth and the number of values of a source."""

    def __init__(self) -> None:
        self.count = 0

    def spend(self, values: int, depth: int, where: str) -> None:
        """Count values; raise `SpaceError` beyond a limit."""
        self.count += values
        if depth > MAX_DEPTH or self.count > MAX_VALUES:
            rule = f"must be nested at most {MAX_DEPTH} deep and hold at most {MAX_VALUES:,} values"
            raise SpaceError(Fault(where, rule, "more"))


def key_path(path: str, key: str) -> str:
    """Return the path of a key below ``path``, without the keywords that only give structure."""
    return path if key == "choice" or (key == "space" and not path) else join(path, key)


def number_fault(value: Any, where: str) -> Fault | None:
    """Return the fault of a number that no search could use, or None."""
    if isinstance(value, float) and not math.isfinite(value):
        return Fault(where, "must be a finite number", show(value))
    if isinstance(value, int) and abs(value) > _MAX_WHOLE:
        return Fault(where, "must be a number of at most 2^53", show(value))
    return None


def text_fault(value: str, where: str) -> Fault | None:
    """Return the fault of a text that no file name, database or terminal could hold, or None."""
    found = _CONTROL.search(value)
    return found and Fault(where, "must hold no control characters", f"U+{ord(found[0]):04X}")


def from_python(value: Any, reporter: Reporter) -> SourceNode:
    """Turn nested dicts, lists and scalars into source nodes; report other values.

    Raises
    ------
    SpaceError
        Beyond the limits of depth and size.
    """
    return _read(value, "", 0, reporter, Budget())


def _read(value: Any, path: str, depth: int, reporter: Reporter, budget: Budget) -> SourceNode:
    where = SourceLocation().at(path)
    budget.spend(1, depth, where)
    if isinstance(value, SourceNode):
        return value
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Mapping):
        items: dict[str, SourceNode] = {}
        for key, item in value.items():
            if isinstance(key, str) and (fault := text_fault(key, where)) is not None:
                reporter.add(fault)
            elif isinstance(key, str):
                items[key] = _read(item, key_path(path, key), depth + 1, reporter, budget)
            else:
                reporter.add(Fault(where, "a key must be text", show(key)))
        return SourceNode(items)
    if isinstance(value, list | tuple):
        return SourceNode(
            [_read(item, f"{path}[{i}]", depth + 1, reporter, budget) for i, item in enumerate(value)]
        )
    plain = value is None or isinstance(value, bool | int | float | str)
    rule = "must be a plain value: a number, text, true, false, null, a list or a mapping"
    fault = number_fault(value, where) if plain else Fault(where, rule, type(value).__name__)
    if isinstance(value, str):
        fault = text_fault(value, where)
    if fault:
        reporter.add(fault)
    return SourceNode(BROKEN if fault else value)
