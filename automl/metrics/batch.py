"""Metrics of many predictions for the same rows in one call.

The default scorers run at every rung for each trial and fold, mostly on few rows. There a scorer's input checks
take many times as long as the metric, so these functions check nothing. Each returns one value per prediction, equal
to its value alone. ``weight`` holds row weights of shape (n,); None weighs all rows equally.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from scipy.stats import entropy, mannwhitneyu
from sklearn import config_context
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import roc_auc_score, root_mean_squared_error

from automl.metrics.predictions import Array, Predictions

__all__ = [
    "BATCH_SCORERS",
    "BatchScore",
    "neg_log_loss",
    "neg_rmse",
    "roc_auc",
    "roc_auc_one_vs_rest",
    "unchecked",
]

BatchScore = Callable[[Array, Sequence[Predictions], "Array | None"], "Sequence[float] | Array"]
"""From targets, k predictions and row weights to k values."""


@contextmanager
def unchecked() -> Iterator[None]:
    """Turn off scikit-learn's input checks, and its warnings about folds that lack a class."""
    with config_context(assume_finite=True, skip_parameter_validation=True), warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        warnings.filterwarnings("ignore", "y_pred contains classes not in y_true", UserWarning)
        warnings.filterwarnings("ignore", "A single label was found", UserWarning)
        yield


def roc_auc(y: Array, predictions: Sequence[Predictions], weight: Array | None = None) -> Array:
    """Return areas under the ROC curve of two classes; NaN if the weighted rows of ``y`` hold only one."""
    positive = y == 1
    counted = positive if weight is None else positive[weight > 0]
    if counted.all() or not counted.any():
        return np.full(len(predictions), np.nan)
    scores = [one.proba()[:, 1] if one.decision is None else one.decision for one in predictions]
    return _areas(positive, np.stack(scores), weight)


def roc_auc_one_vs_rest(y: Array, predictions: Sequence[Predictions], weight: Array | None = None) -> Array:
    """Return the mean area of each class against the others; NaN without probabilities."""
    if predictions[0].probabilities is None:
        return np.full(len(predictions), np.nan)
    scores = np.stack([one.proba() for one in predictions])
    codes = range(scores.shape[2])
    return np.asarray(np.mean([_areas(y == code, scores[:, :, code], weight) for code in codes], axis=0))


def _areas(positive: Array, scores: Array, weight: Array | None) -> Array:
    """Return areas under the ROC curves of scores ``(k, n)`` against the rows where ``positive`` is true.

    The area is the share of pairs of one row of each class in the right order, ties counting half. The U test of Mann
    and Whitney counts these pairs: Hanley and McNeil, "The meaning and use of the area under a ROC curve", Radiology
    143 (1982). SciPy's test takes all rows of ``scores`` in one call, but no row weights.
    """
    if weight is not None:
        return np.array([roc_auc_score(positive, one, sample_weight=weight) for one in scores])
    scores = scores.astype(np.float64)  # the statistic has the type of its input
    ours, others = scores[:, positive], scores[:, ~positive]
    with np.errstate(all="ignore"):  # from the p-values, which are not used
        test = mannwhitneyu(ours, others, axis=1, method="asymptotic")
    areas: Array = test.statistic / (ours.shape[1] * others.shape[1])
    return areas


def neg_log_loss(y: Array, predictions: Sequence[Predictions], weight: Array | None = None) -> Array:
    """Return minus the mean relative entropy of true and predicted classes.

    It is defined on a fold that lacks a class too. Probabilities are clipped as in scikit-learn's ``log_loss``.
    """
    probabilities = np.stack([one.proba() for one in predictions])
    least = np.finfo(probabilities.dtype).eps
    true = np.eye(probabilities.shape[2])[y.astype(np.intp)]
    by_row: Array = entropy(true, np.clip(probabilities, least, 1 - least), axis=2)
    return -np.asarray(by_row.mean(axis=1) if weight is None else np.average(by_row, axis=1, weights=weight))


def neg_rmse(y: Array, predictions: Sequence[Predictions], weight: Array | None = None) -> list[float]:
    """Return minus the root mean squared errors."""
    return [-float(root_mean_squared_error(y, one.values, sample_weight=weight)) for one in predictions]


BATCH_SCORERS: dict[tuple[str, str], BatchScore] = {
    ("neg_log_loss", "binary"): neg_log_loss,
    ("neg_log_loss", "multiclass"): neg_log_loss,
    ("roc_auc", "binary"): roc_auc,
    ("neg_root_mean_squared_error", "regression"): neg_rmse,
}
"""Scorers with a batched form, by name and task. All others score one prediction at a time."""
