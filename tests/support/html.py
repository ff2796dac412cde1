"""A strict reader of HTML pages: balanced tags, ids that occur once, and nothing loaded from elsewhere."""

from __future__ import annotations

import re
from html.parser import HTMLParser

VOID = {"meta", "br", "hr", "img", "input", "link", "col", "path", "use", "rect"}
LOADING = {"src", "href", "xlink:href", "data", "action", "srcset"}


class Page(HTMLParser):
    """The tags and texts of a page; raises AssertionError on a fault."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.tags: list[str] = []
        self.cells: list[str] = []
        self.ids: set[str] = set()
        self.references: set[str] = set()
        self.feed(html)
        self.close()
        assert self.open == [], self.open
        assert self.references <= self.ids, self.references - self.ids

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            assert name not in LOADING or (value or "").startswith(("#", "data:image/png")), (
                tag,
                name,
                value,
            )
            assert not name.startswith("on"), (tag, name)
            if name == "id":
                assert value not in self.ids, value
                self.ids.add(value)
            if name in LOADING and value.startswith("#"):
                self.references.add(value[1:])
            self.references |= set(re.findall(r"url\(#([^)]+)\)", value or ""))
        if tag in ("td", "th"):
            self.cells.append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag in VOID:
            return
        assert self.open, tag
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "style":
            assert "url(" not in data
            assert "@import" not in data
            return
        self.texts.append(data)
        if self.open and self.open[-1] in ("td", "th"):
            self.cells[-1] += data

    @property
    def text(self) -> str:
        """All texts, with single spaces."""
        return " ".join(" ".join(self.texts).split())
