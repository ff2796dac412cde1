"""The scorer that ranks trials, applied to predictions instead of an estimator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.metrics import get_scorer, get_scorer_names
from sklearn.utils.metaestimators import available_if

from automl.errors import Fault, SettingError, nearest
from automl.metrics.batch import BATCH_SCORERS, BatchScore, unchecked
from automl.metrics.costs import COSTS
from automl.metrics.predictions import Array, Predictions

__all__ = ["DEFAULT_SCORING", "Direction", "Metric", "Scorer", "metric_for", "to_score"]

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
        ``score(y, predictions) -> values``, one for each of the `Predictions`; raises AttributeError if it needs
        probabilities and there are none.
    n_classes : int
        Classes of the target; 0 for regression.
    direction : {"maximize", "minimize"}
        Whether greater or smaller values of the scorer are better.
    """

    name: str
    score: BatchScore
    n_classes: int
    direction: Direction = "maximize"

    def __call__(self, y: Array, predictions: Predictions) -> float:
        """Return the score of ``predictions`` for the true codes or numbers ``y`` of shape (n,).

        Greater is better, whatever the direction. NaN if the predictions are not finite, or the score is not defined
        (ROC AUC of one class).
        """
        return self.score_batch(y, [predictions])[0]

    def score_batch(self, y: Array, predictions: Sequence[Predictions]) -> list[float]:
        """Return the scores of several predictions for the same rows, each equal to its score alone."""
        scores = [float("nan")] * len(predictions)
        finite = [i for i, one in enumerate(predictions) if one.is_finite()]
        if finite:
            with unchecked():
                values = self.score(y, [predictions[i] for i in finite])
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


def metric_for(scoring: Scorer | None, task: str, n_classes: int = 0) -> Metric:
    """Return the metric that ranks trials.

    Parameters
    ----------
    scoring : str, callable or None
        A scikit-learn scorer or its name; it sees classes as codes 0, 1, ... in the order of the sorted labels. None
        takes the task's default: ``roc_auc``, ``neg_log_loss`` or ``neg_root_mean_squared_error``.
    task : {"binary", "multiclass", "regression"}
        The task.
    n_classes : int
        Classes of the target; 0 for regression.

    Raises
    ------
    SettingError
        If there is no such scorer, or it cannot score such a target.
    """
    scoring = DEFAULT_SCORING[task] if scoring is None else scoring
    if not isinstance(scoring, str) and not callable(scoring):
        raise SettingError(
            Fault(
                "scoring",
                "must be a scorer, the name of one, or a list of objectives",
                f"{type(scoring).__name__} {scoring!r}",
                "Every metric of the task is shown in any case.",
            )
        )
    if isinstance(scoring, str) and scoring not in get_scorer_names():
        raise SettingError(
            Fault(
                "scoring",
                "must be a scorer of scikit-learn",
                f'"{scoring}"',
                nearest(scoring, [*COSTS.parameters, *get_scorer_names()]),
            )
        )
    metric = _metric(scoring, task, n_classes)
    try:
        metric(*_example(n_classes, probabilities=n_classes > 0))
    except Exception as error:
        raise SettingError(
            Fault(
                "scoring",
                f"must be able to score a {task} target",
                f'"{metric.name}", which says: {error}',
                f'Leave it out for "{DEFAULT_SCORING[task]}", or name another.',
            )
        ) from error
    return metric


def _metric(scoring: Scorer, task: str, n_classes: int) -> Metric:
    name = scoring if isinstance(scoring, str) else getattr(scoring, "__name__", type(scoring).__name__)
    batched = BATCH_SCORERS.get((scoring, task)) if isinstance(scoring, str) else None
    return Metric(name, batched or _one_by_one(get_scorer(scoring), n_classes), n_classes)


def _one_by_one(scorer: Callable[..., float], n_classes: int) -> BatchScore:
    def score(y: Array, predictions: Sequence[Predictions]) -> list[float]:
        fixed = (
            _FixedClassifier(one, n_classes) if n_classes else _FixedRegressor(one) for one in predictions
        )
        return [scorer(model, y, y) for model in fixed]

    return score


class _FixedRegressor(RegressorMixin, BaseEstimator):
    """Predictions in the form of a fitted estimator, the input of scikit-learn's scorers."""

    def __init__(self, predictions: Predictions) -> None:
        self.predictions = predictions

    def predict(self, X: Any) -> Array:
        return self.predictions.values


class _FixedClassifier(ClassifierMixin, BaseEstimator):
    """The same for a classifier; it has only the methods of its model."""

    def __init__(self, predictions: Predictions, n_classes: int) -> None:
        self.predictions = predictions
        self.classes_ = np.arange(n_classes)

    def predict(self, X: Any) -> Array:
        return self.predictions.values

    @available_if(lambda self: self.predictions.probabilities is not None)
    def predict_proba(self, X: Any) -> Array:
        return self.predictions.proba()

    @available_if(lambda self: self.predictions.decision is not None)
    def decision_function(self, X: Any) -> Array:
        return cast(Array, self.predictions.decision)


def _example(n_classes: int, *, probabilities: bool) -> tuple[Array, Predictions]:
    """Return a tiny target and predictions for it, to find out whether a scorer works at all."""
    if not n_classes:
        y = np.array([1.0, 2.0, 3.0, 4.0])
        return y, Predictions(values=y[::-1])
    y = np.tile(np.arange(n_classes), 2)
    scores = np.linspace(0.1, 0.9, y.size * n_classes).reshape(y.size, n_classes)
    scores /= scores.sum(axis=1, keepdims=True)
    values = scores.argmax(axis=1)
    if probabilities:
        return y, Predictions(values, probabilities=scores)
    return y, Predictions(values, decision=scores[:, 1] if n_classes == 2 else scores)
