"""What a user wrote, before anybody knows what it means: plain values that remember their line."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from automl.errors import Fault, SpaceError

__all__ = [
    "Faults",
    "BROKEN",
    "MAX_DEPTH",
    "MAX_VALUES",
    "Place",
    "Raw",
    "from_python",
    "key_path",
    "number_fault",
    "show",
]

MAX_DEPTH = 40
MAX_VALUES = 50_000
MAX_FAULTS = 100
_MAX_WHOLE = 2**53  # beyond it a float no longer tells neighbours apart


class _Broken(str):
    """Stands where a value was that has had its fault told; nothing more is said about it."""


BROKEN = _Broken("?")


class Faults(list[Fault]):
    """The faults found so far; with too many of them the search for more is given up."""

    def add(self, fault: Fault) -> None:
        """Note a fault.

        Raises
        ------
        SpaceError
            When there have been `MAX_FAULTS` before it.
        """
        if len(self) >= MAX_FAULTS:
            raise SpaceError(
                [*self, Fault("space", f"must have at most {MAX_FAULTS} faults to be read on", "more")]
            )
        self.append(fault)


@dataclass(frozen=True)
class Place:
    """A line of a file; both empty for what came from Python."""

    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file

    def at(self, path: str) -> str:
        """Return the place with the path of a key, for `automl.errors.Fault`."""
        return " ".join(part for part in (str(self), path) if part) or "space"


@dataclass(frozen=True)
class Raw:
    """A plain value and where it stands: a scalar, a list of `Raw`, or a dict of `Raw` by text.

    In a dict the place of a value is the place of its key.
    """

    value: Any
    place: Place = Place()

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
        """Whether nothing was written: ``null``, or an empty mapping."""
        return self.value is None or self.value == {}

    def plain(self) -> Any:
        """Return the value without its places."""
        if isinstance(self.value, dict):
            return {key: item.plain() for key, item in self.value.items()}
        if isinstance(self.value, list):
            return [item.plain() for item in self.value]
        return self.value


def key_path(path: str, key: str) -> str:
    """Return the path of a key below ``path``; words that only hold the tree together are not part of it."""
    if key == "choice" or (key == "space" and not path):
        return path
    return f"{path}.{key}" if path else key


def show(value: Any) -> str:
    """Return a value as an error message shows it: as YAML has it, and short.

    Examples
    --------
    >>> show(None), show(True), show([1, 2]), show("adam"), show("")
    ('null', 'true', '[1, 2]', 'adam', '""')
    """
    if isinstance(value, Raw):
        value = value.plain()
    text = _show(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _show(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, str):
        return (
            value if value.strip() and value.isprintable() else f'"{value.encode("unicode_escape").decode()}"'
        )
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_show(item)}" for key, item in list(value.items())[:20]) + "}"
    if isinstance(value, Sequence):
        return "[" + ", ".join(_show(item) for item in value[:20]) + "]"
    return str(value)


def number_fault(value: Any, where: str) -> Fault | None:
    """Return what is wrong with a number that no search could use, or None."""
    if isinstance(value, float) and not math.isfinite(value):
        return Fault(where, "must be a finite number", show(value))
    if isinstance(value, int) and abs(value) > _MAX_WHOLE:
        return Fault(where, "must be a number of at most 2^53", show(value))
    return None


def from_python(value: Any, faults: Faults, place: Place = Place()) -> Raw:
    """Turn nested dicts, lists and scalars into `Raw`; what is not plain is noted in ``faults``.

    Raises
    ------
    SpaceError
        For what is nested or repeated beyond reason.
    """
    return _Python(faults, place).read(value, "", 0)


class _Python:
    def __init__(self, faults: Faults, place: Place) -> None:
        self.place = place
        self.faults = faults
        self.count = 0

    def read(self, value: Any, path: str, depth: int) -> Raw:
        self.count += 1
        if depth > MAX_DEPTH or self.count > MAX_VALUES:
            rule = f"must be nested at most {MAX_DEPTH} deep and hold at most {MAX_VALUES:,} values"
            raise SpaceError(Fault(self.place.at(path), rule, "more"))
        if isinstance(value, Raw):
            return value
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, Mapping):
            return Raw(self._mapping(value, path, depth), self.place)
        if isinstance(value, list | tuple):
            return Raw(
                [self.read(item, f"{path}[{i}]", depth + 1) for i, item in enumerate(value)], self.place
            )
        if value is None or isinstance(value, bool | int | float | str):
            fault = number_fault(value, self.place.at(path))
            if fault:
                self.faults.add(fault)
            return Raw(BROKEN if fault else value, self.place)
        rule = "must be a plain value: a number, text, true, false, null, a list or a mapping"
        self.faults.add(Fault(self.place.at(path), rule, type(value).__name__))
        return Raw(BROKEN, self.place)

    def _mapping(self, value: Mapping[Any, Any], path: str, depth: int) -> dict[str, Raw]:
        items: dict[str, Raw] = {}
        for key, item in value.items():
            if not isinstance(key, str):
                self.faults.add(Fault(self.place.at(path), "a key must be text", show(key)))
                continue
            items[key] = self.read(item, key_path(path, key), depth + 1)
        return items
