"""What is left of a space for one task."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from functools import partial
from typing import Any

from automl.space.nodes import Branches, Choices, Constant, Group, Node, join
from automl.space.raw import show

__all__ = ["Fits", "held", "misfits", "restricted", "settled", "without"]

Fits = Callable[[str, str, Mapping[str, Any]], str | None]
"""From task, family and some of its parameters to why they do not go together; nothing where they do."""

_MODEL = "model"
_PREPROCESS = "preprocess"


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


def restricted(root: Group, task: str, fits: Fits) -> tuple[Group | None, tuple[str, ...]]:
    """Return the tree without the families and values that do not fit, and what went, each with its reason.

    The tree is None where no family is left.
    """
    model = root.children.get(_MODEL)
    if not isinstance(model, Branches):
        return root, ()
    excluded: list[str] = []
    kept: dict[str, Group] = {}
    for family, branch in model.options.items():
        reason = fits(task, family, {}) or ""
        children: dict[str, Node] = {}
        gone: list[str] = []
        for key, child in branch.children.items():
            left, reasons = _fitting(child, partial(_with_value, fits, task, family, key))
            if left is not None:
                children[key] = left
                gone += [f"{family} with {key}: {value}: {why}" for value, why in reasons.items()]
            elif not reason:
                reason = "; ".join(dict.fromkeys(reasons.values()))
        excluded += [f"{family}: {reason}"] if reason else gone
        if not reason:
            kept[family] = Group(children)
    changed = Branches(
        {family: kept.get(family, branch) for family, branch in model.options.items()}, model.weights
    )
    return without(Group({**root.children, _MODEL: changed}), model.options.keys() - kept.keys()), tuple(
        excluded
    )


def held(root: Group, path: str, value: Any, reason: str) -> tuple[Group | None, tuple[str, ...]]:
    """Return the tree without what preprocesses with another value at ``path``, and what went.

    A section that says nothing there has another value. The tree is None where no family is left.
    """
    keys = path.split(".")
    shared, gone = _held(root.children.get(_PREPROCESS, Group({})), keys, value)
    excluded = [f"{join(_PREPROCESS, path)}: {other}: {reason}" for other in gone]
    children = root.children if shared is None else {**root.children, _PREPROCESS: shared}
    model = root.children.get(_MODEL)
    if not isinstance(model, Branches):
        return (None, (*excluded, reason)) if shared is None else (Group(children), tuple(excluded))
    families: dict[str, Group] = {}
    for family, branch in model.options.items():
        own, gone = shared, []
        if _PREPROCESS in branch.children:
            own, gone = _held(branch.children[_PREPROCESS], keys, value)
            branch = branch if own is None else Group({**branch.children, _PREPROCESS: own})
        if own is None:
            excluded.append(f"{family}: {reason}")
        else:
            families[family] = branch
            excluded += [f"{family} with {join(_PREPROCESS, path)}: {other}: {reason}" for other in gone]
    changed = Group({**children, _MODEL: Branches({**model.options, **families}, model.weights)})
    return without(changed, model.options.keys() - families.keys()), tuple(excluded)


def _held(node: Node, keys: Sequence[str], value: Any) -> tuple[Node | None, list[str]]:
    """Return what of a section has that value under these keys, one in the other, and the values that went."""
    if not keys:
        found, others = _fitting(node, lambda other: None if other == value else "another")
        return found, list(others)
    if not isinstance(node, Group) or keys[0] not in node.children:
        return None, []
    left, gone = _held(node.children[keys[0]], keys[1:], value)
    return None if left is None else Group({**node.children, keys[0]: left}), gone


def settled(root: Group, path: str) -> Group:
    """Return the tree without a part of the preprocessing, or what there is to choose of one of its parameters."""
    keys = [_PREPROCESS, *path.split(".")]
    changed = _settled(root, keys)
    model = root.children.get(_MODEL)
    if not isinstance(model, Branches):
        return changed
    families = {family: _settled(branch, keys) for family, branch in model.options.items()}
    return Group({**changed.children, _MODEL: Branches(families, model.weights)})


def _settled(node: Group, keys: Sequence[str]) -> Group:
    key, *others = keys
    child = node.children.get(key)
    if child is None or isinstance(child, Constant):
        return node
    if others:
        left = _settled(child, others) if isinstance(child, Group) else child
        return Group({**node.children, key: left})
    return Group({name: other for name, other in node.children.items() if name != key})


def without(root: Group, families: Set[str]) -> Group | None:
    """Return the tree without some families; None where none is left."""
    model = root.children.get(_MODEL)
    if not families or not isinstance(model, Branches):
        return root
    kept = {family: branch for family, branch in model.options.items() if family not in families}
    shares = zip(model.options, model.weights or (), strict=False)
    weights = tuple(weight for family, weight in shares if family in kept)
    left = Branches(kept, weights if len(weights) > 1 else None)
    return Group({**root.children, _MODEL: left}) if kept else None


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


def _fitting(node: Node, reason: Callable[[Any], str | None]) -> tuple[Node | None, dict[str, str]]:
    """Return what is left of a parameter once values that do not fit are gone, and why each of them went."""
    match node:
        case Constant(value):
            why = reason(value)
            return (None, {show(value): why}) if why else (node, {})
        case Choices(options, weights):
            names = [show(option.value) if isinstance(option, Constant) else "" for option in options]
            reasons = [reason(option.value) if isinstance(option, Constant) else None for option in options]
            left = [index for index, why in enumerate(reasons) if not why]
            kept = tuple(options[index] for index in left)
            shares = tuple(weights[index] for index in left) if weights else None
            found: Node | None = Choices(kept, shares) if len(kept) > 1 else kept[0] if kept else None
        case Branches(branches, weights):
            names = list(branches)
            reasons = [reason({name: {}}) for name in names]
            left = [index for index, why in enumerate(reasons) if not why]
            shares = tuple(weights[index] for index in left) if weights else None
            found = (
                Branches({names[index]: branches[names[index]] for index in left}, shares) if left else None
            )
        case _:
            return node, {}
    return found, {name: why for name, why in zip(names, reasons, strict=True) if why}
