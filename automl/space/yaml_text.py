"""YAML text to `Raw`, safely: no tags, no duplicate keys, nothing deeper or larger than a space can be.

Built from the parser's events, which come one by one without recursion, so neither a nest of brackets nor
an alias of aliases costs more than reading it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from automl.errors import Fault, SpaceError
from automl.space.raw import BROKEN, MAX_DEPTH, MAX_VALUES, Faults, Place, Raw, key_path, number_fault, show

__all__ = ["EXPONENT", "MAX_BYTES", "parse_yaml"]

MAX_BYTES = 200_000
EXPONENT = re.compile(r"[-+]?[0-9][0-9_]*(\.[0-9_]*)?[eE][-+]?[0-9]+")  # YAML 1.1 reads 1e-4 as text
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# What YAML 1.1 takes for printable (section 4.1.1); anything else is no text.
_CONTROL = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_PLAIN_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float", "str")}


def parse_yaml(text: str, file: str, faults: Faults) -> Raw:
    """Read YAML text.

    Parameters
    ----------
    text : str
        The text.
    file : str
        The name its faults are reported under.
    faults : Faults
        Tags, duplicate keys and the like are added to it; what stands beside them is read all the same.

    Returns
    -------
    Raw
        The document.

    Raises
    ------
    SpaceError
        Broken YAML, at its line, and documents beyond the limits.
    """
    if len(text) > MAX_BYTES:
        raise SpaceError(Fault(file, f"must be at most {MAX_BYTES // 1000} kB", f"{len(text) // 1000} kB"))
    control = _CONTROL.search(text)
    if control:
        place = Place(file, text.count("\n", 0, control.start()) + 1)
        raise SpaceError(Fault(str(place), "must hold no control characters", f"U+{ord(control[0]):04X}"))
    try:
        return _Reader(file, faults).document(yaml.parse(text, Loader=_LOADER))
    except yaml.YAMLError:
        raise SpaceError(_broken(text, file)) from None


def _broken(text: str, file: str) -> Fault:
    """Return what is wrong with the YAML, in the words of PyYAML's own parser.

    They tell more than those of libyaml, and so are the same whether or not PyYAML was built with it.
    """
    rule, line, came = "must be valid YAML", 0, "broken text"
    try:
        _Reader(file, Faults()).document(yaml.parse(text, Loader=yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 0
        came = (error.problem or error.context or came).replace("\n", " ")
    except yaml.YAMLError:
        pass
    return Fault(str(Place(file, line)), rule, came)


class _Reader:
    def __init__(self, file: str, faults: Faults) -> None:
        self.file = file
        self.faults = faults
        self.anchors: dict[str, Raw] = {}
        self.sizes: dict[int, int] = {}  # of anchored values, by identity
        self.count = 0
        self.scalars: Any = yaml.SafeLoader("")

    def document(self, events: Iterator[Any]) -> Raw:
        documents = []
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents.append(self.value(next(events), events, "", 0))
        if len(documents) > 1:
            raise SpaceError(Fault(self.file, "must hold one YAML document", str(len(documents))))
        return documents[0] if documents else Raw(None, Place(self.file, 1))

    def value(self, event: Any, events: Iterator[Any], path: str, depth: int) -> Raw:
        place = Place(self.file, event.start_mark.line + 1)
        before = self.count
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event, path, place)
        self.take(1, depth, path, place)
        if isinstance(event, yaml.ScalarEvent):
            raw = Raw(self.scalar(event, path, place), place)
        elif isinstance(event, yaml.SequenceStartEvent):
            items = []
            while not isinstance(inner := next(events), yaml.SequenceEndEvent):
                items.append(self.value(inner, events, path, depth + 1))
            raw = Raw(items, place)
        else:
            raw = Raw(self.mapping(events, path, depth), place)
        raw = raw if self.untagged(event, path, place) else Raw(BROKEN, place)
        if event.anchor:
            self.anchors[event.anchor] = raw
            self.sizes[id(raw)] = self.count - before
        return raw

    def alias(self, event: Any, path: str, place: Place) -> Raw:
        """Return what an alias stands for; it counts as much, so that a bomb is full before it goes off."""
        if event.anchor not in self.anchors:
            rule = "an alias must stand after the end of its anchor"
            self.fault(place, path, rule, f"*{event.anchor}")
            return Raw(BROKEN, place)
        raw = self.anchors[event.anchor]
        self.take(self.sizes[id(raw)], 0, path, place)
        return raw

    def mapping(self, events: Iterator[Any], path: str, depth: int) -> dict[str, Raw]:
        items: dict[str, Raw] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            place = Place(self.file, event.start_mark.line + 1)
            if not isinstance(event, yaml.ScalarEvent):
                self.fault(place, path, "a key must be text", "a list, a mapping or an alias")
                if not isinstance(event, yaml.AliasEvent):
                    self.value(event, events, path, depth + 1)
                self.value(next(events), events, path, depth + 1)
                continue
            here = key_path(path, event.value)
            self.untagged(event, here, place)
            raw = self.value(next(events), events, here, depth + 1)
            if event.value in items:
                first = items[event.value].place.line
                self.fault(
                    place, here, "a key must stand once", f"{event.value} again (first in line {first})"
                )
                continue
            items[event.value] = Raw(raw.value, place)
        return items

    def scalar(self, event: Any, path: str, place: Place) -> Any:
        text: str = event.value
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
            except (ValueError, OverflowError):  # such as 0x_ or a whole number of 5,000 digits
                self.fault(place, path, "must be a value", show(text))
                return BROKEN
        fault = number_fault(value, place.at(path))
        if fault:
            self.faults.add(fault)
            return BROKEN
        return value

    def take(self, values: int, depth: int, path: str, place: Place) -> None:
        self.count += values
        if depth > MAX_DEPTH or self.count > MAX_VALUES:
            rule = f"must be nested at most {MAX_DEPTH} deep and hold at most {MAX_VALUES:,} values"
            raise SpaceError(Fault(place.at(path), rule, "more"))

    def untagged(self, event: Any, path: str, place: Place) -> bool:
        if event.tag is None:
            return True
        tag = event.tag.replace("tag:yaml.org,2002:", "!!")
        self.fault(place, path, "a tag must not be used", tag, "Leave it out.")
        return False

    def fault(self, place: Place, path: str, rule: str, came: str, remedy: str = "") -> None:
        self.faults.add(Fault(place.at(path), rule, show(came), remedy))
