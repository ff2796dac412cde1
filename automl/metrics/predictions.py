"""The predictions of one model for the rows of a fold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Array", "Predictions", "Truth"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Predictions:
    """Predictions of one model for n rows.

    Parameters
    ----------
    values : ndarray of shape (n,)
        Predicted class codes or numbers.
    probabilities : ndarray of shape (n, n_classes) or None
        Class probabilities, if the model has them.
    decision : ndarray of shape (n,) or (n, n_classes) or None
        Decision scores, if the model has them and no probabilities.
    """

    values: Array
    probabilities: Array | None = None
    decision: Array | None = None

    def is_finite(self) -> bool:
        """Return whether all numbers are finite."""
        parts = (self.values, self.probabilities, self.decision)
        return all(np.isfinite(part).all() for part in parts if part is not None)

    def proba(self) -> Array:
        """Return the class probabilities.

        Raises
        ------
        AttributeError
            If there are none, as scikit-learn's estimators do.
        """
        if self.probabilities is None:
            raise AttributeError("these predictions have no class probabilities")
        return self.probabilities


@dataclass(frozen=True)
class Truth:
    """The true targets of n rows.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Class codes or numbers.
    n_classes : int
        Number of classes; 0 for regression.
    weight : ndarray of shape (n,) or None
        Row weights; None weighs all rows equally.
    positive : int
        Code of the positive class of two.
    """

    y: Array
    n_classes: int = 0
    weight: Array | None = None
    positive: int = 1
