"""Train LightGBM on rows that are read block by block: only their bins are in memory."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from importlib import import_module
from typing import Any

import numpy as np

from automl.families.native_categories import category_columns
from automl.families.problem import Array, Fold

__all__ = ["fit_booster"]

_BATCH_ROWS = 1 << 14


class BlockRows:
    """The rows of a matrix as LightGBM reads them: one by one in ascending order to find bins, then in batches.

    Parameters
    ----------
    X : object
        ``X.shape`` and slices of rows.
    """

    batch_size = _BATCH_ROWS

    def __init__(self, X: Any) -> None:
        self._X = X
        self._start, self._rows = 0, np.empty((0, X.shape[1]), np.float32)

    def __len__(self) -> int:
        return int(self._X.shape[0])

    def __getitem__(self, rows: int | slice) -> Array:
        """Return a row of shape (d,), or rows of shape (m, d)."""
        if isinstance(rows, slice):
            return np.asarray(self._X[rows], dtype=np.float64)
        if not self._start <= rows < self._start + len(self._rows):
            self._start = rows
            self._rows = self._X[rows : min(rows + _BATCH_ROWS, len(self))]
        return np.asarray(self._rows[rows - self._start], dtype=np.float64)


def fit_booster(
    model: Any, params: dict[str, Any], n_trees: int, fold: Fold, n_categories: int, stop: Callable[[], bool]
) -> Any:
    """Return a copy of a fitted estimator with trees of other rows; None if ``stop`` returned True.

    Parameters
    ----------
    model : LGBMClassifier, LGBMRegressor, or one of them in a wrapper with ``estimator_``
        Fitted to a sample of the rows.
    params : dict
        Parameters of the library.
    n_trees : int
        Number of trees.
    fold : Fold
        All rows, with class codes or numbers.
    n_categories : int
        Number of columns with codes of categories, the last ones.
    stop : callable
        Called after each tree.
    """
    lightgbm = import_module("lightgbm")
    rows = type("Rows", (BlockRows, lightgbm.Sequence), {})(fold.X)
    columns = category_columns(fold.X, n_categories)
    train = lightgbm.Dataset(
        rows, fold.y, weight=fold.weight, params=params, categorical_feature=columns, free_raw_data=True
    )
    booster = lightgbm.Booster(params, train)
    for _ in range(n_trees):
        if stop():
            return None
        if booster.update():
            break
    booster.free_dataset()
    return _with_booster(model, booster)


def _with_booster(model: Any, booster: Any) -> Any:
    """Return a copy of a fitted estimator with another booster: its labels and number of columns are the same."""
    fitted = copy(model)
    if hasattr(model, "estimator_"):
        fitted.estimator_ = _with_booster(model.estimator_, booster)
    else:
        # LightGBM has no public way to make an estimator of a booster.
        fitted._Booster = booster
    return fitted
