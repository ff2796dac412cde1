"""The score of the best trial, corrected for having been selected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from automl.errors import Fault, SettingError
from automl.metrics import QUICK_METRICS, Metric, Predictions, resampled_scores
from automl.select.half_samples import best_of_each, means_of_best, one_of_best, random_halves

__all__ = ["CorrectedScore", "corrected_score"]

Array = npt.NDArray[Any]

_RESAMPLES = 400
_MIN_RESAMPLES = 40
_VALUES = 5e8  # rows times trials times resamples, at most: half a second
_AREA_VALUES = 3e7  # of ROC AUC: a second
_SLOW_RESAMPLES, _SLOW_TRIALS = 50, 20  # of a scorer without a quick form
_LEVEL = 0.95
_PRIOR_ROWS = (
    float(norm.ppf((1 + _LEVEL) / 2)) ** 2
)  # 3.84: a 95 % interval of Agresti and Coull adds as many


@dataclass(frozen=True)
class CorrectedScore:
    """An estimate of the best trial's score on new rows.

    Parameters
    ----------
    score : float
        The estimate; greater is better.
    low, high : float
        Ends of its 95 % interval: where the mean over very many new rows is. `interval` is that for a test set.
    selected : float
        The best trial's own score, by which it was selected.
    baseline : float or None
        Score of a model that ignores all columns; None if the scorer refuses its predictions.
    beats_baseline : float or None
        Share of resamples in which the selected trial is better than that.
    n_trials : int
        Trials whose predictions were compared.
    n_resamples : int
        Resamples of the rows.
    beats_default : float
        Share of resamples in which the selected trial is better than the first trial of the winner's family, the
        start without a search; None if that is not known.
    n_rows : int
        Rows with predictions; 0 if an earlier version made the estimate.
    greatest : float or None
        Score of predictions without an error; None if it is not known.
    by_size : bool
        Whether the score grows with the number of rows, such as a total cost. It is that of a fold's rows then.
    ensemble_score, ensemble_low, ensemble_high : float or None
        The same estimate and interval for the ensemble; None without one, and with a scorer that takes long.
    """

    score: float
    low: float
    high: float
    selected: float
    baseline: float | None
    beats_baseline: float | None
    n_trials: int
    n_resamples: int
    beats_default: float | None = None
    n_rows: int = 0
    greatest: float | None = None
    by_size: bool = False
    ensemble_score: float | None = None
    ensemble_low: float | None = None
    ensemble_high: float | None = None

    def interval(self, n_rows: int) -> tuple[float, float]:
        """Return the ends of the 95 % interval for the score on a test set.

        A small test set adds noise of its own. The distances to both ends grow as standard errors add up, by the
        square root of 1 + rows searched / rows of the test set.

        Parameters
        ----------
        n_rows : int
            Rows of the test set.

        Raises
        ------
        SettingError
            If the score grows with the number of rows, or the study is older than this interval.

        References
        ----------
        G. Y. Zou and A. Donner, "Construction of confidence limits about effect measures", Statistics in Medicine 27
        (2008), for the sum of two parts whose intervals are not symmetric.
        """
        if n_rows < 1:
            raise SettingError(Fault("n_rows", "must be at least 1", str(n_rows)))
        if self.by_size:
            remedy = "Divide the score by the number of rows in the scorer."
            raise SettingError(Fault("interval", "needs a score that is a mean over rows", "a sum", remedy))
        if not self.n_rows:
            raise SettingError(Fault("interval", "needs the number of rows searched", "an older study"))
        wider = np.sqrt(1 + self.n_rows / n_rows)
        low = self.score - wider * (self.score - self.low)
        high = self.score + wider * (self.high - self.score)
        if self.greatest is not None:
            high = min(high, max(self.greatest, self.high))
        return float(low), float(high)

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
            "corrected_ensemble_score": self.ensemble_score,
            "corrected_ensemble_low": self.ensemble_low,
            "corrected_ensemble_high": self.ensemble_high,
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

    The rows of each fold are split into random halves. The trial that is best on one half is scored on the other,
    which did not take part in the selection; trials that are equally good count as one. The estimate is the mean over
    all splits. Halves, where Tsamardinos et al. draw with replacement, because the spread of their scores is the
    sampling error of the whole.

    The interval has the quantiles of these scores, and of those with a few more rows: 3.84 on average, each with the
    target of another row, as if there were no relation. It reaches from the lowest to the highest of both. So it has a
    width where no prediction is wrong, as the interval of Agresti and Coull for a share. Among 1,000 rows the few
    hardly matter.

    With a scorer that takes long, only the first 20 trials are compared, on the rows of all folds together.

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
        Predictions of a model that ignores all columns. A scorer may refuse them.
    default : Predictions, optional
        Predictions of the start without a search, one of the trials or another.
    weight : ndarray of shape (m,), optional
        Row weights of the score.
    seed : int
        Seed of the resamples.

    References
    ----------
    I. Tsamardinos, E. Greasidou and G. Borboudakis, "Bootstrapping the out-of-sample predictions for efficient and
    accurate cross-validation", Machine Learning 107 (2018). B. Efron, "The jackknife, the bootstrap and other
    resampling plans" (1982), chapter 8: half-samples. A. Agresti and B. Coull, "Approximate is better than 'exact' for
    interval estimation of binomial proportions", The American Statistician 52 (1998).
    """
    n_folds, by_size = len(np.unique(fold)), _by_size(metric, y, trials[0])
    if metric.name not in QUICK_METRICS:
        trials, fold = trials[:_SLOW_TRIALS], np.zeros(len(y))
    rng, has_baseline = np.random.default_rng(seed), _is_scored(metric, y, baseline)
    everyone = [*trials, default or trials[0], baseline if has_baseline else trials[0]]
    n_resamples = _number_of_resamples(metric, y, everyone)
    folds = [np.flatnonzero(fold == number) for number in np.unique(fold)]
    row_weight = np.ones(len(y)) if weight is None else weight
    totals = [row_weight[rows].sum() if by_size else None for rows in folds]
    halves = [random_halves(rng, len(rows), n_resamples) for rows in folds]
    drawn, whole = [], []
    for rows, half, total in zip(folds, halves, totals, strict=True):
        parts = [_rows(one, rows) for one in everyone]
        drawn.append(_scores(metric, y[rows], parts, half * row_weight[rows], total))
        whole.append(_scores(metric, y[rows], parts, row_weight[rows][None], total)[0])
    own, inside = _mean_over_folds(whole), _mean_over_folds(drawn)
    outside = np.roll(inside, n_resamples // 2, axis=0)  # of the other halves
    best = best_of_each(inside[:, :-2])
    found = means_of_best(outside[:, :-2], best)

    one = one_of_best(rng, best)
    chosen, place = np.unique(one, return_inverse=True)
    smooth = []
    for rows, half, total in zip(folds, halves, totals, strict=True):
        twice = np.concatenate([rows, rows])
        parts = [_rows(trials[i], twice) for i in chosen]
        targets = y[np.concatenate([rows, rng.permutation(rows)])]
        unrelated = rng.poisson(_PRIOR_ROWS / len(y), size=half.shape)
        counts = np.hstack([np.roll(half, n_resamples // 2, axis=0), unrelated])
        smooth.append(_scores(metric, targets, parts, counts * row_weight[twice], total))
    each = np.arange(n_resamples)
    ends = [_quantiles(outside[each, one]), _quantiles(_mean_over_folds(smooth)[each, place])]

    scale = 1 / n_folds if by_size and len(folds) < n_folds else 1.0  # a sum over all folds
    score = _mean(found) * scale
    low, high = min(ends[0][0], ends[1][0]) * scale, max(ends[0][1], ends[1][1]) * scale
    return CorrectedScore(
        score=score,
        low=min(low, score),
        high=max(high, score),
        selected=float(own[0]) * scale,
        baseline=float(own[-1]) * scale if has_baseline else None,
        beats_baseline=_share_better(found, outside[:, -1]) if has_baseline else None,
        n_trials=len(trials),
        n_resamples=n_resamples,
        beats_default=None if default is None else _share_better(found, outside[:, -2]),
        n_rows=len(y),
        greatest=_greatest(metric, y, trials[0]),
        by_size=by_size,
    )


def _scores(
    metric: Metric, y: Array, predictions: Sequence[Predictions], weights: Array, total: float | None
) -> Array:
    """Return the scores of resamples; a score that grows with the number of rows is that of rows of a total weight."""
    scores = resampled_scores(metric, y, predictions, weights)
    if total is None:
        return scores
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(scores * (total / weights.sum(axis=1, keepdims=True)))


def _mean(scores: Array) -> float:
    known = scores[np.isfinite(scores)]
    return float(known.mean()) if len(known) else float("nan")


def _quantiles(scores: Array) -> tuple[float, float]:
    known = scores[np.isfinite(scores)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return float(low), float(high)


def _by_size(metric: Metric, y: Array, one: Predictions) -> bool:
    """Return whether the score changes where each row occurs twice."""
    twice = np.repeat(np.arange(len(y)), 2)
    return not np.isclose(metric(y, one), metric(y[twice], _rows(one, twice)), rtol=0.01, equal_nan=True)


def _is_scored(metric: Metric, y: Array, one: Predictions) -> bool:
    """Return whether the scorer takes these predictions: one may need decision scores, or more than one value."""
    try:
        metric(y, one)
    except Exception:  # scorers raise many kinds
        return False
    return True


def _greatest(metric: Metric, y: Array, one: Predictions) -> float | None:
    """Return the score of predictions without an error; None if the scorer has none for them."""
    shares = None
    if one.probabilities is not None:
        shares = np.eye(one.probabilities.shape[1])[y.astype(np.intp)]
    try:
        score = metric(
            y, Predictions(y, shares, None if one.decision is None else _decision(y, one.decision))
        )
    except Exception:  # scorers raise many kinds
        return None
    return score if np.isfinite(score) else None


def _decision(y: Array, like: Array) -> Array:
    return 2.0 * y - 1 if like.ndim == 1 else np.eye(like.shape[1])[y.astype(np.intp)]


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
    return 2 * int(np.clip(values / (len(y) * len(predictions)), _MIN_RESAMPLES, _RESAMPLES) / 2)
