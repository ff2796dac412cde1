"""A scikit-learn scorer applied to predictions, which take the place of a fitted estimator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass
from inspect import signature
from typing import Any, cast

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.metaestimators import available_if

from automl.metrics.predictions import Array, Predictions

__all__ = ["EachScorer", "takes_weights", "with_positive"]


@dataclass(frozen=True, eq=False)
class EachScorer:
    """A scorer for several predictions, called once for each.

    Parameters
    ----------
    scorer : callable
        ``scorer(estimator, X, y)``, from scikit-learn or a user.
    labels : ndarray of shape (n_classes,) or None
        The labels passed to the scorer instead of class codes; None for regression.
    """

    scorer: Callable[..., float]
    labels: Array | None

    def __call__(
        self, y: Array, predictions: Sequence[Predictions], weight: Array | None = None
    ) -> list[float]:
        """Return the scores for the true codes or numbers ``y`` of shape (n,), weighted if the scorer can."""
        true = _decoded(y, self.labels)
        more = {} if weight is None or not takes_weights(self.scorer) else {"sample_weight": weight}
        return [self.scorer(self._estimator(one), y, true, **more) for one in predictions]

    def _estimator(self, predictions: Predictions) -> _FixedRegressor:
        if self.labels is None:
            return _FixedRegressor(predictions)
        return _FixedClassifier(predictions, self.labels)


def takes_weights(scorer: Callable[..., float]) -> bool:
    """Return whether a scorer has a parameter ``sample_weight``."""
    return "sample_weight" in _parameters(getattr(scorer, "_score_func", scorer))


def with_positive(scorer: Callable[..., float], label: Any) -> Callable[..., float]:
    """Return a scorer with ``label`` as the positive class, if it has none of its own.

    ``None`` is for more than two classes; scikit-learn's default, 1, need not be a label. A scorer that averages over
    classes has no positive class either.

    Examples
    --------
    >>> from sklearn.metrics import get_scorer
    >>> with_positive(get_scorer("recall"), "no")
    make_scorer(recall_score, response_method='predict', average=binary, pos_label=no)
    """
    given = getattr(scorer, "_kwargs", None)  # the parameters given to `make_scorer`
    if given is None or "pos_label" in given:
        return scorer
    if "pos_label" not in _parameters(getattr(scorer, "_score_func", scorer)):
        return scorer
    bound = copy(scorer)
    averages = given.get("average", "binary") != "binary"
    vars(bound)["_kwargs"] = {**given, "pos_label": None if averages else label}
    return bound


def _parameters(function: Callable[..., Any]) -> frozenset[str]:
    try:
        return frozenset(signature(function).parameters)
    except (TypeError, ValueError):  # a builtin
        return frozenset()


def _decoded(codes: Array, labels: Array | None) -> Array:
    return codes if labels is None else np.asarray(labels[np.asarray(codes, np.intp)])


class _FixedRegressor(RegressorMixin, BaseEstimator):
    """Predictions in the form of a fitted estimator, the input of scikit-learn's scorers."""

    def __init__(self, predictions: Predictions) -> None:
        self.predictions = predictions

    def predict(self, X: Any) -> Array:
        return self.predictions.values


class _FixedClassifier(ClassifierMixin, _FixedRegressor):
    """The same for a classifier; it has only the methods of its model."""

    def __init__(self, predictions: Predictions, labels: Array) -> None:
        self.predictions = predictions
        self.classes_ = labels

    def predict(self, X: Any) -> Array:
        return _decoded(self.predictions.values, self.classes_)

    @available_if(lambda self: self.predictions.probabilities is not None)
    def predict_proba(self, X: Any) -> Array:
        return self.predictions.proba()

    @available_if(lambda self: self.predictions.decision is not None)
    def decision_function(self, X: Any) -> Array:
        return cast(Array, self.predictions.decision)
