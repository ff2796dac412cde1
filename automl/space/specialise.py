"""Reduces a tree to a task or a table; each function returns the reduced tree and the excluded values."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from automl.space.containers import Conditional, Section
from automl.space.leaves import Constant
from automl.space.nodes import Node, Reason
from automl.space.syntax import FAMILY_PARAM, PREPROCESS_PARAM, join
from automl.space.tree import families

__all__ = [
    "Incompatibility",
    "incompatible",
    "with_preprocessing",
    "without_families",
    "without_incompatible",
    "without_preprocessing",
]

Incompatibility = Callable[[str, str, Mapping[str, Any]], str | None]
"""From task, family and some of its parameters to the reason why they do not go together, if there is one."""

Excluded = tuple[str, ...]


def incompatible(
    root: Section, tasks: Sequence[str], reason: Incompatibility
) -> Iterator[tuple[str, str, str]]:
    """Yield path, text and reason of each value that is compatible with none of the tasks."""
    for family, branch in families(root).items():

        def of_all_tasks(params: Mapping[str, Any], family: str = family) -> str | None:
            reasons = [reason(task, family, params) for task in tasks]
            return reasons[0] if reasons and all(reasons) else None

        path = join(FAMILY_PARAM, family)
        if why := of_all_tasks({}):
            yield path, family, why
            continue
        for key, child in branch.children.items():
            _, rejected = child.filtered(_of_parameter(of_all_tasks, key))
            for value, why in rejected.items():
                yield join(path, key), value, why


def without_incompatible(
    root: Section, task: str, reason: Incompatibility
) -> tuple[Section | None, Excluded]:
    """Return the tree without incompatible families and values; None where no family is left."""
    excluded: list[str] = []
    kept: dict[str, Section] = {}
    for family, branch in families(root).items():
        why = reason(task, family, {}) or ""
        children: dict[str, Node] = {}
        gone: list[str] = []
        for key, child in branch.children.items():
            left, rejected = child.filtered(_of_parameter(partial(reason, task, family), key))
            if left is not None:
                children[key] = left
                gone += [f"{family} with {key}: {value}: {why_not}" for value, why_not in rejected.items()]
            elif not why:
                why = "; ".join(dict.fromkeys(rejected.values()))
        excluded += [f"{family}: {why}"] if why else gone
        if not why:
            kept[family] = Section(children)
    return _with_families(root, kept), tuple(excluded)


def with_preprocessing(
    root: Section, path: str, values: Sequence[Any], reason: str
) -> tuple[Section | None, Excluded]:
    """Return the tree with some values alone at a path of the preprocessing; None where no family is left.

    A section without this path has another value.
    """
    keys, full = path.split("."), join(PREPROCESS_PARAM, path)
    shared, gone = _with_values(root.children.get(PREPROCESS_PARAM, Section({})), keys, values)
    excluded = [f"{full}: {other}: {reason}" for other in gone]
    if shared is not None:
        root = Section({**root.children, PREPROCESS_PARAM: shared})
    if not families(root):
        return (None, (*excluded, reason)) if shared is None else (root, tuple(excluded))
    kept: dict[str, Section] = {}
    for family, branch in families(root).items():
        own, gone = shared, []
        if PREPROCESS_PARAM in branch.children:
            own, gone = _with_values(branch.children[PREPROCESS_PARAM], keys, values)
            branch = branch if own is None else Section({**branch.children, PREPROCESS_PARAM: own})
        if own is None:
            excluded.append(f"{family}: {reason}")
        else:
            kept[family] = branch
            excluded += [f"{family} with {full}: {other}: {reason}" for other in gone]
    return _with_families(root, kept), tuple(excluded)


def without_preprocessing(root: Section, path: str) -> Section:
    """Return the tree without the choices of a part of the preprocessing, or of one of its parameters."""
    keys = [PREPROCESS_PARAM, *path.split(".")]
    changed = _without_choice(root, keys)
    kept = {family: _without_choice(branch, keys) for family, branch in families(root).items()}
    return _with_families(changed, kept) or changed


def without_families(root: Section, names: Container[str]) -> Section | None:
    """Return the tree without some families; None where none is left."""
    kept = {family: branch for family, branch in families(root).items() if family not in names}
    return _with_families(root, kept)


def _of_parameter(reason: Callable[[Mapping[str, Any]], str | None], key: str) -> Reason:
    """Return the reason against a value of one parameter."""
    return lambda value: reason({key: value})


def _with_families(root: Section, kept: Mapping[str, Section]) -> Section | None:
    """Return the tree with these families alone; None where a choice of families is left without any."""
    model = root.children.get(FAMILY_PARAM)
    if not isinstance(model, Conditional):
        return root
    left = Conditional({**model.options, **kept}, model.weights).without(model.options.keys() - kept.keys())
    return None if left is None else Section({**root.children, FAMILY_PARAM: left})


def _with_values(node: Node, keys: Sequence[str], values: Sequence[Any]) -> tuple[Node | None, list[str]]:
    """Return the part of a node with these values under nested keys, and the other values."""
    if not keys:
        found, others = node.filtered(lambda other: None if other in values else "another")
        return found, list(others)
    if not isinstance(node, Section) or keys[0] not in node.children:
        return None, []
    left, gone = _with_values(node.children[keys[0]], keys[1:], values)
    return None if left is None else Section({**node.children, keys[0]: left}), gone


def _without_choice(section: Section, keys: Sequence[str]) -> Section:
    key, *others = keys
    child = section.children.get(key)
    if child is None or isinstance(child, Constant):
        return section
    if others:
        left = _without_choice(child, others) if isinstance(child, Section) else child
        return Section({**section.children, key: left})
    return Section({name: other for name, other in section.children.items() if name != key})
