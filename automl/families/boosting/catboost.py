"""CatBoost: symmetric trees; the trees of a rung are one fit, which continues that of the rung before."""

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
from automl.families.native_categories import (
    NativeCategoriesClassifier,
    NativeCategoriesRegressor,
    catboost_pool,
)
from automl.families.problem import Array, Fold, Problem

__all__ = ["CatBoostFamily"]

_PARAMETERS = {
    **common_parameters(2000, 0.08),
    "depth": Parameter(Number(1, 16, integer=True), 6, "Levels of a tree."),
    "l2_leaf_reg": Parameter(Number(0), 3.0, "L2 penalty on the values of leaves."),
    "random_strength": Parameter(
        Number(0), 1.0, "Noise on the gain of splits, which shrinks with the trees."
    ),
    "subsample": Parameter(SHARE, 0.9, "Share of the rows drawn for a tree."),
    "rsm": Parameter(SHARE, 1.0, "Share of the columns considered for a split."),
    "border_count": Parameter(Number(1, 65_535, integer=True), 254, "Splits of a column."),
    # CatBoost's own default depends on the number of trees, so folds and refit would differ.
    "leaf_estimation_iterations": Parameter(WHOLE, 1, "Newton steps for the values of a tree's leaves."),
    "one_hot_max_size": Parameter(
        Number(2, integer=True),
        10,
        "Native categories of a column that are split one by one; more by target mean.",
    ),
    "max_ctr_complexity": Parameter(
        Number(1, integer=True), 1, "Native categorical columns that are combined at most."
    ),
}
_OBJECTIVES = ("RMSE", "MAE", "Poisson")
_CLASSES = {"binary": "Logloss", "multiclass": "MultiClass"}
_QUIET = {"verbose": False, "allow_writing_files": False}
_FIXED = {"bootstrap_type": "Bernoulli", "boosting_type": "Plain"}


class _After:
    """CatBoost's callback after each tree."""

    def __init__(self, before: int, after: Callable[[int, float], bool]) -> None:
        self._n_trees, self._after = before, after

    def after_iteration(self, info: Any) -> bool:
        """Return whether the training continues."""
        self._n_trees += 1
        losses = info.metrics.get("validation", {})
        return self._after(self._n_trees, next(iter(losses.values()))[-1] if losses else np.nan)


class _CatBoostBooster(Booster):
    continues = False  # it predicts with all trees so far

    def __init__(self, make: Callable[..., Any], fold: Fold, n_categories: int) -> None:
        self._make, self._n_categories = make, n_categories
        self._train = catboost_pool(fold.X, n_categories, fold.y, weight=fold.weight)
        self._valid = None
        if len(fold.y_valid):
            self._valid = catboost_pool(fold.X_valid, n_categories, fold.y_valid, weight=fold.weight_valid)
        self._model: Any = None

    @override
    def grow(self, n_trees: int, after: Callable[[int, float], bool]) -> None:
        # With the same pools, a continued fit has the trees of a single one (tests/families/test_boosting.py).
        model = self._make(n_estimators=n_trees - self.n_trees)
        self._model = model.fit(
            self._train,
            eval_set=self._valid,
            use_best_model=False,
            init_model=self._model,
            callbacks=[_After(self.n_trees, after)],
        )
        self.grows = self._model.tree_count_ > self.n_trees
        self.n_trees = self._model.tree_count_

    @override
    def predict(self, X: Array, n_trees: int) -> Array:
        pool = catboost_pool(X, self._n_categories)
        classes = hasattr(self._model, "predict_proba")
        predict = self._model.predict_proba if classes else self._model.predict
        return np.asarray(predict(pool, ntree_end=n_trees, thread_count=1))


class CatBoostFamily(BoostingFamily):
    """Gradient boosting of CatBoost."""

    package = "catboost"
    takes_sparse = True
    category_codes = frozenset(["native"])
    unit_seconds = 4e-9

    def __init__(self) -> None:
        super().__init__("catboost", _PARAMETERS, _OBJECTIVES, expected=40)

    @override
    def levels(self, params: dict[str, Any]) -> float:
        return float(params["depth"])

    @override
    def column_share(self, params: dict[str, Any]) -> float:
        return float(params["rsm"])

    @override
    def booster(self, params: dict[str, Any], seed: int, problem: Problem, fold: Fold) -> Booster:
        # A fold may lack a class.
        classes = {"classes_count": problem.n_classes} if problem.task == "multiclass" else {}

        def make(n_estimators: int) -> Any:
            return self._bare({**params, **classes, "n_estimators": n_estimators}, seed, problem)

        return _CatBoostBooster(make, fold, len(problem.categories))

    @override
    def make(self, params: dict[str, Any], seed: int, problem: Problem) -> Any:
        made: Any = self._bare(params, seed, problem)
        numbers = problem.task == "regression"
        if problem.categories:
            wrap = NativeCategoriesRegressor if numbers else NativeCategoriesClassifier
            made = wrap(made, len(problem.categories))
        return made if numbers else LabelEncodedClassifier(made)

    def _bare(self, params: dict[str, Any], seed: int, problem: Problem) -> Any:
        catboost = import_module("catboost")
        kind = catboost.CatBoostRegressor if problem.task == "regression" else catboost.CatBoostClassifier
        own = {name: value for name, value in params.items() if name != "objective"}
        loss = _CLASSES.get(problem.task) or params["objective"]
        return kind(**own, **_FIXED, **_QUIET, loss_function=loss, random_seed=seed, thread_count=1)
