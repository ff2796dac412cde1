"""Reconciliation of MLflow with a study: open or resume its run, write missing runs, summarise it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, get_args

from automl.errors import StoreError
from automl.records import EnsembleRecord, SearchRecord, State, TrialRecord
from automl.tracking.tracker import Tracker

__all__ = ["FLUSH_SECONDS", "finish_run", "open_run", "summarize"]

FLUSH_SECONDS = 60.0  # seconds that the store may take to write the rest, before it counts as dead


def open_run(
    tracker: Tracker,
    run_id: str | None,
    facts: SearchRecord,
    records: Sequence[TrialRecord],
    params: Mapping[str, Any],
    *,
    existing: bool,
    shared: bool = False,
    files: Mapping[str, str] | None = None,
) -> tuple[str, str]:
    """Open the run of a search, a new one if it has none, and queue the trials that it lacks.

    Parameters
    ----------
    tracker : Tracker
        Writes the runs.
    run_id : str or None
        The run that the study names, if any.
    facts, records
        Facts of the search, and its trials that ended.
    params : mapping
        Settings of the search, for a new run.
    existing : bool
        Whether the study existed, so that another process may have opened a run.
    shared : bool
        Whether other processes are writing to the run; they write the missing trials.
    files : mapping of str to str
        Artifacts of the run, such as the space; None leaves them and the table as they are.

    Returns
    -------
    run_id, status : str
        The run, and its earlier MLflow status.
    """
    run_id = run_id or (tracker.find(facts) if existing else None)
    status = None if run_id is None else tracker.resume(run_id, None if shared else records)
    if run_id is None or status is None:
        run_id, status = tracker.start(facts, params), "RUNNING"
        for record in records:
            tracker.log_trial(record)
    if files is not None:
        tracker.log_inputs(facts, files)
    return run_id, status


def finish_run(
    tracker: Tracker,
    facts: SearchRecord,
    records: Sequence[TrialRecord],
    best: TrialRecord,
    front: Sequence[TrialRecord],
    seconds: float,
    ensemble: EnsembleRecord | None = None,
    *,
    last: bool,
    **metrics: float,
) -> None:
    """Write the queued runs and the summary of a search.

    The ``last`` of several processes passes the trials of all of them, and writes the runs that crashed ones left
    out.
    """
    answers = tracker.flush(FLUSH_SECONDS)
    if answers and any(tracker.run_id(record.number) is None for record in records):
        with suppress(StoreError):
            tracker.reconcile(records if last else None)
    summarize(tracker, facts, records, best, front, ensemble, seconds=seconds, **metrics)
    tracker.flush(FLUSH_SECONDS if answers else 0)


def summarize(
    tracker: Tracker,
    facts: SearchRecord,
    records: Sequence[TrialRecord],
    best: TrialRecord | None,
    front: Sequence[TrialRecord],
    ensemble: EnsembleRecord | None = None,
    **metrics: float,
) -> None:
    """Queue the summary for the search's run: best score, values and metrics, ensemble, and trials by state."""
    states = Counter(record.state for record in records)
    metrics["training_seconds"] = sum(record.seconds for record in records)
    metrics |= {f"n_{state}": float(states[state]) for state in get_args(State)}
    if facts.several:
        metrics["n_front"] = float(len(front))
    if facts.constraints:
        metrics["n_over_limits"] = float(sum(record.total_violation > 0 for record in records))
    if best is not None and best.score is not None:
        metrics = {"best_score": best.score, **best.metrics, **best.values, **metrics}
    numbers = [record.number for record in front] if facts.several else []
    tags: dict[str, str] = {}
    if ensemble is not None and ensemble.score is not None:
        metrics |= {"ensemble_score": ensemble.score, "ensemble_gain": ensemble.gain}
        tags["automl.ensemble"] = json.dumps({str(number): weight for number, weight in ensemble.members})
    tracker.log_best(
        None if best is None else best.number, metrics, tags=tags, front=numbers, step=len(records)
    )
