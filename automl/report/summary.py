"""The summary of a finished search that a notebook shows in place of the search."""

from __future__ import annotations

from base64 import b64encode
from collections import Counter

from automl.report.document import best_facts, duration, number
from automl.report.page import Part, Table, render_template
from automl.report.results import StudyResults
from automl.report.style import as_png
from automl.report.trial_figures import history
from automl.select import short_value

__all__ = ["html_summary"]

_MOST_PARAMETERS = 20
_CODE = """\
search.predict(new_rows)               # predict with the best model
search.leaderboard()                   # all trials; wide=True adds metrics and parameters
search.evaluate(X_test, y_test)        # scores on rows that the search did not see
search.explain()                       # important columns, their effects, the most wrong rows
search.report("report.html")           # one page for others
search.export("model")                 # a folder for automl.load_model and MLflow"""


def html_summary(results: StudyResults) -> str:
    """Return score, winner, best of each family, a figure and next steps as HTML for a notebook's cell.

    Parameters
    ----------
    results : StudyResults
        The search; at least one trial has a score.
    """
    facts, counts = results.facts, Counter(record.state for record in results.records)
    states = ", ".join(f"{n} {state}" for state, n in counts.most_common())
    return render_template(
        "summary.html",
        title=f"{facts.study_name}: {facts.target}",
        subtitle=f"{facts.task}, {facts.n_rows:,} rows, {facts.n_columns} columns, space {facts.space}; "
        f"{len(results.records)} trials: {states}",
        facts=list(best_facts(results)),
        parts=[_families(results), _winner(results)],
        figure=b64encode(as_png(history(results), dpi=80)).decode(),
        code=_CODE,
    )


def _families(results: StudyResults) -> Part:
    rows = [
        [family, str(group[0].number), number(group[0].score), str(len(group)), duration(group[0].seconds)]
        for family, group in results.by_family.items()
    ]
    heads = ["family", "trial", results.score_name, "trials", "time"]
    return Part(title="Best of each family", table=Table(heads, rows, frozenset({1, 2, 3, 4})))


def _winner(results: StudyResults) -> Part:
    best = results.best
    assert best is not None
    prefix = f"model.{best.family}."
    own = {
        name.removeprefix(prefix): value
        for name, value in {**best.params, **best.found_params}.items()
        if name != "model" and ".preprocess." not in name and not name.startswith("preprocess.")
    }
    rows = [[name, short_value(value)] for name, value in list(own.items())[:_MOST_PARAMETERS]]
    return Part(title=f"Best trial: {best.number}, {best.family}", table=Table(["parameter", "value"], rows))
