"""Trials ranked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.records import TrialRecord

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["best_record", "leaderboard", "ranked"]

_ORDER = {"complete": 0, "pruned": 1, "failed": 2}


def ranked(records: Sequence[TrialRecord]) -> list[TrialRecord]:
    """Return the records best first: complete, then pruned, each by score; failed ones last.

    Equal scores keep the order of the trials.
    """
    return sorted(
        records,
        key=lambda record: (
            _ORDER[record.state],
            np.inf if record.score is None else -record.score,
            record.number,
        ),
    )


def best_record(records: Sequence[TrialRecord]) -> TrialRecord | None:
    """Return the complete trial with the best score; where none is, the best of those cut short; else None."""
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
        ``epochs`` (or the last rung), the final metrics, the parameters under their dotted names, and ``run_id``.
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
            "epochs": max(len(record.curve.losses), *record.curve.rungs, 0),
            **record.metrics,
        }
        for record in ranked(records)
    ]
    params = pd.DataFrame([record.params for record in ranked(records)])
    table = pd.concat([pd.DataFrame(rows), params], axis="columns")
    table["run_id"] = [runs.get(record.number) for record in ranked(records)]
    table.index = pd.RangeIndex(1, len(table) + 1, name="rank")
    return table
