"""The baseline of a search: a model that ignores all columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from automl.metrics import Metric, Predictions, Truth, final_metrics

__all__ = ["Baseline", "baseline_of", "baseline_predictions"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Baseline:
    """Scores of a model that predicts the class shares, or the mean, of the training rows.

    Parameters
    ----------
    score : float
        Mean score over the folds; greater is better.
    fold_scores : list of float
        Score of each fold.
    metrics : dict of str to float
        Metrics of the task, means over the folds.
    """

    score: float
    fold_scores: list[float]
    metrics: dict[str, float] = field(default_factory=dict)


def baseline_of(
    task: str,
    metric: Metric,
    y: Array,
    folds: Sequence[tuple[Array, Array]],
    *,
    n_classes: int,
    positive: int = 1,
    fit_weight: Array | None = None,
    score_weight: Array | None = None,
) -> Baseline | None:
    """Return the scores of the baseline; None if the metric is not defined for it.

    Parameters
    ----------
    task : {"binary", "multiclass", "regression"}
        The task.
    metric : Metric
        The metric that ranks trials.
    y : ndarray of shape (n,)
        Class codes or numbers of the whole table.
    folds : sequence of (train, valid)
        Row numbers.
    n_classes : int
        Number of classes; 0 for numbers.
    positive : int
        Code of the positive class.
    fit_weight, score_weight : ndarray of shape (n,), optional
        Row weights of training and of scores.
    """
    whole = baseline_predictions(y, folds, n_classes, fit_weight)
    scores, metrics, start = [], [], 0
    for _, valid in folds:
        part = _rows(whole, slice(start, start := start + len(valid)))
        weight = None if score_weight is None else score_weight[valid]
        try:
            scores.append(float(metric(y[valid], part, weight)))
        except Exception:  # a user's scorer may need, for example, decision scores
            return None
        metrics += final_metrics(task, Truth(y[valid], n_classes, weight, positive), [part])
    if not np.isfinite(scores).all():
        return None
    names = [name for name in metrics[0] if all(name in one for one in metrics)]
    means = {name: float(np.mean([one[name] for one in metrics])) for name in names}
    return Baseline(float(np.mean(scores)), scores, means)


def baseline_predictions(
    y: Array, folds: Sequence[tuple[Array, Array]], n_classes: int, weight: Array | None = None
) -> Predictions:
    """Return out-of-fold predictions of a model that ignores all columns: class shares, or the mean.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Class codes or numbers of the whole table.
    folds : sequence of (train, valid)
        Row numbers.
    n_classes : int
        Number of classes; 0 for numbers.
    weight : ndarray of shape (n,), optional
        Row weights of training.
    """
    values, shares = [], []
    for train, valid in folds:
        weights = None if weight is None else weight[train]
        if n_classes:
            counts = np.bincount(y[train].astype(np.intp), weights, n_classes)
            shares.append(np.tile(counts / counts.sum(), (len(valid), 1)))
            values.append(np.full(len(valid), counts.argmax()))
        else:
            values.append(np.full(len(valid), np.average(y[train], weights=weights)))
    return Predictions(np.concatenate(values), np.concatenate(shares) if n_classes else None)


def _rows(one: Predictions, rows: slice) -> Predictions:
    return Predictions(one.values[rows], None if one.probabilities is None else one.probabilities[rows])
