"""XGBoost: trees on histograms, one iteration at a time."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
from typing_extensions import override

from automl.constraints import Number, Parameter
from automl.families.boosting.family import SHARE, WHOLE, BoostingFamily, common_parameters
from automl.families.boosting.trainer import Booster
from automl.families.label_encoding import LabelEncodedClassifier
from automl.families.problem import Array, Fold, Problem

__all__ = ["XGBoostFamily"]

_PARAMETERS = {
    **common_parameters(2000, 0.08),
    "max_depth": Parameter(WHOLE, 6, "Levels of a tree at most."),
    "min_child_weight": Parameter(Number(0), 1.0, "Sum of second derivatives a leaf holds at least."),
    "gamma": Parameter(Number(0), 0.0, "Smallest decrease of the loss by a split."),
    "subsample": Parameter(SHARE, 1.0, "Share of the rows drawn for a tree."),
    "colsample_bytree": Parameter(SHARE, 1.0, "Share of the columns drawn for a tree."),
    "colsample_bylevel": Parameter(SHARE, 1.0, "Share of a tree's columns drawn for a level."),
    "colsample_bynode": Parameter(SHARE, 1.0, "Share of a level's columns drawn for a split."),
    "reg_alpha": Parameter(Number(0), 0.0, "L1 penalty on the values of leaves."),
    "reg_lambda": Parameter(Number(0), 1.0, "L2 penalty on the values of leaves."),
    "max_bin": Parameter(Number(2, integer=True), 256, "Bins a column is cut into."),
}
_OBJECTIVES = ("reg:squarederror", "reg:absoluteerror", "count:poisson")
_CLASSES = {"binary": "binary:logistic", "multiclass": "multi:softprob"}


class _XGBoostBooster(Booster):
    def __init__(self, params: dict[str, Any], fold: Fold) -> None:
        xgboost = import_module("xgboost")
        size = {"max_bin": params["max_bin"], "nthread": params["nthread"]}
        self._train = xgboost.QuantileDMatrix(fold.X, fold.y, weight=fold.weight, **size)
        self._valid: Any = None
        if len(fold.y_valid):
            self._valid = xgboost.QuantileDMatrix(
                fold.X_valid, fold.y_valid, weight=fold.weight_valid, ref=self._train, **size
            )
        self._booster = xgboost.Booster(params, [self._train])

    @override
    def grow(self, n_trees: int, after: Callable[[int, float], bool]) -> None:
        while self.n_trees < n_trees:
            self._booster.update(self._train, self.n_trees)
            self.n_trees += 1
            if not after(self.n_trees, self._loss()):
                return

    def _loss(self) -> float:
        if self._valid is None:
            return np.nan
        text: str = self._booster.eval(self._valid, "valid", self.n_trees)  # "[5]\tvalid-logloss:0.25"
        return float(text.rpartition(":")[2])

    @override
    def predict(self, X: Array, n_trees: int) -> Array:
        return np.asarray(self._booster.inplace_predict(X, iteration_range=(0, n_trees)))


class XGBoostFamily(BoostingFamily):
    """Gradient boosting of XGBoost."""

    package = "xgboost"
    takes_sparse = True  # cells that are not stored are missing values for it, in training and in prediction
    unit_seconds = 3e-9

    def __init__(self) -> None:
        super().__init__("xgboost", _PARAMETERS, _OBJECTIVES, expected=25)

    @override
    def levels(self, params: dict[str, Any]) -> float:
        return float(params["max_depth"])

    @override
    def booster(self, params: dict[str, Any], seed: int, problem: Problem, fold: Fold) -> Booster:
        native = {"objective": _CLASSES.get(problem.task, ""), **params, "tree_method": "hist"}
        native |= {"seed": seed, "nthread": 1, "verbosity": 0}
        native |= {"num_class": problem.n_classes} if problem.task == "multiclass" else {}
        return _XGBoostBooster(native, fold)

    @override
    def make(self, params: dict[str, Any], seed: int, problem: Problem) -> Any:
        xgboost = import_module("xgboost")
        own = {**params, "random_state": seed, "tree_method": "hist", "n_jobs": 1, "verbosity": 0}
        if problem.task == "regression":
            return xgboost.XGBRegressor(**own)
        return LabelEncodedClassifier(xgboost.XGBClassifier(**own))
