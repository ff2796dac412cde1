"""What every node of a space's tree can do; a new kind of node is one class with these methods.

::

    Node
    ├── Leaf                 a parameter with plain values (leaves.py)
    │   ├── Constant         one value
    │   ├── Range            numbers between two ends
    │   └── Categorical      one of several constants and ranges
    └── Container            nodes below it (containers.py)
        ├── Conditional      one of several named branches
        └── Section          keys side by side
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeAlias

from typing_extensions import override

from automl.errors import Fault

if TYPE_CHECKING:
    from rich.tree import Tree

__all__ = [
    "Container",
    "Decision",
    "Leaf",
    "Node",
    "ParamRef",
    "Reason",
    "Scalar",
    "ValueSource",
    "escaped",
    "normalised",
    "shares",
    "total",
    "weighted",
]

Scalar: TypeAlias = None | bool | int | float | str
Reason: TypeAlias = Callable[[Any], str | None]
"""From a value to the reason against it; nothing where it is allowed."""


class ValueSource(Protocol):
    """Chooses the values when a configuration is instantiated."""

    def option(self, path: str, labels: Sequence[Scalar], weights: tuple[float, ...] | None) -> int:
        """Return the position of one of the options."""

    def number(self, path: str, node: Any) -> float:
        """Return a number of a `Range`."""


@dataclass(frozen=True)
class Decision:
    """One value of a configuration: its path, its node and, for a choice, the position of the option."""

    path: str
    value: Any
    node: Node
    option: int = 0


@dataclass(frozen=True)
class ParamRef:
    """A parameter of the tree.

    Parameters
    ----------
    path : str
        Its dotted path.
    node : Node
        The node at this path.
    needs : mapping
        The branches that must be chosen for the parameter to exist, by path.
    """

    path: str
    node: Node
    needs: Mapping[str, str] = field(default_factory=dict)

    def matches(self, key: str) -> bool:
        """Return whether ``key`` is the path or the end of it."""
        return self.path == key or self.path.endswith(f".{key}")

    def contains(self, value: Any) -> bool:
        """Return whether the parameter can have this value."""
        return self.node.contains(value)


class Node(ABC):
    """A node of the tree."""

    @property
    @abstractmethod
    def n_points(self) -> int | None:
        """Number of configurations below the node; None where infinite."""

    @property
    @abstractmethod
    def n_dimensions(self) -> int:
        """Number of searched values below the node."""

    @abstractmethod
    def contains(self, value: Any) -> bool:
        """Return whether the node can have this value; for branches, their names."""

    @abstractmethod
    def instantiate(self, path: str, source: ValueSource) -> Any:
        """Return a value of the node, chosen by ``source``."""

    @abstractmethod
    def trace(self, value: Any, path: str) -> Iterator[Decision | Fault]:
        """Yield the decisions that lead to ``value``, and a fault for each part outside the node."""

    @abstractmethod
    def grid(self, resolution: int) -> Iterator[Any]:
        """Yield all values, with ``resolution`` numbers for each range."""

    @abstractmethod
    def canonical_form(self) -> Any:
        """Return plain values that two nodes share exactly if they mean the same."""

    @abstractmethod
    def to_plain(self) -> Any:
        """Return the node in the language, as plain values."""

    @abstractmethod
    def summary(self) -> str:
        """Return one line that describes the node."""

    @abstractmethod
    def draw(self, above: Tree, label: str) -> None:
        """Add the node to a tree of rich."""

    @abstractmethod
    def params(self, path: str = "", needs: Mapping[str, str] | None = None) -> Iterator[ParamRef]:
        """Yield the parameters from this node down, parents first."""

    @abstractmethod
    def is_within(self, other: Node) -> bool:
        """Return whether ``other`` can have every value of this node."""

    def encode(self, path: str, value: Any) -> dict[str, Any]:
        """Return the Optuna parameters of a value; empty where Optuna is not asked."""
        return {}

    def filtered(self, reason: Reason) -> tuple[Node | None, dict[str, str]]:
        """Return the node without the values that ``reason`` rejects, and why each of them is rejected."""
        return self, {}

    def canonical(self) -> str:
        """Return a text that two nodes share exactly if they mean the same.

        The order of keys and choices does not count, nor does 1 differ from 1.0.
        """
        return json.dumps(self.canonical_form(), sort_keys=True)


class Leaf(Node):
    """A parameter with plain values."""

    @property
    def alternatives(self) -> Sequence[Leaf]:
        """The options of a choice; otherwise the node itself."""
        return (self,)

    @abstractmethod
    def fault(self, value: Any, path: str) -> Fault | None:
        """Return the fault of a value outside the node, or None."""

    @override
    def trace(self, value: Any, path: str) -> Iterator[Decision | Fault]:
        yield self.fault(value, path) or Decision(path, value, self)

    @override
    def params(self, path: str = "", needs: Mapping[str, str] | None = None) -> Iterator[ParamRef]:
        yield ParamRef(path, self, needs or {})

    @override
    def draw(self, above: Tree, label: str) -> None:
        above.add(f"{escaped(label)}  [green]{escaped(self.summary())}[/]")


class Container(Node):
    """A node with other nodes below it."""

    keeps_old: ClassVar[bool]
    """Whether configurations stay valid when a child is added."""

    @property
    @abstractmethod
    def below(self) -> Mapping[str, Node]:
        """The nodes below, by key."""

    @override
    def is_within(self, other: Node) -> bool:
        return False


def normalised(value: Any) -> Any:
    """Return a plain value with whole floats as integers."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [normalised(item) for item in value]
    if isinstance(value, dict):
        return {key: normalised(item) for key, item in value.items()}
    return value


def escaped(text: str) -> str:
    """Return a text that rich prints as it is."""
    from rich.markup import escape

    return escape(text)


def shares(weights: tuple[float, ...] | None, count: int) -> list[float]:
    """Return the share of each option, from 0 to 1."""
    weights = weights or (1.0,) * count
    return [round(weight / sum(weights), 12) for weight in weights]


def total(counts: Iterator[int | None]) -> int | None:
    """Return the sum; None where one of the counts is infinite."""
    known = list(counts)
    return None if None in known else sum(count or 0 for count in known)


def weighted(text: str, weight: float | None) -> str:
    """Return a text with its weight, if it has one."""
    return text if weight is None else f"{text} (weight {weight:g})"
