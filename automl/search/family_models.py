"""The best trial of each family as a fitted model, and scores of models on other rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.records import TrialRecord
from automl.search.finish import Winner
from automl.search.plan import Plan
from automl.search.refit import refit, with_columns
from automl.select import baseline_predictions, rank

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["best_of_families", "with_test_scores"]


def best_of_families(winner: Winner, records: Sequence[TrialRecord], best: Any) -> dict[str, tuple[int, Any]]:
    """Return number and model of the best trial of each family, fitted on all rows of the search.

    Parameters
    ----------
    winner : Winner
        The best trial, and the table.
    records : sequence of TrialRecord
        The trials.
    best : Pipeline
        The fitted pipeline of the best trial.
    """
    found: dict[str, tuple[int, Any]] = {}
    for record in rank(records, winner.facts):
        if record.family in found or record.score is None or record.state != "complete":
            continue
        is_best = record.number == winner.record.number
        model = best if is_best else with_columns(winner.plan, refit(record, winner.plan, winner.facts, 1))
        found[record.family] = record.number, model
    return found


def with_test_scores(
    table: pd.DataFrame, models: Mapping[int | str, Any], winner: Winner, X: Any, y: Any
) -> pd.DataFrame:
    """Return a leaderboard with a column ``test`` beside ``score``: the score on other rows, where it is known.

    Parameters
    ----------
    table : DataFrame
        The leaderboard.
    models : mapping
        Fitted models by the number of their trial, and the ensemble as ``"ensemble"``.
    winner : Winner
        The table and the metric.
    X, y : table and target
        The rows.
    """
    scores = {name: winner.score(model, X, y) for name, model in models.items()}
    found = table.assign(test=[scores.get(name, np.nan) for name in table["trial"].astype(object)])
    found.loc[found["state"] == "ensemble", "test"] = scores.get("ensemble", np.nan)
    found.loc[found["state"] == "baseline", "test"] = _baseline_score(winner.plan, y)
    names = [name for name in found.columns if name != "test"]
    after = names.index("score") + 1
    return found[[*names[:after], "test", *names[after:]]]


def _baseline_score(plan: Plan, y: Any) -> float:
    """Return the score on other rows of a model that ignores all columns."""
    target = plan.target
    codes, n_train = target.encode(y), len(target.values)
    rows = np.arange(n_train), n_train + np.arange(len(codes))
    values = np.concatenate([target.values, codes])
    predictions = baseline_predictions(values, [rows], plan.problem.n_classes, plan.weights.fit)
    return plan.objectives.metric(codes, predictions)
