"""Rank trials, choose the best and an ensemble, and keep out-of-fold predictions."""

from automl.select.corrected import CorrectedScore, baseline_predictions, corrected_score
from automl.select.ensemble import choose_ensemble
from automl.select.leaderboard import best_record, describe_violations, leaderboard, pareto_front, rank
from automl.select.out_of_fold import OutOfFold, save_predictions

__all__ = [
    "CorrectedScore",
    "baseline_predictions",
    "corrected_score",
    "OutOfFold",
    "best_record",
    "choose_ensemble",
    "describe_violations",
    "leaderboard",
    "pareto_front",
    "rank",
    "save_predictions",
]
