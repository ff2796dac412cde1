"""The look of all figures: colours, markers and line styles of families, sizes, output as SVG and PNG."""

from __future__ import annotations

import io
import re
import warnings
import zlib
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, NamedTuple, ParamSpec

import matplotlib.figure
from matplotlib import rc_context, style
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

__all__ = [
    "GREY",
    "INK",
    "Figure",
    "Look",
    "as_png",
    "as_svg",
    "looks",
    "new_figure",
    "note",
    "plain",
    "styled",
    "whole_numbers",
]

P = ParamSpec("P")
INK = "#222222"
GREY = "#8c8c8c"
# Okabe and Ito, "Color Universal Design" (2008), for colour-blind people. Markers and line styles repeat the
# distinction for grey prints.
_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F3C8D", "#5C5C5C")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_LINES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)), (0, (8, 3)))
_LONGEST = 32  # characters of a name in a figure
_RC: dict[Any, Any] = {
    "font.size": 9.5,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "figure.facecolor": "white",
    "svg.fonttype": "none",  # text stays text: small files, any script, names that can be copied
    "svg.hashsalt": "automl",
}


class Figure(matplotlib.figure.Figure):
    """A matplotlib figure that notebooks show without pyplot."""

    def _repr_png_(self) -> bytes:
        return as_png(self)


class Look(NamedTuple):
    """Colour, marker and line style of a family."""

    color: str
    marker: str
    line: Any


def looks(families: Iterable[str]) -> dict[str, Look]:
    """Return the look of each family, the same in all figures of a search.

    Examples
    --------
    >>> looks(["mlp", "linear", "mlp"])["linear"].marker
    'o'
    """
    found, n = {}, len(_COLORS)
    for i, name in enumerate(sorted(set(families))):
        other = (i + i // n) % n  # so that families of the same colour differ in marker and line
        found[name] = Look(_COLORS[i % n], _MARKERS[other], _LINES[other])
    return found


def new_figure(
    n_panels: int = 1, *, columns: int = 1, width: float = 7.2, height: float = 4.0, sharey: bool = False
) -> tuple[Figure, list[Axes]]:
    """Return a figure with a grid of panels.

    Parameters
    ----------
    n_panels : int
        Number of panels.
    columns : int
        Panels side by side.
    width, height : float
        Width of the figure and height of a row of panels, in inches.
    sharey : bool
        Whether all panels have the same vertical axis.
    """
    columns = min(columns, n_panels)
    rows = -(-n_panels // columns)
    figure = Figure(figsize=(width, height * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharey=sharey).ravel().tolist()
    for unused in panels[n_panels:]:
        unused.remove()
    return figure, panels[:n_panels]


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Let a function draw its figure in the style of this module, whatever the user's matplotlib settings are."""

    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with style.context(["default", _RC]):
            return draw(*args, **kwargs)

    return drawn


def note(axes: Axes, text: str) -> None:
    """Write a short text below the title of a panel."""
    axes.annotate(
        text, (0, 1), (0, 3), xycoords="axes fraction", textcoords="offset points", fontsize=8, color=INK
    )


def whole_numbers(axis: Any) -> None:
    """Let an axis have ticks at whole numbers only."""
    axis.set_major_locator(MaxNLocator(integer=True))


def plain(name: Any, longest: int = _LONGEST, *, end: bool = False) -> str:
    r"""Return a name as text that matplotlib shows unchanged, without formulas, and short.

    Parameters
    ----------
    name : object
        The name.
    longest : int
        Most characters of the text.
    end : bool
        Whether to keep the end of a long name instead of its beginning.

    Examples
    --------
    >>> plain("price in $ or $100")
    'price in \\$ or \\$100'
    """
    text = " ".join(str(name).split())
    if len(text) > longest:
        text = "…" + text[1 - longest :] if end else text[: longest - 1] + "…"
    return text.replace("$", r"\$")


def as_png(figure: matplotlib.figure.Figure, dpi: int = 110) -> bytes:
    """Return a figure as a PNG file."""
    data = io.BytesIO()
    with _quiet():
        figure.savefig(data, format="png", dpi=dpi)
    return data.getvalue()


def as_svg(figure: matplotlib.figure.Figure) -> str:
    """Return a figure as an SVG element."""
    data = io.StringIO()
    with _quiet(), rc_context(_RC):
        figure.savefig(data, format="svg", metadata={"Date": None, "Creator": None})
    text = data.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)  # links to other pages
    return _with_own_ids(text[text.index("<svg") :].strip())


def _with_own_ids(svg: str) -> str:
    """Drop the ids that nothing refers to, and mark the others, so that a page can hold several figures."""
    used, mark = set(re.findall(r'(?:url\(#|href="#)([^")]+)', svg)), f"f{zlib.crc32(svg.encode()):08x}-"

    def marked(found: re.Match[str]) -> str:
        return f' id="{mark}{found[1]}"' if found[1] in used else ""

    svg = re.sub(r' id="([^"]+)"', marked, svg)
    return re.sub(r'(url\(#|href="#)', rf"\g<1>{mark}", svg)


class _quiet(warnings.catch_warnings):
    """Ignore that the font lacks a character of a name; browsers have others."""

    def __enter__(self) -> None:
        super().__enter__()
        warnings.filterwarnings("ignore", "Glyph .* missing from")
