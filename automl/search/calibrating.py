"""Calibration and threshold of the final model, from out-of-fold predictions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from automl.ensemble import CalibratedClassifier, calibrated
from automl.metrics import Metric, Predictions
from automl.search.finish import Winner
from automl.select import OutOfFold

__all__ = ["calibrated_model", "choose_calibration", "choose_threshold"]

Array = npt.NDArray[Any]

_PARTS = 5  # of the rows of one holdout, in place of folds
_THRESHOLDS = 99
_SMALLEST = 1e-12


def calibrated_model(
    model: Any, winner: Winner, found: OutOfFold, *, calibrate: bool, threshold: bool
) -> CalibratedClassifier | None:
    """Return the model with calibrated probabilities and a tuned threshold; None where neither is better.

    Parameters
    ----------
    model : estimator
        The fitted model: the best pipeline, or the ensemble.
    winner : Winner
        The best trial and the ensemble.
    found : OutOfFold
        Their predictions.
    calibrate, threshold : bool
        Which of them to look for.
    """
    plan, y = winner.plan, found.y
    if plan.target.classes is None or not hasattr(model, "predict_proba"):
        return None
    p = _out_of_fold(model, winner, found)
    if p is None:
        return None
    fold = found.fold if len(np.unique(found.fold)) > 1 else np.arange(len(y)) % _PARTS
    slope, shift = 1.0, 0.0
    if calibrate and (chosen := choose_calibration(y, fold, p, found.weight)) is not None:
        slope, shift = chosen
        p = calibrated(p, slope, shift)
    limit = None
    if threshold and p.shape[1] == 2:
        limit = choose_threshold(plan.objectives.metric, y, fold, p, plan.target.positive, found.weight)
    if (slope, shift, limit) == (1.0, 0.0, None):
        return None
    return CalibratedClassifier.of_fitted(model, slope, shift, limit, plan.target.positive)


def choose_calibration(
    y: Array, fold: Array, p: Array, weight: Array | None = None
) -> tuple[float, float] | None:
    """Return slope and shift of the calibration; None unless it lowers the log loss of rows that did not choose it.

    Parameters
    ----------
    y : ndarray of shape (m,)
        Class codes.
    fold : ndarray of shape (m,)
        Fold of each row; the calibration of a fold is fitted on the others.
    p : ndarray of shape (m, c)
        Out-of-fold probabilities.
    weight : ndarray of shape (m,), optional
        Row weights.
    """
    weights = np.ones(len(y)) if weight is None else weight
    codes, gains = y.astype(np.intp), np.zeros(len(y))
    for one in np.unique(fold):
        rest, rows = fold != one, fold == one
        slope, shift = _fit(codes[rest], p[rest], weights[rest])
        gains[rows] = _losses(codes[rows], p[rows]) - _losses(codes[rows], calibrated(p[rows], slope, shift))
    gain = np.average(gains, weights=weights)
    error = np.sqrt(np.average((gains - gain) ** 2, weights=weights) / max(1, len(y) - 1))
    return _fit(codes, p, weights) if gain > error else None


def choose_threshold(
    metric: Metric, y: Array, fold: Array, p: Array, positive: int, weight: Array | None = None
) -> float | None:
    """Return the threshold with the best score; None if it is no better on rows that did not choose it.

    None too if the metric is not one of predicted labels.

    Parameters
    ----------
    metric : Metric
        The metric that ranks trials.
    y, fold, p, weight
        As in `choose_calibration`; two classes.
    positive : int
        Code of the positive class.
    """
    if not _is_of_labels(metric, y, p, weight):
        return None
    limits = np.unique(np.quantile(p[:, positive], np.linspace(0.01, 0.99, _THRESHOLDS)))

    def scores(rows: Array) -> Array:
        """Return the score of each threshold on some rows."""
        chosen = p[rows, positive][None] >= limits[:, None]
        values = np.where(chosen, positive, 1 - positive)
        part = None if weight is None else weight[rows]
        return np.array(metric.score_batch(y[rows], [Predictions(one, p[rows]) for one in values], part))

    gains = []
    for one in np.unique(fold):
        rest, rows = np.flatnonzero(fold != one), np.flatnonzero(fold == one)
        best = int(np.nanargmax(scores(rest)))
        plain = metric(
            y[rows], Predictions(p[rows].argmax(axis=1), p[rows]), None if weight is None else weight[rows]
        )
        gains.append(scores(rows)[best] - plain)
    known = np.array(gains)[np.isfinite(gains)]
    if not len(known) or known.mean() <= known.std() / np.sqrt(len(known)):
        return None
    return float(limits[int(np.nanargmax(scores(np.arange(len(y)))))])


def _out_of_fold(model: Any, winner: Winner, found: OutOfFold) -> Array | None:
    """Return the out-of-fold probabilities of the best pipeline or of the ensemble; None if they are not kept."""
    members: tuple[tuple[int, float], ...] = ((winner.record.number, 1.0),)
    if model is winner.ensemble.estimator:
        members = winner.ensemble.record.members
    total: Any = 0.0
    for number, weight in members:
        one = found.predictions(number)
        if one is None or one.probabilities is None:
            return None
        total = total + weight * np.asarray(one.probabilities, dtype=float)
    return np.asarray(total)


def _fit(codes: Array, p: Array, weights: Array) -> tuple[float, float]:
    """Return the slope and the shift with the least log loss."""
    two = p.shape[1] == 2

    def loss(values: Array) -> float:
        shift = values[1] if two else 0.0
        found = calibrated(p, float(np.exp(values[0])), float(shift))
        return float(np.average(_losses(codes, found), weights=weights))

    start = np.zeros(2 if two else 1)
    best = minimize(loss, start, method="Nelder-Mead", options={"xatol": 1e-4, "fatol": 1e-7}).x
    return float(np.exp(best[0])), float(best[1]) if two else 0.0


def _losses(codes: Array, p: Array) -> Array:
    return np.asarray(-np.log(np.maximum(p[np.arange(len(codes)), codes], _SMALLEST)))


def _is_of_labels(metric: Metric, y: Array, p: Array, weight: Array | None) -> bool:
    """Return whether the metric depends on labels alone: other probabilities do not change it, other labels do."""
    labels, score = p.argmax(axis=1), _scorer(metric, y, weight)
    try:
        same = score(labels, p) == score(labels, p[::-1]) == score(labels, 0.5 * p + 0.25)
        return same and score(labels, p) != score(1 - labels, p)
    except AttributeError:  # it needs decision scores
        return False


def _scorer(metric: Metric, y: Array, weight: Array | None) -> Callable[[Array, Array], float]:
    return lambda labels, p: metric(y, Predictions(labels, p), weight)
