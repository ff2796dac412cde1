"""Labels for classifiers that only accept class codes."""

from __future__ import annotations

import warnings
from copy import deepcopy
from functools import partial
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from automl.families.base import fit_weighted
from automl.families.problem import Array
from automl.time_limit import fit_in_time

__all__ = ["LabelEncodedClassifier", "accepts_labels"]


def _estimator_has(method: str) -> Any:
    return lambda self: hasattr(getattr(self, "estimator_", self.estimator), method)


class LabelEncodedClassifier(MetaEstimatorMixin, ClassifierMixin, BaseEstimator):
    """Fit a classifier to class codes 0, 1, ..., and predict labels.

    Parameters
    ----------
    estimator : classifier
        The classifier to fit. It may accept only codes as labels, and may predict a column.

    Attributes
    ----------
    estimator_ : classifier
        The fitted classifier.
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.

    Examples
    --------
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> tree = LabelEncodedClassifier(DecisionTreeClassifier()).fit([[1], [2]], ["no", "yes"])
    >>> tree.predict([[1]]).tolist(), tree.predict_proba([[1]]).tolist()
    (['no'], [[1.0, 0.0]])
    """

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> LabelEncodedClassifier:
        """Fit a copy of the estimator.

        Parameters
        ----------
        X : array of shape (n, d)
            Rows.
        y : array of shape (n,)
            Labels.
        sample_weight : array of shape (n,), optional
            Row weights, for an estimator that takes them.
        """
        self.classes_, codes = np.unique(np.asarray(y), return_inverse=True)
        self.estimator_ = fit_weighted(deepcopy(self.estimator), X, codes, sample_weight)
        return self

    def predict(self, X: Any) -> Array:
        """Return labels, shape (n,)."""
        check_is_fitted(self)
        codes = np.asarray(self.estimator_.predict(X)).reshape(-1).astype(int)
        labels: Array = self.classes_[codes]
        return labels

    @available_if(_estimator_has("predict_proba"))
    def predict_proba(self, X: Any) -> Any:
        """Return class probabilities, shape (n, n_classes), in the order of ``classes_``."""
        check_is_fitted(self)
        return self.estimator_.predict_proba(X)

    @available_if(_estimator_has("decision_function"))
    def decision_function(self, X: Any) -> Any:
        """Return decision scores, shape (n,) or (n, n_classes)."""
        check_is_fitted(self)
        return self.estimator_.decision_function(X)


def _fit_and_predict(estimator: Any, X: Array, y: Array) -> Any:
    return estimator.fit(X, y).predict(X)


def accepts_labels(estimator: Any, n_classes: int) -> bool:
    """Return whether a classifier accepts and predicts labels of any type; it is fitted to a few rows."""
    codes = np.arange(60) % min(n_classes, 3)
    X = codes[:, None] + np.random.default_rng(0).normal(scale=0.1, size=(60, 2))
    kinds = [np.array(["a", "b", "c"], dtype=object), np.array([1, 2, 4]), np.array([False, True])]
    for labels in kinds[: 3 if n_classes == 2 else 2]:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                copy, of_rows = deepcopy(estimator), labels[codes]
                predicted = np.asarray(fit_in_time(partial(_fit_and_predict, copy, X, of_rows)))
        except Exception:  # a class of any package may raise anything
            return False
        if predicted.shape != codes.shape or not set(predicted.tolist()) <= set(labels.tolist()):
            return False
    return True
