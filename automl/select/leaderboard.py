"""Trials ranked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.records import TrialRecord

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["best_record", "leaderboard", "ranked"]


def ranked(records: Sequence[TrialRecord]) -> list[TrialRecord]:
    """Return the records best first: complete and stopped ones by score, then pruned ones by score.

    One that was stopped before it had seen all rows stands among the pruned.
    Those without a score come last, failed ones at the end; equal scores keep the order of the trials.
    """

    def place(record: TrialRecord) -> tuple[int, float, int]:
        if record.score is None:
            return (3 if record.state == "failed" else 2), 0.0, record.number
        return (1 if record.state == "pruned" or record.early else 0), -record.score, record.number

    return sorted(records, key=place)


def best_record(records: Sequence[TrialRecord]) -> TrialRecord | None:
    """Return the first of the ranked trials, if it has a score.

    A trial that was stopped competes with the score it had come to; a pruned one wins only where there is no other.
    """
    scored = [record for record in ranked(records) if record.score is not None]
    return scored[0] if scored else None


def leaderboard(
    records: Sequence[TrialRecord], run_ids: Mapping[int, str | None] | None = None
) -> pd.DataFrame:
    """Return the trials as a table, best first.

    Parameters
    ----------
    records : sequence of TrialRecord
        The trials.
    run_ids : mapping of int to str, optional
        MLflow's run of each trial.

    Returns
    -------
    DataFrame
        ``rank`` as index; ``trial``, ``state``, ``family``, ``score``, ``score_std`` (over the folds), ``seconds``,
        ``epochs`` (a part of one where it saw samples alone), the final metrics, the parameters under their dotted
        names, and ``run_id``.
    """
    import pandas as pd

    runs = run_ids or {}
    rows: list[dict[str, Any]] = [
        {
            "trial": record.number,
            "state": record.state,
            "family": record.family,
            "score": np.nan if record.score is None else record.score,
            "score_std": float(np.std(record.fold_scores)) if record.fold_scores else np.nan,
            "seconds": record.seconds,
            "epochs": record.curve.epochs,
            **record.metrics,
        }
        for record in ranked(records)
    ]
    params = pd.DataFrame([record.params for record in ranked(records)])
    table = pd.concat([pd.DataFrame(rows), params], axis="columns")
    table["run_id"] = [runs.get(record.number) for record in ranked(records)]
    table.index = pd.RangeIndex(1, len(table) + 1, name="rank")
    return table
