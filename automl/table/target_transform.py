"""Transforms of a numeric target; models are trained on the transformed target and predict in its own unit."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.preprocessing import QuantileTransformer
from sklearn.utils.validation import check_is_fitted

__all__ = ["TARGET_TRANSFORMS", "TargetTransform"]

TARGET_TRANSFORMS = ("clip", "log", "quantile")


class TargetTransform(TransformerMixin, BaseEstimator):
    """Transform a target, and predictions back.

    Predictions stay within the range of the training target: a small error far out would be a large one in its unit.

    Parameters
    ----------
    kind : {"clip", "log", "quantile"}
        "clip": no transform, only the range. "log": the logarithm, or the sign times log(1 + absolute value) if a
        training value is not positive. "quantile": normal scores of the ranks.
    random_state : int
        Seed of the rows that the quantiles are computed from, if there are more than 10,000.

    Attributes
    ----------
    positive_ : bool
        Whether all training values are above 0.
    low_, high_ : float
        The range of the training values.
    quantiles_ : QuantileTransformer
        The fitted quantiles, for "quantile".

    Examples
    --------
    >>> prices = TargetTransform().fit(np.array([1.0, 10.0, 100.0]))
    >>> np.log10(np.exp(prices.transform(np.array([10.0])))).round(6).tolist()
    [1.0]
    >>> prices.inverse_transform(np.array([np.log(10.0), 99.0])).round(6).tolist()
    [10.0, 100.0]
    """

    def __init__(self, kind: str = "log", random_state: int = 0) -> None:
        self.kind = kind
        self.random_state = random_state

    def fit(self, y: np.ndarray, _: Any = None) -> TargetTransform:
        """Learn the range, and the quantiles.

        Parameters
        ----------
        y : ndarray of shape (n,)
            The training target.
        """
        y = np.asarray(y, dtype=float)
        self.low_, self.high_ = float(y.min()), float(y.max())
        self.positive_ = self.low_ > 0
        if self.kind == "quantile":
            self.quantiles_ = QuantileTransformer(
                n_quantiles=min(1000, len(y)), output_distribution="normal", random_state=self.random_state
            ).fit(y[:, None])
        return self

    def transform(self, y: np.ndarray) -> np.ndarray:
        """Return the transformed target, shape (n,)."""
        check_is_fitted(self)
        y = np.asarray(y, dtype=float)
        if self.kind == "clip":
            return y
        if self.kind == "quantile":
            scores: np.ndarray = self.quantiles_.transform(y[:, None])[:, 0]
            return scores
        if self.positive_:
            # Values of other rows may be 0 or negative.
            return np.asarray(np.log(np.maximum(y, np.finfo(float).tiny)))
        return np.asarray(np.sign(y) * np.log1p(np.abs(y)))

    def inverse_transform(self, y: np.ndarray) -> np.ndarray:
        """Return predictions in the unit of the target, shape (n,)."""
        check_is_fitted(self)
        y = np.asarray(y, dtype=float)
        with np.errstate(over="ignore"):  # beyond the range
            if self.kind == "clip":
                values = y
            elif self.kind == "quantile":
                values = self.quantiles_.inverse_transform(y[:, None])[:, 0]
            elif self.positive_:
                values = np.exp(y)
            else:
                values = np.sign(y) * np.expm1(np.abs(y))
        return np.asarray(np.clip(values, self.low_, self.high_))
