"""The corrected score of a search's best trial, from the kept out-of-fold predictions."""

from __future__ import annotations

from automl.search.finish import Winner
from automl.select import CorrectedScore, OutOfFold, baseline_predictions, corrected_score

__all__ = ["corrected_winner"]


def corrected_winner(winner: Winner, found: OutOfFold) -> CorrectedScore | None:
    """Return the score of the best trial, corrected for having been selected.

    Parameters
    ----------
    winner : Winner
        The best trial, and the table.
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
    others = (found.predictions(one.number) for one in found.records if one.number != winner.record.number)
    trials = [first, *(one for one in others if one is not None)]
    n_classes = 0 if plan.target.classes is None else len(plan.target.classes)
    baseline = baseline_predictions(plan.target.values, plan.folds, n_classes, plan.weights.fit)
    return corrected_score(
        plan.objectives.metric,
        found.y,
        found.fold,
        trials,
        baseline,
        weight=found.weight,
        seed=winner.facts.random_state,
    )
