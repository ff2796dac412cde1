"""The report: one HTML page with sections of text, tables, figures and code, without external files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from automl.report.style import as_svg

__all__ = ["Fact", "Page", "Part", "Section", "Table", "render", "render_template"]


@dataclass(frozen=True)
class Table:
    """Rows of texts under heads.

    Parameters
    ----------
    heads : sequence of str
        Names of the columns.
    rows : sequence of sequences
        The cells.
    numbers : set of int
        Positions of the columns that are aligned right.
    best : int or None
        Position of the row to emphasise.
    """

    heads: Sequence[str]
    rows: Sequence[Sequence[Any]]
    numbers: frozenset[int] = frozenset()
    best: int | None = None


@dataclass(frozen=True)
class Part:
    """A part of a section: any of a title, a text, a table, a figure with its caption, and code."""

    title: str = ""
    text: str = ""
    table: Table | None = None
    figure: Figure | None = None
    caption: str = ""
    code: str = ""

    @cached_property
    def svg(self) -> Markup | None:
        """The figure as an SVG element, which is safe: matplotlib escapes its texts."""
        return None if self.figure is None else Markup(as_svg(self.figure))


@dataclass(frozen=True)
class Section:
    """A section with its title."""

    title: str
    parts: Sequence[Part]

    @property
    def id(self) -> str:
        """Address of the section within the page."""
        return re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-")


@dataclass(frozen=True)
class Fact:
    """A number at the top of the page."""

    name: str
    value: str
    more: str = ""


@dataclass(frozen=True)
class Page:
    """The content of a page; all texts are shown as they are, never read as HTML."""

    title: str
    subtitle: str
    summary: str
    facts: Sequence[Fact] = ()
    sections: Sequence[Section] = field(default_factory=list)


def render(page: Page) -> str:
    """Return a page as HTML."""
    return render_template(
        "report.html",
        title=page.title,
        subtitle=page.subtitle,
        summary=page.summary,
        facts=page.facts,
        sections=_shown(page.sections),
    )


def render_template(name: str, **values: Any) -> str:
    """Return a template of this package, filled; all texts are escaped."""
    loader = PackageLoader("automl.report", "")  # also from an archive of code
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    return environment.get_template(name).render(**values)


def _shown(sections: Iterable[Section]) -> list[Section]:
    return [section for section in sections if section.parts]
