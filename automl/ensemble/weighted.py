"""Estimators that average the predictions of several models for the same typed columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

__all__ = ["EnsembleClassifier", "EnsembleRegressor"]

Array = npt.NDArray[Any]


class _Ensemble(BaseEstimator):
    """The common part: one first step for all members, which sees a table once."""

    def __init__(self, columns: Any, members: Sequence[Any], weights: Sequence[float]) -> None:
        self.columns = columns
        self.members = members
        self.weights = weights

    @classmethod
    def of_fitted(cls, columns: Any, members: Sequence[Any], weights: Sequence[float]) -> Self:
        """Return an ensemble of models that are fitted already.

        Parameters
        ----------
        columns : transformer
            The fitted first step.
        members : sequence of estimator
            Models fitted on its output; classifiers on the same classes.
        weights : sequence of float
            Weight of each.
        """
        made = cls(clone(columns), [clone(member) for member in members], [float(one) for one in weights])
        made._keep(columns, list(members))
        return made

    def fit(self, X: Any, y: Any) -> Self:
        """Fit the first step and then every member on all rows.

        Parameters
        ----------
        X : DataFrame, or array-like of shape (n, p)
            The table.
        y : array-like of shape (n,)
            Labels or numbers.
        """
        columns = clone(self.columns).fit(X)
        typed = columns.transform(X)
        self._keep(columns, [clone(member).fit(typed, y) for member in self.members])
        return self

    def _keep(self, columns: Any, members: list[Any]) -> None:
        weights = np.asarray(self.weights, dtype=float)
        if len(weights) != len(members) or not members or (weights < 0).any() or weights.sum() <= 0:
            raise ValueError(f"weights must be one number a member, not all 0; got {self.weights}")
        self.columns_, self.members_, self.weights_ = columns, members, weights / weights.sum()
        self.n_features_in_ = columns.n_features_in_
        if hasattr(columns, "feature_names_in_"):
            self.feature_names_in_ = columns.feature_names_in_

    def _average(self, X: Any, method: str) -> Array:
        """Return the weighted mean of the results of a method of the members."""
        check_is_fitted(self)
        typed = self.columns_.transform(X)
        total: Any = 0.0
        for weight, member in zip(self.weights_, self.members_, strict=True):
            total = total + weight * np.asarray(getattr(member, method)(typed), dtype=float)
        return np.asarray(total)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "members_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self.columns).input_tags
        return tags


class EnsembleRegressor(RegressorMixin, _Ensemble):
    """The weighted mean of the predictions of several regressors.

    Parameters
    ----------
    columns : transformer
        First step of all members; a table passes it once.
    members : sequence of estimator
        Models of its output.
    weights : sequence of float
        Weight of each; at least 0.

    Attributes
    ----------
    columns_ : transformer
        The fitted first step.
    members_ : list of estimator
        The fitted models.
    weights_ : ndarray of shape (number of members,)
        Their weights, which sum to 1.
    n_features_in_ : int
        Number of columns of the table.
    feature_names_in_ : ndarray of str
        Their names.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn.tree import DecisionTreeRegressor
    >>> both = EnsembleRegressor(StandardScaler(), [LinearRegression(), DecisionTreeRegressor()], [3, 1])
    >>> both.fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 2.0]).predict([[1.0]]).round(6).tolist()
    [1.0]
    """

    def predict(self, X: Any) -> Array:
        """Return the weighted mean of the members' predictions, shape (n,)."""
        return self._average(X, "predict")


class EnsembleClassifier(ClassifierMixin, _Ensemble):
    """The weighted mean of the class probabilities of several classifiers.

    Parameters
    ----------
    columns : transformer
        First step of all members; a table passes it once.
    members : sequence of estimator
        Models of its output, with ``predict_proba``.
    weights : sequence of float
        Weight of each; at least 0.

    Attributes
    ----------
    columns_ : transformer
        The fitted first step.
    members_ : list of estimator
        The fitted models.
    weights_ : ndarray of shape (number of members,)
        Their weights, which sum to 1.
    classes_ : ndarray of shape (n_classes,)
        The labels.
    n_features_in_ : int
        Number of columns of the table.
    feature_names_in_ : ndarray of str
        Their names.
    """

    def predict(self, X: Any) -> Array:
        """Return the label of the greatest mean probability, shape (n,)."""
        probabilities = self.predict_proba(X)
        return np.asarray(self.classes_[probabilities.argmax(axis=1)])

    def predict_proba(self, X: Any) -> Array:
        """Return the weighted mean of the members' class probabilities, shape (n, n_classes)."""
        return self._average(X, "predict_proba")

    def _keep(self, columns: Any, members: list[Any]) -> None:
        super()._keep(columns, members)
        self.classes_ = np.asarray(members[0].classes_)
        if any(list(member.classes_) != list(self.classes_) for member in members):
            raise ValueError("all members must have the same classes")
