"""Steps on matrices of numbers, each in the order of scikit-learn's own operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler

from automl.export.onnx.graph import Graph, converter_of

__all__ = ["convert_numbers"]


def convert_numbers(graph: Graph, step: Any, x: str) -> str:
    """Return the tensor that a fitted transformer makes of a matrix.

    Raises
    ------
    NotConvertible
        If it cannot be converted.
    """
    return converter_of(step, _STEPS)(graph, step, x)


def _pipeline(graph: Graph, step: Any, x: str) -> str:
    for _, one in step.steps:
        x = convert_numbers(graph, one, x)
    return x


def _imputer(graph: Graph, step: SimpleImputer, x: str) -> str:
    statistics = np.where(np.isnan(step.statistics_), 0.0, step.statistics_)  # of columns without values
    missing = graph.op("IsNaN", x, dtype=bool)
    return graph.op("Where", missing, graph.constant(statistics, graph.dtypes[x]), x, dtype=graph.dtypes[x])


def _indicator(graph: Graph, step: MissingIndicator, x: str) -> str:
    missing = graph.op("IsNaN", x, dtype=bool)
    return graph.cast(graph.columns(missing, step.features_), np.float32)


def _keep_missing(graph: Graph, step: Any, x: str) -> str:
    wide = graph.cast(x, np.float64)
    empty, zero = graph.constant(step.empty_), graph.constant(0.0, np.float64)
    return graph.op("Where", empty, zero, wide, dtype=np.float64)


def _standard(graph: Graph, step: StandardScaler, x: str) -> str:
    if step.with_mean:
        x = graph.like("Sub", x, step.mean_)
    return graph.like("Div", x, step.scale_) if step.with_std else x


def _robust(graph: Graph, step: RobustScaler, x: str) -> str:
    if step.with_centering:
        x = graph.like("Sub", x, step.center_)
    return graph.like("Div", x, step.scale_) if step.with_scaling else x


def _min_max(graph: Graph, step: MinMaxScaler, x: str) -> str:
    return graph.like("Add", graph.like("Mul", x, step.scale_), step.min_)


def _squash(graph: Graph, step: Any, x: str) -> str:
    """Centre and scale each column by its own rule, then z / sqrt(1 + (z / most)^2); the input is finite or NaN."""
    width = len(step.robust_cols_)
    centre, divisor, factor = np.zeros(width), np.ones(width), np.ones(width)
    if step.robust_cols_.any():
        robust = step.robust_scaler_
        centre[step.robust_cols_], divisor[step.robust_cols_] = robust.center_, robust.scale_
    if step.minmax_cols_.any():
        minmax = step.minmax_scaler_
        centre[step.minmax_cols_], factor[step.minmax_cols_] = minmax.median_, minmax.scale_
    z = graph.like("Mul", graph.like("Div", graph.like("Sub", x, centre), divisor), factor)
    z = graph.like("Mul", z, np.where(step.zero_cols_, 0.0, 1.0))
    share = graph.like("Div", z, step.max_absolute_value)
    root = graph.op("Sqrt", graph.like("Add", graph.op("Mul", share, share), 1.0))
    return graph.op("Div", z, root)


def _float32(graph: Graph, step: Any, x: str) -> str:
    limit = np.finfo(np.float32).max
    low, high = graph.constant(-limit, np.float32), graph.constant(limit, np.float32)
    return graph.op("Clip", graph.cast(x, np.float32), low, high)


def _pairs(graph: Graph, step: Any, x: str) -> str:
    names = list(step.feature_names_in_)
    wide, made = graph.cast(x, np.float64), []
    for one, other, operation in step.pairs_:
        a, b = (graph.columns(wide, [names.index(name)]) for name in (one, other))
        made.append(graph.op(_OPERATIONS[operation], a, b))
    values = graph.concat(made)
    endless = graph.op("IsInf", values, dtype=bool)
    values = graph.op("Where", endless, graph.constant(np.nan, np.float64), values, dtype=np.float64)
    # The quotient 0 / 0 is NaN, which Clip would keep.
    limit = float(np.finfo(np.float32).max)
    clipped = graph.op("Clip", values, graph.constant(-limit, np.float64), graph.constant(limit, np.float64))
    return convert_numbers(graph, step.encoder_, graph.cast(clipped, np.float32))


_OPERATIONS = {"+": "Add", "-": "Sub", "*": "Mul", "/": "Div"}
_STEPS: dict[str, Callable[[Graph, Any, str], str]] = {
    "sklearn.Pipeline": _pipeline,
    "sklearn.SimpleImputer": _imputer,
    "sklearn.MissingIndicator": _indicator,
    "sklearn.StandardScaler": _standard,
    "sklearn.RobustScaler": _robust,
    "sklearn.MinMaxScaler": _min_max,
    "skrub.SquashingScaler": _squash,
    "automl.KeepMissing": _keep_missing,
    "automl.Float32": _float32,
    "automl.NumericPairs": _pairs,
}
