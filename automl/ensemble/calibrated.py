"""A classifier with calibrated probabilities and a threshold other than one half."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

__all__ = ["CalibratedClassifier", "calibrated"]

Array = npt.NDArray[Any]

_SMALLEST = 1e-12  # probability in a logarithm


def calibrated(probabilities: Array, slope: float, shift: float = 0.0) -> Array:
    """Return probabilities whose logarithms are scaled, and shifted for the second of two classes.

    Parameters
    ----------
    probabilities : ndarray of shape (n, c)
        Class probabilities.
    slope : float
        Factor on the log probabilities: below 1, probabilities become less extreme.
    shift : float
        Added to the log odds of the second class.

    References
    ----------
    J. Platt, "Probabilistic outputs for support vector machines", 1999. C. Guo et al., "On calibration of modern neural
    networks", ICML 2017.

    Examples
    --------
    >>> calibrated(np.array([[0.2, 0.8]]), slope=0.5).round(3).tolist()
    [[0.333, 0.667]]
    """
    logits = slope * np.log(np.maximum(probabilities.astype(float), _SMALLEST))
    if shift:
        logits[:, 1] += shift
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


class CalibratedClassifier(ClassifierMixin, BaseEstimator):
    """A classifier with calibrated probabilities, and a threshold for the positive class of two.

    Parameters
    ----------
    model : estimator
        A classifier with ``predict_proba``.
    slope, shift : float
        As in `calibrated`.
    threshold : float or None
        Least calibrated probability of the positive class that is predicted as positive; None predicts the class of the
        greatest probability.
    positive : int
        Position of the positive class in ``classes_``.

    Attributes
    ----------
    model_ : estimator
        The fitted classifier.
    classes_ : ndarray of shape (n_classes,)
        Its labels.
    """

    def __init__(
        self,
        model: Any,
        slope: float = 1.0,
        shift: float = 0.0,
        threshold: float | None = None,
        positive: int = 1,
    ) -> None:
        self.model = model
        self.slope = slope
        self.shift = shift
        self.threshold = threshold
        self.positive = positive

    @classmethod
    def of_fitted(
        cls, model: Any, slope: float, shift: float, threshold: float | None, positive: int
    ) -> Self:
        """Return a calibrated form of a fitted classifier."""
        made = cls(clone(model), slope, shift, threshold, positive)
        made._keep(model)
        return made

    def fit(self, X: Any, y: Any) -> Self:
        """Fit the classifier; slope, shift and threshold stay."""
        self._keep(clone(self.model).fit(X, y))
        return self

    def predict_proba(self, X: Any) -> Array:
        """Return calibrated class probabilities, shape (n, n_classes)."""
        check_is_fitted(self)
        return calibrated(self.model_.predict_proba(X), self.slope, self.shift)

    def predict(self, X: Any) -> Array:
        """Return labels by the threshold, or of the greatest probability; shape (n,)."""
        probabilities = self.predict_proba(X)
        if self.threshold is None:
            return np.asarray(self.classes_[probabilities.argmax(axis=1)])
        chosen = probabilities[:, self.positive] >= self.threshold
        return np.asarray(self.classes_[np.where(chosen, self.positive, 1 - self.positive)])

    def _keep(self, model: Any) -> None:
        self.model_, self.classes_ = model, np.asarray(model.classes_)
        self.n_features_in_ = model.n_features_in_
        if hasattr(model, "feature_names_in_"):
            self.feature_names_in_ = model.feature_names_in_

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self.model).input_tags
        return tags
