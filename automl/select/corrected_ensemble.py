"""The score of the ensemble, corrected for the selection of its members."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from automl.metrics import QUICK_METRICS, Metric, Predictions
from automl.records import EnsembleRecord, TrialRecord
from automl.select.corrected import CorrectedScore, corrected_score
from automl.select.ensemble import FoldScores, as_predictions, averaged, candidates_of, greedy_selection
from automl.select.half_samples import random_halves
from automl.select.out_of_fold import OutOfFold

__all__ = ["with_ensemble_score"]

Array = npt.NDArray[Any]

_POOL = 30  # best trials that may be a candidate of a half, besides the best of each family
_STEPS = 6  # members of a half at most; the ensemble itself takes up to 25
_MOST_ROWS = 10_000
_VALUES = 3e7  # rows times candidates times steps times halves, at most: about a second
_LEAST_HALVES, _MOST_HALVES = 10, 20


def with_ensemble_score(
    corrected: CorrectedScore,
    metric: Metric,
    found: OutOfFold,
    ensemble: EnsembleRecord,
    baseline: Predictions,
) -> CorrectedScore:
    """Return the corrected score of a search with that of its ensemble.

    On a random half of the rows, trials are ranked and members are selected again. Their average is scored on the
    other half, and so is that of the ensemble itself. The mean difference over up to 20 halves is the part of the
    gain that is chance, and is subtracted from the score of the ensemble and its interval. The interval is that of
    `corrected_score` for the fixed average.

    With a scorer that takes long the ensemble has no such score: selecting once more takes hundreds of scores.

    Parameters
    ----------
    corrected : CorrectedScore
        That of the best trial.
    metric : Metric
        Ranks the trials.
    found : OutOfFold
        The trials with their predictions.
    ensemble : EnsembleRecord
        The ensemble.
    baseline : Predictions
        Predictions of a model that ignores all columns.
    """
    if not ensemble.members or metric.name not in QUICK_METRICS or corrected.by_size:
        return corrected
    feasible = [record for record in found.records if not record.total_violation]
    pool = [feasible[place] for place in candidates_of(feasible, _POOL)]
    values = {record.number: averaged(found, metric, record.number) for record in pool}
    pool = [record for record in pool if values[record.number] is not None]
    mean = sum(
        weight * np.asarray(averaged(found, metric, number), float) for number, weight in ensemble.members
    )
    rng = np.random.default_rng(found.random_state)
    rows = np.sort(rng.permutation(len(found.y))[:_MOST_ROWS])
    predictions = np.stack([np.asarray(values[record.number])[rows] for record in pool])
    score = FoldScores(found.y, found.fold, metric, found.weight).on(rows)
    chance = _gain_by_chance(pool, predictions, np.asarray(mean)[rows], score, found.fold[rows], rng)
    whole = corrected_score(
        metric, found.y, found.fold, [as_predictions(np.asarray(mean))], baseline, weight=found.weight
    )
    return replace(
        corrected,
        ensemble_score=whole.score - chance,
        ensemble_low=whole.low - chance,
        ensemble_high=whole.high - chance,
    )


def _gain_by_chance(
    pool: Sequence[TrialRecord],
    predictions: Array,
    chosen: Array,
    score: FoldScores,
    fold: Array,
    rng: np.random.Generator,
) -> float:
    """Return how much better the ensemble scores than ensembles that were selected on other rows."""
    halves = _halves(fold, rng, len(pool))
    lost = []
    for half in halves:
        inside, outside = score.on(half), score.on(~half)
        singles = inside(predictions[:, half])
        order = np.argsort(-singles, kind="stable")
        kept = [int(order[place]) for place in candidates_of([pool[i] for i in order])]
        weights, _ = greedy_selection(predictions[kept][:, half], inside, _STEPS)
        average = np.tensordot(weights, predictions[kept][:, ~half], axes=1)
        other, own = outside(np.stack([average, chosen[~half]]))
        lost.append(own - other)
    known = np.array(lost)[np.isfinite(lost)]
    return float(known.mean()) if len(known) else float("nan")


def _halves(fold: Array, rng: np.random.Generator, n_trials: int) -> Array:
    """Return random halves of the rows of each fold, and the rest of each, as masks."""
    most = _VALUES / (len(fold) * _STEPS * min(n_trials, _POOL))
    n_halves = 2 * (int(np.clip(most, _LEAST_HALVES, _MOST_HALVES)) // 2)
    masks = np.zeros((n_halves, len(fold)), dtype=bool)
    for number in np.unique(fold):
        rows = np.flatnonzero(fold == number)
        masks[:, rows] = random_halves(rng, len(rows), n_halves) > 0
    return masks
