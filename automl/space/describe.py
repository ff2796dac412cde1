"""A space for people: one line for a node, and a tree for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from automl.space.nodes import Branches, Choices, Constant, Group, Node, Range
from automl.space.raw import show

if TYPE_CHECKING:
    from rich.tree import Tree

__all__ = ["tree", "words"]


def words(node: Node) -> str:
    """Return a node in one line.

    Examples
    --------
    >>> words(Range(1e-4, 1, log=True)), words(Choices((Constant(None), Range(2, 20, integer=True))))
    ('0.0001 to 1, log', 'null | 2 to 20, whole')
    """
    match node:
        case Constant(value):
            return show(value)
        case Range():
            notes = [
                f"{show(node.low)} to {show(node.high)}",
                "log" if node.log else "",
                f"steps of {show(node.step)}" if node.step else "",
                "whole" if node.integer and not node.step else "",
                "fidelity" if node.fidelity else "",
            ]
            return ", ".join(note for note in notes if note)
        case Choices(options, weights):
            return " | ".join(map(_weighed, map(words, options), weights or [None] * len(options)))
        case Branches(branches):
            return "one of " + ", ".join(branches)
        case Group(children):
            return f"{len(children)} keys" if children else "nothing to choose"


def tree(root: Group, title: str, about: str, limits: Mapping[str, float] | None = None) -> Tree:
    """Return the tree that `rich` prints, which is imported only here."""
    from rich.tree import Tree

    top = Tree(
        f"[bold]{_escape(title)}[/]" + (f"\n[dim]{_escape(about)}[/]" if about else ""), guide_style="dim"
    )
    _grow(top, root)
    if limits:
        below = top.add("[bold]constraints[/] [dim]on the result[/]")
        for name, limit in limits.items():
            below.add(f"{_escape(name)}  [green]at most {show(limit)}[/]")
    return top


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def _grow(above: Tree, node: Group) -> None:
    for key, child in node.children.items():
        if isinstance(child, Group):
            _grow(above.add(f"[bold]{_escape(key)}[/]"), child)
        elif isinstance(child, Branches):
            fork = above.add(f"[bold]{_escape(key)}[/] [dim]one of[/]")
            for (name, branch), weight in zip(
                child.options.items(), child.weights or [None] * len(child.options), strict=True
            ):
                _grow(fork.add(f"[cyan]{_escape(_weighed(name, weight))}[/]"), branch)
        else:
            above.add(f"{_escape(key)}  [green]{_escape(words(child))}[/]")


def _weighed(text: str, weight: float | None) -> str:
    return text if weight is None else f"{text} (weight {weight:g})"
