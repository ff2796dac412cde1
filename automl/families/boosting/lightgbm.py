"""LightGBM: trees that grow leaf by leaf, one iteration at a time."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
from typing_extensions import override

from automl.constraints import Boolean, Number, Parameter
from automl.families.boosting.family import DEPTH, SHARE, WHOLE, BoostingFamily, common_parameters
from automl.families.boosting.lightgbm_stream import fit_booster
from automl.families.boosting.trainer import Booster
from automl.families.native_categories import (
    NativeCategoriesClassifier,
    NativeCategoriesRegressor,
    category_columns,
)
from automl.families.problem import Array, Fold, Problem, StreamedFit

__all__ = ["LightGBMFamily"]

_PARAMETERS = {
    **common_parameters(2000, 0.05),
    "num_leaves": Parameter(Number(2, integer=True), 31, "Leaves of a tree at most."),
    "max_depth": Parameter(DEPTH, -1, "Levels of a tree at most; -1 sets no limit."),
    "min_child_samples": Parameter(WHOLE, 20, "Rows a leaf holds at least."),
    "min_child_weight": Parameter(Number(0), 1e-3, "Sum of second derivatives a leaf holds at least."),
    "colsample_bytree": Parameter(SHARE, 1.0, "Share of the columns drawn for a tree."),
    "subsample": Parameter(SHARE, 1.0, "Share of the rows drawn; only with subsample_freq above 0."),
    "subsample_freq": Parameter(
        Number(0, integer=True), 0, "Trees between two draws of rows; 0 never draws."
    ),
    "reg_alpha": Parameter(Number(0), 0.0, "L1 penalty on the values of leaves."),
    "reg_lambda": Parameter(Number(0), 0.0, "L2 penalty on the values of leaves."),
    "extra_trees": Parameter(Boolean(), False, "Whether each split has one random threshold a column."),
    "max_bin": Parameter(Number(2, integer=True), 255, "Bins a column is cut into."),
    "cat_smooth": Parameter(Number(0), 10.0, "Shrinks the statistics of rare native categories."),
    "cat_l2": Parameter(Number(0), 10.0, "L2 penalty of splits by a native category."),
    "max_cat_to_onehot": Parameter(
        WHOLE, 4, "Native categories of a column up to which a split takes one category out."
    ),
    "min_data_per_group": Parameter(WHOLE, 100, "Rows a group of native categories holds at least."),
}
_OBJECTIVES = ("regression", "regression_l1", "huber", "poisson")
_CLASSES = {"binary": "binary", "multiclass": "multiclass"}
# LightGBM chooses its histogram algorithm by a clock otherwise, so two runs could differ.
_REPEATABLE = {"verbose": -1, "deterministic": True, "force_row_wise": True}
# Bins by column only: storing them by row as well would take twice the memory.
_BY_COLUMN = {"force_row_wise": False, "force_col_wise": True, "num_threads": 0}
_BYTE = 255  # bins of a column that fit into one byte
_ROW_BYTES = 16  # of a row in training besides its bins: target, weight and its place in a leaf
_OUTPUT_BYTES = 24  # of a row for each output: score, gradient and second derivative
_FIXED_BYTES = 200_000_000  # the sample of rows that decides the bins, and histograms


class _LightGBMBooster(Booster):
    def __init__(self, params: dict[str, Any], fold: Fold, n_categories: int) -> None:
        lightgbm = import_module("lightgbm")
        # The threads are part of the data set too: without them, binning starts a thread on each core.
        columns = category_columns(fold.X, n_categories)
        train = lightgbm.Dataset(
            fold.X, fold.y, weight=fold.weight, params=params, categorical_feature=columns
        )
        self._booster = lightgbm.Booster(params, train)
        self._valid = len(fold.y_valid) > 0
        if self._valid:
            valid = lightgbm.Dataset(
                fold.X_valid, fold.y_valid, reference=train, weight=fold.weight_valid, params=params
            )
            self._booster.add_valid(valid, "valid")

    @override
    def grow(self, n_trees: int, after: Callable[[int, float], bool]) -> None:
        while self.n_trees < n_trees and self.grows:
            self.grows = not self._booster.update()
            self.n_trees += self.grows
            loss = float(self._booster.eval_valid()[0][2]) if self._valid else np.nan
            if not after(self.n_trees, loss):
                return

    @override
    def predict(self, X: Array, n_trees: int) -> Array:
        return np.asarray(self._booster.predict(X, num_iteration=n_trees, num_threads=1))


class LightGBMFamily(BoostingFamily):
    """Gradient boosting of LightGBM."""

    category_codes = frozenset(["native"])
    takes_sparse = True
    unit_seconds = 2e-9

    def __init__(self) -> None:
        super().__init__("lightgbm", _PARAMETERS, _OBJECTIVES, expected=25)

    @override
    def levels(self, params: dict[str, Any]) -> float:
        return float(np.log2(params["num_leaves"]))

    @override
    def booster(self, params: dict[str, Any], seed: int, problem: Problem, fold: Fold) -> Booster:
        return _LightGBMBooster(self._native(params, seed, problem), fold, len(problem.categories))

    @override
    def streamed_params(self, params: dict[str, Any], n_sample: int, n_rows: int) -> dict[str, Any] | None:
        return params

    @override
    def streamed_bytes(self, params: dict[str, Any], n_rows: int, n_columns: int, problem: Problem) -> float:
        wide = params.get("max_bin", _PARAMETERS["max_bin"].default) > _BYTE
        outputs = max(1, problem.n_classes) if problem.n_classes > 2 else 1
        return float(n_rows * (n_columns * (1 + wide) + _ROW_BYTES + _OUTPUT_BYTES * outputs) + _FIXED_BYTES)

    @override
    def fit_streamed(self, fit: StreamedFit) -> Any:
        every = {**self.defaults(fit.problem.task), **fit.params}
        n_trees = every.pop("n_estimators")
        del every["early_stopping"]
        native = {**self._native(every, fit.seed, fit.problem), **_BY_COLUMN}
        return fit_booster(fit.model, native, n_trees, fit.fold, len(fit.problem.categories), fit.stop)

    def _native(self, params: dict[str, Any], seed: int, problem: Problem) -> dict[str, Any]:
        """Return the parameters of the library."""
        native = {"objective": _CLASSES.get(problem.task, ""), **params, **_REPEATABLE}
        native |= {"seed": seed, "num_threads": 1}
        return native | ({"num_class": problem.n_classes} if problem.task == "multiclass" else {})

    @override
    def make(self, params: dict[str, Any], seed: int, problem: Problem) -> Any:
        lightgbm = import_module("lightgbm")
        numbers = problem.task == "regression"
        kind = lightgbm.LGBMRegressor if numbers else lightgbm.LGBMClassifier
        made = kind(**params, random_state=seed, n_jobs=1, **_REPEATABLE)
        if not problem.categories:
            return made
        wrap = NativeCategoriesRegressor if numbers else NativeCategoriesClassifier
        return wrap(made, len(problem.categories))
