"""What is left of a space for one task."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from automl.space.nodes import Branches, Choices, Constant, Group, Node, join

__all__ = ["Fits", "misfits", "restricted"]

Fits = Callable[[str, str, Mapping[str, Any]], str | None]
"""From task, family and some of its parameters to why they do not go together; nothing where they do."""

_MODEL = "model"


def misfits(root: Group, tasks: tuple[str, ...], fits: Fits) -> Iterator[tuple[str, Any, str]]:
    """Yield the path, the value and the reason of all that fits none of the tasks."""
    model = root.children.get(_MODEL)
    for family, branch in model.options.items() if isinstance(model, Branches) else ():
        path = join(_MODEL, family)
        reasons = [fits(task, family, {}) for task in tasks]
        if all(reasons):
            yield path, family, str(reasons[0])
            continue
        for key, child in branch.children.items():
            for value, shown in _values(child):
                reasons = [fits(task, family, {key: value}) for task in tasks]
                if all(reasons):
                    yield join(path, key), shown, str(reasons[0])


def restricted(root: Group, task: str, fits: Fits) -> tuple[Group | None, dict[str, str]]:
    """Return the tree without the families and values that do not fit, and why each family went.

    The tree is None where no family is left.
    """
    model = root.children.get(_MODEL)
    reasons: dict[str, str] = {}
    if not isinstance(model, Branches):
        return root, reasons
    kept: dict[str, Group] = {}
    for family, branch in model.options.items():
        reason = fits(task, family, {})
        children: dict[str, Node] = {}
        for key, child in branch.children.items():
            left, why = _fitting(child, partial(_with_value, fits, task, family, key))
            if left is None:
                reason = reason or f"{key}: {why}"
            else:
                children[key] = left
        if reason:
            reasons[family] = reason
        else:
            kept[family] = Group(children)
    if not kept:
        return None, reasons
    shares = zip(model.options, model.weights or (), strict=False)
    weights = tuple(weight for family, weight in shares if family in kept)
    return Group({**root.children, _MODEL: Branches(kept, weights if len(weights) > 1 else None)}), reasons


def _with_value(fits: Fits, task: str, family: str, key: str, value: Any) -> str | None:
    return fits(task, family, {key: value})


def _values(node: Node) -> list[tuple[Any, Any]]:
    """Return the values to ask about, each with what names it."""
    match node:
        case Constant(value):
            return [(value, value)]
        case Choices(options):
            return [(option.value, option.value) for option in options if isinstance(option, Constant)]
        case Branches(branches):
            return [({name: {}}, name) for name in branches]
        case _:
            return []


def _fitting(node: Node, reason: Callable[[Any], str | None]) -> tuple[Node | None, str]:
    """Return what is left of a parameter once values that do not fit are gone, and why one went."""
    match node:
        case Constant(value):
            why = reason(value) or ""
            return (None if why else node), why
        case Choices(options, weights):
            reasons = [reason(option.value) if isinstance(option, Constant) else None for option in options]
            left = [index for index, why in enumerate(reasons) if not why]
            kept = tuple(options[index] for index in left)
            shares = tuple(weights[index] for index in left) if weights else None
            found: Node | None = Choices(kept, shares) if len(kept) > 1 else kept[0] if kept else None
        case Branches(branches, weights):
            reasons = [reason({name: {}}) for name in branches]
            left = [index for index, why in enumerate(reasons) if not why]
            names = [list(branches)[index] for index in left]
            shares = tuple(weights[index] for index in left) if weights else None
            found = Branches({name: branches[name] for name in names}, shares) if names else None
        case _:
            return node, ""
    return found, next((why for why in reasons if why), "")
