"""Reads YAML with line numbers, safely, and writes it.

The reader rejects tags and duplicate keys and limits depth and size. It is built from the parser's events, which
come one by one: nested brackets and nested aliases reach a limit before they cost time or stack.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from automl.errors import Fault, SpaceError
from automl.space.source import (
    BROKEN,
    Budget,
    Reporter,
    SourceLocation,
    SourceNode,
    key_path,
    number_fault,
    text_fault,
)
from automl.space.syntax import EXPONENT, show

__all__ = ["MAX_BYTES", "parse_yaml", "to_yaml"]

MAX_BYTES = 200_000
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# Characters that are not printable in YAML 1.1, section 4.1.1.
_CONTROL = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_BASE_60 = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?")  # YAML 1.1 reads 1:30 as 90
_PLAIN_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float", "str")}


def parse_yaml(text: str, file: str, reporter: Reporter) -> SourceNode:
    """Read a YAML document.

    Parameters
    ----------
    text : str
        The document.
    file : str
        The file name for messages.
    reporter : Reporter
        Gets the faults that leave the rest readable, such as tags and duplicate keys.

    Returns
    -------
    SourceNode
        The document.

    Raises
    ------
    SpaceError
        For broken YAML, and for documents beyond the limits.
    """
    if len(text) > MAX_BYTES:
        raise SpaceError(Fault(file, f"must be at most {MAX_BYTES // 1000} kB", f"{len(text) // 1000} kB"))
    control = _CONTROL.search(text)
    if control:
        location = SourceLocation(file, text.count("\n", 0, control.start()) + 1)
        raise SpaceError(Fault(str(location), "must hold no control characters", f"U+{ord(control[0]):04X}"))
    try:
        return _Reader(file, reporter).document(yaml.parse(text, Loader=_LOADER))
    except yaml.YAMLError:
        raise SpaceError(_broken(text, file)) from None


def _broken(text: str, file: str) -> Fault:
    """Return the fault of broken YAML in the words of PyYAML's own parser, with and without libyaml."""
    line, came = 0, "broken text"
    try:
        _Reader(file, Reporter()).document(yaml.parse(text, Loader=yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 0
        came = (error.problem or error.context or came).replace("\n", " ")
    except yaml.YAMLError:
        pass
    return Fault(str(SourceLocation(file, line)), "must be valid YAML", came)


class _Reader:
    def __init__(self, file: str, reporter: Reporter) -> None:
        self.file, self.reporter = file, reporter
        self.anchors: dict[str, tuple[SourceNode, int]] = {}  # with the number of values of each
        self.budget = Budget()
        self.scalars: Any = yaml.SafeLoader("")

    def document(self, events: Iterator[Any]) -> SourceNode:
        starts = (event for event in events if isinstance(event, yaml.DocumentStartEvent))
        documents = [self.value(next(events), events, "", 0) for _ in starts]
        if len(documents) > 1:
            raise SpaceError(Fault(self.file, "must hold one YAML document", str(len(documents))))
        return documents[0] if documents else SourceNode(None, SourceLocation(self.file, 1))

    def value(self, event: Any, events: Iterator[Any], path: str, depth: int) -> SourceNode:
        node = SourceNode(None, self.location(event))
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event, node, path)
        before = self.budget.count
        self.budget.spend(1, depth, node.location.at(path))
        if isinstance(event, yaml.ScalarEvent):
            node = node.with_value(self.scalar(event, node, path))
        elif isinstance(event, yaml.SequenceStartEvent):
            items = []
            while not isinstance(inner := next(events), yaml.SequenceEndEvent):
                items.append(self.value(inner, events, path, depth + 1))
            node = node.with_value(items)
        else:
            node = node.with_value(self.mapping(events, path, depth))
        if self.tagged(event, node, path):
            node = node.with_value(BROKEN)
        if event.anchor:
            self.anchors[event.anchor] = node, self.budget.count - before
        return node

    def alias(self, event: Any, node: SourceNode, path: str) -> SourceNode:
        """Return the anchored value; all its values count again, so that nested aliases reach the limit."""
        if event.anchor not in self.anchors:
            rule = "an alias must come after the end of its anchor"
            self.reporter.report(node, path, rule, f"*{event.anchor}")
            return node.with_value(BROKEN)
        anchored, size = self.anchors[event.anchor]
        self.budget.spend(size, 0, node.location.at(path))
        return anchored

    def mapping(self, events: Iterator[Any], path: str, depth: int) -> dict[str, SourceNode]:
        items: dict[str, SourceNode] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            key = SourceNode(None, self.location(event))
            if not isinstance(event, yaml.ScalarEvent):
                self.reporter.report(key, path, "a key must be text", "a list, a mapping or an alias")
                if not isinstance(event, yaml.AliasEvent):
                    self.value(event, events, path, depth + 1)
                self.value(next(events), events, path, depth + 1)
                continue
            if (fault := text_fault(event.value, key.location.at(path))) is not None:
                self.reporter.add(fault)
            here = key_path(path, event.value)
            self.tagged(event, key, here)
            item = self.value(next(events), events, here, depth + 1)
            if event.value in items:
                first = items[event.value].location.line
                came = f"{event.value} again (first in line {first})"
                self.reporter.report(key, here, "a key must occur once", came)
            else:
                items[event.value] = key.with_value(item.value)
        return items

    def scalar(self, event: Any, node: SourceNode, path: str) -> Any:
        text: str = event.value
        fault = text_fault(text, node.location.at(path))
        if fault is None and event.implicit[0] and _BASE_60.fullmatch(text):
            fault = Fault(
                node.location.at(path), "must be a number without colons, or text in quotes", show(text)
            )
        if fault is not None:
            self.reporter.add(fault)
            return BROKEN
        if not event.implicit[0]:
            return text
        if EXPONENT.fullmatch(text):
            value: Any = float(text.replace("_", ""))
        else:
            tag = self.scalars.resolve(yaml.ScalarNode, text, (True, False))
            if tag not in _PLAIN_TAGS:
                return text
            try:
                value = self.scalars.construct_object(yaml.ScalarNode(tag, text))
            except (ValueError, OverflowError):  # such as 0x_ or an integer of 5,000 digits
                self.reporter.report(node, path, "must be a value", show(text))
                return BROKEN
        fault = number_fault(value, node.location.at(path))
        if fault:
            self.reporter.add(fault)
        return BROKEN if fault else value

    def tagged(self, event: Any, node: SourceNode, path: str) -> bool:
        """Report the tag of a value, if it has one."""
        if event.tag is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            self.reporter.report(
                SourceNode(None, node.location), path, "a tag must not be used", tag, "Leave it out."
            )
        return event.tag is not None

    def location(self, event: Any) -> SourceLocation:
        return SourceLocation(self.file, event.start_mark.line + 1)


class _Dumper(yaml.SafeDumper):
    """Quotes text that this language reads as a number, and writes no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", EXPONENT, list("-+0123456789"))


def to_yaml(document: dict[str, Any]) -> str:
    """Return a document as YAML that `load_space` reads back to an equal space."""
    text: str = yaml.dump(
        document, Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=100, allow_unicode=True
    )
    return text
