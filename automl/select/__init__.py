"""Rank trials, choose the best and an ensemble, and keep out-of-fold predictions."""

from automl.select.baseline import Baseline, baseline_of, baseline_predictions
from automl.select.corrected import CorrectedScore, corrected_score
from automl.select.corrected_ensemble import with_ensemble_score
from automl.select.cv_results import cv_results
from automl.select.ensemble import MIN_ROWS, choose_ensemble, without_members
from automl.select.fold_models import KEPT_FROM_SECONDS, save_fold_models
from automl.select.leaderboard import leaderboard
from automl.select.out_of_fold import OutOfFold, pack_predictions, put_predictions, save_predictions
from automl.select.paired import paired_interval
from automl.select.ranking import best_record, describe_violations, pareto_front, rank
from automl.select.readable import last_line, params_texts, short_value

__all__ = [
    "Baseline",
    "CorrectedScore",
    "KEPT_FROM_SECONDS",
    "MIN_ROWS",
    "OutOfFold",
    "baseline_of",
    "baseline_predictions",
    "best_record",
    "choose_ensemble",
    "cv_results",
    "corrected_score",
    "describe_violations",
    "last_line",
    "leaderboard",
    "pack_predictions",
    "paired_interval",
    "params_texts",
    "pareto_front",
    "rank",
    "put_predictions",
    "save_fold_models",
    "save_predictions",
    "short_value",
    "with_ensemble_score",
    "without_members",
]
