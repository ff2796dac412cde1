"""The description of a search in Markdown, for MLflow's page of its run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite

from automl.records import EnsembleRecord, SearchRecord, TrialRecord

__all__ = ["Description", "markdown", "title"]

_SPECIAL = "\\`*_[]<>|#"  # characters with a meaning in Markdown


@dataclass(frozen=True)
class Description:
    """Data for the description of a finished search.

    Parameters
    ----------
    facts : SearchRecord
        Facts of the search.
    records : sequence of TrialRecord
        Its trials.
    best : TrialRecord or None
        The best one.
    ensemble : EnsembleRecord or None
        The ensemble.
    corrected : mapping of str to float
        Fields of the corrected score; empty if it is not known.
    baseline : float or None
        Score of a model that ignores all columns.
    seconds : mapping of str to float
        Seconds that parts of the search took, by name; ``"all"`` is the whole of it.
    commands : mapping of str to str
        Next steps: code and shell commands, by description.
    notes : sequence of str
        Sentences to add.
    """

    facts: SearchRecord
    records: Sequence[TrialRecord]
    best: TrialRecord | None = None
    ensemble: EnsembleRecord | None = None
    corrected: Mapping[str, float] = field(default_factory=dict)
    baseline: float | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    commands: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()


def title(facts: SearchRecord) -> str:
    """Return the first sentences of a description: target, task, table, folds, space."""
    positive = f", positive class `{facts.positive_class}`" if facts.positive_class else ""
    folds = f"{facts.n_folds} folds" if facts.n_folds > 1 else "one holdout"
    limits = "".join(f", {name} at most {limit:g}" for name, limit in facts.constraints.items())
    return (
        f"Search for **{_plain(facts.target)}** ({facts.task}{positive}) from {facts.n_columns:,} columns of "
        f"{facts.rows_searched} rows, ranked by `{facts.scoring}` over {folds}{limits}. "
        f"Space `{facts.space}`, seed {facts.random_state}."
    )


def markdown(found: Description, links: Mapping[str, str]) -> str:
    """Return the description of a finished search.

    Parameters
    ----------
    found : Description
        The search.
    links : mapping of str to str
        Addresses, by their texts.
    """
    score = found.facts.objectives[0]
    blocks = [
        # MLflow shows the first lines until a reader asks for more, and only the first one can be clicked.
        " · ".join(f"[{text}]({address})" for text, address in links.items()),
        title(found.facts),
        _table(["", score, "model"], _score_rows(found)),
        _table(["family", f"best {score}", "trials", "training"], _family_rows(found.records)),
        _counts(found),
        *found.notes,
        *(f"{what}:\n\n```\n{command}\n```" for what, command in found.commands.items()),
    ]
    return "\n\n".join(block for block in blocks if block)


def _score_rows(found: Description) -> list[list[str]]:
    best, ensemble, corrected = found.best, found.ensemble, found.corrected
    rows = []
    if ensemble is not None and ensemble.score is not None:
        members = ", ".join(f"trial {number} ({weight:.0%})" for number, weight in ensemble.members)
        rows.append(["ensemble", _number(ensemble.score), members])
    if corrected.get("ensemble_score") is not None:
        rows.append(_corrected_row("ensemble", corrected, "ensemble_"))
    if best is not None and best.score is not None:
        rows.append(["best trial", _number(best.score), f"trial {best.number}, {best.family}"])
    if corrected:
        rows.append(_corrected_row("best trial", corrected))
        for name, what in (
            ("beats_baseline", "the baseline"),
            ("beats_default", "the first trial of its family"),
        ):
            share = corrected.get(name)
            if share is not None and isfinite(share):
                rows.append([f"beats {what}", f"{share:.0%}", "of random halves of the rows"])
    if found.baseline is not None:
        rows.append(["baseline", _number(found.baseline), "ignores all columns"])
    return rows


def _corrected_row(what: str, corrected: Mapping[str, float], prefix: str = "") -> list[str]:
    score, low, high = (_number(corrected[f"{prefix}{name}"]) for name in ("score", "low", "high"))
    return [f"{what}, corrected for its selection", score, f"95 % interval {low} to {high}"]


def _family_rows(records: Iterable[TrialRecord]) -> list[list[str]]:
    families: dict[str, list[TrialRecord]] = {}
    for record in sorted(records, key=TrialRecord.place):
        families.setdefault(record.family, []).append(record)
    return [
        [
            family,
            "" if group[0].score is None else _number(group[0].score),
            str(len(group)),
            f"{sum(record.seconds for record in group):,.1f} s",
        ]
        for family, group in families.items()
    ]


def _counts(found: Description) -> str:
    counts = Counter(record.state for record in found.records)
    states = ", ".join(f"{n} {state}" for state, n in counts.most_common())
    text = f"{len(found.records)} trials: {states}." if states else "No trial has ended."
    total = found.seconds.get("all", 0.0)
    if total > 0:
        parts = (f"{seconds / total:.0%} {part}" for part, seconds in found.seconds.items() if part != "all")
        text += f" Time: {total:,.0f} s; {', '.join(parts)}. Logging is mostly beside training."
    return text


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [[_plain(cell) for cell in row] for row in (heads, *rows)]
    lines.insert(1, ["---"] * len(heads))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) if rows else ""


def _plain(text: str) -> str:
    """Return a text that Markdown shows as it is."""
    return "".join(f"\\{one}" if one in _SPECIAL else one for one in " ".join(text.split()))


def _number(value: float) -> str:
    return f"{value:.5g}"
