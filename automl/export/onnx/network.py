"""Gradient-descent models: each layer's forward pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from automl.descent import network_layers
from automl.export.onnx.graph import Graph, NotConvertible

__all__ = ["convert_descent"]

_EPSILON = 1e-5  # of the normalizations


def convert_descent(graph: Graph, model: Any, x: str) -> str:
    """Return the raw outputs of a fitted gradient-descent estimator, shape (n, c), in the target's unit.

    Raises
    ------
    NotConvertible
        If a layer cannot be converted to ONNX.
    """
    units = graph.cast(x, np.float32)
    for kind, values in network_layers(model):
        if kind not in _LAYERS:
            raise NotConvertible(f"{type(model).__name__} with the layer {kind}")
        units = _LAYERS[kind](graph, units, values)
    return units


def _dense(graph: Graph, units: str, values: dict[str, Any]) -> str:
    return _affine(graph, units, values["weight"], values["bias"])


def _affine(graph: Graph, units: str, weight: Any, bias: Any) -> str:
    product = graph.op("MatMul", units, graph.constant(weight, np.float32))
    return graph.op("Add", product, graph.constant(bias, np.float32))


def _scale(graph: Graph, units: str, values: dict[str, Any]) -> str:
    return graph.op("Mul", units, graph.constant(values["factor"], np.float32))


def _embedding(graph: Graph, units: str, values: dict[str, Any]) -> str:
    n_numeric = values["n_numeric"]
    parts = [graph.columns(units, list(range(n_numeric)))] if n_numeric else []
    for place, table in enumerate(values["tables"]):
        column = graph.columns(units, [n_numeric + place])
        low, high = graph.constant(0.0, np.float32), graph.constant(len(table) - 1, np.float32)
        codes = graph.cast(graph.op("Clip", column, low, high), np.int64)
        codes = graph.op("Squeeze", codes, graph.constant([1], np.int64))
        parts.append(graph.op("Gather", graph.constant(table, np.float32), codes, axis=0))
    return graph.concat(parts)


def _layer_norm(graph: Graph, units: str, values: dict[str, Any]) -> str:
    axes = graph.constant([1], np.int64)
    centred = graph.op("Sub", units, graph.op("ReduceMean", units, axes, keepdims=1))
    variance = graph.op("ReduceMean", graph.op("Mul", centred, centred), axes, keepdims=1)
    root = graph.op("Sqrt", graph.op("Add", variance, graph.constant(_EPSILON, np.float32)))
    return _gain(graph, graph.op("Div", centred, root), values)


def _batch_norm(graph: Graph, units: str, values: dict[str, Any]) -> str:
    centred = graph.op("Sub", units, graph.constant(values["mean"], np.float32))
    root = np.sqrt(np.asarray(values["variance"], np.float32) + np.float32(_EPSILON))
    return _gain(graph, graph.op("Div", centred, graph.constant(root)), values)


def _gain(graph: Graph, units: str, values: dict[str, Any]) -> str:
    scaled = graph.op("Mul", units, graph.constant(values["gain"], np.float32))
    return graph.op("Add", scaled, graph.constant(values["shift"], np.float32))


def _activation(graph: Graph, units: str, values: dict[str, Any]) -> str:
    name = values["name"]
    if name in ("relu", "tanh"):
        return graph.op(name.capitalize(), units)
    if name == "selu":
        return graph.op("Selu", units)
    if name == "gelu":
        return graph.op("Gelu", units, approximate="tanh")
    if name == "silu":
        return graph.op("Mul", units, graph.op("Sigmoid", units))
    if name == "mish":
        return graph.op("Mul", units, graph.op("Tanh", graph.op("Softplus", units)))
    raise NotConvertible(f"the activation {name}")


_LAYERS: dict[str, Callable[[Graph, str, dict[str, Any]], str]] = {
    "Dense": _dense,
    "Scale": _scale,
    "Embedding": _embedding,
    "LayerNormalization": _layer_norm,
    "BatchNormalization": _batch_norm,
    "Activation": _activation,
}
