"""Sparse tables: matrices of mostly zeros, which stay sparse up to the models."""

from __future__ import annotations

from copy import copy
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.preprocessing import MaxAbsScaler
from sklearn.utils.validation import check_is_fitted

from automl.errors import Fault, TableError, nearest
from automl.table.frames import DENSE_BYTES, has_names

__all__ = ["SPARSE", "SparseColumns", "SparseScaler", "SparseTable", "array_bytes", "as_sparse", "is_sparse"]

SPARSE = "sparse"
"""The type of all columns of a sparse table."""


class SparseTable:
    """The rows of a sparse table, with the part of a DataFrame's interface that searches use.

    Parameters
    ----------
    matrix : csr_matrix of shape (n, d)
        The numbers, finite.
    columns : Index of shape (d,)
        Names of the columns.
    index : Index of shape (n,)
        Labels of the rows.
    """

    def __init__(self, matrix: Any, columns: pd.Index, index: pd.Index | None = None) -> None:
        self.matrix, self.columns = matrix, columns
        self.index = pd.RangeIndex(matrix.shape[0]) if index is None else index
        self.shape: tuple[int, int] = matrix.shape
        self.size = int(matrix.nnz)  # numbers that are stored

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def dtypes(self) -> list[Any]:
        """The type of the numbers."""
        return [self.matrix.dtype]

    @property
    def iloc(self) -> _Rows:
        """Rows by position: ``table.iloc[rows]``."""
        return _Rows(self)


class _Rows:
    def __init__(self, table: SparseTable) -> None:
        self._table = table

    def __getitem__(self, rows: Any) -> SparseTable:
        return SparseTable(self._table.matrix[rows], self._table.columns, self._table.index[rows])


