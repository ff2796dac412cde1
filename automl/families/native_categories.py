"""Estimators whose last columns are codes of categories, NaN where missing or unseen."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from importlib import import_module
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, RegressorMixin
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.validation import check_is_fitted

from automl.families.problem import Array

__all__ = [
    "NativeCategoriesClassifier",
    "NativeCategoriesRegressor",
    "catboost_pool",
    "category_columns",
    "without_functions",
]


def category_columns(X: Array, n_categories: int) -> list[int]:
    """Return the positions of the columns of categories: the last ones."""
    return list(range(X.shape[1] - n_categories, X.shape[1]))


def catboost_pool(X: Array, n_categories: int, y: Array | None = None, **pool_params: Any) -> Any:
    """Return rows as CatBoost takes them: numbers as they are, codes of categories as texts, missing as "-1"."""
    catboost, first = import_module("catboost"), X.shape[1] - n_categories
    if sparse.issparse(X):
        return catboost.Pool(X, y, **pool_params)
    numbers = np.ascontiguousarray(X[:, :first], dtype=np.float32)
    if not n_categories:
        return catboost.Pool(numbers, y, **pool_params)
    codes = np.nan_to_num(X[:, first:], nan=-1).astype(np.int64)
    names = np.array([str(code).encode() for code in range(-1, codes.max(initial=0) + 1)], dtype=object)
    table = catboost.FeaturesData(numbers if first else None, names[codes + 1])
    return catboost.Pool(table, y, **pool_params)


def _fit_sklearn(estimator: Any, X: Array, y: Array, n_categories: int, sample_weight: Array | None) -> Any:
    columns = category_columns(X, n_categories)
    estimator.set_params(categorical_features=columns).fit(X, y, sample_weight=sample_weight)
    return without_functions(estimator, X)


def without_functions(estimator: Any, X: Array) -> Any:
    """Return a fitted estimator of scikit-learn without its function that checks numeric columns.

    A histogram gradient boosting with categories has one; a model file must hold no function.
    """
    of_sklearn = type(estimator).__module__.startswith("sklearn.")
    prepare, identity = getattr(estimator, "_preprocessor", None), FunctionTransformer()
    if of_sklearn and prepare is not None:
        identity.fit(X)
        prepare.set_params(numerical=identity)
        prepare.transformers_ = [
            (name, identity if name == "numerical" else step, some)
            for name, step, some in prepare.transformers_
        ]
    return estimator


def _fit_lightgbm(estimator: Any, X: Array, y: Array, n_categories: int, sample_weight: Array | None) -> Any:
    return estimator.fit(
        X, y, categorical_feature=category_columns(X, n_categories), sample_weight=sample_weight
    )


def _fit_catboost(estimator: Any, X: Array, y: Array, n_categories: int, sample_weight: Array | None) -> Any:
    return estimator.fit(catboost_pool(X, n_categories, y, weight=sample_weight))


_FITS: dict[str, Callable[..., Any]] = {
    "sklearn": _fit_sklearn,
    "lightgbm": _fit_lightgbm,
    "catboost": _fit_catboost,
}


class _NativeCategories(MetaEstimatorMixin, BaseEstimator):
    """Fit an estimator with the last columns as categories.

    Parameters
    ----------
    estimator : estimator
        A histogram gradient boosting of scikit-learn, or an estimator of LightGBM or CatBoost.
    n_categories : int
        Number of columns with codes of categories.

    Attributes
    ----------
    estimator_ : estimator
        The fitted estimator.
    n_features_in_ : int
        Number of columns.
    """

    def __init__(self, estimator: Any, n_categories: int) -> None:
        self.estimator, self.n_categories = estimator, n_categories

    def fit(self, X: Array, y: Array, sample_weight: Array | None = None) -> Any:
        """Fit a copy of the estimator.

        Parameters
        ----------
        X : ndarray of shape (n, d)
            Numbers, then codes of categories.
        y : array of shape (n,)
            The target.
        sample_weight : array of shape (n,), optional
            Row weights.
        """
        X, estimator = np.asarray(X), deepcopy(self.estimator)
        fit = _FITS[type(estimator).__module__.partition(".")[0]]
        self.estimator_ = fit(estimator, X, np.asarray(y), self.n_categories, sample_weight)
        self.n_features_in_ = X.shape[1]
        return self

    def predict(self, X: Array) -> Array:
        """Return labels or numbers, shape (n,)."""
        return np.asarray(self.estimator_.predict(self._table(X))).reshape(-1)

    def _table(self, X: Array) -> Any:
        check_is_fitted(self)
        in_catboost = type(self.estimator_).__module__.partition(".")[0] == "catboost"
        return catboost_pool(np.asarray(X), self.n_categories) if in_catboost else X

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


class NativeCategoriesClassifier(ClassifierMixin, _NativeCategories):
    """Fit a classifier with the last columns as categories.

    Parameters
    ----------
    estimator : classifier
        A histogram gradient boosting of scikit-learn, or a classifier of LightGBM or CatBoost.
    n_categories : int
        Number of columns with codes of categories.

    Examples
    --------
    >>> from sklearn.ensemble import HistGradientBoostingClassifier
    >>> boosting = HistGradientBoostingClassifier(min_samples_leaf=1)
    >>> model = NativeCategoriesClassifier(boosting, n_categories=1)
    >>> X = np.array([[0.0], [1.0], [2.0], [3.0]] * 20)
    >>> model.fit(X, np.array(["a", "b", "a", "b"] * 20)).predict(X[:4]).tolist()
    ['a', 'b', 'a', 'b']
    """

    @property
    def classes_(self) -> Array:
        """The labels, sorted."""
        labels: Array = self.estimator_.classes_
        return labels

    def predict_proba(self, X: Array) -> Array:
        """Return class probabilities, shape (n, n_classes)."""
        return np.asarray(self.estimator_.predict_proba(self._table(X)))


class NativeCategoriesRegressor(RegressorMixin, _NativeCategories):
    """Fit a regressor with the last columns as categories.

    Parameters
    ----------
    estimator : regressor
        A histogram gradient boosting of scikit-learn, or a regressor of LightGBM or CatBoost.
    n_categories : int
        Number of columns with codes of categories.
    """
