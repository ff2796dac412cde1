"""Short names: which values of the tree a key means, and which of them can stand together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from automl.space.nodes import Branches, Choices, Constant, Group, Node, Range, canonical, join
from automl.space.raw import Raw

__all__ = ["Spot", "flat", "spots", "takes", "together"]

_MAX_WAYS = 1000


@dataclass(frozen=True)
class Spot:
    """A place of the tree that takes a value.

    Parameters
    ----------
    path : str
        Its dotted path.
    node : Node
        What stands there.
    needs : mapping
        The kinds that must be chosen above it for it to occur, by path.
    """

    path: str
    node: Node
    needs: Mapping[str, str] = field(default_factory=dict)

    def answers(self, key: str) -> bool:
        """Return whether ``key`` is the path or the end of it."""
        return self.path == key or self.path.endswith(f".{key}")

    def takes(self, value: Any) -> bool:
        """Return whether ``value`` can stand here."""
        return takes(self.node, value)

    def names(self) -> list[str]:
        """Return the texts that can stand here."""
        if isinstance(self.node, Branches):
            return list(self.node.options)
        options = self.node.options if isinstance(self.node, Choices) else (self.node,)
        return [o.value for o in options if isinstance(o, Constant) and isinstance(o.value, str)]


def spots(node: Node, path: str = "", needs: Mapping[str, str] | None = None) -> Iterator[Spot]:
    """Yield every spot of a tree, parents first."""
    needs = needs or {}
    if isinstance(node, Group):
        for key, child in node.children.items():
            yield from spots(child, join(path, key), needs)
        return
    yield Spot(path, node, needs)
    if isinstance(node, Branches):
        for name, branch in node.options.items():
            yield from spots(branch, join(path, name), {**needs, path: name})


def together(sets: list[list[tuple[Spot, Any]]]) -> list[tuple[tuple[Spot, Any], ...]]:
    """Return the ways to take one spot with its value from each set so that all can stand together."""
    ways: list[tuple[dict[str, Any], tuple[tuple[Spot, Any], ...]]] = [({}, ())]
    for pairs in sets:
        longer = []
        for kinds, taken in ways:
            for spot, value in pairs:
                needs = {**spot.needs, **({spot.path: value} if isinstance(spot.node, Branches) else {})}
                if all(kinds.get(path, name) == name for path, name in needs.items()):
                    longer.append(({**kinds, **needs}, (*taken, (spot, value))))
        ways = longer[:_MAX_WAYS]
    return [taken for _, taken in ways]


def flat(raw: Raw, known: list[Spot], key: str = "") -> Iterator[tuple[str, Raw]]:
    """Yield the keys and values of a mapping; nested ones with dotted keys, kinds as values of their own."""
    for name, item in raw.value.items():
        here = join(key, name)
        kinds = {
            kind for s in known if s.answers(here) and isinstance(s.node, Branches) for kind in s.node.options
        }
        if item.is_mapping and len(item.value) == 1 and (kind := next(iter(item.value))) in kinds:
            yield here, Raw(kind, item.place)
            inner = item.value[kind]
            if inner.is_mapping:
                yield from flat(inner, known, join(here, kind))
        elif item.is_mapping and item.value and not item.value.keys() & {"above", "below"}:
            yield from flat(item, known, here)
        else:
            yield here, item


def takes(node: Node, value: Any) -> bool:
    """Return whether a value, or the name of a branch, can stand for a node."""
    match node:
        case Constant(constant):
            return canonical(Constant(constant)) == canonical(Constant(value))
        case Range():
            return node.holds(value)
        case Choices(options):
            return any(takes(option, value) for option in options)
        case Branches(branches):
            return isinstance(value, str) and value in branches
        case Group():
            return False