class SparseColumns(TransformerMixin, BaseEstimator):
    """Check that a sparse table has the columns of the training table; the counterpart of `TypedColumns`.

    Attributes
    ----------
    column_types_ : dict of str to str
        `SPARSE` for each column.
    n_features_in_ : int
        Number of columns.
    names_ : ndarray of str
        Their names; empty if they had none.
    had_names_ : bool
        Whether the training table named them.
    """

    text = False
    types = None

    def fit(self, X: Any, y: Any = None) -> SparseColumns:
        """Keep the names of the columns.

        Raises
        ------
        TableError
            If numbers are missing or infinite.
        """
        table = _table(X)
        _check(table.matrix)
        self.n_features_in_ = table.shape[1]
        self.had_names_ = has_names(X) if isinstance(X, pd.DataFrame) else False
        # Texts of one length, which skops writes a hundred times faster than objects.
        self.names_ = table.columns.to_numpy(dtype=str) if self.had_names_ else np.empty(0, dtype=str)
        return self

    @property
    def feature_names_in_(self) -> np.ndarray:
        """Names of the columns, shape (n_features_in_,)."""
        names = self.names_ if self.had_names_ else _numbered(self.n_features_in_)
        return np.asarray(names, dtype=object)

    @property
    def column_types_(self) -> dict[str, str]:
        """The type of each column."""
        return dict.fromkeys(self.feature_names_in_, SPARSE)

    def fixed(self) -> SparseColumns:
        """Return a copy, as `TypedColumns.fixed` does."""
        return copy(self)

    def transform(self, X: Any) -> Any:
        """Return the columns of training as a csr_matrix of shape (n, n_features_in_).

        Parameters
        ----------
        X : sparse matrix, DataFrame or array
            A table without names matches by position.

        Raises
        ------
        TableError
            If columns are missing, or numbers are missing or infinite.
        """
        check_is_fitted(self)
        table = _table(X)
        if self.had_names_ and isinstance(X, pd.DataFrame) and has_names(X):
            places = table.columns.get_indexer(pd.Index(self.names_))
            missing = self.names_[places < 0].tolist()
            if missing:
                known = list(table.columns)
                rule = "must be in the table, as in training"
                raise TableError(
                    [
                        Fault(f'column "{name}"', rule, "no such column", nearest(name, known))
                        for name in missing[:10]
                    ]
                )
            matrix = table.matrix[:, places]
        elif table.shape[1] != self.n_features_in_:
            rule = f"must have the {self.n_features_in_:,} columns of the training table"
            raise TableError(Fault("X", rule, f"{table.shape[1]:,} columns"))
        else:
            matrix = table.matrix
        _check(matrix)
        return matrix

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the columns."""
        check_is_fitted(self)
        return self.feature_names_in_

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


class SparseScaler(TransformerMixin, BaseEstimator):
    """Divide each column by its largest absolute value, which keeps zeros; returns a float32 csr_matrix."""

    def fit(self, X: Any, y: Any = None) -> SparseScaler:
        """Find the largest values."""
        self.scaler_ = MaxAbsScaler().fit(_matrix(X))
        return self

    def transform(self, X: Any) -> Any:
        """Return the scaled columns."""
        check_is_fitted(self)
        return sparse.csr_matrix(self.scaler_.transform(_matrix(X)), dtype=np.float32)

    def get_feature_names_out(self, input_features: Any = None) -> Any:
        """Return the names of the columns."""
        return self.scaler_.get_feature_names_out(input_features)


def as_sparse(X: Any) -> SparseTable | None:
    """Return a sparse matrix, or a DataFrame of sparse columns, that is too large to become dense; None for others."""
    if sparse.issparse(X):
        large = X.ndim == 2 and 8 * int(X.shape[0]) * int(X.shape[1]) > DENSE_BYTES
        return _table(X) if large else None
    if isinstance(X, pd.DataFrame) and 8 * X.shape[0] * X.shape[1] > DENSE_BYTES and _all_sparse(X):
        return _table(X)
    return None


def is_sparse(column_types: Any) -> bool:
    """Return whether types of columns are those of a sparse table."""
    return SPARSE in column_types.values()


def array_bytes(array: Any) -> int:
    """Return the bytes of an array or a csr_matrix."""
    if sparse.issparse(array):
        return int(array.data.nbytes + array.indices.nbytes + array.indptr.nbytes)
    return int(array.nbytes)


def _all_sparse(X: pd.DataFrame) -> bool:
    return all(
        isinstance(dtype, pd.SparseDtype) and dtype.subtype.kind in "biuf" and dtype.fill_value == 0
        for dtype in X.dtypes.unique()
    )


def _table(X: Any) -> SparseTable:
    """Return any table of numbers as a sparse one."""
    if isinstance(X, SparseTable):
        return X
    if isinstance(X, pd.DataFrame):
        of_columns: Any = X
        numbers = of_columns.sparse.to_coo() if _all_sparse(X) else X.to_numpy(dtype=float)
        matrix = _without_stored_zeros(sparse.csr_matrix(numbers, dtype=float))
        return SparseTable(matrix, X.columns.map(str), X.index)
    matrix = sparse.csr_matrix(X, dtype=float)
    return SparseTable(_without_stored_zeros(matrix), pd.Index(_numbered(matrix.shape[1])))


def _without_stored_zeros(matrix: Any) -> Any:
    """Return a matrix whose zeros are not stored: XGBoost would tell stored ones from others."""
    if matrix.data.all():
        return matrix
    matrix = matrix.copy()  # the user's, which stays as it is
    matrix.eliminate_zeros()
    return matrix


@lru_cache(maxsize=1)  # a text has 200,000 columns, and each step asks for their names
def _numbered(n: int) -> tuple[str, ...]:
    """Return the names of columns without names."""
    return tuple(f"x{i}" for i in range(n))


def _matrix(X: Any) -> Any:
    return X.matrix if isinstance(X, SparseTable) else X


def _check(matrix: Any) -> None:
    wrong = int((~np.isfinite(matrix.data)).sum())
    if wrong:
        rule = "a sparse table must hold finite numbers"
        raise TableError(
            Fault("X", rule, f"{wrong:,} missing or infinite", "Fill them, or leave the rows out.")
        )
