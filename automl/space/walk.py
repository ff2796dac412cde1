"""Ways through the tree: build a configuration by somebody's choices, or follow one that stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from automl.constraints import named
from automl.errors import Fault, nearest
from automl.space.nodes import Branches, Choices, Constant, Group, Node, Range, canonical, join
from automl.space.raw import show

__all__ = ["Chooser", "Decision", "Scalar", "build", "follow", "hidden_keys", "labels", "range_path"]

Scalar: TypeAlias = None | bool | int | float | str


class Chooser(Protocol):
    """Who decides, at every fork and in every range."""

    def option(self, path: str, options: list[Scalar], weights: tuple[float, ...] | None) -> int:
        """Return the position of one of ``options``."""

    def number(self, path: str, node: Range) -> float:
        """Return a number of the range."""


@dataclass(frozen=True)
class Decision:
    """One value of a configuration: where, which, and the node it is a value of."""

    path: str
    value: Any
    node: Node
    option: int = 0


def build(root: Group, chooser: Chooser) -> dict[str, Any]:
    """Build a configuration.

    A key of the chosen branch wins over the shared key of the same name at the top, which is then left out
    altogether: its values would change nothing.
    """
    chosen = {
        key: _build(child, key, chooser)
        for key, child in root.children.items()
        if isinstance(child, Branches)
    }
    hidden = hidden_keys(root, chosen)
    return {
        key: chosen[key] if key in chosen else _build(child, key, chooser)
        for key, child in root.children.items()
        if key not in hidden
    }


def _build(node: Node, path: str, chooser: Chooser) -> Any:
    match node:
        case Constant(value):
            return deepcopy(value)
        case Range():
            return chooser.number(path, node)
        case Choices(options, weights):
            index = chooser.option(path, labels(node), weights)
            return _build(options[index], range_path(path, node, index), chooser)
        case Branches(branches, weights):
            names = list(branches)
            name = names[0] if len(names) == 1 else names[chooser.option(path, list(names), weights)]
            return {name: _build(branches[name], join(path, name), chooser)}
        case Group(children):
            return {key: _build(child, join(path, key), chooser) for key, child in children.items()}


def hidden_keys(root: Group, configuration: Mapping[str, Any]) -> set[str]:
    """Return the keys at the top that the chosen branches have of their own."""
    hidden: set[str] = set()
    for key, child in root.children.items():
        if (
            isinstance(child, Branches)
            and isinstance(value := configuration.get(key), Mapping | str)
            and value
        ):
            branch = child.options.get(value if isinstance(value, str) else next(iter(value)))
            hidden |= (branch.children.keys() if branch else set()) & root.children.keys()
    return hidden


def labels(node: Choices) -> list[Scalar]:
    """Return a plain scalar for each option, as Optuna's categories have to be.

    Lists stand as their text; ranges as their ends.
    """
    found: dict[int, Scalar] = {}
    for index in node.in_order:
        option = node.options[index]
        if isinstance(option, Range):
            label: Scalar = f"{option.low:g}..{option.high:g}"
        else:
            plain = option.value is None or isinstance(option.value, bool | int | float | str)
            label = option.value if plain else show(option.value)
        # 1 and true are one category to Python, and so to Optuna.
        found[index] = f"{show(label)} #{len(found)}" if label in found.values() else label
    return [found[index] for index in range(len(found))]


def range_path(path: str, node: Choices, index: int) -> str:
    """Return the name of the number of a range that stands among choices."""
    ranges = [i for i in node.in_order if isinstance(node.options[i], Range)]
    if index not in ranges:
        return path
    return f"{path}.range" if len(ranges) == 1 else f"{path}.range{ranges.index(index) + 1}"


def follow(root: Group, configuration: Any) -> Iterator[Decision | Fault]:
    """Yield every decision a configuration stands for, and a fault wherever it leaves the space."""
    if not isinstance(configuration, Mapping):
        yield Fault("configuration", "must be a mapping", show(configuration))
        return
    hidden = hidden_keys(root, configuration)
    shown = Group({key: child for key, child in root.children.items() if key not in hidden})
    yield from _follow(shown, configuration, "")


def _follow(node: Node, value: Any, path: str) -> Iterator[Decision | Fault]:
    match node:
        case Constant(constant):
            if _key(value) == _key(constant):
                yield Decision(path, value, node)
            else:
                yield Fault(path, f"must be {show(constant)}", show(value))
        case Range():
            if node.holds(value):
                yield Decision(path, value, node)
            else:
                yield Fault(path, f"must be {_range_text(node)}", show(value))
        case Choices(options):
            for index, option in enumerate(options):
                decisions = list(_follow(option, value, path))
                if not any(isinstance(decision, Fault) for decision in decisions):
                    yield Decision(path, value, node, index)
                    return
            known = [show(label) for label in labels(node)]
            yield Fault(path, f"must be one of {', '.join(known)}", show(value), nearest(show(value), known))
        case Branches(branches):
            if not isinstance(value, str | Mapping) or (isinstance(value, Mapping) and len(value) != 1):
                yield Fault(path, "must be a mapping with one key", show(value))
                return
            if isinstance(value, Mapping) and not isinstance(next(iter(value.values())), Mapping | None):
                yield Fault(join(path, str(next(iter(value)))), "must be a mapping", show(value))
                return
            name, parameters = named(value)
            if name not in branches:
                rule = f"must be one of {', '.join(branches)}"
                yield Fault(path, rule, show(name), nearest(show(name), list(branches)))
                return
            yield Decision(path, name, node, list(branches).index(name))
            yield from _follow(branches[name], parameters, join(path, name))
        case Group(children):
            if not isinstance(value, Mapping):
                yield Fault(path, "must be a mapping", show(value))
                return
            for key in value:
                if key not in children:
                    yield Fault(
                        join(path, str(key)), f"must be a key of {path or 'the space'}", show(key),
                        nearest(show(key), list(children)),
                    )  # fmt: skip
            for key, child in children.items():
                if key in value:
                    yield from _follow(child, value[key], join(path, key))
                else:
                    yield Fault(join(path, key), "must be given", "nothing")


def _key(value: Any) -> str | None:
    """Return the same text for equal plain values; None for what is not plain, which equals nothing."""
    try:
        return canonical(Constant(list(value) if isinstance(value, tuple) else value))
    except (TypeError, ValueError):
        return None


def _range_text(node: Range) -> str:
    kind = "a whole number" if node.integer else "a number"
    step = f" in steps of {show(node.step)}" if node.step else ""
    return f"{kind} from {show(node.low)} to {show(node.high)}{step}"
