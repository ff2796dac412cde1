"""Scores of many predictions on many resamples of their rows, for bootstraps.

A resample is a vector of row weights: how often each row was drawn. The common scorers are functions of weighted sums
over rows, so one matrix product scores all predictions on all resamples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from automl.metrics.predictions import Array, Predictions
from automl.metrics.scorers import Metric

__all__ = ["QUICK_METRICS", "resampled_scores"]

# Weights (b, n) -> scores (b, k).
Resampled = Callable[[Array], Array]
_BATCH_VALUES = 1 << 21  # numbers of an intermediate result
_MOST_SLOW = 50  # resamples that a scorer itself scores
_AGREE = 1e-4  # relative difference from the scorer itself, from which the quick form is not used


def resampled_scores(metric: Metric, y: Array, predictions: Sequence[Predictions], weights: Array) -> Array:
    """Return the score of each prediction on each resample; NaN where it is not defined.

    Parameters
    ----------
    metric : Metric
        The metric.
    y : ndarray of shape (n,)
        True class codes or numbers.
    predictions : sequence of k Predictions
        Predictions for these rows.
    weights : ndarray of shape (b, n)
        Weight of each row in each resample, such as the number of times it was drawn.

    Returns
    -------
    ndarray of shape (b, k)
        Greater is better. A scorer without a quick form scores the first 50 resamples only.
    """
    if (quick := _QUICK.get(metric.name)) is not None and metric.direction == "maximize":
        with np.errstate(all="ignore"):
            found = quick(y, predictions)
            if found is not None and _agrees(metric, y, predictions[0], found):
                return found(weights)
    scores = np.full((len(weights), len(predictions)), np.nan)
    for at, weight in enumerate(weights[:_MOST_SLOW]):
        scores[at] = _one_resample(metric, y, predictions, weight)
    return scores


def _one_resample(metric: Metric, y: Array, predictions: Sequence[Predictions], weight: Array) -> list[float]:
    rows = np.flatnonzero(weight)
    if not len(rows):
        return [float("nan")] * len(predictions)
    parts = [_rows(one, rows) for one in predictions]
    if metric.weighted:
        scores = metric.score_batch(y[rows], parts, weight[rows])
    else:
        drawn = np.repeat(np.arange(len(rows)), weight[rows].astype(int))
        scores = metric.score_batch(y[rows][drawn], [_rows(one, drawn) for one in parts])
    return scores


def _rows(one: Predictions, rows: Array) -> Predictions:
    parts = (None if part is None else part[rows] for part in (one.values, one.probabilities, one.decision))
    return Predictions(*parts)  # type: ignore[arg-type]


def _agrees(metric: Metric, y: Array, first: Predictions, quick: Resampled) -> bool:
    """Return whether the quick form gives the scorer's result; a user's scorer may have the name of a common one."""
    expected, found = metric(y, first), float(quick(np.ones((1, len(y))))[0, 0])
    return bool(np.isclose(expected, found, rtol=_AGREE, atol=_AGREE, equal_nan=True))


def _mean(by_row: Array) -> Resampled:
    """Return weighted means of values (n, k)."""
    return lambda weights: (weights @ by_row) / weights.sum(axis=1, keepdims=True)


def _values(predictions: Sequence[Predictions]) -> Array:
    return np.stack([one.values for one in predictions], axis=1)


def _accuracy(y: Array, predictions: Sequence[Predictions]) -> Resampled:
    return _mean((_values(predictions) == y[:, None]).astype(float))


def _balanced_accuracy(y: Array, predictions: Sequence[Predictions]) -> Resampled:
    hits = (_values(predictions) == y[:, None]).astype(float)
    parts = [np.flatnonzero(y == code) for code in np.unique(y)]

    def score(weights: Array) -> Array:
        return np.asarray(np.nanmean([_mean(hits[rows])(weights[:, rows]) for rows in parts], axis=0))

    return score


def _of_counts(kind: str, average: str) -> Callable[[Array, Sequence[Predictions]], Resampled]:
    """Return the quick form of precision, recall or F1 from weighted counts of each class."""

    def prepare(y: Array, predictions: Sequence[Predictions]) -> Resampled:
        values = _values(predictions)
        codes = [1] if average == "binary" else np.unique(np.concatenate([y, values.ravel()]))
        true = [(y == code).astype(float)[:, None] for code in codes]
        called = [(values == code).astype(float) for code in codes]

        def score(weights: Array) -> Array:
            by_class, support = [], []
            for ours, found in zip(true, called, strict=True):
                hits, n_true, n_called = weights @ (ours * found), weights @ ours, weights @ found
                total = {
                    "precision": n_called,
                    "recall": n_true + 0 * n_called,
                    "f1": (n_called + n_true) / 2,
                }
                by_class.append(np.where(hits > 0, hits / total[kind], 0.0))
                occurs = ((n_true + n_called) > 0).astype(float)
                support.append(occurs if average == "macro" else n_true + 0 * occurs)
            if average == "binary":
                return by_class[0]
            return np.asarray(np.average(by_class, axis=0, weights=support))

        return score

    return prepare


def _log_loss(y: Array, predictions: Sequence[Predictions]) -> Resampled | None:
    if any(one.probabilities is None for one in predictions):
        return None
    rows, codes = np.arange(len(y)), y.astype(np.intp)
    true = np.stack([one.proba()[rows, codes] for one in predictions], axis=1)
    least = np.finfo(true.dtype).eps
    return _mean(np.log(np.clip(true, least, 1 - least).astype(float)))


def _squared_error(y: Array, predictions: Sequence[Predictions]) -> Resampled:
    return _mean(-((_values(predictions) - y[:, None]) ** 2))


def _root_squared_error(y: Array, predictions: Sequence[Predictions]) -> Resampled:
    mean = _squared_error(y, predictions)
    return lambda weights: -np.sqrt(-mean(weights))


def _absolute_error(y: Array, predictions: Sequence[Predictions]) -> Resampled:
    return _mean(-np.abs(_values(predictions) - y[:, None]))


def _r2(y: Array, predictions: Sequence[Predictions]) -> Resampled:
    error = _squared_error(y, predictions)
    centred = (y - y.mean())[:, None]
    mean, square = _mean(centred), _mean(centred**2)
    return lambda weights: 1 + error(weights) / (square(weights) - mean(weights) ** 2)


def _roc_auc(y: Array, predictions: Sequence[Predictions]) -> Resampled | None:
    """Return areas under the ROC curve: the weight of negative rows below each positive row, ties counting half."""
    if any(one.probabilities is None and one.decision is None for one in predictions):
        return None
    ours, others = np.flatnonzero(y == 1), np.flatnonzero(y != 1)
    ranked = []
    for one in predictions:
        scores = one.proba()[:, 1] if one.decision is None else one.decision
        order = others[np.argsort(scores[others], kind="stable")]
        below, through = (np.searchsorted(scores[order], scores[ours], side) for side in ("left", "right"))
        ranked.append((order, below, None if np.array_equal(below, through) else through))

    def areas(weights: Array) -> Array:
        by_row = np.ascontiguousarray(weights.T, dtype=float)
        positive, found = by_row[ours], []
        running = np.zeros((len(others) + 1, len(weights)))
        for order, below, through in ranked:
            np.cumsum(by_row[order], axis=0, out=running[1:])
            count = running[below]
            if through is not None:
                count = (count + running[through]) / 2
            found.append(np.einsum("nb,nb->b", positive, count))
        return np.asarray(np.stack(found, axis=1) / (positive.sum(axis=0) * running[-1])[:, None])

    batch = max(1, _BATCH_VALUES // len(y))
    return lambda weights: np.concatenate(
        [areas(weights[at : at + batch]) for at in range(0, len(weights), batch)]
    )


_QUICK: dict[str, Callable[[Array, Sequence[Predictions]], Resampled | None]] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "f1": _of_counts("f1", "binary"),
    "f1_macro": _of_counts("f1", "macro"),
    "f1_weighted": _of_counts("f1", "weighted"),
    "neg_log_loss": _log_loss,
    "neg_mean_absolute_error": _absolute_error,
    "neg_mean_squared_error": _squared_error,
    "neg_root_mean_squared_error": _root_squared_error,
    "precision": _of_counts("precision", "binary"),
    "r2": _r2,
    "recall": _of_counts("recall", "binary"),
    "roc_auc": _roc_auc,
}

QUICK_METRICS = frozenset(_QUICK)
"""Names of the scorers that many resamples cost little with."""
