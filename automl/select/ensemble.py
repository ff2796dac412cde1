"""Choose an ensemble of trials by their out-of-fold predictions.

Greedy selection with replacement: R. Caruana, A. Niculescu-Mizil, G. Crew and A. Ksikes, "Ensemble selection from
libraries of models", ICML 2004.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from automl.metrics import Metric, Predictions
from automl.records import EnsembleRecord, TrialRecord
from automl.select.out_of_fold import OutOfFold

__all__ = [
    "MIN_ROWS",
    "FoldScores",
    "as_predictions",
    "averaged",
    "candidates_of",
    "choose_ensemble",
    "gain_error",
    "greedy_selection",
    "without_members",
]

Array = npt.NDArray[Any]

_STEPS = 25  # AutoGluon and TabRepo found no gain from more
_DIGITS = 6  # of a score in units of the best single one; smaller differences are ties
_CANDIDATES = 5  # besides the best trial of each family
MIN_ROWS = 500  # below them a selection fits the noise of the rows
# Of the standard error of a gain. Where the gain was between a half and one, the ensemble was better on rows kept
# aside in each of three searches (of 24; docs/benchmarks.md).
_NOISE = 0.5
_PARTS = 20  # of the rows, each left out once to estimate the noise of a gain
_MAX_ROWS = 30_000  # that choose the members; the score and its error are those of all rows
_BATCH_VALUES = 1 << 22  # numbers that are averaged at a time


class FoldScores:
    """Score predictions as the leaderboard does: by the mean over the folds.

    Parameters
    ----------
    y : ndarray of shape (m,)
        Class codes or numbers.
    fold : ndarray of shape (m,)
        Number of the fold of each row, ascending.
    metric : Metric
        The metric.
    weight : ndarray of shape (m,), optional
        Row weights.
    """

    def __init__(self, y: Array, fold: Array, metric: Metric, weight: Array | None = None) -> None:
        self._y, self._fold, self._metric, self._weight = y, fold, metric, weight
        starts = [*np.flatnonzero(np.diff(fold, prepend=-1)), len(fold)]
        self._folds = [slice(start, stop) for start, stop in pairwise(starts)]

    def __call__(self, predictions: Array) -> Array:
        """Return the score of each of k predictions.

        Parameters
        ----------
        predictions : ndarray of shape (k, m) or (k, m, c)
            Numbers, or probabilities of c classes.

        Returns
        -------
        ndarray of shape (k,)
            Greater is better; minus infinity where the metric is not defined.
        """
        means: Array = self.by_fold(predictions).mean(axis=0)
        return np.where(np.isfinite(means), means, -np.inf)

    def by_fold(self, predictions: Array) -> Array:
        """Return the scores of k predictions in each fold, shape (number of folds, k)."""
        batches = ([as_predictions(one[rows]) for one in predictions] for rows in self._folds)
        return np.array(
            [
                self._metric.score_batch(self._y[rows], batch, _part(self._weight, rows))
                for rows, batch in zip(self._folds, batches, strict=True)
            ]
        )

    def on(self, rows: Array) -> FoldScores:
        """Return the same for a part of the rows: a mask of shape (m,), or ascending numbers."""
        return FoldScores(self._y[rows], self._fold[rows], self._metric, _part(self._weight, rows))


def greedy_selection(
    predictions: Array, score: Callable[[Array], Array], max_steps: int = _STEPS
) -> tuple[Array, float]:
    """Choose members with replacement, one a step, so that the average of all chosen so far scores best.

    Of equal scores, members are preferred to other candidates, then earlier candidates. The result is the shortest
    beginning of the choices with the best score.

    Parameters
    ----------
    predictions : ndarray of shape (k, m) or (k, m, c)
        Numbers, or probabilities of c classes, of each candidate.
    score : callable
        ``score(averages) -> scores``, from shape (j, m) or (j, m, c) to shape (j,); greater is better.
    max_steps : int
        Members at most, repeated ones counted.

    Returns
    -------
    weights, score : ndarray of shape (k,), float
        Weights that sum to 1, and the score of the average.

    Examples
    --------
    >>> y = np.array([0.0, 1.0, 2.0])
    >>> candidates = np.array([y + 1, y - 2, y + 9])
    >>> greedy_selection(candidates, lambda averages: 1 - abs(averages - y).mean(axis=1), max_steps=3)
    (array([0.66666667, 0.33333333, 0.        ]), 1.0)
    """
    total = np.zeros(predictions.shape[1:])
    chosen: list[int] = []
    scores: list[float] = []
    scale = 0.0
    for n in range(1, max_steps + 1):
        values = _scores_with_each(total, predictions, n, score)
        scale = scale or _scale(values.max())
        rounded = np.round(values / scale, _DIGITS)
        ties = np.flatnonzero(rounded == rounded.max())
        best = int(next((one for one in ties if one in chosen), ties[0]))
        total += predictions[best]
        chosen.append(best)
        scores.append(float(values[best]))
    n_members = int(np.argmax(np.round(np.array(scores) / scale, _DIGITS))) + 1
    return np.bincount(chosen[:n_members], minlength=len(predictions)) / n_members, scores[n_members - 1]


def gain_error(first: Array, second: Array, score: FoldScores, seed: int) -> tuple[float, float]:
    """Return how much better the second prediction scores than the first, and the standard error of that.

    The error is a jackknife over 20 random parts of the rows: it holds for any metric, and costs 20 scores.

    Parameters
    ----------
    first, second : ndarray of shape (m,) or (m, c)
        Numbers or probabilities.
    score : FoldScores
        Scores both.
    seed : int
        Seed of the parts.

    References
    ----------
    B. Efron and C. Stein, "The jackknife estimate of variance", The Annals of Statistics 9 (1981).
    """
    both = np.stack([first, second])
    if not np.isfinite(score(both)).all():
        return 0.0, np.inf
    part = np.random.default_rng(seed).permutation(len(first)) % _PARTS
    without = np.array([np.diff(score.on(part != n)(both[:, part != n]))[0] for n in range(_PARTS)])
    variance = (_PARTS - 1) * float(np.mean((without - without.mean()) ** 2))
    gain = float(np.diff(score(both))[0])
    return gain, float(np.sqrt(variance)) if np.isfinite(variance) else np.inf


def choose_ensemble(found: OutOfFold, metric: Metric) -> EnsembleRecord:
    """Choose an ensemble of the trials of a search.

    Candidates are the five best trials and the best of each family, apart from those that violate a limit or give no
    probabilities. The ensemble is one member, the best trial, if the table has fewer than 500 validation rows, or the
    gain of more members is within half of its standard error.

    Parameters
    ----------
    found : OutOfFold
        The trials with their predictions.
    metric : Metric
        Ranks them. Scorers on labels see the class of the greatest mean probability.

    Returns
    -------
    EnsembleRecord
        Its members, or the reason why there is one only.
    """
    n_rows = len(np.unique(found.rows))
    if n_rows < MIN_ROWS:
        return EnsembleRecord(reason=f"there are {n_rows} validation rows, fewer than {MIN_ROWS}")
    candidates = _candidates(found, metric)
    if not candidates or candidates[0][0] != found.records[0]:
        return EnsembleRecord(reason="the best trial has no predictions that can be averaged")
    rows = _sample(len(found.rows), found.random_state)
    sample = np.stack([predictions[rows] for _, predictions in candidates])
    weights, _ = greedy_selection(sample, _scores(found, metric).on(rows))
    members = {candidates[i][0].number: float(weights[i]) for i in _heaviest_first(weights)}
    if len(members) < 2:
        return EnsembleRecord(reason="no second trial makes the best one better")
    return _evaluated(found, metric, members)


def without_members(
    found: OutOfFold, metric: Metric, ensemble: EnsembleRecord, left_out: Sequence[int], reason: str
) -> EnsembleRecord:
    """Return an ensemble without some of its members; none if it is no better than the best trial then.

    Parameters
    ----------
    found, metric
        As in `choose_ensemble`.
    ensemble : EnsembleRecord
        The ensemble.
    left_out : sequence of int
        Numbers of trials.
    reason : str
        Why they are left out.
    """
    if not left_out:
        return ensemble
    kept = {number: weight for number, weight in ensemble.members if number not in left_out}
    total = sum(kept.values())
    rest = EnsembleRecord(reason=reason)
    if len(kept) > 1:
        rest = _evaluated(found, metric, {number: weight / total for number, weight in kept.items()})
    return rest if rest.members else rest.model_copy(update={"reason": reason})


def _evaluated(found: OutOfFold, metric: Metric, members: Mapping[int, float]) -> EnsembleRecord:
    """Return an ensemble with its scores, or none if its gain over the best trial is noise."""
    values = {number: averaged(found, metric, number) for number in [*members, found.records[0].number]}
    average: Any = sum(weight * np.asarray(values[number], float) for number, weight in members.items())
    score = _scores(found, metric)
    best = np.asarray(values[found.records[0].number], float)
    gain, error = gain_error(best, average, score, found.random_state)
    if not gain > _NOISE * error:
        return EnsembleRecord(reason=f"its gain of {gain:.2g} is within the noise, {_NOISE * error:.2g}")
    by_fold = score.by_fold(average[None])[:, 0]
    return EnsembleRecord(
        members=tuple(members.items()),
        score=float(by_fold.mean()),
        fold_scores=tuple(by_fold.tolist()),
        gain=gain,
        gain_error=error,
    )


def _scores(found: OutOfFold, metric: Metric) -> FoldScores:
    return FoldScores(found.y, found.fold, metric, found.weight)


def _part(weight: Array | None, rows: Any) -> Array | None:
    return None if weight is None else weight[rows]


def _candidates(found: OutOfFold, metric: Metric) -> list[tuple[TrialRecord, Array]]:
    """Return the candidates, best first, with their predictions of shape (m,) or (m, c)."""
    feasible = [record for record in found.records if not record.total_violation]
    candidates = []
    for place in candidates_of(feasible):
        values = averaged(found, metric, feasible[place].number)
        if values is not None:
            candidates.append((feasible[place], values))
    return candidates


def candidates_of(ranked: Sequence[TrialRecord], most: int = _CANDIDATES) -> list[int]:
    """Return the places of the best trials, and of the best of each family, in a ranking."""
    first = {record.family: place for place, record in reversed(list(enumerate(ranked)))}
    return [place for place, one in enumerate(ranked) if place < most or first[one.family] == place]


def averaged(found: OutOfFold, metric: Metric, number: int) -> Array | None:
    """Return what an ensemble averages of a trial: probabilities of shape (m, c), or numbers of shape (m,)."""
    stored = found.predictions(number)
    return None if stored is None else stored.probabilities if metric.n_classes else stored.values


def _sample(n_rows: int, seed: int) -> Array:
    rng = np.random.default_rng(seed)
    few = n_rows <= _MAX_ROWS
    return np.arange(n_rows) if few else np.sort(rng.choice(n_rows, _MAX_ROWS, replace=False))


def _heaviest_first(weights: Array) -> list[int]:
    order = np.argsort(-weights, kind="stable")
    return [int(i) for i in order if weights[i] > 0]


def as_predictions(values: Array) -> Predictions:
    """Return averages, shape (m,) or (m, c), as predictions: numbers, or classes of the greatest probability."""
    return Predictions(values) if values.ndim == 1 else Predictions(values.argmax(axis=1), values)


def _scores_with_each(total: Array, predictions: Array, n: int, score: Callable[[Array], Array]) -> Array:
    """Return the scores of the averages of n predictions: those in ``total`` and each candidate."""
    size = max(1, _BATCH_VALUES // total.size)
    parts = [
        score((total + predictions[start : start + size]) / n) for start in range(0, len(predictions), size)
    ]
    return np.concatenate(parts)


def _scale(best: float) -> float:
    return abs(best) if best and np.isfinite(best) else 1.0
