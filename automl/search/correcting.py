"""The corrected score of a search's best trial, from the kept out-of-fold predictions."""

from __future__ import annotations

from automl.search.finish import Winner
from automl.search.plan import Plan
from automl.select import (
    Baseline,
    CorrectedScore,
    OutOfFold,
    baseline_of,
    baseline_predictions,
    corrected_score,
    with_ensemble_score,
)
from automl.workers import limit_threads

__all__ = ["corrected_winner", "plan_baseline"]


def corrected_winner(winner: Winner, found: OutOfFold) -> CorrectedScore | None:
    """Return the scores of the best trial and of the ensemble, corrected for having been selected.

    Parameters
    ----------
    winner : Winner
        The best trial, the ensemble and the table.
    found : OutOfFold
        Predictions of the trials that it was selected from.

    Returns
    -------
    CorrectedScore or None
        None with several objectives, and if the predictions of the best trial are not kept.
    """
    first = found.predictions(winner.record.number)
    if first is None or winner.facts.several:
        return None
    plan = winner.plan
    family = [one.number for one in found.records if one.family == winner.record.family]
    others = (found.predictions(one.number) for one in found.records if one.number != winner.record.number)
    trials = [first, *(one for one in others if one is not None)]
    n_classes = 0 if plan.target.classes is None else len(plan.target.classes)
    baseline = baseline_predictions(plan.target.values, plan.folds, n_classes, plan.weights.fit)
    corrected = corrected_score(
        plan.objectives.metric,
        found.y,
        found.fold,
        trials,
        baseline,
        default=found.predictions(min(family)) if family else None,
        weight=found.weight,
        seed=winner.facts.random_state,
    )
    return with_ensemble_score(corrected, plan.objectives.metric, found, winner.ensemble.record, baseline)


def plan_baseline(plan: Plan, n_jobs: int, blas_threads: int) -> Baseline | None:
    """Return the scores of a model that ignores all columns; None if the first objective is not defined for it.

    Scorers have as many threads as in each of ``n_jobs`` workers.
    """
    with limit_threads(plan.frame.size, n_jobs, blas_threads):
        return baseline_of(
            plan.target.task,
            plan.objectives.metric,
            plan.target.values,
            plan.folds,
            n_classes=plan.problem.n_classes,
            positive=plan.target.positive,
            fit_weight=plan.weights.fit,
            score_weight=plan.weights.score,
        )
