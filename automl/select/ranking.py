"""Rank trials: order, Pareto front, best trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from automl.metrics import to_score
from automl.records import SearchRecord, TrialRecord

__all__ = ["best_record", "describe_violations", "pareto_front", "rank"]


def rank(records: Sequence[TrialRecord], search: SearchRecord | None = None) -> list[TrialRecord]:
    """Return the records best first.

    The order is: complete and stopped trials by score, with several objectives the Pareto front first and
    complete trials before stopped ones; pruned trials and trials stopped before they had seen all rows; trials
    that violate a constraint, by total violation; trials whose constraints were not measured; trials without a
    score; failed trials. Equal scores keep the order of the trials.

    Parameters
    ----------
    records : sequence of TrialRecord
        The trials.
    search : SearchRecord, optional
        The search, for its objectives and constraints. Without it, one objective.
    """
    several = search is not None and search.several
    front = {record.number for record in pareto_front(records, search)} if several else set()

    def place(record: TrialRecord) -> tuple[int, bool, float, tuple[float, ...], int]:
        values = _scores(record, search)
        scores = tuple(-score for score in values or (record.score or 0.0,))
        return (
            record.group(search),
            record.number not in front,
            record.total_violation,
            scores,
            record.number,
        )

    return sorted(records, key=place)


def pareto_front(
    records: Sequence[TrialRecord], search: SearchRecord | None = None
) -> tuple[TrialRecord, ...]:
    """Return the complete, feasible trials that no other trial dominates, sorted by the first objective.

    A trial dominates another if none of its values is worse and one is better. With one objective, the front
    is the trials with the best score.
    """
    scored = [
        (scores, -record.number, record)
        for record in records
        if record.state == "complete" and record.group(search) == 0
        if (scores := _scores(record, search)) is not None
    ]
    front: list[tuple[tuple[float, ...], TrialRecord]] = []
    # A trial is sorted before the trials it dominates, so comparing with the front so far is enough.
    for scores, _, record in sorted(scored, key=lambda one: one[:2], reverse=True):
        if not any(other != scores and _at_least(other, scores) for other, _ in front):
            front.append((scores, record))
    return tuple(record for _, record in front)


def best_record(records: Sequence[TrialRecord], search: SearchRecord | None = None) -> TrialRecord | None:
    """Return the first ranked trial with a score; None if no trial has one.

    Stopped trials compete with their last score. A pruned trial is best only if no other has a score, and one
    that violates a constraint only if no trial is feasible.
    """
    scored = [record for record in rank(records, search) if record.score is not None]
    return scored[0] if scored else None


def describe_violations(excess: Mapping[str, float]) -> str:
    """Return a text about violated constraints; empty if there are none.

    Examples
    --------
    >>> describe_violations({"model_bytes": 0.5, "predict_seconds": -0.1})
    '50% over model_bytes'
    """
    return ", ".join(f"{share:.0%} over {name}" for name, share in excess.items() if share > 0)


def _scores(record: TrialRecord, search: SearchRecord | None) -> tuple[float, ...] | None:
    """Return the objectives as values to maximise; None if one is unknown."""
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


def _at_least(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return all(mine >= theirs for mine, theirs in zip(one, other, strict=True))
