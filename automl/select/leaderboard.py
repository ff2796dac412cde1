"""The leaderboard: one row for each distinct configuration, the ensemble and the baseline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.metrics import to_score
from automl.records import EnsembleRecord, SearchRecord, TrialRecord
from automl.select.baseline import Baseline
from automl.select.corrected import CorrectedScore
from automl.select.ranking import pareto_front, rank
from automl.select.readable import last_line, params_texts

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["leaderboard"]


def leaderboard(
    records: Sequence[TrialRecord],
    run_ids: Mapping[int, str | None] | None = None,
    search: SearchRecord | None = None,
    ensemble: EnsembleRecord | None = None,
    corrected: CorrectedScore | None = None,
    baseline: Baseline | None = None,
    *,
    wide: bool = False,
) -> pd.DataFrame:
    """Return the trials as a table, best first, one row for each distinct configuration.

    Parameters
    ----------
    records : sequence of TrialRecord
        The trials.
    run_ids : mapping of int to str, optional
        MLflow's run id of each trial.
    search : SearchRecord, optional
        The search, for its objectives and constraints. Without it, one objective.
    ensemble : EnsembleRecord, optional
        The ensemble of the search; if it has members, it is the first row.
    corrected : CorrectedScore, optional
        Score of the best trial, corrected for its selection.
    baseline : Baseline, optional
        Scores of the model without columns; its row is above the trials that are worse.
    wide : bool
        Whether to add the epochs, all metrics, and a column for each parameter.

    Returns
    -------
    DataFrame
        ``rank`` as index; ``trial``, ``state``, ``family``, ``score``, ``score_std`` (over the folds), ``seconds``,
        ``reason`` (of a state other than complete), ``parameters`` (those that differ within the family, as a text),
        ``repeats`` (later trials with the same configuration, which have no row) and ``run_id``. Several objectives
        add ``front`` (whether on the Pareto front) and a column each. Constraints add ``excess`` (total violation
        relative to the limits; NaN: not measured) and a column each. ``corrected`` and its 95 % interval,
        ``corrected_low`` to ``corrected_high``, are known for the best trial and the ensemble alone, because they are
        a correction for having been selected. A wide table adds ``epochs`` (a fraction if the trial saw
        a sample), the final metrics, and parameters under their dotted names. In the row of the ensemble ``parameters``
        has the weights and numbers of its members. The ensemble and the baseline have no number.
        ``attrs["positive_class"]`` is the positive class of two.
    """
    import pandas as pd

    runs = run_ids or {}
    repeats = Counter(record.original for record in records if record.repeats)
    known = {record.number for record in records}
    order = rank([one for one in records if not one.repeats or one.original not in known], search)
    objectives = search.objectives if search is not None and search.several else ()
    limits = search.constraints if search is not None else {}
    front = {record.number for record in pareto_front(records, search)}
    texts = params_texts(order)
    rows: list[dict[str, Any]] = [
        {
            "trial": record.number,
            "state": record.state,
            "family": record.family,
            **({"front": record.number in front} if objectives else {}),
            "score": np.nan if record.score is None else record.score,
            **_corrected_cells(corrected, best=place == 0),
            **({"excess": record.total_violation if record.violation else np.nan} if limits else {}),
            **dict.fromkeys([*objectives, *limits], np.nan),
            **record.values,
            "score_std": float(np.std(record.fold_scores)) if record.fold_scores else np.nan,
            "seconds": record.seconds,
            "reason": last_line(record.reason),
            "parameters": texts[record.number],
            "repeats": repeats[record.number],
            **(_wide_cells(record) if wide else {}),
            "run_id": runs.get(record.number),
        }
        for place, record in enumerate(order)
    ]
    names = dict.fromkeys(name for row in rows for name in row)  # in the order of the rows of trials
    if baseline is not None:
        ranked = [one.outside or one.group(search) == 0 for one in order]
        better = [
            is_ranked and (one.score or 0.0) >= baseline.score
            for is_ranked, one in zip(ranked, order, strict=True)
        ]
        rows.insert(sum(better), _baseline_row(baseline, search, wide=wide))
    if ensemble is not None and ensemble.members:
        rows.insert(0, _ensemble_row(ensemble, corrected, several=bool(objectives)))
    names |= dict.fromkeys(name for row in rows for name in row)
    table = pd.DataFrame(
        rows, columns=[*(name for name in names if name != "run_id"), *["run_id"] * bool(rows)]
    )
    if rows:
        table["trial"] = table["trial"].astype("Int64")
    table.index = pd.RangeIndex(1, len(table) + 1, name="rank")
    if search is not None and search.positive_class:
        table.attrs["positive_class"] = search.positive_class
    return table


def _corrected_cells(corrected: CorrectedScore | None, *, best: bool) -> dict[str, float]:
    if corrected is None:
        return {}
    found = {"corrected": corrected.score, "corrected_low": corrected.low, "corrected_high": corrected.high}
    return found if best else dict.fromkeys(found, np.nan)


def _wide_cells(record: TrialRecord) -> dict[str, Any]:
    metrics = {name: value for name, value in record.metrics.items() if name not in record.values}
    return {"epochs": record.curve.epochs, **metrics, **record.params}


def _ensemble_row(
    ensemble: EnsembleRecord, corrected: CorrectedScore | None, *, several: bool
) -> dict[str, Any]:
    ours: dict[str, Any] = {}
    if corrected is not None and corrected.ensemble_score is not None:
        ends = {"corrected_low": corrected.ensemble_low, "corrected_high": corrected.ensemble_high}
        ours = {"corrected": corrected.ensemble_score, **ends}
    return {
        "trial": None,
        "state": "ensemble",
        "family": "ensemble",
        **({"front": False} if several else {}),
        "score": ensemble.score,
        **ours,
        "score_std": float(np.std(ensemble.fold_scores)),
        "reason": "",
        "parameters": ", ".join(f"{weight:.2f} x {number}" for number, weight in ensemble.members),
        "repeats": 0,
        "run_id": None,
    }


def _baseline_row(baseline: Baseline, search: SearchRecord | None, *, wide: bool) -> dict[str, Any]:
    first: dict[str, Any] = {}
    if search is not None and search.several:
        value = to_score(baseline.score, search.directions[0])
        first = {"front": False, search.objectives[0]: value}
    return {
        "trial": None,
        "state": "baseline",
        "family": "dummy",
        **first,
        "score": baseline.score,
        "score_std": float(np.std(baseline.fold_scores)),
        "seconds": 0.0,
        "reason": "",
        "parameters": "",
        "repeats": 0,
        **(baseline.metrics if wide else {}),
        "run_id": None,
    }
