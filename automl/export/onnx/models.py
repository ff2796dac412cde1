"""The last step of a pipeline: probabilities, scores or numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import is_classifier

from automl.export.onnx.boosting import (
    Sums,
    catboost_sums,
    histogram_sums,
    lightgbm_sums,
    sklearn_tree,
    xgboost_sums,
)
from automl.export.onnx.graph import Graph, NotConvertible, converter_of
from automl.export.onnx.network import convert_descent
from automl.export.onnx.numbers import convert_numbers
from automl.export.onnx.trees import leaf_values, sum_of_trees

__all__ = ["Predicted", "convert_model"]


class Predicted(NamedTuple):
    """What a model predicts.

    Parameters
    ----------
    values : str
        Tensor: probabilities or scores (n, c), a score for two classes (n, 1), or numbers (n, 1).
    kind : {"probabilities", "scores", "numbers"}
        Which of them.
    """

    values: str
    kind: str


def convert_model(graph: Graph, model: Any, x: str) -> Predicted:
    """Return the predictions of a fitted model for a matrix.

    Raises
    ------
    NotConvertible
        If the model cannot be converted.
    """
    return converter_of(model, _MODELS)(graph, model, x)


def _linked(graph: Graph, values: str, link: str) -> Predicted:
    if link == "sigmoid":
        return Predicted(_both(graph, graph.op("Sigmoid", values)), "probabilities")
    if link == "softmax":
        return Predicted(graph.op("Softmax", values, axis=1), "probabilities")
    return Predicted(graph.op("Exp", values) if link == "exp" else values, "numbers")


def _both(graph: Graph, second: str) -> str:
    """Return the probabilities of two classes from those of the second, shape (n, 1)."""
    one = graph.constant(1.0, graph.dtypes[second])
    return graph.concat([graph.op("Sub", one, second), second])


def _descent(graph: Graph, model: Any, x: str) -> Predicted:
    raw = convert_descent(graph, model, x)
    if is_classifier(model):
        if not hasattr(model, "predict_proba"):
            return Predicted(raw, "scores")
        return _linked(graph, raw, "sigmoid" if model.n_outputs_ == 1 else "softmax")
    wide = graph.cast(raw, np.float64)
    if model.loss_ == "poisson":
        shift = graph.constant(np.log(model.target_factor_), np.float64)
        return _linked(graph, graph.op("Add", wide, shift), "exp")
    scaled = graph.op("Mul", wide, graph.constant(model.target_factor_, np.float64))
    return Predicted(graph.op("Add", scaled, graph.constant(model.target_shift_, np.float64)), "numbers")


def _linear(graph: Graph, model: Any, x: str) -> Predicted:
    weight = np.atleast_2d(model.coef_).T
    product = graph.op("MatMul", graph.cast(x, np.float64), graph.constant(weight, np.float64))
    raw = graph.op("Add", product, graph.constant(np.atleast_1d(model.intercept_), np.float64))
    if not is_classifier(model):
        return Predicted(raw, "numbers")
    if not hasattr(model, "predict_proba"):
        return Predicted(raw, "scores")
    return _linked(graph, raw, "sigmoid" if weight.shape[1] == 1 else "softmax")


def _quick(graph: Graph, model: Any, x: str) -> Predicted:
    if len(model.columns_) < model.n_features_in_:
        x = graph.columns(x, model.columns_)
    *steps, (_, last) = model.model_.steps
    for _, step in steps:
        x = convert_numbers(graph, step, x)
    return convert_model(graph, last, x)


def _forest(graph: Graph, model: Any, x: str) -> Predicted:
    fitted = getattr(model, "estimators_", [model])
    trees = [sklearn_tree(one) for one in fitted]
    leaves = leaf_values(graph, x, trees)  # (n, trees, outputs)
    mean = graph.op("ReduceMean", leaves, graph.constant([1], np.int64), keepdims=0)
    return Predicted(mean, "probabilities" if is_classifier(model) else "numbers")


def _sums(graph: Graph, sums: Sums, x: str) -> Predicted:
    total = sum_of_trees(graph, x, sums.trees, sums.outputs, len(sums.base))
    return _linked(graph, graph.op("Add", total, graph.constant(sums.base, np.float64)), sums.link)


def _catboost(graph: Graph, model: Any, x: str) -> Predicted:
    sums, vectors = catboost_sums(model)
    if not vectors:
        return _sums(graph, sums, x)
    leaves = leaf_values(graph, x, sums.trees)
    total = graph.op("ReduceSum", leaves, graph.constant([1], np.int64), keepdims=0)
    return _linked(graph, graph.op("Add", total, graph.constant(sums.base, np.float64)), sums.link)


def _scaled_target(graph: Graph, model: Any, x: str) -> Predicted:
    scaler = model.transformer_
    if type(scaler).__name__ != "TargetScaler":
        raise NotConvertible(f"{type(model).__name__} with {type(scaler).__name__}")
    values = graph.cast(convert_model(graph, model.regressor_, x).values, np.float64)
    scaled = graph.op("Mul", values, graph.constant(scaler.factor_, np.float64))
    return Predicted(graph.op("Add", scaled, graph.constant(scaler.shift_, np.float64)), "numbers")


def _transformed(graph: Graph, model: Any, x: str) -> Predicted:
    transform = model.transform_
    values = graph.cast(convert_model(graph, model.regressor_, x).values, np.float64)
    if transform.kind == "log" and transform.positive_:
        values = graph.op("Exp", values)
    elif transform.kind == "log":
        size = graph.op("Sub", graph.op("Exp", graph.op("Abs", values)), graph.constant(1.0, np.float64))
        values = graph.op("Mul", graph.op("Sign", values), size)
    elif transform.kind != "clip":
        raise NotConvertible(f"{type(model).__name__} with the transform {transform.kind}")
    low, high = (graph.constant(one, np.float64) for one in (transform.low_, transform.high_))
    return Predicted(graph.op("Clip", values, low, high), "numbers")


def _inner(graph: Graph, model: Any, x: str) -> Predicted:
    return convert_model(graph, model.estimator_, x)


_MODELS: dict[str, Callable[[Graph, Any, str], Predicted]] = {
    "automl.GradientDescentClassifier": _descent,
    "automl.GradientDescentRegressor": _descent,
    "automl.QuickLinearClassifier": _quick,
    "automl.QuickLinearRegressor": _quick,
    "automl.LabelEncodedClassifier": _inner,
    "automl.NativeCategoriesClassifier": _inner,
    "automl.NativeCategoriesRegressor": _inner,
    "automl.TransformedRegressor": _transformed,
    "sklearn.TransformedTargetRegressor": _scaled_target,
    **dict.fromkeys(
        (
            f"sklearn.{name}"
            for name in ("LogisticRegression", "LinearSVC", "RidgeClassifier", "Ridge", "ElasticNet")
        ),
        _linear,
    ),
    "sklearn.LinearRegression": _linear,
    **dict.fromkeys(
        (
            f"sklearn.{name}{kind}"
            for name in ("DecisionTree", "ExtraTree", "RandomForest", "ExtraTrees")
            for kind in ("Classifier", "Regressor")
        ),
        _forest,
    ),
    "sklearn.HistGradientBoostingClassifier": lambda graph, model, x: _sums(graph, histogram_sums(model), x),
    "sklearn.HistGradientBoostingRegressor": lambda graph, model, x: _sums(graph, histogram_sums(model), x),
    "lightgbm.LGBMClassifier": lambda graph, model, x: _sums(graph, lightgbm_sums(model), x),
    "lightgbm.LGBMRegressor": lambda graph, model, x: _sums(graph, lightgbm_sums(model), x),
    "xgboost.XGBClassifier": lambda graph, model, x: _sums(graph, xgboost_sums(model), x),
    "xgboost.XGBRegressor": lambda graph, model, x: _sums(graph, xgboost_sums(model), x),
    "catboost.CatBoostClassifier": _catboost,
    "catboost.CatBoostRegressor": _catboost,
}
