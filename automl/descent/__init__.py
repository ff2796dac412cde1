"""The gradient-descent core: cohorts of linear models and multilayer perceptrons, trained together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from automl.descent.config import PARAMETERS, Architecture, TrainConfig, from_configuration, parameters
from automl.descent.kernels import load_kernels
from automl.descent.layers import ACTIVATIONS, INPUT_LAYERS, NORMALIZATIONS
from automl.descent.losses import DEFAULT_LOSSES, LOSSES
from automl.descent.network import network_layers
from automl.descent.optimizers import OPTIMIZERS
from automl.descent.records import Failure, Snapshot
from automl.descent.schedules import SCHEDULES
from automl.descent.streamed import ParquetMatrix
from automl.descent.training import Training

if TYPE_CHECKING:
    from automl.descent.sklearn import (
        ESTIMATOR_PARAMETERS,
        GradientDescentClassifier,
        GradientDescentRegressor,
    )

__all__ = [
    "ACTIVATIONS",
    "DEFAULT_LOSSES",
    "ESTIMATOR_PARAMETERS",
    "INPUT_LAYERS",
    "LOSSES",
    "NORMALIZATIONS",
    "OPTIMIZERS",
    "PARAMETERS",
    "SCHEDULES",
    "Architecture",
    "Failure",
    "GradientDescentClassifier",
    "GradientDescentRegressor",
    "ParquetMatrix",
    "TrainConfig",
    "Snapshot",
    "Training",
    "from_configuration",
    "load_kernels",
    "network_layers",
    "parameters",
]


if not TYPE_CHECKING:  # type checkers would accept any name of a module with __getattr__

    def __getattr__(name: str) -> Any:
        # scikit-learn takes a second to import, and training cohorts does not need it
        if name in ("ESTIMATOR_PARAMETERS", "GradientDescentClassifier", "GradientDescentRegressor"):
            from automl.descent import sklearn

            return getattr(sklearn, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
