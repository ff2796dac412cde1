"""Encoders that depend on how often a category occurs, and on how many categories a column has."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.utils.validation import check_is_fitted

__all__ = ["ByCardinality", "CategoryCounts"]


class CategoryCounts(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Encode a category by log(1 + its number of training rows); unseen ones give 0.

    Attributes
    ----------
    categories_ : list of ndarray
        The training categories of each column.
    logs_ : list of ndarray
        The codes: of each category, and at the end of missing values.

    Examples
    --------
    >>> import pandas as pd
    >>> counts = CategoryCounts().fit(pd.DataFrame({"to": ["A", "B", "A", None, "A"]}))
    >>> np.expm1(counts.transform(pd.DataFrame({"to": ["A", "B", "new", None]}))).ravel().round().tolist()
    [3.0, 1.0, 0.0, 1.0]
    """

    def fit(self, X: pd.DataFrame, y: Any = None) -> CategoryCounts:
        """Count the categories.

        Parameters
        ----------
        X : DataFrame of shape (n, d)
            Columns of categories.
        y : object
            Not used.
        """
        self.categories_: list[np.ndarray] = []
        self.logs_: list[np.ndarray] = []
        for name in X.columns:
            codes, categories = pd.factorize(X[name], sort=True)
            self.categories_.append(np.asarray(categories, dtype=object))
            n_missing = int((codes < 0).sum())
            counts = np.append(np.bincount(codes[codes >= 0], minlength=len(categories)), n_missing)
            self.logs_.append(np.log1p(counts))
        self.n_features_in_ = X.shape[1]
        self.feature_names_in_ = np.array([str(name) for name in X.columns], dtype=object)
        return self

    def transform(self, X: pd.DataFrame) -> np.ndarray:
        """Return the codes, shape (n, d)."""
        check_is_fitted(self)
        columns = []
        for name, categories, logs in zip(X.columns, self.categories_, self.logs_, strict=True):
            codes, values = pd.factorize(X[name])
            places = pd.Index(categories).get_indexer(pd.Index(np.asarray(values, dtype=object)))
            # One code for each distinct value, and at the end that of missing values, whose code is -1.
            table = np.append(np.where(places < 0, 0.0, logs[places]), logs[-1])
            columns.append(table[codes])
        return np.column_stack(columns)


class ByCardinality(TransformerMixin, BaseEstimator):
    """Encode columns of few and of many categories by two encoders.

    Parameters
    ----------
    low : transformer or "drop"
        Encodes the columns with at most ``threshold`` categories in training.
    high : transformer
        Encodes the others.
    threshold : int
        The number of categories.

    Attributes
    ----------
    encoder_ : ColumnTransformer
        The fitted encoders.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.preprocessing import OneHotEncoder
    >>> X = pd.DataFrame({"size": ["S", "L", "S", "S"], "city": ["Ulm", "Bonn", "Jena", "Ulm"]})
    >>> encoder = ByCardinality(OneHotEncoder(), CategoryCounts(), threshold=2).fit(X)
    >>> encoder.get_feature_names_out().tolist()
    ['low__size_L', 'low__size_S', 'high__city']
    """

    def __init__(self, low: Any, high: Any, threshold: int = 40) -> None:
        self.low = low
        self.high = high
        self.threshold = threshold

    def fit(self, X: pd.DataFrame, y: Any = None) -> ByCardinality:
        """Count the categories of each column and fit the encoders.

        Parameters
        ----------
        X : DataFrame of shape (n, d)
            Columns of categories.
        y : ndarray of shape (n,), optional
            The target, for encoders that use it.
        """
        self.fit_transform(X, y)
        return self

    def fit_transform(self, X: pd.DataFrame, y: Any = None) -> np.ndarray:
        """Fit the encoders and return the training matrix; cross-fitted where an encoder cross-fits."""
        many = [str(name) for name in X.columns if X[name].nunique() > self.threshold]
        few = [str(name) for name in X.columns if str(name) not in many]
        parts = [("low", clone(self.low, safe=False), few), ("high", clone(self.high), many)]
        self.encoder_ = ColumnTransformer([part for part in parts if part[2]], sparse_threshold=0.0)
        matrix: np.ndarray = self.encoder_.fit_transform(X, y)
        self.n_features_in_ = X.shape[1]
        self.feature_names_in_ = np.array([str(name) for name in X.columns], dtype=object)
        return matrix

    def transform(self, X: pd.DataFrame) -> np.ndarray:
        """Return the matrix of other rows."""
        check_is_fitted(self)
        matrix: np.ndarray = self.encoder_.transform(X)
        return matrix

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the columns, marked by ``low`` or ``high``."""
        check_is_fitted(self)
        names: np.ndarray = self.encoder_.get_feature_names_out()
        return names
