"""The table of losses. To add one, write its class and add a row."""

from __future__ import annotations

from automl.descent.losses.base import Loss, Targets
from automl.descent.losses.classification import Logistic, Softmax
from automl.descent.losses.hinge import Hinge, SquaredHinge
from automl.descent.losses.regression import Absolute, EpsilonInsensitive, Huber, Poisson, Quantile, Squared

__all__ = ["DEFAULT_LOSSES", "LOSSES", "Loss", "Targets"]

LOSSES: dict[str, type[Loss]] = {
    "squared": Squared,
    "huber": Huber,
    "absolute": Absolute,
    "quantile": Quantile,
    "epsilon_insensitive": EpsilonInsensitive,
    "poisson": Poisson,
    "logistic": Logistic,
    "softmax": Softmax,
    "hinge": Hinge,
    "squared_hinge": SquaredHinge,
}

DEFAULT_LOSSES = {"regression": "squared", "binary": "logistic", "multiclass": "softmax"}
