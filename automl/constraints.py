"""Rules for values as data: spaces, estimator arguments and documentation use the same source.

A configuration is described by a `Section` whose parameters carry constraints; a `Section` and a
`Variants` are constraints themselves, so one tree describes a whole space.
"""

from __future__ import annotations

import math
import numbers
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from typing_extensions import override

__all__ = [
    "Anything",
    "Boolean",
    "Constraint",
    "ListOf",
    "Number",
    "OneOf",
    "Parameter",
    "Section",
    "Text",
    "Union",
    "Variants",
    "named",
]


class Constraint(ABC):
    """A rule for values."""

    @abstractmethod
    def accepts(self, value: Any) -> bool:
        """Return whether ``value`` satisfies the rule."""

    @abstractmethod
    def describe(self) -> str:
        """Return the rule in words that follow "must be"."""


@dataclass(frozen=True)
class Number(Constraint):
    """A number in an interval.

    Parameters
    ----------
    low, high : float
        The ends.
    integer : bool
        Whether the number must be an integer.
    open_low, open_high : bool
        Whether the end is excluded.

    Examples
    --------
    >>> Number(0, 1, open_high=True).describe()
    'a number of at least 0 and below 1'
    >>> Number(1, integer=True).accepts(2.5)
    False
    """

    low: float = -math.inf
    high: float = math.inf
    integer: bool = False
    open_low: bool = False
    open_high: bool = False

    @override
    def accepts(self, value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, numbers.Real) or math.isnan(value):
            return False
        if self.integer and not isinstance(value, numbers.Integral):
            return False
        number = float(value)
        above = number > self.low if self.open_low else number >= self.low
        below = number < self.high if self.open_high else number <= self.high
        return above and below

    @override
    def describe(self) -> str:
        parts = []
        if self.low > -math.inf:
            parts.append(f"{'above' if self.open_low else 'of at least'} {self.low:g}")
        if self.high < math.inf:
            parts.append(f"{'below' if self.open_high else 'at most'} {self.high:g}")
        kind = "a whole number" if self.integer else "a number"
        return " ".join([kind, " and ".join(parts)]) if parts else kind


@dataclass(frozen=True)
class Boolean(Constraint):
    """True or false."""

    @override
    def accepts(self, value: Any) -> bool:
        return isinstance(value, bool)

    @override
    def describe(self) -> str:
        return "true or false"


@dataclass(frozen=True)
class Text(Constraint):
    """A text that is not empty."""

    @override
    def accepts(self, value: Any) -> bool:
        return isinstance(value, str) and bool(value)

    @override
    def describe(self) -> str:
        return "text"


@dataclass(frozen=True)
class OneOf(Constraint):
    """One of some plain values, most often names.

    Examples
    --------
    >>> OneOf(("auto", True, None)).describe()
    'one of auto, true, null'
    """

    values: tuple[Any, ...]

    @override
    def accepts(self, value: Any) -> bool:
        return any(type(value) is type(known) and value == known for known in self.values)

    @override
    def describe(self) -> str:
        shown = ", ".join(map(_written, self.values))
        return f"one of {shown}" if len(self.values) > 1 else shown


@dataclass(frozen=True)
class ListOf(Constraint):
    """A list whose items satisfy a rule."""

    item: Constraint
    min_length: int = 0

    @override
    def accepts(self, value: Any) -> bool:
        return (
            isinstance(value, Sequence)
            and not isinstance(value, str)
            and len(value) >= self.min_length
            and all(self.item.accepts(item) for item in value)
        )

    @override
    def describe(self) -> str:
        return f"a list, each item {self.item.describe()}"


@dataclass(frozen=True)
class Union(Constraint):
    """A value that satisfies at least one of several rules."""

    options: tuple[Constraint, ...]

    @override
    def accepts(self, value: Any) -> bool:
        return any(option.accepts(value) for option in self.options)

    @override
    def describe(self) -> str:
        return " or ".join(option.describe() for option in self.options)


@dataclass(frozen=True)
class Anything(Constraint):
    """Any plain value."""

    @override
    def accepts(self, value: Any) -> bool:
        return True

    @override
    def describe(self) -> str:
        return "any value"


@dataclass(frozen=True)
class Parameter:
    """A named value: its rule, its default and a line about it.

    Parameters
    ----------
    constraint : Constraint
        Its rule.
    default : object
        Its value by default.
    about : str
        One line of documentation, with the unit.
    """

    constraint: Constraint
    default: Any = None
    about: str = ""


@dataclass(frozen=True)
class Section(Constraint):
    """A mapping with known, optional keys, each with its own rule."""

    parameters: Mapping[str, Parameter] = field(default_factory=dict)

    @override
    def accepts(self, value: Any) -> bool:
        return isinstance(value, Mapping) and all(
            key in self.parameters and self.parameters[key].constraint.accepts(item)
            for key, item in value.items()
        )

    @override
    def describe(self) -> str:
        return f"a mapping of {', '.join(self.parameters)}" if self.parameters else "an empty mapping"

    def defaults(self) -> dict[str, Any]:
        """Return every parameter's default by name."""
        return {name: parameter.default for name, parameter in self.parameters.items()}


@dataclass(frozen=True)
class Variants(Constraint):
    """One of several named variants, each with its own parameters.

    In a configuration it is ``{kind: {parameter: value}}``, or just ``kind``.

    Examples
    --------
    >>> momentum = Section({"momentum": Parameter(Number(0, 1, open_high=True), 0.9)})
    >>> optimizers = Variants({"sgd": Section(), "momentum": momentum})
    >>> optimizers.accepts({"momentum": {"momentum": 0.5}}), optimizers.accepts("sgd")
    (True, True)
    >>> optimizers.accepts({"momentum": {"momentum": 1.5}})
    False
    """

    options: Mapping[str, Section]

    @override
    def accepts(self, value: Any) -> bool:
        if not isinstance(value, str | Mapping) or (isinstance(value, Mapping) and len(value) != 1):
            return False
        name, parameters = named(value)
        return name in self.options and self.options[name].accepts(parameters)

    @override
    def describe(self) -> str:
        return f"one of {', '.join(self.options)}"


def _written(value: Any) -> str:
    """Return a plain value as YAML writes it."""
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def named(value: str | Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the name and the parameters of a variant in a configuration.

    Examples
    --------
    >>> named("sgd"), named({"momentum": {"momentum": 0.9}})
    (('sgd', {}), ('momentum', {'momentum': 0.9}))
    """
    if isinstance(value, str):
        return value, {}
    ((name, parameters),) = value.items()
    return name, dict(parameters or {})
