"""The table of scikit-learn models: trees, forests and boosting."""

from __future__ import annotations

import math
from typing import Any

from automl.constraints import Boolean, Number, OneOf, Parameter, Section, Union
from automl.families.single_fit import Growth
from automl.families.sklearn_family import SklearnFamily

__all__ = ["SKLEARN_FAMILIES"]

_WHOLE = Number(1, integer=True)
_SHARE = Number(0, 1, open_low=True)
_NONE = OneOf((None,))

_CLASS_WEIGHT = {"class_weight": Parameter(OneOf(("balanced", None)), None, "Weights of the classes.")}

_TREE = {
    "splitter": Parameter(OneOf(("best", "random")), "best", "How a split is chosen."),
    "max_depth": Parameter(Union((_WHOLE, _NONE)), None, "Maximum depth; null grows until leaves are pure."),
    "min_samples_split": Parameter(Number(2, integer=True), 2, "Minimum rows of a node to be split."),
    "min_samples_leaf": Parameter(_WHOLE, 1, "Minimum rows of a leaf."),
    "max_features": Parameter(
        Union((OneOf(("sqrt", "log2", None)), _SHARE)), None, "Columns considered for a split."
    ),
    "max_leaf_nodes": Parameter(Union((Number(2, integer=True), _NONE)), None, "Maximum number of leaves."),
    "min_impurity_decrease": Parameter(Number(0), 0.0, "Smallest decrease of impurity by a split."),
    "ccp_alpha": Parameter(Number(0), 0.0, "Strength of cost-complexity pruning."),
}
_IMPURITIES = OneOf(("gini", "entropy", "log_loss"))
_ERRORS = OneOf(("squared_error", "absolute_error", "friedman_mse", "poisson"))
_LOSSES = OneOf(("squared_error", "absolute_error", "poisson"))

_FOREST = {
    "n_estimators": Parameter(_WHOLE, 100, "Trees."),
    **{name: rule for name, rule in _TREE.items() if name not in ("splitter", "max_features")},
    "max_samples": Parameter(
        Union((_SHARE, _NONE)),
        None,
        "Share of the rows drawn for a tree; null draws as many as there are. Needs bootstrap.",
    ),
}
_FOREST_COLUMNS = _TREE["max_features"].constraint
_ALL_COLUMNS = Parameter(_FOREST_COLUMNS, 1.0, "Columns considered for a split.")
_SOME_COLUMNS = Parameter(_FOREST_COLUMNS, "sqrt", "Columns considered for a split.")
_FOREST_WEIGHT = {
    "class_weight": Parameter(
        OneOf(("balanced", "balanced_subsample", None)), None, "Weights of the classes."
    )
}

_BOOSTING = {
    "learning_rate": Parameter(Number(0, open_low=True), 0.1, "Shrinkage of every tree."),
    "max_iter": Parameter(_WHOLE, 100, "Trees (for each class, where there are more than two)."),
    "max_leaf_nodes": Parameter(
        Union((Number(2, integer=True), _NONE)), 31, "Maximum number of leaves of a tree."
    ),
    "max_depth": Parameter(Union((_WHOLE, _NONE)), None, "Maximum depth of a tree."),
    "min_samples_leaf": Parameter(_WHOLE, 20, "Minimum rows of a leaf."),
    "l2_regularization": Parameter(Number(0), 0.0, "Penalty on the leaves' squared values."),
    "max_features": Parameter(_SHARE, 1.0, "Share of the columns considered for a split."),
    "max_bins": Parameter(Number(2, 255, integer=True), 255, "Bins of a column."),
    "early_stopping": Parameter(OneOf(("auto", True, False)), "auto", "Whether to stop without improvement."),
    "n_iter_no_change": Parameter(_WHOLE, 10, "Trees without improvement before stopping."),
    "validation_fraction": Parameter(
        Number(0, 1, open_low=True, open_high=True), 0.1, "Share of the rows held out for early stopping."
    ),
}


def _tree_cost(params: dict[str, Any], n_rows: int, n_columns: int) -> float:
    levels = min(params["max_depth"] or math.inf, math.log2(n_rows + 1))
    looked_at = {"sqrt": math.sqrt(n_columns), "log2": math.log2(n_columns + 1), None: n_columns}
    columns = params["max_features"]
    return n_rows * levels * (looked_at[columns] if columns in looked_at else columns * n_columns)


def _forest_cost(params: dict[str, Any], n_rows: int, n_columns: int) -> float:
    return float(params["n_estimators"] * _tree_cost(params, n_rows, n_columns))


def _boosting_cost(params: dict[str, Any], n_rows: int, n_columns: int) -> float:
    # Every level reads all rows once; the fixed cost of a tree equals that of 20,000 values.
    levels = math.log2(params["max_leaf_nodes"] or 256)
    return float(params["max_iter"] * (n_rows * n_columns + 20_000) * levels)


def _forest(name: str, kind: str, *, bootstrap: bool, unit_seconds: float) -> SklearnFamily:
    rows = {
        "bootstrap": Parameter(
            Boolean(), bootstrap, "Whether each tree trains on its own sample of the rows."
        )
    }
    return SklearnFamily(
        name,
        classifier=f"sklearn.ensemble.{kind}Classifier",
        classification=Section(
            {
                "criterion": Parameter(_IMPURITIES, "gini", "Impurity or error that a split reduces."),
                **_FOREST,
                "max_features": _SOME_COLUMNS,
                **rows,
                **_FOREST_WEIGHT,
            }
        ),
        regressor=f"sklearn.ensemble.{kind}Regressor",
        regression=Section(
            {
                "criterion": Parameter(_ERRORS, "squared_error", "Impurity or error that a split reduces."),
                **_FOREST,
                "max_features": _ALL_COLUMNS,
                **rows,
            }
        ),
        cost=_forest_cost,
        unit_seconds=unit_seconds,
        growth=Growth("n_estimators", epoch=8, divisible=True),
        takes_missing=True,
        takes_sparse=True,
    )


SKLEARN_FAMILIES = (
    SklearnFamily(
        "decision_tree",
        classifier="sklearn.tree.DecisionTreeClassifier",
        classification=Section(
            {
                "criterion": Parameter(_IMPURITIES, "gini", "Impurity or error that a split reduces."),
                **_TREE,
                **_CLASS_WEIGHT,
            }
        ),
        regressor="sklearn.tree.DecisionTreeRegressor",
        regression=Section(
            {
                "criterion": Parameter(_ERRORS, "squared_error", "Impurity or error that a split reduces."),
                **_TREE,
            }
        ),
        cost=_tree_cost,
        unit_seconds=3e-8,
        takes_missing=True,
        takes_sparse=True,
    ),
    _forest("random_forest", "RandomForest", bootstrap=True, unit_seconds=5e-8),
    _forest("extra_trees", "ExtraTrees", bootstrap=False, unit_seconds=1.5e-8),
    SklearnFamily(
        "hist_gradient_boosting",
        classifier="sklearn.ensemble.HistGradientBoostingClassifier",
        classification=Section({**_BOOSTING, **_CLASS_WEIGHT}),
        regressor="sklearn.ensemble.HistGradientBoostingRegressor",
        regression=Section({"loss": Parameter(_LOSSES, "squared_error", "Loss to minimise."), **_BOOSTING}),
        cost=_boosting_cost,
        unit_seconds=3e-9,
        growth=Growth("max_iter", epoch=25, divisible=False),
        native_categories=True,
        takes_missing=True,
    ),
)
"""A new scikit-learn model is one row here."""
