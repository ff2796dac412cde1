"""What changed between two spaces, and what it means for trials that were run in the first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from automl.space.describe import words
from automl.space.index import takes
from automl.space.nodes import Branches, Choices, Constant, Group, Node, Range, canonical, join
from automl.space.raw import show

__all__ = ["Change", "changes", "limit_changes"]

_FEW = 10_000


@dataclass(frozen=True)
class Change:
    """One difference.

    Parameters
    ----------
    kind : {"came", "went", "widened", "narrowed", "changed"}
        What happened. ``changed`` is any change that neither only adds nor only takes away.
    path : str
        Where.
    before, after : str
        What stood there, and what stands there now; empty for nothing.
    keeps : bool
        Whether every value of before may still be taken, so that this change alone leaves old trials valid.
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
    """Yield the differences between two trees, from the top down."""
    if canonical(old) == canonical(new):
        return
    if isinstance(old, Group) and isinstance(new, Group):
        for key in {**old.children, **new.children}:
            here = join(path, key)
            if key not in old.children:
                yield Change("came", here, "", words(new.children[key]), False)
            elif key not in new.children:
                yield Change("went", here, words(old.children[key]), "", False)
            else:
                yield from changes(old.children[key], new.children[key], here)
        return
    if isinstance(old, Branches) and isinstance(new, Branches):
        for name in {**old.options, **new.options}:
            here = join(path, name)
            if name not in old.options:
                yield Change("came", here, "", words(new.options[name]), True)
            elif name not in new.options:
                yield Change("went", here, words(old.options[name]), "", False)
            else:
                yield from changes(old.options[name], new.options[name], here)
        if old.options.keys() == new.options.keys() and old.weights != new.weights:
            yield Change("changed", path, f"weights {old.weights}", f"weights {new.weights}", True)
        return
    wider, narrower = _covers(new, old), _covers(old, new)
    same = wider == narrower
    yield Change(
        "changed" if same else "widened" if wider else "narrowed", path, words(old), words(new), wider
    )


def limit_changes(old: Mapping[str, float], new: Mapping[str, float]) -> Iterator[Change]:
    """Yield the differences between two sets of limits on what is measured; configurations stay valid with any."""
    for name in {**old, **new}:
        before, after = old.get(name), new.get(name)
        if before == after:
            continue
        kind: Literal["came", "went", "widened", "narrowed"] = "came" if before is None else "went"
        if before is not None and after is not None:
            kind = "widened" if after > before else "narrowed"
        shown = ("" if limit is None else show(limit) for limit in (before, after))
        yield Change(kind, f"constraints.{name}", next(shown), next(shown), True)


def _covers(outer: Node, inner: Node) -> bool:
    """Whether every value of ``inner`` may be taken from ``outer``."""
    if isinstance(inner, Choices):
        return all(_covers(outer, option) for option in inner.options)
    if isinstance(inner, Constant):
        return takes(outer, inner.value)
    if not isinstance(inner, Range) or isinstance(outer, Group | Branches):
        return False
    if isinstance(outer, Choices) and any(_covers(option, inner) for option in outer.options):
        return True
    if isinstance(outer, Range) and not outer.integer and not outer.step:
        return outer.low <= inner.low and inner.high <= outer.high
    if inner.points is None:
        return False
    if isinstance(outer, Range) and outer.integer and not outer.step and inner.integer:
        return outer.low <= inner.low and inner.last <= outer.high
    step = inner.step or 1
    return inner.points <= _FEW and all(
        takes(outer, inner.low + step * index) for index in range(inner.points)
    )
