"""Logistic and ridge regression on a sample of rows and columns: a model in about a second on any table."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from automl.constraints import Number, Parameter, Section
from automl.families.problem import Array
from automl.families.sklearn_family import SklearnFamily
from automl.table import stratified_order

__all__ = ["QUICK_LINEAR", "QuickLinearClassifier", "QuickLinearRegressor"]

_MAX_COLUMNS = 1_000
_MAX_VALUES = 6_000_000  # of the sample; the solver passes over them about a hundred times
_SCREENED_VALUES = 20_000_000  # that the correlations are computed from


class _QuickLinear(BaseEstimator):
    """A linear model of standardised columns, fitted to a sample.

    Parameters
    ----------
    l2 : float
        Penalty on the squared weights.
    random_state : int
        Seed of the sample.

    Attributes
    ----------
    columns_ : ndarray of shape (k,)
        The columns in use: all, or those with the largest correlation with the target.
    model_ : Pipeline
        The scaler and the model.
    """

    def __init__(self, *, l2: float = 1.0, random_state: int = 0) -> None:
        self.l2 = l2
        self.random_state = random_state

    def _fit(self, X: Any, y: Array, task: str, n_outputs: int, model: Any, sample_weight: Any) -> None:
        """Fit to classes 0, 1, ... or to numbers."""
        X = np.asarray(X)
        n_columns = min(X.shape[1], _MAX_COLUMNS)
        n_rows = max(1_000, 2 * n_outputs, _MAX_VALUES // (n_columns * max(1, n_outputs // 2)))
        rows = np.arange(len(y))
        if n_rows < len(y):
            rows = np.sort(stratified_order(y, task, (self.random_state,))[:n_rows])
        sample, target = X[rows], y[rows]
        self.columns_ = np.arange(X.shape[1])
        if n_columns < X.shape[1]:
            some = slice(max(50, _SCREENED_VALUES // X.shape[1]))
            strength = _correlations(sample[some], target[some], n_outputs)
            self.columns_ = np.sort(np.argsort(-strength, kind="stable")[:n_columns])
            sample = sample[:, self.columns_]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            scaler = StandardScaler().fit(sample)
            # Categories as 0 and 1 keep their scale: a rare one would be penalised less than a frequent one.
            scaler.scale_ = np.where(_binary(sample), 1.0, scaler.scale_)
            weight = None if sample_weight is None else np.asarray(sample_weight)[rows]
            model.fit(scaler.transform(sample), target, sample_weight=weight)
            self.model_: Pipeline = make_pipeline(scaler, model)
        self.n_features_in_ = X.shape[1]

    def _selected(self, X: Any) -> Array:
        check_is_fitted(self)
        X = np.asarray(X)
        selected: Array = X if len(self.columns_) == X.shape[1] else X[:, self.columns_]
        return selected


class QuickLinearClassifier(ClassifierMixin, _QuickLinear):
    """Logistic regression on a sample of rows and columns.

    Examples
    --------
    >>> X = np.arange(20.0)[:, None]
    >>> model = QuickLinearClassifier().fit(X, np.where(X[:, 0] > 9, "high", "low"))
    >>> model.predict([[3.0], [15.0]]).tolist()
    ['low', 'high']
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> QuickLinearClassifier:
        """Fit to rows (n, d) and labels (n,), with optional row weights (n,)."""
        self.classes_, codes = np.unique(np.asarray(y), return_inverse=True)
        model = LogisticRegression(C=1 / self.l2, max_iter=100, tol=1e-3)
        self._fit(X, codes, "multiclass", len(self.classes_), model, sample_weight)
        return self

    def predict_proba(self, X: Any) -> Array:
        """Return class probabilities, shape (n, n_classes)."""
        probabilities: Array = self.model_.predict_proba(self._selected(X))
        return probabilities

    def predict(self, X: Any) -> Array:
        """Return labels, shape (n,)."""
        labels: Array = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return labels


class QuickLinearRegressor(RegressorMixin, _QuickLinear):
    """Ridge regression on a sample of rows and columns.

    Examples
    --------
    >>> X = np.arange(20.0)[:, None]
    >>> QuickLinearRegressor(l2=1e-6).fit(X, 2 * X[:, 0]).predict([[3.0]]).round(3).tolist()
    [6.0]
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> QuickLinearRegressor:
        """Fit to rows (n, d) and numbers (n,), with optional row weights (n,)."""
        y = np.asarray(y, dtype=float)
        self._fit(X, y, "regression", 1, Ridge(alpha=self.l2), sample_weight)
        return self

    def predict(self, X: Any) -> Array:
        """Return numbers, shape (n,)."""
        numbers: Array = self.model_.predict(self._selected(X))
        return numbers


def _binary(X: Array) -> Array:
    """Return which columns hold 0 and 1 only, shape (d,)."""
    binary: Array = ((X == 0) | (X == 1)).all(axis=0)
    return binary


def _correlations(X: Array, y: Array, n_outputs: int) -> Array:
    """Return the largest absolute correlation of each column with the target or a class, shape (d,)."""
    targets = y[:, None] if n_outputs == 1 else (y[:, None] == np.arange(min(n_outputs, 20))).astype(float)
    X = X.astype(float)
    centred, targets = X - X.mean(axis=0), targets - targets.mean(axis=0)
    norms = np.linalg.norm(centred, axis=0)[:, None] * np.linalg.norm(targets, axis=0)[None, :]
    products = np.abs(centred.T @ targets)
    largest: Array = np.divide(products, norms, out=np.zeros_like(products), where=norms > 0).max(axis=1)
    return largest


def _cost(params: dict[str, Any], n_rows: int, n_columns: int) -> float:
    used = min(n_rows * min(n_columns, _MAX_COLUMNS), _MAX_VALUES)
    return float(n_rows * n_columns + 15 * used + 1e5)


_SECTION = Section({"l2": Parameter(Number(0, open_low=True), 1.0, "Penalty on the squared weights.")})
QUICK_LINEAR = SklearnFamily(
    "quick_linear",
    classifier="automl.families.quick_linear.QuickLinearClassifier",
    classification=_SECTION,
    regressor="automl.families.quick_linear.QuickLinearRegressor",
    regression=_SECTION,
    cost=_cost,
    unit_seconds=3e-9,
)
"""Trained first, so that a search has a model."""
QUICK_LINEAR.quick = True
