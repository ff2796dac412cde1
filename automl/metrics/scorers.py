"""The scorer that ranks trials, applied to predictions instead of an estimator."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from sklearn.metrics import get_scorer, get_scorer_names

from automl.errors import Fault, SettingError, nearest
from automl.metrics.batch import BATCH_SCORERS, BatchScore, unchecked
from automl.metrics.costs import COSTS
from automl.metrics.each import EachScorer, takes_weights, with_positive
from automl.metrics.own import is_path, own_scorer
from automl.metrics.predictions import Array, Predictions

__all__ = [
    "DEFAULT_SCORING",
    "Direction",
    "Metric",
    "Scorer",
    "check_scorer",
    "metric_for",
    "scorer_kind",
    "to_score",
]

Direction = Literal["maximize", "minimize"]
Scorer = str | Callable[..., float]

DEFAULT_SCORING = {
    "binary": "roc_auc",
    "multiclass": "neg_log_loss",
    "regression": "neg_root_mean_squared_error",
}


def to_score(value: float, direction: Direction) -> float:
    """Convert a value to a score, of which greater is better, or a score back to its value.

    Examples
    --------
    >>> to_score(0.9, "maximize"), to_score(2.5, "minimize"), to_score(-2.5, "minimize")
    (0.9, -2.5, 2.5)
    """
    return value if direction == "maximize" else -value


@dataclass(frozen=True)
class Metric:
    """A scikit-learn scorer applied to predictions.

    Parameters
    ----------
    name : str
        The scorer's name.
    score : callable
        ``score(y, predictions, weight) -> values``, one for each of the `Predictions`; raises AttributeError if it
        needs probabilities and there are none.
    n_classes : int
        Classes of the target; 0 for regression.
    direction : {"maximize", "minimize"}
        Whether greater or smaller values of the scorer are better.
    weighted : bool
        Whether the scorer takes row weights; others ignore them.
    """

    name: str
    score: BatchScore
    n_classes: int
    direction: Direction = "maximize"
    weighted: bool = True

    def __call__(self, y: Array, predictions: Predictions, weight: Array | None = None) -> float:
        """Return the score of ``predictions`` for the true codes or numbers ``y`` of shape (n,).

        Greater is better, whatever the direction. NaN if the predictions are not finite, or the score is not defined
        (ROC AUC of one class). ``weight`` holds row weights of shape (n,).
        """
        return self.score_batch(y, [predictions], weight)[0]

    def score_batch(
        self, y: Array, predictions: Sequence[Predictions], weight: Array | None = None
    ) -> list[float]:
        """Return the scores of several predictions for the same rows, each equal to its score alone."""
        scores = [float("nan")] * len(predictions)
        finite = [i for i, one in enumerate(predictions) if one.is_finite()]
        if finite:
            with unchecked():
                values = self.score(y, [predictions[i] for i in finite], weight)
            for i, value in zip(finite, values, strict=True):
                scores[i] = to_score(float(value), self.direction)
        return scores

    def needs_probabilities(self) -> bool:
        """Return whether decision scores are not enough."""
        try:
            self(*_example(self.n_classes, probabilities=False))
        except AttributeError:
            return True
        return False


def metric_for(
    scoring: Scorer | None,
    task: str,
    n_classes: int = 0,
    *,
    labels: Array | None = None,
    positive: int = 1,
) -> Metric:
    """Return the metric that ranks trials.

    Parameters
    ----------
    scoring : str, callable or None
        A scikit-learn scorer or its name, or ``module:function`` of an imported module. None takes the task's
        default: ``roc_auc``, ``neg_log_loss`` or ``neg_root_mean_squared_error``.
    task : {"binary", "multiclass", "regression"}
        The task.
    n_classes : int
        Classes of the target; 0 for regression.
    labels : ndarray of shape (n_classes,), optional
        The sorted labels, as a scorer of the user sees them; by default the codes 0, 1, ....
    positive : int
        Code of the positive class of two, for scorers that need one and name none.

    Raises
    ------
    SettingError
        If there is no such scorer, or it cannot score such a target.
    """
    scoring = DEFAULT_SCORING[task] if scoring is None else scoring
    check_scorer(scoring)
    metric = _metric(scoring, task, n_classes, labels, positive)
    try:
        metric(*_example(n_classes, probabilities=n_classes > 0))
    except Exception as error:
        raise _unsuitable(metric.name, task, str(error)) from error
    if n_classes and scorer_kind(scoring) == "regression":
        raise _unsuitable(metric.name, task, "it is for numbers")
    return metric


def check_scorer(scoring: Any) -> None:
    """Raise SettingError unless this is a scorer, the name of one, or the path of an imported one."""
    if not isinstance(scoring, str):
        if not callable(scoring):
            rule, came = "must be a scorer, the name of one, or a list of objectives", type(scoring).__name__
            remedy = "Every metric of the task is shown in any case."
            raise SettingError(Fault("scoring", rule, f"{came} {scoring!r}", remedy))
    elif is_path(scoring):
        own_scorer(scoring)
    elif scoring not in get_scorer_names():
        remedy = nearest(scoring, [*COSTS.parameters, *get_scorer_names()])
        raise SettingError(Fault("scoring", "must be a scorer of scikit-learn", f'"{scoring}"', remedy))


def _unsuitable(name: str, task: str, error: str) -> SettingError:
    more = " of continuous numbers" if task == "regression" else ""
    rule, came = f"must be able to score a {task} target{more}", f'"{name}", which says: {error}'
    remedy = f'Leave it out for "{DEFAULT_SCORING[task]}", or name another.'
    if "positional argument" in error:
        remedy = "A scorer is function(estimator, X, y); sklearn.metrics.make_scorer makes one of a metric."
    return SettingError(Fault("scoring", rule, came, remedy))


def scorer_kind(scoring: Any) -> Literal["classification", "regression", ""]:
    """Return the kind of target that a scorer needs; empty for both kinds, plain functions and unknown names.

    Examples
    --------
    >>> scorer_kind("r2"), scorer_kind("f1"), scorer_kind(lambda estimator, X, y: 1.0)
    ('regression', 'classification', '')
    """
    if is_path(scoring):
        try:
            scoring = own_scorer(scoring)
        except SettingError:  # not imported yet
            return ""
    if isinstance(scoring, str):
        return _kind_of_name(scoring) if scoring in get_scorer_names() else ""
    return _kind(scoring) if hasattr(scoring, "_score_func") else ""


@lru_cache
def _kind_of_name(name: str) -> Literal["classification", "regression", ""]:
    return _kind(get_scorer(name))


def _kind(scorer: Callable[..., float]) -> Literal["classification", "regression", ""]:
    """Return the kind of target that a scorer needs: try numbers with fractions, then text labels."""
    texts = np.array(["a", "b"], dtype=object)
    if not _works(EachScorer(scorer, None), 0):
        return "classification"
    return "" if _works(EachScorer(with_positive(scorer, "b"), texts), 2) else "regression"


def _works(score: BatchScore, n_classes: int) -> bool:
    y, predictions = _example(n_classes, probabilities=n_classes > 0)
    try:
        with unchecked(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            score(y, [predictions], None)
    except Exception:  # scorers raise many kinds
        return False
    return True


def _metric(scoring: Scorer, task: str, n_classes: int, labels: Array | None, positive: int) -> Metric:
    name = scoring if isinstance(scoring, str) else getattr(scoring, "__name__", type(scoring).__name__)
    batched = BATCH_SCORERS.get((scoring, task)) if isinstance(scoring, str) else None
    if batched is not None:
        return Metric(name, batched, n_classes)
    own = not isinstance(scoring, str) or is_path(scoring)
    seen = None
    if n_classes:  # codes are faster than labels, and the same to scikit-learn's own scorers
        seen = np.arange(n_classes) if labels is None or not own else labels
    scorer = own_scorer(name) if is_path(scoring) else get_scorer(scoring)
    if seen is not None:
        scorer = with_positive(scorer, seen[positive] if task == "binary" else None)
    return Metric(name, EachScorer(scorer, seen), n_classes, weighted=takes_weights(scorer))


def _example(n_classes: int, *, probabilities: bool) -> tuple[Array, Predictions]:
    """Return a tiny target and predictions for it, to find out whether a scorer works at all."""
    if not n_classes:
        y = np.array([1.5, 2.25, 3.0, 4.75])
        return y, Predictions(values=y[::-1])
    y = np.tile(np.arange(n_classes), 2)
    scores = np.linspace(0.1, 0.9, y.size * n_classes).reshape(y.size, n_classes)
    scores /= scores.sum(axis=1, keepdims=True)
    values = scores.argmax(axis=1)
    if probabilities:
        return y, Predictions(values, probabilities=scores)
    return y, Predictions(values, decision=scores[:, 1] if n_classes == 2 else scores)
