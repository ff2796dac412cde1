"""The metrics reported for each finished trial, by plain name and with plain values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from sklearn.metrics import (
    mean_absolute_error,
    precision_recall_fscore_support,
    r2_score,
    root_mean_squared_error,
)

from automl.metrics.batch import neg_log_loss, roc_auc, roc_auc_one_vs_rest, unchecked
from automl.metrics.predictions import Array, Predictions, Truth

__all__ = ["REPORTED", "final_metrics"]

# From the truth and k predictions to k values for each name; NaN where a metric is not defined.
Reported = Callable[[Truth, Sequence[Predictions]], Mapping[str, "Array | list[float]"]]


def final_metrics(task: str, truth: Truth, predictions: Sequence[Predictions]) -> list[dict[str, float]]:
    """Return the reported metrics of each prediction, without those that are not defined.

    Precision, recall and F1 of two classes are those of the positive class; of more classes the unweighted mean over
    those that occur. ROC AUC of more than two classes is one against the rest. Ratios of zero to zero are 0, as in
    scikit-learn. Row weights count in all of them. Predictions that are not finite have no metrics.

    Parameters
    ----------
    task : {"binary", "multiclass", "regression"}
        The task.
    truth : Truth
        The true targets, with row weights.
    predictions : sequence of Predictions
        Predictions of several trials for the same rows.
    """
    finite = [i for i, one in enumerate(predictions) if one.is_finite()]
    reports: list[dict[str, float]] = [{} for _ in predictions]
    if not finite:
        return reports
    with unchecked():
        for metrics in REPORTED[task]:
            for name, values in metrics(truth, [predictions[i] for i in finite]).items():
                for i, value in zip(finite, values, strict=True):
                    if np.isfinite(value):
                        reports[i][name] = float(value)
    return reports


def _class_metrics(truth: Truth, predictions: Sequence[Predictions]) -> dict[str, list[float]]:
    # Input checks are most of scikit-learn's time: each trial gets class codes of its own, and all go in one call.
    k, n_classes, weight = len(predictions), truth.n_classes, truth.weight
    shift = n_classes * np.arange(k)[:, None]
    values = np.stack([one.values for one in predictions]).astype(np.intp)
    by_class = precision_recall_fscore_support(
        (truth.y.astype(np.intp) + shift).ravel(),
        (values + shift).ravel(),
        labels=np.arange(k * n_classes),
        average=None,
        sample_weight=None if weight is None else np.tile(weight, k),
        zero_division=0,
    )
    precision, recall, f1, support = (np.reshape(part, (k, n_classes)) for part in by_class)
    true = support > 0
    # Classes that the means are over: the positive one of two, else those in the truth or the predictions.
    over = [
        [truth.positive] if n_classes == 2 else true[i] | (np.bincount(values[i], minlength=n_classes) > 0)
        for i in range(k)
    ]
    return {
        "accuracy": [np.average(recall[i], weights=support[i]) for i in range(k)],
        "balanced_accuracy": [recall[i][true[i]].mean() for i in range(k)],
        "precision": [precision[i][over[i]].mean() for i in range(k)],
        "recall": [recall[i][over[i]].mean() for i in range(k)],
        "f1": [f1[i][over[i]].mean() for i in range(k)],
    }


def _areas(truth: Truth, predictions: Sequence[Predictions]) -> dict[str, Array]:
    if len(np.unique(truth.y)) < truth.n_classes:  # the fold lacks a class
        return {}
    area = roc_auc if truth.n_classes == 2 else roc_auc_one_vs_rest
    return {"roc_auc": np.asarray(area(truth.y, predictions, truth.weight))}


def _log_losses(truth: Truth, predictions: Sequence[Predictions]) -> dict[str, Array]:
    if predictions[0].probabilities is None:  # the loss hinge has none
        return {}
    return {"log_loss": -np.asarray(neg_log_loss(truth.y, predictions, truth.weight))}


def _errors(truth: Truth, predictions: Sequence[Predictions]) -> dict[str, list[float]]:
    y, weight = truth.y, truth.weight
    return {
        "rmse": [root_mean_squared_error(y, one.values, sample_weight=weight) for one in predictions],
        "mae": [mean_absolute_error(y, one.values, sample_weight=weight) for one in predictions],
        "r2": [
            r2_score(y, one.values, sample_weight=weight) if len(y) > 1 else np.nan for one in predictions
        ],
    }


_OF_CLASSES: tuple[Reported, ...] = (_class_metrics, _areas, _log_losses)

REPORTED: dict[str, tuple[Reported, ...]] = {
    "binary": _OF_CLASSES,
    "multiclass": _OF_CLASSES,
    "regression": (_errors,),
}
"""The reported metrics of each task. A new metric is one function here and its name in a row."""
