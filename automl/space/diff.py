"""The changes between two spaces, and whether trials of the first are valid in the second."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from automl.space.containers import Conditional
from automl.space.nodes import Container, Node
from automl.space.syntax import join, show

__all__ = ["Change", "changes", "limit_changes"]


@dataclass(frozen=True)
class Change:
    """One change.

    Parameters
    ----------
    kind : {"came", "went", "widened", "narrowed", "changed"}
        The kind of change: added, removed, more values, fewer values, or another change.
    path : str
        The path of the parameter.
    before, after : str
        The old and the new node in one line; empty where there is none.
    keeps : bool
        Whether every old value is still allowed, so that this change alone leaves old trials valid.
    """

    kind: Literal["came", "went", "widened", "narrowed", "changed"]
    path: str
    before: str
    after: str
    keeps: bool

    def __str__(self) -> str:
        between = " -> ".join(text for text in (self.before, self.after) if text)
        return f"{self.kind:8} {self.path}: {between}"


def changes(old: Node, new: Node, path: str = "") -> Iterator[Change]:
    """Yield the changes between two trees, from the top down."""
    if old.canonical() == new.canonical():
        return
    if isinstance(old, Container) and isinstance(new, Container) and type(old) is type(new):
        for key in {**old.below, **new.below}:
            here = join(path, key)
            if key not in old.below:
                yield Change("came", here, "", new.below[key].summary(), new.keeps_old)
            elif key not in new.below:
                yield Change("went", here, old.below[key].summary(), "", False)
            else:
                yield from changes(old.below[key], new.below[key], here)
        if isinstance(old, Conditional) and isinstance(new, Conditional):
            same = old.options.keys() == new.options.keys()
            if same and old.weights != new.weights:
                before, after = f"weights {old.weights}", f"weights {new.weights}"
                yield Change("changed", path, before, after, True)
        return
    wider, narrower = old.is_within(new), new.is_within(old)
    kind: Literal["changed", "widened", "narrowed"] = "widened" if wider else "narrowed"
    kind = "changed" if wider == narrower else kind
    yield Change(kind, path, old.summary(), new.summary(), wider)


def limit_changes(old: Mapping[str, float], new: Mapping[str, float]) -> Iterator[Change]:
    """Yield the changes between two sets of limits on the result; configurations stay valid with any limits."""
    for name in {**old, **new}:
        before, after = old.get(name), new.get(name)
        if before == after:
            continue
        kind: Literal["came", "went", "widened", "narrowed"] = "came" if before is None else "went"
        if before is not None and after is not None:
            kind = "widened" if after > before else "narrowed"
        old_text, new_text = ("" if limit is None else show(limit) for limit in (before, after))
        yield Change(kind, f"constraints.{name}", old_text, new_text, True)
