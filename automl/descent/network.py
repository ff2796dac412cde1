"""A fitted model layer by layer, as plain arrays, for exporters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from automl.descent.config import Architecture
from automl.descent.kernels import Array
from automl.descent.layers.activation import ActivationLayer
from automl.descent.layers.dense import Dense
from automl.descent.layers.embedding import Embedding
from automl.descent.layers.normalization import BatchNormalization, Normalization
from automl.descent.layers.scale import Scale
from automl.descent.model import Layer

__all__ = ["network_layers"]


def network_layers(model: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the layers of a fitted gradient-descent estimator, from the rows to the raw outputs.

    Parameters
    ----------
    model : GradientDescentClassifier or GradientDescentRegressor
        The fitted estimator.

    Yields
    ------
    tuple of (str, dict)
        The layer's name and arrays: ``Dense`` (``weight`` (n_in, n_out), ``bias``), ``Scale`` (``factor``),
        ``Embedding`` (``n_numeric``, ``tables`` of shape (codes, length)), ``LayerNormalization`` and
        ``BatchNormalization`` (``gain``, ``shift``, ``mean``, ``variance``), ``Activation`` (``name``). Layers that do
        nothing in predictions are left out.
    """
    stack = Architecture(**model.architecture_).make_model(model.n_features_in_, model.n_outputs_)
    start = 0
    for layer in stack.layers:
        weights = model.theta_[start : start + layer.size]
        start += layer.size
        if isinstance(layer, ActivationLayer):
            yield "Activation", {"name": model.config_["activation"]}
        elif layer.size:
            yield _arrays(layer, weights)


def _arrays(layer: Layer, weights: Array) -> tuple[str, dict[str, Any]]:
    if isinstance(layer, Dense):
        weight, bias = layer.coefficients(weights)
        return "Dense", {"weight": weight, "bias": bias}
    if isinstance(layer, Scale):
        return "Scale", {"factor": weights * weights.dtype.type(layer.speed)}
    if isinstance(layer, Embedding):
        tables, start = [], 0
        for codes, length in layer.tables:
            tables.append(weights[start : start + codes * length].reshape(length, codes).T)
            start += codes * length
        return "Embedding", {"n_numeric": layer.n_numeric, "tables": tables}
    if isinstance(layer, Normalization):
        names = (
            ("gain", "shift", "mean", "variance")
            if isinstance(layer, BatchNormalization)
            else ("gain", "shift")
        )
        return type(layer).__name__, dict(zip(names, weights.reshape(len(names), layer.h), strict=True))
    return type(layer).__name__, {}
