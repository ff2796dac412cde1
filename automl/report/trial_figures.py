"""Figures of trials: scores over the search, learning curves, families."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from automl.records import TrialRecord
from automl.report.results import StudyResults
from automl.report.style import GREY, INK, Figure, Look, looks, new_figure, note, plain, styled, whole_numbers

__all__ = ["curves", "families", "focus_scores", "history"]

_PANEL_COLUMNS = 2
_SPREAD = 3.0  # distances between the best and the median score that a figure shows below the best


@styled
def history(results: StudyResults) -> Figure:
    """Return the score of each trial and the best score so far.

    Filled marks are complete or stopped trials, hollow ones pruned trials; ticks at the bottom are failed trials.
    """
    results.require_scores()
    figure, (axes,) = new_figure()
    shown = looks(record.family for record in results.records)
    low, high = focus_scores(results.scored)
    for family, look in shown.items():
        for pruned in (False, True):
            group = [one for one in results.scored if one.family == family and _is_pruned(one) == pruned]
            if group:
                label = plain(family) if not pruned or not _any_complete(results, family) else None
                _scatter_scores(axes, group, look, low, pruned, label)
    ranked = [one for one in results.scored if not _is_pruned(one)] or results.scored
    best = np.maximum.accumulate([_score(one) for one in ranked])
    axes.step([one.number for one in ranked], best, where="post", color=INK, lw=1.4, label="best so far")
    failed = [one.number for one in results.records if one.score is None]
    if failed:
        axes.plot(failed, np.full(len(failed), low), "|", color=INK, ms=8, label="no score", clip_on=False)
    axes.set_ylim(low, high)
    whole_numbers(axes.xaxis)
    hidden = sum(_score(one) < low for one in results.scored)
    edge = f" ({hidden} below {low:.3g} are at the edge)" if hidden else ""
    axes.set(xlabel="trial", ylabel=_score_label(results), title=f"Score of each trial{edge}")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.0)
    return figure


@styled
def curves(results: StudyResults, top: int = 10) -> Figure:
    """Return validation scores by length of training, a panel for each family.

    Parameters
    ----------
    results : StudyResults
        The search.
    top : int
        Complete and pruned trials of each family to show, best first.
    """
    results.require_scores()
    panels = {
        family: _with_curves(group, top)
        for family, group in results.by_family.items()
        if any(len(one.curve.rungs) > 1 for one in group)
    }
    shown = looks(record.family for record in results.records)
    figure, axes = new_figure(max(1, len(panels)), columns=_PANEL_COLUMNS, height=2.7)
    for panel, (family, group) in zip(axes, panels.items(), strict=False):
        for place, record in reversed(list(enumerate(group))):
            x = np.array(record.curve.rungs[: len(record.curve.scores)]) / record.curve.epoch_steps
            panel.plot(
                x,
                record.curve.scores[: len(x)],
                color=shown[family].color if place == 0 else GREY,
                lw=2.0 if place == 0 else 0.9,
                ls="--" if _is_pruned(record) else "-",
                marker=shown[family].marker if place == 0 else None,
                ms=4,
                label=f"trial {record.number}" if place == 0 else None,
            )
        scores = [score for record in group for score in record.curve.scores[-3:]]
        low, high = _limits(np.array(scores, dtype=float))
        panel.set_ylim(low, high)
        by_epoch = any(record.curve.losses for record in group)
        panel.set(title=plain(family), xlabel="epochs" if by_epoch else "steps of growing")
        panel.legend(loc="lower right")
    figure.supylabel(_score_label(results), fontsize=9.5)
    if not panels:
        note(axes[0], "no trial has a curve: all were scored once, at their end")
    return figure


@styled
def families(results: StudyResults) -> Figure:
    """Return the scores of each family, best family first, with its number of trials and its time."""
    results.require_scores()
    shown = looks(record.family for record in results.records)
    names = list(results.by_family)
    figure, (left, right) = new_figure(2, columns=2, height=max(2.0, 0.42 * len(names) + 1.2))
    low, high = focus_scores(results.scored)
    for row, family in enumerate(names):
        group = results.by_family[family]
        complete = [one for one in group if not _is_pruned(one)] or group
        scores = np.array([_score(one) for one in complete])
        jitter = 0.22 * np.sin(np.arange(len(scores)) * 2.4)  # apart, and the same in every run
        look = shown[family]
        left.scatter(
            np.maximum(scores, low),
            row + jitter,
            s=20,
            color=look.color,
            marker=look.marker,
            alpha=0.75,
            lw=0,
            clip_on=False,
        )
        left.plot([scores.max()] * 2, [row - 0.36, row + 0.36], color=INK, lw=1.6)
        seconds = sum(one.seconds for one in results.records if one.family == family)
        right.barh(row, seconds, height=0.6, color=look.color)
        count = sum(one.family == family for one in results.records)
        right.annotate(
            f" {count} trial{'s' * (count != 1)}", (seconds, row), va="center", fontsize=8.5, color=INK
        )
    labels = [plain(name) for name in names]
    left.set_yticks(range(len(names)), labels)
    right.set_yticks(range(len(names)), [""] * len(names))
    left.set_xlim(low, high)
    right.margins(x=0.3)
    for panel in (left, right):
        panel.set_ylim(len(names) - 0.5, -0.5)
    left.set(xlabel=_score_label(results), title="Scores (the line is the best)")
    right.set(xlabel="seconds of training", title="Time")
    return figure


def focus_scores(records: Sequence[TrialRecord]) -> tuple[float, float]:
    """Return the limits of a score axis that a few bad trials do not stretch."""
    return _limits(np.array([_score(one) for one in records]))


def _limits(scores: np.ndarray) -> tuple[float, float]:
    scores = scores[np.isfinite(scores)]
    if not len(scores):
        return 0.0, 1.0
    best = float(scores.max())
    low = max(float(scores.min()), best - _SPREAD * (best - float(np.median(scores))))
    room = 0.06 * (best - low) or 0.05 * abs(best) or 0.5
    return low - room, best + room


def _with_curves(group: Sequence[TrialRecord], top: int) -> list[TrialRecord]:
    """Return the best trials with a curve: the complete ones, then the pruned ones."""
    curved = [one for one in group if len(one.curve.scores) > 1]
    complete = [one for one in curved if not _is_pruned(one)]
    return [*complete[:top], *[one for one in curved if _is_pruned(one)][:top]]


def _scatter_scores(
    axes: Axes, group: Sequence[TrialRecord], look: Look, low: float, pruned: bool, label: str | None
) -> None:
    axes.scatter(
        [one.number for one in group],
        np.maximum([_score(one) for one in group], low),
        s=22,
        marker=look.marker,
        facecolors="none" if pruned else look.color,
        edgecolors=look.color,
        linewidths=0.8,
        alpha=0.6 if pruned else 0.9,
        label=label,
        clip_on=False,
        zorder=3,
    )


def _any_complete(results: StudyResults, family: str) -> bool:
    return any(one.family == family and not _is_pruned(one) for one in results.scored)


def _is_pruned(record: TrialRecord) -> bool:
    return record.state == "pruned" or record.early


def _score(record: TrialRecord) -> float:
    return float("nan") if record.score is None else record.score


def _score_label(results: StudyResults) -> str:
    return f"{plain(results.score_name)} (greater is better)"
