"""Every family that a space may name: the one table, and what spaces are checked against."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from automl.constraints import Boolean, Number, OneOf, Parameter, Section, Union, Variants
from automl.families.base import Family
from automl.families.descent import DescentFamily
from automl.families.sklearn import EstimatorFamily, Growth, SklearnFamily
from automl.records import Model, TrialRecord, TrialSpec, model_of
from automl.table import PREPROCESS

__all__ = ["FAMILIES", "family_of", "get_family", "params_at_stop", "structural", "vocabulary"]

_WHOLE = Number(1, integer=True)
_SHARE = Number(0, 1, open_low=True)
_NONE = OneOf((None,))

_CLASS_WEIGHT = {"class_weight": Parameter(OneOf(("balanced", None)), None, "Weights of the classes.")}

_TREE = {
    "splitter": Parameter(OneOf(("best", "random")), "best", "How a split is chosen."),
    "max_depth": Parameter(Union((_WHOLE, _NONE)), None, "Levels at most; null grows until pure."),
    "min_samples_split": Parameter(Number(2, integer=True), 2, "Rows a node needs to be split."),
    "min_samples_leaf": Parameter(_WHOLE, 1, "Rows a leaf holds at least."),
    "max_features": Parameter(
        Union((OneOf(("sqrt", "log2", None)), _SHARE)), None, "Columns looked at for a split."
    ),
    "max_leaf_nodes": Parameter(Union((Number(2, integer=True), _NONE)), None, "Leaves at most."),
    "min_impurity_decrease": Parameter(Number(0), 0.0, "Impurity a split must take away."),
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
        "Share of the rows drawn for a tree, null for as many as there are; only with bootstrap.",
    ),
}
_FOREST_COLUMNS = _TREE["max_features"].constraint
_ALL_COLUMNS = Parameter(_FOREST_COLUMNS, 1.0, "Columns looked at for a split.")
_SOME_COLUMNS = Parameter(_FOREST_COLUMNS, "sqrt", "Columns looked at for a split.")
_FOREST_WEIGHT = {
    "class_weight": Parameter(
        OneOf(("balanced", "balanced_subsample", None)), None, "Weights of the classes."
    )
}

_BOOSTING = {
    "learning_rate": Parameter(Number(0, open_low=True), 0.1, "Shrinkage of every tree."),
    "max_iter": Parameter(_WHOLE, 100, "Trees (for each class, where there are more than two)."),
    "max_leaf_nodes": Parameter(Union((Number(2, integer=True), _NONE)), 31, "Leaves of a tree at most."),
    "max_depth": Parameter(Union((_WHOLE, _NONE)), None, "Levels of a tree at most."),
    "min_samples_leaf": Parameter(_WHOLE, 20, "Rows a leaf holds at least."),
    "l2_regularization": Parameter(Number(0), 0.0, "Penalty on the leaves' squared values."),
    "max_features": Parameter(_SHARE, 1.0, "Share of the columns looked at for a split."),
    "max_bins": Parameter(Number(2, 255, integer=True), 255, "Bins a column is cut into."),
    "early_stopping": Parameter(
        OneOf(("auto", True, False)), "auto", "Whether to end when nothing improves."
    ),
    "n_iter_no_change": Parameter(_WHOLE, 10, "Trees without improvement before stopping."),
    "validation_fraction": Parameter(
        Number(0, 1, open_low=True, open_high=True), 0.1, "Share of the rows held out to stop early."
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
    # Every level reads all rows once; a tree's fixed cost weighs as much as some thousand rows.
    levels = math.log2(params["max_leaf_nodes"] or 256)
    return float(params["max_iter"] * (n_rows * n_columns + 20_000) * levels)


def _forest(name: str, kind: str, *, bootstrap: bool, unit_seconds: float) -> SklearnFamily:
    rows = {"bootstrap": Parameter(Boolean(), bootstrap, "Whether every tree has its own draw of the rows.")}
    return SklearnFamily(
        name,
        classifier=f"sklearn.ensemble.{kind}Classifier",
        classification=Section(
            {
                "criterion": Parameter(_IMPURITIES, "gini", "What a split lessens."),
                **_FOREST,
                "max_features": _SOME_COLUMNS,
                **rows,
                **_FOREST_WEIGHT,
            }
        ),
        regressor=f"sklearn.ensemble.{kind}Regressor",
        regression=Section(
            {
                "criterion": Parameter(_ERRORS, "squared_error", "What a split lessens."),
                **_FOREST,
                "max_features": _ALL_COLUMNS,
                **rows,
            }
        ),
        cost=_forest_cost,
        unit_seconds=unit_seconds,
        growth=Growth("n_estimators", epoch=8, apart=True),
    )


FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        DescentFamily("linear", hidden=False),
        DescentFamily("mlp", hidden=True),
        SklearnFamily(
            "decision_tree",
            classifier="sklearn.tree.DecisionTreeClassifier",
            classification=Section(
                {
                    "criterion": Parameter(_IMPURITIES, "gini", "What a split lessens."),
                    **_TREE,
                    **_CLASS_WEIGHT,
                }
            ),
            regressor="sklearn.tree.DecisionTreeRegressor",
            regression=Section(
                {"criterion": Parameter(_ERRORS, "squared_error", "What a split lessens."), **_TREE}
            ),
            cost=_tree_cost,
            unit_seconds=3e-8,
        ),
        _forest("random_forest", "RandomForest", bootstrap=True, unit_seconds=5e-8),
        _forest("extra_trees", "ExtraTrees", bootstrap=False, unit_seconds=1.5e-8),
        SklearnFamily(
            "hist_gradient_boosting",
            classifier="sklearn.ensemble.HistGradientBoostingClassifier",
            classification=Section({**_BOOSTING, **_CLASS_WEIGHT}),
            regressor="sklearn.ensemble.HistGradientBoostingRegressor",
            regression=Section(
                {"loss": Parameter(_LOSSES, "squared_error", "What the trees lessen."), **_BOOSTING}
            ),
            cost=_boosting_cost,
            unit_seconds=3e-9,
            growth=Growth("max_iter", epoch=25, apart=False),
        ),
    )
}


def vocabulary() -> Section:
    """Return what a configuration may hold: preprocessing, and a model of one of the families."""
    preprocess = Parameter(
        PREPROCESS, {}, "How columns become numbers; inside a family it is that family's own."
    )
    models = {
        name: Section({**family.section.parameters, "preprocess": preprocess})
        for name, family in FAMILIES.items()
    }
    return Section(
        {"preprocess": preprocess, "model": Parameter(Variants(models), None, "The model family.")}
    )


def family_of(configuration: Mapping[str, Any]) -> tuple[Family, dict[str, Any], dict[str, Any]]:
    """Return a configuration's family, the model's parameters, and its preprocessing.

    Examples
    --------
    >>> family, params, _ = family_of({"model": {"mine": {"estimator": "sklearn.svm.SVR", "C": 2.0}}})
    >>> family.name, params
    ('mine', {'C': 2.0})
    """
    model = model_of(configuration)
    return _family(model), model.params, model.preprocess


def get_family(trial: TrialSpec | TrialRecord) -> Family:
    """Return the family of a trial, without parsing its configuration again."""
    return _family(trial.model)


def _family(model: Model) -> Family:
    if model.estimator is None:
        return FAMILIES[model.family]
    return EstimatorFamily(model.family, model.estimator)


def params_at_stop(record: TrialRecord) -> dict[str, Any]:
    """Return the family's parameters for a training on all rows that ends where the trial ended."""
    params = record.family_params
    if record.state == "complete" or not record.curve.rungs:
        return params
    return get_family(record).truncated_params(params, record.curve.rungs[-1], record.curve.epoch_steps)


def structural(path: str) -> bool:
    """Return whether the value at this path of a configuration must be equal for trials to train together.

    Examples
    --------
    >>> [structural(path) for path in ("preprocess.numeric.scale", "model.mlp.loss", "model.mlp.l2")]
    [True, True, False]
    """
    room, _, rest = path.partition(".")
    family, _, rest = rest.partition(".")
    if room != "model" or not rest:
        return True
    key = rest.split(".")[0]
    return key == "preprocess" or family not in FAMILIES or key in FAMILIES[family].shared_params
