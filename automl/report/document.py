"""The content of the report of a search."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from statistics import pstdev
from typing import TYPE_CHECKING

from automl.errors import without_passwords
from automl.records import SearchRecord, TrialRecord
from automl.report import column_figures, parameter_figures, prediction_figures, trial_figures
from automl.report.page import Fact, Page, Part, Section, Table, render
from automl.report.results import StudyResults
from automl.version import __version__

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["best_facts", "duration", "html_report", "number", "report_page"]

_TASKS = {"binary": "two classes", "multiclass": "several classes", "regression": "a number"}
_MOST_ROWS = 200  # of a table of excluded columns
_TOP = 20  # rows of a table of coefficients or importances
_MOST_NAMES = 100  # of a list of columns


def html_report(results: StudyResults) -> str:
    """Return the report of a search as one HTML page, which opens offline and prints."""
    return render(report_page(results))


def report_page(results: StudyResults) -> Page:
    """Return the content of the report."""
    facts = results.facts
    counts = Counter(record.state for record in results.records)
    states = ", ".join(f"{n} {state}" for state, n in counts.most_common())
    seconds = sum(record.seconds for record in results.records)
    return Page(
        title=f"{facts.target}: report of {facts.study_name}",
        subtitle=f"Written {datetime.now():%d %B %Y, %H:%M} by automl {__version__}.",
        summary=f"This search looked for a model that predicts {facts.target} ({_TASKS[facts.task]}) from "
        f"{facts.n_columns} columns of a table with {facts.n_rows:,} rows{_sampled(facts)}.",
        facts=[
            *best_facts(results),
            Fact("Trials", str(len(results.records)), states),
            Fact("Training", duration(seconds), "over all trials and folds"),
        ],
        sections=[
            Section("Scores", list(_score_parts(results))),
            Section("Best pipeline", list(_best_parts(results))),
            Section("Columns", list(_column_parts(results))),
            Section("Predictions", list(_prediction_parts(results))),
            Section("Search", list(_search_parts(results))),
            Section("Data and split", list(_data_parts(results))),
            Section("Failed, pruned and stopped trials", list(_failure_parts(results))),
            Section("Use the model", list(_use_parts(results))),
        ],
    )


def duration(seconds: float) -> str:
    """Return seconds as a short text.

    Examples
    --------
    >>> duration(3.21), duration(75), duration(7300)
    ('3.2 s', '1 min 15 s', '2 h 1 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def number(value: float | None) -> str:
    """Return a score as text."""
    return "" if value is None or value != value else f"{value:.5g}"


def best_facts(results: StudyResults) -> Iterator[Fact]:
    """Yield the best score, the corrected one, and the best model."""
    best = results.best
    if best is None:
        yield Fact("Best score", "none", "no trial has a score")
        return
    yield Fact(f"Best {results.score_name}", number(best.score), f"mean over {results.facts.n_folds} folds")
    if (found := results.corrected) is not None:
        interval = f"corrected; 95 % interval {number(found.low)} to {number(found.high)}"
        yield Fact("Expected on new rows", number(found.score), interval)
        if found.ensemble_score is not None:
            ends = f"{number(found.ensemble_low)} to {number(found.ensemble_high)}"
            yield Fact(
                "Expected of the ensemble", number(found.ensemble_score), f"corrected; 95 % interval {ends}"
            )
        if found.baseline is not None:
            yield Fact("Baseline", number(found.baseline), "ignores all columns")
    yield Fact("Best model", best.family, f"trial {best.number}")


def _score_parts(results: StudyResults) -> Iterator[Part]:
    best_of_family = [group[0] for group in results.by_family.values()]
    if not best_of_family:
        return
    names = list(best_of_family[0].metrics)[:4]
    rows = [
        [
            record.family,
            str(record.number),
            record.state,
            number(record.score),
            number(_spread(record)),
            *(number(record.metrics.get(name)) for name in names),
            duration(record.seconds),
        ]
        for record in best_of_family
    ]
    heads = ["model", "trial", "state", results.score_name, "std", *names, "time"]
    numbers = frozenset({1, *range(3, len(heads))})
    text = (
        f"Scores are means over the validation rows of {results.facts.n_folds} folds; a greater "
        f"{results.score_name} is better. The best score is slightly optimistic, because it selected the trial."
    )
    yield from _honest_parts(results)
    yield Part(title="Best of each family", text=text, table=Table(heads, rows, numbers, best=0))
    yield Part(
        figure=trial_figures.families(results),
        caption="Scores of the trials of each family, and the time they took.",
    )


def _honest_parts(results: StudyResults) -> Iterator[Part]:
    rows = []
    if (found := results.corrected) is not None:
        if found.baseline is not None:
            rows.append(["baseline that ignores all columns", number(found.baseline), "", ""])
        rows.append(["best trial, as selected", number(found.selected), "", ""])
        rows.append(["best trial, corrected", number(found.score), number(found.low), number(found.high)])
        if found.n_rows and not found.by_size:
            ends = map(number, found.interval(found.n_rows))
            rows.append([f"the same, on a test set of {found.n_rows:,} rows", number(found.score), *ends])
    if results.ensemble is not None and results.ensemble.score is not None:
        members = ", ".join(f"trial {trial} ({weight:.0%})" for trial, weight in results.ensemble.members)
        rows.append([f"ensemble of {members}", number(results.ensemble.score), "", ""])
        if found is not None and found.ensemble_score is not None:
            values = found.ensemble_score, found.ensemble_low, found.ensemble_high
            rows.append(["ensemble, corrected", *map(number, values)])
    text = ""
    if found is not None:
        text = (
            "The corrected score is that of trials, or members, selected on a random half of the rows, for the other "
            "half."
        )
        shares = (
            ("the baseline", found.beats_baseline),
            ("the first trial of its family", found.beats_default),
        )
        if beats := [f"{what} in {share:.0%}" for what, share in shares if share is not None]:
            text += f" The best trial beats {' and '.join(beats)} of the halves."
        text += " Its 95 % interval is for the mean over very many new rows."
        if found.n_rows and not found.by_size:
            text += " A test set adds noise of its own: the wider interval is for the score on as many rows as here."
        if found.by_size:
            text += " The score grows with the number of rows: it is that of the rows of one fold."
    if rows:
        heads = ["model", results.score_name, "from", "to"]
        yield Part(
            title="Baseline, best and ensemble", text=text, table=Table(heads, rows, frozenset({1, 2, 3}))
        )


def _best_parts(results: StudyResults) -> Iterator[Part]:
    if (best := results.best) is None:
        return
    params = {**best.params, **best.found_params}
    rows = [
        [_without_prefix(name, best.family), str(value)] for name, value in params.items() if name != "model"
    ]
    yield Part(
        text=f"Trial {best.number}, {best.family}, seed {best.seed}. Parameters that are not listed have the "
        "fixed values of the search space.",
        table=Table(["parameter", "value"], rows),
    )
    if len(results.by_family[best.family]) > 2:
        yield Part(
            title=f"Parameters of {best.family}",
            figure=parameter_figures.parameters(results, best.family),
            caption="Score of each trial by the value of each parameter. Hollow marks are pruned trials.",
        )


def _column_parts(results: StudyResults) -> Iterator[Part]:
    if (found := results.explanation) is None:
        yield from _parameter_parts(results.coefficients, results.tree_importances)
        return
    yield Part(
        title="Important columns",
        figure=column_figures.columns(found),
        caption="Loss of score when the values of a column are shuffled, with 95 % intervals. Copies of a column are "
        "shuffled together.",
    )
    yield Part(
        title="Effects",
        figure=column_figures.effects(found),
        caption="Mean prediction for values of a column with all other columns as they are; thin lines are rows.",
    )
    yield from _parameter_parts(found.coefficients, found.tree_importances)
    worst = found.worst_rows.iloc[:10, :9]
    rows = [[str(row), *(_cell(value) for value in values)] for row, *values in worst.itertuples(name=None)]
    yield Part(
        title="Most wrong rows", table=Table(["row", *map(str, worst.columns)], rows, frozenset({0, 1}))
    )


def _parameter_parts(
    coefficients: pd.DataFrame | None, importances: pd.Series[float] | None
) -> Iterator[Part]:
    """Yield the coefficients and the tree importances of the best pipeline."""
    if coefficients is not None:
        rows = [
            [str(row[0]), str(row[1]), *(number(value) for value in row[2:])]
            for row in coefficients.head(_TOP).to_numpy()
        ]
        heads = [str(name) for name in coefficients.columns]
        numbers = frozenset(range(2, len(heads)))
        text = "Numbers are scaled, so coefficients can be compared."
        yield Part(title="Largest coefficients", text=text, table=Table(heads, rows, numbers))
    if importances is not None:
        rows = [[str(name), f"{share:.1%}"] for name, share in importances.head(_TOP).items()]
        text = "Share of each column in the importances of the trees of the best pipeline."
        table = Table(["column", "importance"], rows, frozenset({1}))
        yield Part(title="Importances of the trees", text=text, table=table)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return number(value)
    return str(value).removesuffix(" 00:00:00")  # of a date


def _prediction_parts(results: StudyResults) -> Iterator[Part]:
    found = results.predictions
    if found is None:
        return
    if found.classes is None:
        caption = "Out-of-fold predictions of the best trial against true values, and the differences."
        yield Part(figure=prediction_figures.residuals(results), caption=caption)
        return
    caption = "Rows of each true class by predicted class, out of fold."
    yield Part(title="Confusion", figure=prediction_figures.confusion(results), caption=caption)
    has_probabilities = found.predictions.probabilities is not None
    if has_probabilities or found.predictions.decision is not None:
        caption = "Dotted lines are guesses without a model."
        yield Part(title="Ranking of rows", figure=prediction_figures.roc(results), caption=caption)
    if has_probabilities:
        caption = "A calibrated model is on the dotted line; bars are 95 % intervals."
        yield Part(title="Calibration", figure=prediction_figures.calibration(results), caption=caption)


def _search_parts(results: StudyResults) -> Iterator[Part]:
    if not results.scored:
        return
    yield Part(
        figure=trial_figures.history(results),
        caption="Score of each trial in the order of the search, and the best score so far. Hollow marks are "
        "pruned trials.",
    )
    if any(len(record.curve.rungs) > 1 for record in results.scored):
        yield Part(
            title="Learning curves",
            figure=trial_figures.curves(results, top=8),
            caption="Validation score during training; the best trial of each family is coloured, pruned trials "
            "are dashed.",
        )
    if any(any(shares.values()) for shares in results.importances.values()):
        yield Part(
            title="Importance of parameters",
            figure=parameter_figures.importances(results),
            caption="Share of each parameter in the difference between good and other trials (PED-ANOVA).",
        )


def _sampled(facts: SearchRecord) -> str:
    return f", a sample of {facts.table_rows:,}" if facts.table_rows else ""


def _data_parts(results: StudyResults) -> Iterator[Part]:
    facts = results.facts
    rows = [
        ["target", facts.target],
        ["task", facts.task],
        ["table", facts.file or "made in memory"],
        ["rows", facts.rows_searched],
        ["columns used", str(facts.n_columns)],
        ["split", f"{facts.n_folds} folds" if facts.n_folds > 1 else "one holdout"],
        ["objectives", facts.scoring],
        ["search space", facts.space],
        ["seed", str(facts.random_state)],
    ]
    if facts.constraints:
        limits = ", ".join(f"{name} ≤ {limit:g}" for name, limit in facts.constraints.items())
        rows.append(["limits", limits])
    if facts.content:
        rows.append(["fingerprint of the table", facts.content])
    yield Part(table=Table(["", ""], rows))
    if facts.left_out:
        excluded = [reason.partition(": ")[::2] for reason in facts.left_out[:_MOST_ROWS]]
        yield Part(title="Excluded columns and values", table=Table(["excluded", "reason"], excluded))
    if facts.columns:
        by_kind: dict[str, list[str]] = {}
        for name, kind in facts.columns.items():
            by_kind.setdefault(kind, []).append(name)
        columns = [[kind, str(len(names)), _listed(names, _MOST_NAMES)] for kind, names in by_kind.items()]
        yield Part(title="Columns", table=Table(["type", "columns", "names"], columns, frozenset({1})))


def _failure_parts(results: StudyResults) -> Iterator[Part]:
    for state, title in (("failed", "Failed"), ("pruned", "Pruned"), ("stopped", "Stopped")):
        group = [record for record in results.records if record.state == state]
        if not group:
            continue
        reasons: dict[tuple[str, str], list[TrialRecord]] = {}
        for record in group:
            reasons.setdefault((record.family, _reason(record)), []).append(record)
        rows = [
            [family, str(len(found)), reason, _listed([record.number for record in found], 10)]
            for (family, reason), found in sorted(reasons.items(), key=lambda one: -len(one[1]))[:20]
        ]
        heads = ["family", "trials", "reason", "numbers"]
        yield Part(title=f"{title}: {len(group)}", table=Table(heads, rows, frozenset({1})))


def _use_parts(results: StudyResults) -> Iterator[Part]:
    facts, store = results.facts, results.store_option
    if results.model_uri:
        uri = f", tracking_uri={without_passwords(results.tracking_uri)!r}" if results.tracking_uri else ""
        code = f"import automl\n\nmodel = automl.load_model({results.model_uri!r}{uri})\nmodel.predict(table)"
        yield Part(title="Load and predict in Python", code=code)
    if results.run_id:
        code = (
            f"automl export {results.run_id} model{store}\nautoml predict model rows.csv -o predictions.csv"
        )
        yield Part(title="Export and predict in a shell", code=code)
    resume = f"automl resume {shlex.quote(facts.study_name)} --timeout 300{results.storage_option}{store}"
    text = "The table and the settings are those of this search; its trials are kept."
    if not facts.file:
        text = "The table was made in memory: write it to a file and name the file after the study."
    yield Part(title="Continue the search", text=text, code=resume)


def _without_prefix(name: str, family: str) -> str:
    return name.removeprefix(f"model.{family}.")


def _spread(record: TrialRecord) -> float | None:
    scores = record.fold_scores
    if len(scores) < 2:
        return None
    return pstdev(scores)


def _reason(record: TrialRecord) -> str:
    lines = record.reason.strip().splitlines()
    if not lines:
        return "no reason was recorded"
    return re.sub(r"at rung \d+ of \d+", "at a rung, compared with other trials", lines[-1])[:300]


def _listed(names: Sequence[object], most: int) -> str:
    return ", ".join(map(str, names[:most])) + (
        f", and {len(names) - most} more" if len(names) > most else ""
    )
