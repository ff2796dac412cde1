"""The scale that a regression target is trained on, where its own would be lost to rounding.

Many models compute in float32, or take a small spread for no spread at all: a target of 1.7e9 plus small differences,
or of 1e-9, has no structure for them. Such a target is standardised for training, and predictions are brought back.
A target of ordinary size is left alone, so that models keep their plain form.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import copy
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import TransformedTargetRegressor

from automl.families.base import Family
from automl.families.problem import Array, Problem, StreamedFit
from automl.metrics import Predictions

__all__ = ["TargetScale", "TargetScaler", "fit_streamed", "scale_of", "target_scale"]

_LARGEST_OFFSET = 1e3  # of the mean, in standard deviations
_SPREADS = 1e-3, 1e6  # standard deviations that need no scaling
# Losses and classes for positive targets: a shift would break them.
_POSITIVE = re.compile(r"poisson|gamma|tweedie|log_?error|msle", re.IGNORECASE)


class TargetScale(NamedTuple):
    """Training sees ``(y - shift) / factor``."""

    shift: float = 0.0
    factor: float = 1.0

    @property
    def is_identity(self) -> bool:
        """Whether the target is trained on as it is."""
        return self == (0.0, 1.0)

    def apply(self, y: Array) -> Array:
        """Return the target as training sees it."""
        return y if self.is_identity else (y - self.shift) / self.factor

    def undo(self, predictions: Predictions) -> Predictions:
        """Return predictions in the target's own unit."""
        if self.is_identity:
            return predictions
        return replace(predictions, values=predictions.values.astype(float) * self.factor + self.shift)

    def wrap(self, estimator: Any) -> Any:
        """Return a regressor that scales the target around an estimator."""
        if self.is_identity:
            return estimator
        return TransformedTargetRegressor(estimator, transformer=TargetScaler())


def fit_streamed(family: Family, fit: StreamedFit) -> Any:
    """Return an estimator fitted to streamed rows, as `Family.fit_streamed`; also one that `TargetScale` wrapped."""
    if not isinstance(fit.model, TransformedTargetRegressor):
        return family.fit_streamed(fit)
    y = fit.model.transformer_.transform(fit.fold.y.reshape(-1, 1)).reshape(-1)
    found = family.fit_streamed(replace(fit, model=fit.model.regressor_, fold=replace(fit.fold, y=y)))
    if found is None:
        return None
    fitted = copy(fit.model)
    fitted.regressor_ = found
    return fitted


class TargetScaler(TransformerMixin, BaseEstimator):
    """Standardise a target in float64, whatever type the predictions have.

    Attributes
    ----------
    shift_, factor_ : float
        Mean and standard deviation.

    Examples
    --------
    >>> scaler = TargetScaler().fit(np.array([[1.7e9], [1.7e9 + 2]]))
    >>> scaler.inverse_transform(np.array([[0.5]], np.float32)).tolist()
    [[1700000001.5]]
    """

    def fit(self, X: Array, y: Any = None) -> TargetScaler:
        """Learn shift and factor of a target of shape (n, 1)."""
        self.shift_, self.factor_ = float(np.mean(X)), float(np.std(X)) or 1.0
        return self

    def transform(self, X: Array) -> Array:
        """Return the standardised target."""
        return np.asarray((np.asarray(X, dtype=float) - self.shift_) / self.factor_)

    def inverse_transform(self, X: Array) -> Array:
        """Return values in the target's own unit."""
        return np.asarray(np.asarray(X, dtype=float) * self.factor_ + self.shift_)


def scale_of(values: Array) -> TargetScale:
    """Return the scale of a regression target of shape (n,).

    Examples
    --------
    >>> scale_of(np.array([1.0, 2.0, 3.0])).is_identity
    True
    >>> scale_of(np.array([1e12, 3e12]))
    TargetScale(shift=2000000000000.0, factor=1000000000000.0)
    """
    mean, spread = float(np.mean(values)), float(np.std(values))
    if not spread or not np.isfinite(spread):
        return TargetScale()
    low, high = _SPREADS
    ordinary = low <= spread <= high and abs(mean) <= _LARGEST_OFFSET * spread
    return TargetScale() if ordinary else TargetScale(mean, spread)


def target_scale(
    family: Family, params: Mapping[str, Any], estimator: str | None, problem: Problem
) -> TargetScale:
    """Return the scale for a family; the identity if it scales by itself, or its loss needs the target as it is.

    Parameters
    ----------
    family : Family
        The family.
    params : mapping
        Its parameters.
    estimator : str or None
        Import path of the class, for a family that a space names by one.
    problem : Problem
        The problem, with the scale of its target.
    """
    texts = [estimator or "", *(str(value) for value in params.values() if isinstance(value, str))]
    if family.scales_target or any(map(_POSITIVE.search, texts)):
        return TargetScale()
    return TargetScale(*problem.target_scale)
