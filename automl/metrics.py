"""Metrics: names, directions and values; the one place that knows a sign.

Scores follow scikit-learn: of two scores the greater is the better, whatever the scorer. Metrics for people
carry their plain names and plain values (``log_loss``, ``rmse``).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import get_scorer, get_scorer_names, log_loss, make_scorer
from sklearn.utils.metaestimators import available_if

from automl.errors import Fault, SettingError, nearest

__all__ = ["DEFAULT_SCORING", "DIRECTION", "Metric", "Predictions", "final_metrics", "metric_for"]

Array = npt.NDArray[Any]

DIRECTION: Literal["maximize"] = "maximize"  # of every score, as in scikit-learn

DEFAULT_SCORING = {
    "binary": "roc_auc",
    "multiclass": "neg_log_loss",
    "regression": "neg_root_mean_squared_error",
}

# Plain name -> (scikit-learn's scorer, sign that turns its score into the plain value), by task.
_REPORT: dict[str, dict[str, tuple[str, float]]] = {
    "binary": {
        "accuracy": ("accuracy", 1),
        "balanced_accuracy": ("balanced_accuracy", 1),
        "precision": ("precision", 1),
        "recall": ("recall", 1),
        "f1": ("f1", 1),
        "roc_auc": ("roc_auc", 1),
        "log_loss": ("neg_log_loss", -1),
    },
    "multiclass": {
        "accuracy": ("accuracy", 1),
        "balanced_accuracy": ("balanced_accuracy", 1),
        "precision": ("precision_macro", 1),
        "recall": ("recall_macro", 1),
        "f1": ("f1_macro", 1),
        "roc_auc": ("roc_auc_ovr", 1),
        "log_loss": ("neg_log_loss", -1),
    },
    "regression": {
        "rmse": ("neg_root_mean_squared_error", -1),
        "mae": ("neg_mean_absolute_error", -1),
        "r2": ("r2", 1),
    },
}


@dataclass(frozen=True)
class Predictions:
    """What a trial says about the rows of a fold.

    Parameters
    ----------
    values : ndarray of shape (n,)
        Predicted class codes or numbers.
    probabilities : ndarray of shape (n, n_classes) or None
        Class probabilities, where the model has them.
    decision : ndarray of shape (n,) or (n, n_classes) or None
        Decision scores, where the model has them and no probabilities.
    """

    values: Array
    probabilities: Array | None = None
    decision: Array | None = None


class _FixedRegressor(RegressorMixin, BaseEstimator):
    """Predictions in the shape of a fitted estimator, which is what scikit-learn's scorers ask."""

    def __init__(self, predictions: Predictions) -> None:
        self.predictions = predictions

    def predict(self, X: Any) -> Array:
        return self.predictions.values


class _FixedClassifier(ClassifierMixin, BaseEstimator):
    """The same for a classifier; it has only the methods its model had."""

    def __init__(self, predictions: Predictions, n_classes: int) -> None:
        self.predictions = predictions
        self.classes_ = np.arange(n_classes)

    def predict(self, X: Any) -> Array:
        return self.predictions.values

    @available_if(lambda self: self.predictions.probabilities is not None)
    def predict_proba(self, X: Any) -> Array:
        return cast(Array, self.predictions.probabilities)

    @available_if(lambda self: self.predictions.decision is not None)
    def decision_function(self, X: Any) -> Array:
        return cast(Array, self.predictions.decision)


@dataclass(frozen=True)
class Metric:
    """A scikit-learn scorer applied to predictions already made.

    Parameters
    ----------
    name : str
        The scorer's name.
    scorer : callable
        ``scorer(estimator, X, y) -> float``.
    n_classes : int
        Classes of the target; 0 for regression.
    """

    name: str
    scorer: Callable[..., float]
    n_classes: int

    def __call__(self, y: Array, predictions: Predictions) -> float:
        """Return the score of ``predictions`` for the true codes or numbers ``y`` of shape (n,)."""
        fixed = (
            _FixedClassifier(predictions, self.n_classes) if self.n_classes else _FixedRegressor(predictions)
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UndefinedMetricWarning)
            return float(self.scorer(fixed, y, y))

    def needs_probabilities(self) -> bool:
        """Return whether decision scores are not enough."""
        try:
            self(*_probe(self.n_classes, probabilities=False))
        except AttributeError:
            return True
        return False


def metric_for(scoring: str | Callable[..., float] | None, task: str, n_classes: int = 0) -> Metric:
    """Return the metric that ranks trials.

    Parameters
    ----------
    scoring : str, callable or None
        A scikit-learn scorer or its name; None takes the task's default: ``roc_auc``, ``neg_log_loss`` or
        ``neg_root_mean_squared_error``.
    task : {"binary", "multiclass", "regression"}
        What the target asks for.
    n_classes : int
        Classes of the target; 0 for regression.

    Raises
    ------
    SettingError
        If there is no such scorer, or it cannot score such a target.
    """
    scoring = DEFAULT_SCORING[task] if scoring is None else scoring
    if isinstance(scoring, str) and scoring not in get_scorer_names():
        raise SettingError(
            Fault(
                "scoring",
                "must be a scorer of scikit-learn",
                f'"{scoring}"',
                nearest(scoring, get_scorer_names()),
            )
        )
    metric = _metric(scoring, n_classes)
    try:
        metric(*_probe(n_classes, probabilities=n_classes > 0))
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


def final_metrics(task: str, n_classes: int, y: Array, predictions: Predictions) -> dict[str, float]:
    """Return the task's metrics by plain name, those that the predictions and ``y`` allow.

    Precision, recall and F1 are of the second class for binary targets and unweighted means over the classes
    for others; ROC AUC of more than two classes is one against the rest.
    """
    found = {}
    for plain, (scorer, sign) in _REPORT[task].items():
        try:
            found[plain] = sign * _metric(scorer, n_classes)(y, predictions)
        except (AttributeError, ValueError):
            # No probabilities (hinge), or a fold without some class: the metric is not defined there.
            continue
    return {name: value for name, value in found.items() if np.isfinite(value)}


def _metric(scoring: str | Callable[..., float], n_classes: int) -> Metric:
    name = scoring if isinstance(scoring, str) else getattr(scoring, "__name__", type(scoring).__name__)
    if scoring == "neg_log_loss":
        # With its labels given, the loss is defined on a fold that lacks a rare class too.
        labels = np.arange(n_classes)
        scorer = make_scorer(
            log_loss, response_method="predict_proba", greater_is_better=False, labels=labels
        )
        return Metric(name, scorer, n_classes)
    return Metric(name, get_scorer(scoring), n_classes)


def _probe(n_classes: int, *, probabilities: bool) -> tuple[Array, Predictions]:
    """Return a tiny target and predictions for it, to see whether a scorer can work at all."""
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
