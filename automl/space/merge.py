"""Merges a file over its included files: sections by key, choices by branch, ranges and lists as a whole."""

from __future__ import annotations

from automl.space.source import SourceNode
from automl.space.syntax import NODE_KEYWORDS, REPLACE

__all__ = ["merge_documents", "merge_keys"]

_JOINED = ("forbid", "enqueue")


def merge_documents(base: SourceNode, over: SourceNode) -> SourceNode:
    """Merge two documents: the second has priority, but the lists of rules and initial points are joined."""
    if not (base.is_mapping and over.is_mapping):
        return over
    joined = {
        key: item.with_value(base.value[key].value + item.value)
        for key, item in over.value.items()
        if key in _JOINED and key in base.value and base.value[key].is_list and item.is_list
    }
    merged = _merge(base, over)
    return merged.with_value(merged.value | joined)


def merge_keys(base: dict[str, SourceNode], over: dict[str, SourceNode]) -> dict[str, SourceNode]:
    """Merge two mappings key by key; the second has priority."""
    return base | {key: _merge(base[key], item) if key in base else item for key, item in over.items()}


def _merge(base: SourceNode, over: SourceNode) -> SourceNode:
    """Return ``base`` updated by ``over``.

    - sections are merged key by key;
    - a ``choice`` adds its branches to a choice, and merges those of the same name, unless it has ``replace: true``;
    - the name of a branch, a list of them, or one branch without ``choice`` keep only these branches;
    - ranges and lists of values are replaced.
    """
    branches = _branches(base)
    if branches is not None and (weights := _weights(base, branches)) is not None:
        if over.is_mapping and "choice" in over.value:
            added = _branches(over)
            if added is None or _replaces(over):
                return over
            if "use" in branches and "use" in added:
                added["use"] = added["use"].with_value([*branches["use"].items, *added["use"].items])
            merged = over.value | {"choice": over.value["choice"].with_value(merge_keys(branches, added))}
            given = _weights(over, added) if "weights" in over.value else {}
            return over.with_value(merged if given is None else _with_weights(merged, weights | given, over))
        kept = _selected(over)
        if kept is not None:
            chosen = {
                name: _merge(branches[name], kept[name]) if name in branches else kept[name] for name in kept
            }
            value = {"choice": over.with_value(chosen)}
            some = {name: weight for name, weight in weights.items() if name in kept}
            return over.with_value(_with_weights(value, some, over))
    if not (base.is_mapping and over.is_mapping) or NODE_KEYWORDS & (base.value.keys() | over.value.keys()):
        return over
    return over.with_value(merge_keys(base.value, over.value))


def _replaces(node: SourceNode) -> bool:
    return REPLACE in node.value and node.value[REPLACE].value is True


def _branches(node: SourceNode) -> dict[str, SourceNode] | None:
    """Return the branches of a choice by name; None for a choice of values, and for all other nodes."""
    choice = node.value.get("choice") if node.is_mapping else None
    if choice is None:
        return None
    if choice.is_mapping:
        return dict(choice.value)
    some_mapping = choice.is_list and any(item.is_mapping for item in choice.value)
    return _named(choice) if some_mapping else None


def _selected(node: SourceNode) -> dict[str, SourceNode] | None:
    """Return the branches named by a text, by a list of names and branches, or by one branch without ``choice``."""
    if node.is_mapping:
        single = len(node.value) == 1 and not NODE_KEYWORDS & node.value.keys() and "use" not in node.value
        return dict(node.value) if single else None
    return _named(node)


def _named(node: SourceNode) -> dict[str, SourceNode] | None:
    found: dict[str, SourceNode] = {}
    for item in node.items:
        if isinstance(item.value, str):
            found[item.value] = item.with_value({})
        elif item.is_mapping and len(item.value) == 1:
            found |= item.value
        else:
            return None
    return found if len(found) == len(node.items) and found else None


def _weights(node: SourceNode, branches: dict[str, SourceNode]) -> dict[str, SourceNode] | None:
    """Return the weights of a choice by branch; None where they are not one for each branch."""
    weights = node.value.get("weights")
    if weights is None:
        return {}
    if weights.is_mapping:
        return dict(weights.value)
    fits = weights.is_list and len(weights.value) == len(branches)
    return dict(zip(branches, weights.value, strict=True)) if fits else None


def _with_weights(
    value: dict[str, SourceNode], weights: dict[str, SourceNode], over: SourceNode
) -> dict[str, SourceNode]:
    return value | ({"weights": over.with_value(weights)} if weights else {})
