"""Nodes with other nodes below them: conditional branches, and sections of keys."""

from __future__ import annotations

import math
from collections.abc import Container as Names
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from automl.constraints import named
from automl.errors import Fault, nearest
from automl.space.nodes import (
    Container,
    Decision,
    Node,
    ParamRef,
    Reason,
    ValueSource,
    escaped,
    shares,
    total,
    weighted,
)
from automl.space.syntax import join, show

if TYPE_CHECKING:
    from rich.tree import Tree

__all__ = ["Conditional", "Section"]


@dataclass(frozen=True)
class Conditional(Container):
    """One of several named branches, each a section of its own."""

    options: Mapping[str, Section]
    weights: tuple[float, ...] | None = None
    keeps_old: ClassVar[bool] = True

    @property
    @override
    def below(self) -> Mapping[str, Node]:
        return self.options

    @property
    @override
    def n_points(self) -> int | None:
        return total(branch.n_points for branch in self.options.values())

    @property
    @override
    def n_dimensions(self) -> int:
        own = int(len(self.options) > 1)
        return own + sum(branch.n_dimensions for branch in self.options.values())

    @override
    def contains(self, value: Any) -> bool:
        return isinstance(value, str) and value in self.options

    @override
    def instantiate(self, path: str, source: ValueSource) -> Any:
        names = list(self.options)
        name = names[0] if len(names) == 1 else names[source.option(path, names, self.weights)]
        return {name: self.options[name].instantiate(join(path, name), source)}

    @override
    def encode(self, path: str, value: Any) -> dict[str, Any]:
        return {path: value} if len(self.options) > 1 else {}

    @override
    def trace(self, value: Any, path: str) -> Iterator[Decision | Fault]:
        if not isinstance(value, str | Mapping) or (isinstance(value, Mapping) and len(value) != 1):
            yield Fault(path, "must be a mapping with one key", show(value))
            return
        if isinstance(value, Mapping) and not isinstance(next(iter(value.values())), Mapping | None):
            yield Fault(join(path, str(next(iter(value)))), "must be a mapping", show(value))
            return
        name, parameters = named(value)
        if name not in self.options:
            rule = f"must be one of {', '.join(self.options)}"
            yield Fault(path, rule, show(name), nearest(show(name), list(self.options)))
            return
        yield Decision(path, name, self, list(self.options).index(name))
        yield from self.options[name].trace(parameters, join(path, name))

    @override
    def params(self, path: str = "", needs: Mapping[str, str] | None = None) -> Iterator[ParamRef]:
        needs = needs or {}
        yield ParamRef(path, self, needs)
        for name, branch in self.options.items():
            yield from branch.params(join(path, name), {**needs, path: name})

    @override
    def filtered(self, reason: Reason) -> tuple[Node | None, dict[str, str]]:
        reasons = {name: reason({name: {}}) for name in self.options}
        gone = {name: why for name, why in reasons.items() if why}
        return self.without(gone), gone

    def without(self, names: Names[str]) -> Conditional | None:
        """Return the node without some branches; None where none is left."""
        kept = {name: branch for name, branch in self.options.items() if name not in names}
        shares = zip(self.options, self.weights or (), strict=False)
        weights = tuple(weight for name, weight in shares if name in kept)
        return Conditional(kept, weights if len(weights) > 1 else None) if kept else None

    @override
    def grid(self, resolution: int) -> Iterator[Any]:
        for name, branch in self.options.items():
            for value in branch.grid(resolution):
                yield {name: value}

    @override
    def canonical_form(self) -> Any:
        pairs = zip(self.options.items(), shares(self.weights, len(self.options)), strict=True)
        return {"choice": {name: [branch.canonical_form(), share] for (name, branch), share in pairs}}

    @override
    def to_plain(self) -> Any:
        choice = {"choice": {name: branch.to_plain() for name, branch in self.options.items()}}
        weights = dict(zip(self.options, self.weights or (), strict=False))
        return {**choice, "weights": weights} if weights else choice

    @override
    def summary(self) -> str:
        return "one of " + ", ".join(self.options)

    @override
    def draw(self, above: Tree, label: str) -> None:
        fork = above.add(f"[bold]{escaped(label)}[/] [dim]one of[/]")
        weights = self.weights or [None] * len(self.options)
        for (name, branch), weight in zip(self.options.items(), weights, strict=True):
            branch.draw_below(fork.add(f"[cyan]{escaped(weighted(name, weight))}[/]"))


@dataclass(frozen=True)
class Section(Container):
    """Keys side by side."""

    children: Mapping[str, Node]
    keeps_old: ClassVar[bool] = False

    @property
    @override
    def below(self) -> Mapping[str, Node]:
        return self.children

    @property
    @override
    def n_points(self) -> int | None:
        counts = [child.n_points for child in self.children.values()]
        return None if None in counts else math.prod(count or 0 for count in counts)

    @property
    @override
    def n_dimensions(self) -> int:
        return sum(child.n_dimensions for child in self.children.values())

    @override
    def contains(self, value: Any) -> bool:
        return False

    @override
    def instantiate(self, path: str, source: ValueSource) -> dict[str, Any]:
        return {key: child.instantiate(join(path, key), source) for key, child in self.children.items()}

    @override
    def trace(self, value: Any, path: str) -> Iterator[Decision | Fault]:
        if not isinstance(value, Mapping):
            yield Fault(path, "must be a mapping", show(value))
            return
        for key in value:
            if key not in self.children:
                rule = f"must be a key of {path or 'the space'}"
                remedy = nearest(show(key), list(self.children))
                yield Fault(join(path, str(key)), rule, show(key), remedy)
        for key, child in self.children.items():
            if key in value:
                yield from child.trace(value[key], join(path, key))
            else:
                yield Fault(join(path, key), "must be given", "nothing")

    @override
    def params(self, path: str = "", needs: Mapping[str, str] | None = None) -> Iterator[ParamRef]:
        for key, child in self.children.items():
            yield from child.params(join(path, key), needs)

    @override
    def grid(self, resolution: int) -> Iterator[dict[str, Any]]:
        yield from _product(list(self.children.items()), resolution)

    @override
    def canonical_form(self) -> Any:
        return {"group": {key: child.canonical_form() for key, child in self.children.items()}}

    @override
    def to_plain(self) -> dict[str, Any]:
        return {key: child.to_plain() for key, child in self.children.items()}

    @override
    def summary(self) -> str:
        return f"{len(self.children)} keys" if self.children else "nothing to choose"

    @override
    def draw(self, above: Tree, label: str) -> None:
        self.draw_below(above.add(f"[bold]{escaped(label)}[/]"))

    def draw_below(self, above: Tree) -> None:
        """Add the children to a tree of rich."""
        for key, child in self.children.items():
            child.draw(above, key)


def _product(children: Sequence[tuple[str, Node]], resolution: int) -> Iterator[dict[str, Any]]:
    if not children:
        yield {}
        return
    (key, child), *rest = children
    for value in child.grid(resolution):
        for others in _product(rest, resolution):
            yield {key: value, **others}
