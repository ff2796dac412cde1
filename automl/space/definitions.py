"""Named definitions: ``use`` is replaced by an entry of ``define`` before anything is checked."""

from __future__ import annotations

from automl.errors import Fault, SpaceError, nearest
from automl.space.source import MAX_VALUES, Reporter, SourceNode, key_path
from automl.space.syntax import NODE_KEYWORDS

__all__ = ["Definitions", "merge"]


def merge(base: SourceNode, over: SourceNode) -> SourceNode:
    """Return ``base`` updated by ``over``: sections key by key, ranges and choices as a whole."""
    if not (base.is_mapping and over.is_mapping) or NODE_KEYWORDS & (base.value.keys() | over.value.keys()):
        return over
    return over.with_value(_merge_keys(base.value, over.value))


def _merge_keys(base: dict[str, SourceNode], over: dict[str, SourceNode]) -> dict[str, SourceNode]:
    return base | {key: merge(base[key], item) if key in base else item for key, item in over.items()}


class Definitions:
    """The named definitions of a space.

    Parameters
    ----------
    define : dict of SourceNode
        The definitions by name.
    reporter : Reporter
        Gets the faults.
    """

    def __init__(self, define: dict[str, SourceNode], reporter: Reporter) -> None:
        self.define, self.reporter = define, reporter
        self._count = 0

    def expand(self, node: SourceNode, path: str, using: tuple[str, ...] = ()) -> SourceNode:
        """Return ``node`` with every ``use`` replaced by its definitions."""
        self._count += 1
        if self._count > MAX_VALUES:
            rule = f"must hold at most {MAX_VALUES:,} values once every part is put where it is used"
            raise SpaceError(Fault(node.location.at(path), rule, "more"))
        if node.is_list:
            return node.with_value([self.expand(item, path, using) for item in node.value])
        if not node.is_mapping:
            return node
        own = node.with_value(
            {
                key: self.expand(item, key_path(path, key), using)
                for key, item in node.value.items()
                if key != "use"
            }
        )
        return self._used(node.value["use"], own, path, using) if "use" in node.value else own

    def _used(self, use: SourceNode, own: SourceNode, path: str, using: tuple[str, ...]) -> SourceNode:
        merged: dict[str, SourceNode] = {}
        names: set[str] = set()
        for name in use.items:
            part = self._part(name, path, using)
            if part is None:
                continue
            if name.value in names:
                self.reporter.report(name, path, "a part must be used once", f"{name} again")
            elif part.is_mapping:
                merged = _merge_keys(merged, part.value)
            elif len(use.items) == 1 and not own.value:
                return part
            else:
                rule = "a part that is not a mapping must be used alone"
                self.reporter.report(name, path, rule, f"{name} with {', '.join(own.value) or 'other parts'}")
            names.add(name.value)
        return own.with_value(_merge_keys(merged, own.value))

    def _part(self, name: SourceNode, path: str, using: tuple[str, ...]) -> SourceNode | None:
        if not isinstance(name.value, str) or name.value not in self.define:
            known = list(self.define)
            remedy = nearest(str(name), known) if known else "Nothing is defined: add a `define:` section."
            self.reporter.report(name, path, "`use` must name a part of `define`", str(name), remedy)
            return None
        if name.value in using:
            circle = " -> ".join([*using[using.index(name.value) :], name.value])
            self.reporter.report(name, path, "a part must not use itself", circle)
            return None
        return self.expand(self.define[name.value], path, (*using, name.value))
