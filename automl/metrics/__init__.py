"""Scorers, objectives and reported metrics: the only package that knows the sign of a metric.

A score follows scikit-learn: greater is better, whatever the scorer. A value is the number shown to the user: the
result of a scorer, seconds, bytes. Reported metrics have plain names and plain values (``log_loss``, ``rmse``).
"""

from automl.metrics.costs import COSTS
from automl.metrics.objectives import Objectives, check_objectives, objectives_for
from automl.metrics.own import import_scorers
from automl.metrics.predictions import Predictions, Truth
from automl.metrics.report import final_metrics
from automl.metrics.resampled import QUICK_METRICS, resampled_scores
from automl.metrics.scorers import (
    DEFAULT_SCORING,
    Direction,
    Metric,
    Scorer,
    metric_for,
    scorer_kind,
    to_score,
)

__all__ = [
    "COSTS",
    "DEFAULT_SCORING",
    "Direction",
    "Metric",
    "Objectives",
    "Predictions",
    "QUICK_METRICS",
    "Scorer",
    "Truth",
    "check_objectives",
    "final_metrics",
    "import_scorers",
    "metric_for",
    "resampled_scores",
    "objectives_for",
    "scorer_kind",
    "to_score",
]
