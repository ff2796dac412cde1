"""Layers, a file each, and the tables of those that a model may choose.

To add a layer, write its file and add one row to `INPUT_LAYERS`, `NORMALIZATIONS` or `ACTIVATIONS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from automl.constraints import Number, Parameter
from automl.descent.layers.activation import ACTIVATIONS, ActivationLayer, Dropout, SharedBits
from automl.descent.layers.dense import Dense, SharedDense
from automl.descent.layers.embedding import Embedding
from automl.descent.layers.linear import Linear, LinearPass
from automl.descent.layers.normalization import NORMALIZATIONS
from automl.descent.layers.scale import Scale
from automl.descent.model import Layer

__all__ = [
    "ACTIVATIONS",
    "INPUT_LAYERS",
    "NORMALIZATIONS",
    "InputLayer",
    "LinearPass",
    "SharedBits",
    "build_layers",
]


@dataclass(frozen=True)
class InputLayer:
    """One row of the table of layers between the rows and the first dense layer.

    Parameters
    ----------
    build : callable or None
        ``(d, categories, **parameters) -> Layer``. The layer takes rows ``(n, d + 1)`` and returns units
        ``(k, width + 1, n)``, whose last unit is one. None: the rows go to the dense layer as they are.
    parameters : mapping
        Name, rule and default of each parameter.
    reads_codes : bool
        Whether it takes columns of category codes.
    """

    build: Callable[..., Layer] | None
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    reads_codes: bool = False


INPUT_LAYERS: dict[str, InputLayer] = {
    "none": InputLayer(None),
    "embedding": InputLayer(
        Embedding,
        {"length": Parameter(Number(1, integer=True), 8, "length of the vector of a category")},
        reads_codes=True,
    ),
    "scale": InputLayer(
        Scale,
        {
            "speed": Parameter(
                Number(0, open_low=True), 6.0, "learning rate of the scales, in those of the model"
            )
        },
    ),
}


def build_layers(
    d: int,
    c: int,
    *,
    hidden_layer_sizes: Sequence[int] = (),
    normalization: str | None = None,
    input_layer: str = "none",
    input_layer_params: Mapping[str, Any] | None = None,
    categories: Sequence[int] = (),
) -> list[Layer]:
    """Return the layers of a model for ``d`` columns and ``c`` outputs; the options are those of `Architecture`."""
    row, layers = INPUT_LAYERS[input_layer], list[Layer]()
    if row.build is not None:
        defaults = {name: parameter.default for name, parameter in row.parameters.items()}
        layers.append(row.build(d, categories, **defaults | dict(input_layer_params or {})))
        d = layers[0].width
    elif not hidden_layer_sizes:
        return [Linear(d, c)]
    for n_in, n_out in pairwise([d, *hidden_layer_sizes]):
        layers.append(Dense(n_in, n_out) if layers else SharedDense(n_in, n_out))
        if normalization is not None:
            layers.append(NORMALIZATIONS[normalization](n_out))
        layers += [ActivationLayer(), Dropout()]
    last = hidden_layer_sizes[-1] if hidden_layer_sizes else d
    layers.append(Dense(last, c, output=True, zero=not hidden_layer_sizes))
    return layers
