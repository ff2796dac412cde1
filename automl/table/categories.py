"""Categories as numbers. scikit-learn's encoders do the same on texts at several times the cost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

__all__ = ["CategoryCodes", "OneHot"]

MISSING = "(missing)"
OTHER = "(other)"
UNSEEN_CODE = -1
MISSING_CODE = -2


class CategoryCodes(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Each category as a whole number, in the order of their texts; -1 for an unseen one, -2 for none at all.

    Attributes
    ----------
    categories_ : dict of str to list of str
        The categories of each column seen in training.

    Examples
    --------
    >>> import pandas as pd
    >>> to = pd.DataFrame({"to": ["B", "A", None]}, dtype="category")
    >>> CategoryCodes().fit(to[:1]).transform(to).ravel().tolist()
    [0.0, -1.0, -2.0]
    """

    def fit(self, X: pd.DataFrame, y: Any = None) -> CategoryCodes:
        """Learn the categories.

        Parameters
        ----------
        X : DataFrame of shape (n, d)
            Columns of categories.
        y : object
            Not used.
        """
        self.categories_ = {
            name: [text for text in _rows_by_category(X[name]) if text != MISSING] for name in X.columns
        }
        self.n_features_in_ = X.shape[1]
        self.feature_names_in_ = np.array(list(self.categories_), dtype=object)
        return self

    def transform(self, X: pd.DataFrame) -> np.ndarray:
        """Return the codes as float64, shape (n, d)."""
        check_is_fitted(self)
        coded = np.empty((len(X), self.n_features_in_), order="F")
        for j, (name, known) in enumerate(self.categories_.items()):
            codes = {text: code for code, text in enumerate(known)}
            coded[:, j] = _translated(X[name], codes | {MISSING: MISSING_CODE}, UNSEEN_CODE)
        return coded


class OneHot(TransformerMixin, BaseEstimator):
    """A column of 0 and 1 for each category; beyond a number of them the rarest share one.

    A missing value is a category of its own. An unseen category falls to the rare ones, or to none.

    Parameters
    ----------
    max_categories : int
        The most columns a table column gives.

    Attributes
    ----------
    categories_ : dict of str to list of str
        The categories of each column that have a column of their own, ``(missing)`` and ``(other)`` included.

    Examples
    --------
    >>> import pandas as pd
    >>> to = pd.DataFrame({"to": ["A", "B", "B", "C", None, None]}, dtype="category")
    >>> encoder = OneHot(max_categories=3).fit(to)
    >>> encoder.get_feature_names_out().tolist()
    ['to_B', 'to_(missing)', 'to_(other)']
    >>> encoder.transform(to[2:5]).tolist()
    [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]]
    """

    def __init__(self, max_categories: int = 32) -> None:
        self.max_categories = max_categories

    def fit(self, X: pd.DataFrame, y: Any = None) -> OneHot:
        """Learn the categories, and which of them are rare.

        Parameters
        ----------
        X : DataFrame of shape (n, d)
            Columns of categories.
        y : object
            Not used.
        """
        self.categories_ = {}
        for name in X.columns:
            rows = _rows_by_category(X[name])
            if len(rows) > self.max_categories:
                frequent = sorted(rows, key=lambda text: -rows[text])[: self.max_categories - 1]
                kept = [*(text for text in rows if text in set(frequent)), OTHER]
            else:
                kept = list(rows)
            self.categories_[name] = kept
        self.n_features_in_ = X.shape[1]
        self.feature_names_in_ = np.array(list(self.categories_), dtype=object)
        return self

    def transform(self, X: pd.DataFrame) -> np.ndarray:
        """Return zeros and ones as float32, shape (n, number of categories kept)."""
        check_is_fitted(self)
        encoded = np.zeros((len(X), sum(map(len, self.categories_.values()))), dtype=np.float32)
        start = 0
        for name, kept in self.categories_.items():
            places = {text: start + place for place, text in enumerate(kept)}
            place = _translated(X[name], places, places.get(OTHER, -1))
            rows = np.flatnonzero(place >= 0)
            encoded[rows, place[rows]] = 1.0
            start += len(kept)
        return encoded

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return ``column_category`` for every category that has a column of its own."""
        check_is_fitted(self)
        names = [f"{name}_{text}" for name, kept in self.categories_.items() for text in kept]
        return np.array(names, dtype=object)


def _rows_by_category(column: pd.Series) -> dict[str, int]:
    """Return how many rows each category has, in the order of the categories, the missing ones last."""
    categories = pd.Categorical(column)
    rows = np.bincount(categories.codes + 1, minlength=len(categories.categories) + 1)
    texts = [*categories.categories, MISSING]
    return {text: int(count) for text, count in zip(texts, [*rows[1:], rows[0]], strict=True) if count}


def _translated(column: pd.Series, codes: dict[str, int], unseen: int) -> np.ndarray:
    """Return the code of each row's category, ``unseen`` for one that has none; shape (n,)."""
    categories = pd.Categorical(column)
    texts = [*categories.categories, MISSING]
    table = np.array([codes.get(text, unseen) for text in texts], dtype=np.int64)
    rows: np.ndarray = table[categories.codes]  # -1, for missing, is the last
    return rows
