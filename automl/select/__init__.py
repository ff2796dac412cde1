"""Rank trials, choose the best and an ensemble, and keep out-of-fold predictions."""

from automl.select.corrected import CorrectedScore, baseline_predictions, corrected_score
from automl.select.ensemble import MIN_ROWS, choose_ensemble, without_members
from automl.select.leaderboard import best_record, describe_violations, leaderboard, pareto_front, rank
from automl.select.out_of_fold import OutOfFold, put_predictions, save_predictions, take_predictions

__all__ = [
    "CorrectedScore",
    "MIN_ROWS",
    "OutOfFold",
    "baseline_predictions",
    "best_record",
    "choose_ensemble",
    "corrected_score",
    "describe_violations",
    "leaderboard",
    "pareto_front",
    "rank",
    "put_predictions",
    "save_predictions",
    "take_predictions",
    "without_members",
]
