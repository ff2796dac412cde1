"""Figures of parameters: scores by value, and importances, a family at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from automl.records import TrialRecord
from automl.report.results import StudyResults
from automl.report.style import GREY, Figure, Look, looks, new_figure, note, plain, styled
from automl.report.trial_figures import focus_scores

__all__ = ["importances", "parameters"]

_LOG_RATIO = 50  # largest to smallest value, from which an axis is logarithmic
_MOST_CATEGORIES = 8
_TITLE = 26  # characters of a title above a small panel
_SHOWN = 8  # parameters of a family in the figure of importances


@styled
def parameters(results: StudyResults, family: str | None = None) -> Figure:
    """Return the scores of a family's trials by the value of each of its parameters.

    Parameters
    ----------
    results : StudyResults
        The search.
    family : str or None
        Name of a family; None is the family of the best trial.
    """
    name = results.family(family)
    group = results.by_family[name]
    values = {path: found for path in searched(group) if (found := _values(group, path))}
    columns = 3
    figure, panels = new_figure(max(1, len(values)), columns=columns, height=2.0, sharey=True)
    look = looks(record.family for record in results.records)[name]
    low, high = focus_scores(group)
    for panel, (path, found) in zip(panels, values.items(), strict=False):
        _scores_by_value(panel, found, look, low)
        panel.set_ylim(low, high)
        panel.set_title(plain(short_name(path, name), _TITLE, end=True), fontsize=9)
    figure.supylabel(f"{plain(results.score_name)} (greater is better)", fontsize=9.5)
    figure.suptitle(f"Parameters of {plain(name)}", fontsize=11, fontweight="bold")
    if not values:
        note(panels[0], "no parameter was searched")
    return figure


@styled
def importances(results: StudyResults, family: str | None = None) -> Figure:
    """Return the importance of each parameter, a panel for each family.

    Parameters
    ----------
    results : StudyResults
        The search.
    family : str or None
        Name of a family; None shows all families with enough trials.
    """
    results.require_scores()
    names = list(results.by_family) if family is None else [results.family(family)]
    names = [name for name in names if any(results.importances.get(name, {}).values())]
    figure, panels = new_figure(max(1, len(names)), columns=2, height=2.4)
    shown = looks(record.family for record in results.records)
    for panel, name in zip(panels, names, strict=False):
        searched_paths = searched(results.by_family[name])
        shares = {path: results.importances[name].get(path, 0.0) for path in searched_paths}
        _importance_bars(panel, shares, name, shown[name])
    if not names:
        note(panels[0], "too few complete trials of any family")
    return figure


def searched(group: Sequence[TrialRecord]) -> list[str]:
    """Return the dotted names of the parameters with more than one value in these trials."""
    paths = dict.fromkeys(path for record in group for path in record.params)
    return [
        path for path in paths if len({repr(one.params[path]) for one in group if path in one.params}) > 1
    ]


def short_name(path: str, family: str) -> str:
    """Return a parameter's name within its family.

    Examples
    --------
    >>> short_name("model.linear.learning_rate", "linear")
    'learning_rate'
    """
    return path.removeprefix(f"model.{family}.").removeprefix("preprocess.")


def _values(group: Sequence[TrialRecord], path: str) -> list[tuple[Any, TrialRecord]]:
    return [(record.params[path], record) for record in group if path in record.params]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _scores_by_value(panel: Axes, found: Sequence[tuple[Any, TrialRecord]], look: Look, low: float) -> None:
    """Draw scores over numbers, or over the names of categories."""
    if all(_is_number(value) for value, _ in found):
        x: Any = np.array([value for value, _ in found], dtype=float)
        if x.min() > 0 and x.max() / x.min() >= _LOG_RATIO:
            panel.set_xscale("log")
    else:
        labels = sorted({_label(value) for value, _ in found})
        if len(labels) > _MOST_CATEGORIES:
            labels = [*labels[: _MOST_CATEGORIES - 1], "others"]
        x = np.array(
            [
                labels.index(text) if (text := _label(value)) in labels else len(labels) - 1
                for value, _ in found
            ]
        )
        panel.set_xticks(
            range(len(labels)),
            [plain(label) for label in labels],
            rotation=0 if sum(map(len, labels)) <= 24 else 30,
            ha="center" if sum(map(len, labels)) <= 24 else "right",
        )
        panel.set_xlim(-0.5, len(labels) - 0.5)
        x = x + 0.12 * np.sin(np.arange(len(x)) * 2.4)
    scores = np.array([record.score for _, record in found], dtype=float)
    pruned = np.array([record.state == "pruned" for _, record in found])
    for hollow in (True, False):
        rows = pruned == hollow
        if rows.any():
            panel.scatter(
                x[rows],
                np.maximum(scores[rows], low),
                s=16,
                marker=look.marker,
                facecolors="none" if hollow else look.color,
                edgecolors=look.color,
                linewidths=0.7,
                alpha=0.5 if hollow else 0.85,
            )


def _label(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value).replace(" ", "")


def _importance_bars(panel: Axes, shares: Mapping[str, float], name: str, look: Look) -> None:
    total = sum(shares.values()) or 1.0
    rows = sorted(shares.items(), key=lambda one: -one[1])[:_SHOWN]
    panel.barh(range(len(rows)), [value / total for _, value in rows], color=look.color, height=0.65)
    panel.set_yticks(range(len(rows)), [plain(short_name(path, name)) for path, _ in rows])
    panel.set_ylim(len(rows) - 0.4, -0.6)
    panel.set_xlim(0, 1)
    panel.grid(False, axis="y")
    panel.axvline(0, color=GREY, lw=0.8)
    panel.set(title=plain(name), xlabel="share of importance")
