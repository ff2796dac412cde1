"""The score of the best trial, corrected for having been selected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from automl.metrics import QUICK_METRICS, Metric, Predictions, resampled_scores

__all__ = ["CorrectedScore", "corrected_score"]

Array = npt.NDArray[Any]

_RESAMPLES = 400
_MIN_RESAMPLES = 40
_VALUES = 5e8  # rows times trials times resamples, at most: half a second
_AREA_VALUES = 3e7  # of ROC AUC: a second
_SLOW_RESAMPLES, _SLOW_TRIALS = 50, 20  # of a scorer without a quick form
_LEVEL = 0.95


@dataclass(frozen=True)
class CorrectedScore:
    """An estimate of the best trial's score on new rows.

    Parameters
    ----------
    score : float
        The estimate; greater is better.
    low, high : float
        Ends of its 95 % interval.
    selected : float
        The best trial's own score, by which it was selected.
    baseline : float
        Score of a model that ignores all columns.
    beats_baseline : float
        Share of resamples in which the selected trial is better than that.
    n_trials : int
        Trials whose predictions were compared.
    n_resamples : int
        Resamples of the rows.
    beats_default : float
        Share of resamples in which the selected trial is better than the first trial of the winner's family, the
        start without a search; None if that is not known.
    """

    score: float
    low: float
    high: float
    selected: float
    baseline: float
    beats_baseline: float
    n_trials: int
    n_resamples: int
    beats_default: float | None = None

    @property
    def metrics(self) -> dict[str, float]:
        """Metrics for the run of the search, without those that are not defined."""
        found = {
            "corrected_score": self.score,
            "corrected_low": self.low,
            "corrected_high": self.high,
            "baseline_score": self.baseline,
            "beats_baseline": self.beats_baseline,
            "beats_default": self.beats_default,
        }
        return {name: value for name, value in found.items() if value is not None and np.isfinite(value)}

    def __str__(self) -> str:
        return f"{self.score:.5g} [{self.low:.5g}, {self.high:.5g}]"


def corrected_score(
    metric: Metric,
    y: Array,
    fold: Array,
    trials: Sequence[Predictions],
    baseline: Predictions,
    *,
    default: Predictions | None = None,
    weight: Array | None = None,
    seed: int = 0,
) -> CorrectedScore:
    """Estimate the score that a search's best trial has on new rows.

    The rows of each fold are resampled. The trial that is best on the drawn rows is selected and scored on the rows
    that were not drawn, which did not take part in the selection. The estimate is the mean over all resamples, the
    interval their quantiles. With a scorer that takes long, only the first 20 trials are compared, on the rows of
    all folds together.

    Parameters
    ----------
    metric : Metric
        The metric that selects trials.
    y : ndarray of shape (m,)
        Class codes or numbers.
    fold : ndarray of shape (m,)
        Fold of each row.
    trials : sequence of k Predictions
        Out-of-fold predictions of every trial that could have been selected; of the selected one first.
    baseline : Predictions
        Predictions of a model that ignores all columns.
    default : Predictions, optional
        Predictions of the start without a search, one of the trials or another.
    weight : ndarray of shape (m,), optional
        Row weights of the score.
    seed : int
        Seed of the resamples.

    References
    ----------
    I. Tsamardinos, E. Greasidou and G. Borboudakis, "Bootstrapping the out-of-sample predictions for efficient and
    accurate cross-validation", Machine Learning 107 (2018).
    """
    if metric.name not in QUICK_METRICS:
        trials, fold = trials[:_SLOW_TRIALS], np.zeros(len(y))
    rng, everyone = np.random.default_rng(seed), [*trials, default or baseline, baseline]
    n_resamples = _number_of_resamples(metric, y, everyone)
    drawn, left, whole = [], [], []
    for rows in (np.flatnonzero(fold == number) for number in np.unique(fold)):
        parts = [_rows(one, rows) for one in everyone]
        counts = rng.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), size=n_resamples)
        row_weight = np.ones(len(rows)) if weight is None else weight[rows]
        drawn.append(resampled_scores(metric, y[rows], parts, counts * row_weight))
        left.append(resampled_scores(metric, y[rows], parts, (counts == 0) * row_weight))
        whole.append(resampled_scores(metric, y[rows], parts, row_weight[None])[0])
    own, inside, outside = (_mean_over_folds(scores) for scores in (whole, drawn, left))
    best = np.argmax(np.where(np.isfinite(inside[:, :-2]), inside[:, :-2], -np.inf), axis=1)
    found = outside[np.arange(n_resamples), best]
    known = np.isfinite(found)
    if not known.any():
        found, known = np.full(n_resamples, np.nan), np.ones(n_resamples, dtype=bool)
    low, high = np.quantile(found[known], [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return CorrectedScore(
        score=float(found[known].mean()),
        low=float(low),
        high=float(high),
        selected=float(own[0]),
        baseline=float(own[-1]),
        beats_baseline=_share_better(found, outside[:, -1]),
        n_trials=len(trials),
        n_resamples=n_resamples,
        beats_default=None if default is None else _share_better(found, outside[:, -2]),
    )


def _share_better(scores: Array, others: Array) -> float:
    """Return the share of resamples in which the first score is greater; equal ones count half."""
    known = np.isfinite(scores) & np.isfinite(others)
    wins = np.where(scores == others, 0.5, scores > others)[known]
    return float(wins.mean()) if len(wins) else float("nan")


def _rows(one: Predictions, rows: Array) -> Predictions:
    probabilities = None if one.probabilities is None else one.probabilities[rows]
    decision = None if one.decision is None else one.decision[rows]
    return Predictions(one.values[rows], probabilities, decision)


def _mean_over_folds(scores: Sequence[Array]) -> Array:
    """Return means over the folds in which the metric is defined."""
    stacked = np.stack(scores)
    known = np.isfinite(stacked)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(known, stacked, 0).sum(axis=0) / known.sum(axis=0))


def _number_of_resamples(metric: Metric, y: Array, predictions: Sequence[Predictions]) -> int:
    """Return as many resamples as a second or two allows; it depends on sizes alone, so results can be repeated."""
    if metric.name not in QUICK_METRICS:
        return _SLOW_RESAMPLES
    values = _AREA_VALUES if metric.name == "roc_auc" else _VALUES
    return int(np.clip(values / (len(y) * len(predictions)), _MIN_RESAMPLES, _RESAMPLES))
