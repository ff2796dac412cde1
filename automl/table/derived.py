"""Columns derived from others: values of whole numbers, arithmetic of numbers, pairs of categories."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from itertools import combinations
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.utils.validation import check_is_fitted
from typing_extensions import override

__all__ = ["CategoryPairs", "DiscreteNumbers", "NumericPairs", "discrete_values"]

_FIRST_ROWS = 20  # that tell most columns of fractions
MOST_VALUES = 40  # of a whole number that may be a category
_MOST_COLUMNS = 150  # that are combined
_CHECKED_ROWS = 10_000  # that decide whether a derived column is informative
_MOST_MISSING, _MOST_COMMON = 0.95, 0.9  # shares of rows, of an informative column
_SWAPPED = "swapped "  # before an operation of the second column and the first
_LARGEST = float(np.finfo(np.float32).max)


def discrete_values(column: pd.Series, most: int = MOST_VALUES) -> np.ndarray:
    """Return the sorted values of a column of 3 to ``most`` whole numbers, or none."""
    values = column.to_numpy(dtype=float)
    some = values[:_FIRST_ROWS]
    if (some[~np.isnan(some)] % 1 != 0).any():  # a wide table has thousands of such columns
        return values[:0]
    known = np.sort(column.dropna().unique().astype(float))
    few = 3 <= len(known) <= most and bool((known % 1 == 0).all())
    return known if few else known[:0]


class DiscreteNumbers(TransformerMixin, BaseEstimator):
    """Encode whole numbers as categories.

    Parameters
    ----------
    encoder : transformer
        Encodes the columns with at least 3 values, all whole.
    most : int or None
        Values of such a column at most; None allows half as many values as training rows.

    Attributes
    ----------
    columns_ : list of str
        The columns.
    encoder_ : transformer
        The fitted encoder, if there are such columns.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.preprocessing import OneHotEncoder
    >>> X = pd.DataFrame({"hour": [7.0, 8.0, 9.0, 8.0], "wind": [0.1, 2.0, 3.0, 4.0]})
    >>> hours = DiscreteNumbers(OneHotEncoder(handle_unknown="ignore", sparse_output=False)).fit(X)
    >>> hours.get_feature_names_out().tolist()
    ['hour_7.0', 'hour_8.0', 'hour_9.0']
    >>> hours.transform(pd.DataFrame({"hour": [8.0, 10.0], "wind": [0.0, 1.0]})).tolist()
    [[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]
    """

    def __init__(self, encoder: Any, most: int | None = MOST_VALUES) -> None:
        self.encoder = encoder
        self.most = most

    def fit(self, X: pd.DataFrame, y: Any = None) -> DiscreteNumbers:
        """Find the columns and fit the encoder.

        Parameters
        ----------
        X : DataFrame of shape (n, d)
            Numbers, NaN where missing.
        y : ndarray of shape (n,), optional
            The target, for encoders that use it.
        """
        self.fit_transform(X, y)
        return self

    def fit_transform(self, X: pd.DataFrame, y: Any = None) -> np.ndarray:
        """Find the columns, fit the encoder, and return the training matrix."""
        most = len(X) // 2 if self.most is None else self.most
        self.columns_ = [str(name) for name in X.columns if len(discrete_values(X[name], most))]
        self.n_features_in_ = X.shape[1]
        self.feature_names_in_ = np.array([str(name) for name in X.columns], dtype=object)
        if not self.columns_:
            return _no_columns(X)
        self.encoder_ = clone(self.encoder)
        matrix: np.ndarray = self.encoder_.fit_transform(X[self.columns_], y)
        return matrix

    def transform(self, X: pd.DataFrame) -> np.ndarray:
        """Return the matrix of other rows."""
        check_is_fitted(self)
        if not self.columns_:
            return _no_columns(X)
        matrix: np.ndarray = self.encoder_.transform(X[self.columns_])
        return matrix

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the encoded columns."""
        check_is_fitted(self)
        names: np.ndarray = self.encoder_.get_feature_names_out() if self.columns_ else np.array([], object)
        return names


class _Pairs(TransformerMixin, BaseEstimator):
    """Derives columns from pairs of columns, drawn at random, and encodes them.

    Parameters
    ----------
    encoder : transformer
        Encodes the derived columns.
    max_columns : int
        Number of derived columns at most.
    random_state : int
        Seed of the draw.

    Attributes
    ----------
    pairs_ : list of tuple
        The kept pairs: two column names, and the name of the operation.
    encoder_ : transformer
        The fitted encoder, if there are derived columns.
    """

    def __init__(self, encoder: Any, max_columns: int = 100, random_state: int = 0) -> None:
        self.encoder = encoder
        self.max_columns = max_columns
        self.random_state = random_state

    operations: ClassVar[tuple[str, ...]]

    @abstractmethod
    def _base(self, X: pd.DataFrame) -> list[str]:
        """Return the columns to combine; learn what combining them needs."""

    @abstractmethod
    def _column(self, X: pd.DataFrame, one: str, other: str, operation: str) -> np.ndarray:
        """Return a derived column, shape (n,)."""

    @abstractmethod
    def _informative(self, column: np.ndarray) -> bool:
        """Return whether a derived column is worth keeping."""

    def fit(self, X: pd.DataFrame, y: Any = None) -> _Pairs:
        """Draw pairs and fit the encoder.

        Parameters
        ----------
        X : DataFrame of shape (n, d)
            The columns.
        y : ndarray of shape (n,), optional
            The target, for encoders that use it. The draw does not.
        """
        self.fit_transform(X, y)
        return self

    def fit_transform(self, X: pd.DataFrame, y: Any = None) -> np.ndarray:
        """Draw pairs, fit the encoder, and return the training matrix."""
        rng = np.random.default_rng(self.random_state)
        base = self._base(X)
        if len(base) > _MOST_COLUMNS:
            base = [base[i] for i in np.sort(rng.permutation(len(base))[:_MOST_COLUMNS])]
        every = [
            (*(pair[::-1] if operation.startswith(_SWAPPED) else pair), operation.removeprefix(_SWAPPED))
            for pair in combinations(base, 2)
            for operation in self.operations
        ]
        rows = X.iloc[np.sort(rng.permutation(len(X))[:_CHECKED_ROWS])]
        self.pairs_: list[tuple[str, str, str]] = []
        for i in rng.permutation(len(every)):
            if len(self.pairs_) == self.max_columns:
                break
            if self._informative(self._column(rows, *every[i])):
                self.pairs_.append(every[i])
        self.n_features_in_ = X.shape[1]
        self.feature_names_in_ = np.array([str(name) for name in X.columns], dtype=object)
        if not self.pairs_:
            return _no_columns(X)
        self.encoder_ = clone(self.encoder)
        matrix: np.ndarray = self.encoder_.fit_transform(self._derive(X), y)
        return matrix

    def transform(self, X: pd.DataFrame) -> np.ndarray:
        """Return the matrix of other rows."""
        check_is_fitted(self)
        matrix: np.ndarray = self.encoder_.transform(self._derive(X)) if self.pairs_ else _no_columns(X)
        return matrix

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the encoded columns, such as ``a / b``."""
        check_is_fitted(self)
        if not self.pairs_:
            return np.array([], dtype=object)
        encoded: np.ndarray = self.encoder_.get_feature_names_out(np.array(self._names(), dtype=object))
        return encoded

    def _names(self) -> list[str]:
        return [f"{one} {operation} {other}" for one, other, operation in self.pairs_]

    def _derive(self, X: pd.DataFrame) -> pd.DataFrame:
        columns = [self._column(X, *pair) for pair in self.pairs_]
        return pd.DataFrame(np.column_stack(columns), index=X.index, columns=self._names(), copy=False)


class NumericPairs(_Pairs):
    """Sums, differences, products and quotients of two columns of numbers.

    The pairs are drawn without the target. Columns of fewer than 3 values are not combined. Derived columns that are
    more than 95 % missing, or at least 90 % one value, are not kept. A division by zero gives NaN.

    References
    ----------
    AutoGluon's arithmetic features ("TabPrep"), which draw columns by the same rules.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.impute import SimpleImputer
    >>> X = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [2.0, 0.0, 6.0]})
    >>> pairs = NumericPairs(SimpleImputer(), max_columns=9).fit(X)
    >>> sorted(pairs.get_feature_names_out().tolist())
    ['a * b', 'a + b', 'a - b', 'a / b', 'b / a']
    """

    operations = ("+", "-", "*", "/", "swapped /")

    @override
    def _base(self, X: pd.DataFrame) -> list[str]:
        return [str(name) for name in X.columns if X[name].nunique() >= 3]

    @override
    def _column(self, X: pd.DataFrame, one: str, other: str, operation: str) -> np.ndarray:
        a, b = X[one].to_numpy(dtype=float), X[other].to_numpy(dtype=float)
        with np.errstate(all="ignore"):
            values = _OPERATIONS[operation](a, b)
        values = np.where(np.isinf(values), np.nan, values)
        return np.clip(values, -_LARGEST, _LARGEST).astype(np.float32)

    @override
    def _informative(self, column: np.ndarray) -> bool:
        known = column[~np.isnan(column)]
        if len(known) < (1 - _MOST_MISSING) * len(column):
            return False
        return len(known) > 0 and _top_count(known) < _MOST_COMMON * len(column)


class CategoryPairs(_Pairs):
    """Pairs of categories as one category each.

    Pairs with a number of values above half the rows are not kept.

    Examples
    --------
    >>> import pandas as pd
    >>> from automl.table.cardinality import CategoryCounts
    >>> X = pd.DataFrame({"a": ["x", "x", "y", "y"] * 3, "b": ["u", "v", "u", "u"] * 3})
    >>> pairs = CategoryPairs(CategoryCounts()).fit(X)
    >>> pairs.get_feature_names_out().tolist()
    ['a & b']
    >>> np.expm1(pairs.transform(X[:4])).round().ravel().tolist()
    [3.0, 3.0, 6.0, 6.0]
    """

    operations = ("&",)

    @override
    def _base(self, X: pd.DataFrame) -> list[str]:
        self.categories_ = {
            str(name): np.asarray(pd.factorize(X[name], sort=True)[1], dtype=object) for name in X.columns
        }
        return list(self.categories_)

    @override
    def _column(self, X: pd.DataFrame, one: str, other: str, operation: str) -> np.ndarray:
        width = len(self.categories_[other]) + 2
        joint: np.ndarray = self._codes(X[one], one) * width + self._codes(X[other], other)
        return joint

    @override
    def _informative(self, column: np.ndarray) -> bool:
        return 2 <= len(np.unique(column)) <= len(column) / 2

    def _codes(self, column: pd.Series, name: str) -> np.ndarray:
        """Return the code of each row: 0 for missing, 1 for unseen, then the training categories."""
        codes, values = pd.factorize(column)
        places = pd.Index(self.categories_[name]).get_indexer(pd.Index(np.asarray(values, dtype=object)))
        found: np.ndarray = np.append(places + 2, 0)[codes].astype(np.int64)
        return found


_OPERATIONS: dict[str, Any] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
}


def _top_count(values: Sequence[float] | np.ndarray) -> int:
    return int(np.unique(values, return_counts=True)[1].max())


def _no_columns(X: pd.DataFrame) -> np.ndarray:
    return np.empty((len(X), 0), dtype=np.float32)
