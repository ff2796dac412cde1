"""Figures of columns: importances with intervals, and effects."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

from automl.explain import Effect, Explanation
from automl.report.style import GREY, INK, Figure, looks, new_figure, plain, styled

__all__ = ["columns", "effects"]

_SHOWN = 20
_CURVES = 40  # of single rows
_MOST_CLASSES = 6


@styled
def columns(explanation: Explanation) -> Figure:
    """Return the importance of the 20 most important columns, with 95 % intervals."""
    table = explanation.importances.head(_SHOWN)
    figure, (axes,) = new_figure(height=0.28 * len(table) + 1.3)
    at = np.arange(len(table))
    middle = table["importance"].to_numpy()
    below, above = middle - table["low"].to_numpy(), table["high"].to_numpy() - middle
    axes.barh(at, middle, color="#56B4E9", height=0.65)
    axes.errorbar(
        middle,
        at,
        xerr=np.nan_to_num(np.stack([below, above])),
        fmt="none",
        ecolor=INK,
        elinewidth=1,
        capsize=2,
    )
    axes.axvline(0, color=INK, lw=0.8)
    axes.set_yticks(at, [plain(name) for name in table.index])
    axes.set_ylim(len(table) - 0.4, -0.6)
    axes.grid(False, axis="y")
    axes.set(
        xlabel=f"loss of {plain(explanation.score_name)} when the column is shuffled",
        title=f"Important columns, {plain(explanation.source, 60)}",
    )
    return figure


@styled
def effects(explanation: Explanation) -> Figure:
    """Return the effect of each of the most important columns: mean predictions and curves of single rows."""
    figure, panels = new_figure(max(1, len(explanation.effects)), columns=2, height=2.7)
    for panel, effect in zip(panels, explanation.effects.values(), strict=False):
        _draw(panel, effect, explanation)
    label = "prediction" if explanation.classes is None else "predicted probability"
    figure.supylabel(label, fontsize=9.5)
    return figure


def _draw(panel: Axes, effect: Effect, explanation: Explanation) -> None:
    numeric = all(isinstance(value, int | float | np.number) for value in effect.values)
    dates = all(isinstance(value, pd.Timestamp) for value in effect.values)
    x = effect.values.astype(float) if numeric else effect.values if dates else np.arange(len(effect.values))
    classes = explanation.classes or ()
    n_outputs = effect.mean.shape[1]
    shown = [n_outputs - 1] if n_outputs <= 2 else list(range(n_outputs))[:_MOST_CLASSES]
    look = looks(str(place) for place in range(len(shown)))
    if len(shown) == 1:
        panel.plot(x, effect.rows[:_CURVES, :, shown[0]].T, color=GREY, lw=0.5, alpha=0.5)
    for place, output in enumerate(shown):
        label = plain(classes[output]) if len(classes) > output else None
        one = look[str(place)]
        panel.plot(
            x,
            effect.mean[:, output],
            color=one.color,
            marker=one.marker,
            ls=one.line,
            ms=4,
            lw=1.8,
            label=label,
        )
    if dates:
        locator = AutoDateLocator(maxticks=5)  # type: ignore[no-untyped-call]
        panel.xaxis.set_major_locator(locator)
        panel.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    elif not numeric:
        labels = [plain(value, 14) for value in effect.values]
        panel.set_xticks(x, labels, rotation=30 if sum(map(len, labels)) > 30 else 0)
    panel.set_title(plain(effect.column))
    if classes:
        panel.legend(loc="best")
