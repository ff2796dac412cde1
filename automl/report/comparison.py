"""The comparison of several searches: one figure, and one HTML page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np

from automl.report.document import duration, number
from automl.report.page import Page, Part, Section, Table, render
from automl.report.results import StudyResults
from automl.report.style import Figure, looks, new_figure, plain, styled, whole_numbers
from automl.version import __version__

__all__ = ["compared_history", "html_comparison", "scores_table"]

_DIFFERENCE = (
    "The difference to the first search is that of the best trials on the same folds, with a 95 % interval that "
    "allows for shared training rows (Nadeau and Bengio 2003). It is empty if table, folds or metric differ."
)


@styled
def compared_history(searches: Mapping[str, StudyResults]) -> Figure:
    """Return the best score so far of each search by the number of its trials, in one panel."""
    figure, (axes,) = new_figure()
    shown = looks(searches)
    for name, results in searches.items():
        if not results.scored:
            continue
        whole = [one for one in results.scored if one.state != "pruned"] or results.scored
        best = np.maximum.accumulate([one.score or 0.0 for one in whole])
        trials = [one.number + 1 for one in whole]
        look = shown[name]
        axes.step(trials, best, where="post", color=look.color, ls=look.line, lw=1.6, label=plain(name))
        axes.plot(trials[-1], best[-1], look.marker, color=look.color, ms=6)
    names = list(dict.fromkeys(results.score_name for results in searches.values()))
    whole_numbers(axes.xaxis)
    axes.set(xlabel="trials", ylabel=" or ".join(names), title="Best score so far")
    axes.legend(loc="lower right")
    return figure


def scores_table(
    searches: Mapping[str, StudyResults], differences: Sequence[tuple[float, float, float] | None]
) -> Table:
    """Return scores, trials and time of each search, and the difference of its best trial to the first search."""
    rows = []
    for (name, results), difference in zip(searches.items(), differences, strict=True):
        best, found = results.best, results.corrected
        rows.append(
            [
                name,
                results.score_name,
                str(len(results.records)),
                duration(sum(record.seconds for record in results.records)),
                "none" if best is None else best.family,
                number(None if best is None else best.score),
                ""
                if found is None
                else f"{number(found.score)} ({number(found.low)} to {number(found.high)})",
                ""
                if difference is None
                else f"{difference[0]:+.4g} ({difference[1]:+.4g} to {difference[2]:+.4g})",
            ]
        )
    heads = ["search", "metric", "trials", "time", "best", "score", "on new rows", "difference"]
    return Table(heads, rows, frozenset({2, 3, 5, 6, 7}))


def html_comparison(
    searches: Mapping[str, StudyResults],
    differences: Sequence[tuple[float, float, float] | None],
    settings: Table,
    changes: Mapping[str, str],
) -> str:
    """Return a page with the scores, one figure, the settings that differ and the changes of the spaces.

    Parameters
    ----------
    searches : mapping of str to StudyResults
        The searches by name.
    differences : sequence
        Mean difference and ends of the interval of each search to the first one; None where it is not known.
    settings : Table
        The settings and facts that differ.
    changes : mapping of str to str
        Changes from the space of the first search to that of another one, by the name of that.
    """
    names = list(searches)
    parts = [Part(text=_DIFFERENCE, table=scores_table(searches, differences))]
    if any(results.scored for results in searches.values()):
        parts.append(
            Part(
                title="Progress",
                figure=compared_history(searches),
                caption="Best score so far of each search by its trials.",
            )
        )
    spaces = [Part(title=f"From {names[0]} to {name}", code=text) for name, text in changes.items() if text]
    targets = ", ".join(dict.fromkeys(results.facts.target for results in searches.values()))
    return render(
        Page(
            title=f"Comparison of {', '.join(names)}",
            subtitle=f"Written {datetime.now():%d %B %Y, %H:%M} by automl {__version__}.",
            summary=f"{len(names)} searches for {targets}.",
            sections=[
                Section("Scores", parts),
                Section("Settings that differ", [Part(table=settings)] if settings.rows else []),
                Section("Changes of the space", spaces),
            ],
        )
    )
