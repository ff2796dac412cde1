"""Trials ranked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.metrics import to_score
from automl.records import SearchRecord, TrialRecord

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["best_record", "leaderboard", "describe_violations", "pareto_front", "rank"]

_FAILED, _WITHOUT_SCORE, _NOT_MEASURED, _OVER_A_LIMIT, _PRUNED = 6, 5, 4, 3, 2


def rank(records: Sequence[TrialRecord], search: SearchRecord | None = None) -> list[TrialRecord]:
    """Return the records best first: complete and stopped ones by score, then pruned ones by score.

    With several objectives the Pareto front comes first, and complete trials before stopped ones. One that was stopped
    before it had seen all rows stands among the pruned. What breaks a limit stands below all that is within, by how
    far it breaks it; what was cut short before anything could be measured comes after that. Those without a score come
    last, failed ones at the end; equal scores keep the order of the trials.

    Parameters
    ----------
    records : sequence of TrialRecord
        The trials.
    search : SearchRecord, optional
        What they were searched for: objectives and limits. Without it, one objective.
    """
    several = search is not None and search.several
    front = {record.number for record in pareto_front(records, search)} if several else set()

    def place(record: TrialRecord) -> tuple[int, bool, float, tuple[float, ...], int]:
        values = _scores(record, search)
        scores = tuple(-score for score in values or (record.score or 0.0,))
        return (
            _group(record, search),
            record.number not in front,
            record.total_violation,
            scores,
            record.number,
        )

    return sorted(records, key=place)


def pareto_front(
    records: Sequence[TrialRecord], search: SearchRecord | None = None
) -> tuple[TrialRecord, ...]:
    """Return the complete trials within all limits that no other one is better than, best by the first objective first.

    A trial is better than another if no value of it is worse and one is better. With one objective that is the
    trials of the best score.
    """
    scored = [
        (scores, -record.number, record)
        for record in records
        if record.state == "complete" and _group(record, search) == 0
        if (scores := _scores(record, search)) is not None
    ]
    front: list[tuple[tuple[float, ...], TrialRecord]] = []
    # Whoever is better than another stands before it, so that it is enough to look at the front so far.
    for scores, _, record in sorted(scored, key=lambda one: one[:2], reverse=True):
        if not any(other != scores and _covers(other, scores) for other, _ in front):
            front.append((scores, record))
    return tuple(record for _, record in front)


def best_record(records: Sequence[TrialRecord], search: SearchRecord | None = None) -> TrialRecord | None:
    """Return the first of the ranked trials, if it has a score: with several objectives, the front's best by the first.

    A trial that was stopped competes with the score it had come to; a pruned one wins only where there is no other, and
    one that breaks a limit only where there is none within.
    """
    scored = [record for record in rank(records, search) if record.score is not None]
    return scored[0] if scored else None


def describe_violations(excess: Mapping[str, float]) -> str:
    """Return by how much limits are broken, in words; nothing where all are kept.

    Examples
    --------
    >>> describe_violations({"model_bytes": 0.5, "predict_seconds": -0.1})
    '50% over model_bytes'
    """
    return ", ".join(f"{share:.0%} over {name}" for name, share in excess.items() if share > 0)


def _group(record: TrialRecord, search: SearchRecord | None) -> int:
    """Return how far down a trial stands whatever its score."""
    limits = search.constraints if search is not None else {}
    if record.score is None:
        return _FAILED if record.state == "failed" else _WITHOUT_SCORE
    if limits and record.violation.keys() != limits.keys():
        return _NOT_MEASURED
    if record.total_violation > 0:
        return _OVER_A_LIMIT
    if record.state == "pruned" or record.early:
        return _PRUNED
    # The costs of a trial that was cut short are not what it would have come to.
    return int(record.state == "stopped" and search is not None and search.several)


def _scores(record: TrialRecord, search: SearchRecord | None) -> tuple[float, ...] | None:
    """Return the objectives' values with signs that make the greater the better; None where one is not known."""
    if record.score is None:
        return None
    if search is None or not search.several:
        return (record.score,)
    if any(name not in record.values for name in search.objectives):
        return None
    return tuple(
        to_score(record.values[name], direction)
        for name, direction in zip(search.objectives, search.directions, strict=True)
    )


def _covers(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return all(mine >= theirs for mine, theirs in zip(one, other, strict=True))


def leaderboard(
    records: Sequence[TrialRecord],
    run_ids: Mapping[int, str | None] | None = None,
    search: SearchRecord | None = None,
) -> pd.DataFrame:
    """Return the trials as a table, best first.

    Parameters
    ----------
    records : sequence of TrialRecord
        The trials.
    run_ids : mapping of int to str, optional
        MLflow's run of each trial.
    search : SearchRecord, optional
        What they were searched for: objectives and limits. Without it, one objective.

    Returns
    -------
    DataFrame
        ``rank`` as index; ``trial``, ``state``, ``family``, ``score``, ``score_std`` (over the folds), ``seconds``,
        ``epochs`` (a part of one where it saw samples alone), the final metrics, the parameters under their dotted
        names, and ``run_id``. With several objectives, ``front`` before the score (whether it is on the Pareto front)
        and every objective's value after it. With limits, ``excess`` (by how much they are broken all together, as
        parts of them: 0 is within, NaN not measured) and what was measured.
    """
    import pandas as pd

    runs = run_ids or {}
    objectives = search.objectives if search is not None and search.several else ()
    limits = search.constraints if search is not None else {}
    front = {record.number for record in pareto_front(records, search)}
    order = rank(records, search)
    rows: list[dict[str, Any]] = [
        {
            "trial": record.number,
            "state": record.state,
            "family": record.family,
            **({"front": record.number in front} if objectives else {}),
            "score": np.nan if record.score is None else record.score,
            **({"excess": record.total_violation if record.violation else np.nan} if limits else {}),
            **dict.fromkeys([*objectives, *limits], np.nan),
            **record.values,
            "score_std": float(np.std(record.fold_scores)) if record.fold_scores else np.nan,
            "seconds": record.seconds,
            "epochs": record.curve.epochs,
            **{name: value for name, value in record.metrics.items() if name not in record.values},
        }
        for record in order
    ]
    params = pd.DataFrame([record.params for record in order])
    table = pd.concat([pd.DataFrame(rows), params], axis="columns")
    table["run_id"] = [runs.get(record.number) for record in order]
    table.index = pd.RangeIndex(1, len(table) + 1, name="rank")
    return table
