"""The core as scikit-learn estimators: a cohort of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from automl.descent.arrays import Array
from automl.descent.losses import DEFAULT_LOSSES, LOSSES
from automl.descent.network import Network
from automl.descent.recipe import Architecture, Recipe, faults, parameters
from automl.descent.train import Training
from automl.errors import Fault, InputError

__all__ = ["GradientDescentClassifier", "GradientDescentRegressor"]


class _GradientDescent(BaseEstimator):
    def __init__(
        self,
        loss: str | None = None,
        *,
        loss_params: Mapping[str, Any] | None = None,
        hidden_layer_sizes: Sequence[int] = (),
        activation: str = "relu",
        optimizer: str = "adam",
        optimizer_params: Mapping[str, Any] | None = None,
        learning_rate: float = 1e-3,
        schedule: str = "constant",
        schedule_params: Mapping[str, Any] | None = None,
        warmup: float = 0.0,
        batch_size: int | str = 32,
        max_epochs: int = 100,
        l1: float = 0.0,
        l2: float = 1e-4,
        weight_decay: float = 0.0,
        dropout: float = 0.0,
        clip_norm: float | None = None,
        label_smoothing: float = 0.0,
        random_state: Any = None,
    ) -> None:
        self.loss = loss
        self.loss_params = loss_params
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.optimizer = optimizer
        self.optimizer_params = optimizer_params
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.schedule_params = schedule_params
        self.warmup = warmup
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.l1 = l1
        self.l2 = l2
        self.weight_decay = weight_decay
        self.dropout = dropout
        self.clip_norm = clip_norm
        self.label_smoothing = label_smoothing
        self.random_state = random_state

    def _plan(self, task: str) -> tuple[Architecture, Recipe]:
        """Return what the constructor's arguments mean, or raise all their faults."""
        values = self.get_params(deep=False)
        values["loss"] = DEFAULT_LOSSES[task] if self.loss is None else self.loss
        for name in ("loss_params", "optimizer_params", "schedule_params"):
            values[name] = {} if values[name] is None else values[name]
        values["hidden_layer_sizes"] = tuple(np.atleast_1d(self.hidden_layer_sizes).tolist())
        found = faults(values, parameters(task))
        if found:
            raise InputError(found)
        architecture = {name: values[name] for name in Architecture.__dataclass_fields__}
        recipe = {name: values[name] for name in Recipe.__dataclass_fields__ if name in values}
        return Architecture(**architecture), Recipe(**recipe, seed=_seed(self.random_state))

    def _train(self, task: str, X: Array, y: Array, n_outputs: int, sample_weight: Any) -> None:
        architecture, recipe = self._plan(task)
        training = Training(
            architecture,
            [recipe],
            X,
            y,
            n_outputs=n_outputs,
            sample_weight=sample_weight,
            order_seed=recipe.seed,
        )
        training.advance(recipe.max_epochs)
        if training.failures:
            failure = training.failures[0]
            raise FloatingPointError(
                f"training ended in epoch {failure.epoch}: {failure.reason}. "
                "Lower learning_rate or set clip_norm."
            )
        self._keep(training, n_outputs)

    def _keep(self, training: Training, n_outputs: int) -> None:
        """Take over what a training learned, as plain values."""
        architecture = training.architecture
        self.n_outputs_ = n_outputs
        self.loss_ = architecture.loss
        self.theta_ = training.theta(0)
        self.target_shift_, self.target_factor_ = training.target_scale
        self.loss_curve_ = list(training.history(0)[0])
        self.n_iter_ = training.epoch
        weights = training.weights(0)
        self.coefs_ = [weight for weight, _ in weights]
        self.intercepts_ = [bias for _, bias in weights]

    def _raw(self, X: Any) -> Array:
        """Return raw outputs ``(n, c)`` in the target's own unit."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=np.float32)
        sizes = tuple(np.atleast_1d(self.hidden_layer_sizes).astype(int).tolist())
        network = Network(Architecture(self.loss_, sizes, self.activation), X.shape[1], self.n_outputs_)
        z = network.outputs(self.theta_[None], X)[0]
        return np.asarray(self._fitted_loss().restore(z, self.target_shift_, self.target_factor_))

    def _fitted_loss(self) -> Any:
        return LOSSES[self.loss_](**(self.loss_params or {}))


def _seed(random_state: Any) -> int:
    if isinstance(random_state, int | np.integer):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))


class GradientDescentClassifier(ClassifierMixin, _GradientDescent):
    """A linear classifier or multilayer perceptron by gradient descent.

    The arguments are those of `automl.descent.PARAMETERS`, with ``loss_params``, ``optimizer_params`` and
    ``schedule_params`` for the parameters of what was chosen, and ``random_state`` for initial weights,
    dropout and the order of rows. The default loss is logistic for two classes and softmax for more.

    Attributes
    ----------
    classes_ : ndarray of shape (c,)
        The labels.
    coef_, intercept_ : ndarray of shape (1 or c, d) and (1 or c,)
        Where there is no hidden layer.
    coefs_, intercepts_ : list of ndarray
        Weights ``(d, h)`` and biases ``(h,)`` of each layer.
    loss_curve_ : list of float
        Training loss by epoch, penalties left out.
    n_iter_ : int
        Epochs done.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> model = GradientDescentClassifier(optimizer="momentum", optimizer_params={"momentum": 0.9},
    ...                                   learning_rate=0.01, random_state=0)
    >>> bool(model.fit(X, y).score(X, y) > 0.95)
    True
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> GradientDescentClassifier:
        """Fit to rows ``X`` ``(n, d)`` and labels ``y`` ``(n,)`` of any kind, with optional row weights."""
        X, y = validate_data(self, X, y, dtype=np.float32)
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise InputError(Fault("y", "must have at least 2 classes", "1 class"))
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X)
        binary = len(self.classes_) == 2
        self._train(
            "binary" if binary else "multiclass", X, codes, 1 if binary else len(self.classes_), sample_weight
        )
        return self

    def decision_function(self, X: Any) -> Array:
        """Return raw outputs, ``(n,)`` for two classes (above 0: the second), else ``(n, c)``."""
        z = self._raw(X)
        return z[:, 0] if z.shape[1] == 1 else z

    def predict(self, X: Any) -> Array:
        """Return the labels ``(n,)`` of rows ``X`` ``(n, d)``."""
        z = self._raw(X)
        codes = (z[:, 0] > 0).astype(np.intp) if z.shape[1] == 1 else z.argmax(axis=1)
        return np.asarray(self.classes_[codes])

    def _has_probabilities(self) -> bool:
        if self.loss is None or self.loss not in LOSSES or LOSSES[self.loss].probabilities:
            return True
        raise AttributeError(f"the loss {self.loss} has no probabilities")

    @available_if(_has_probabilities)
    def predict_proba(self, X: Any) -> Array:
        """Return probabilities ``(n, c)``; only for losses that have them."""
        z = self._raw(X)
        return np.asarray(self._fitted_loss().link(z))

    @property
    def coef_(self) -> Array:
        """Weights ``(1 or c, d)`` of the linear model."""
        _only_linear(self)
        return np.asarray(self.coefs_[0].T)

    @property
    def intercept_(self) -> Array:
        """Biases ``(1 or c,)`` of the linear model."""
        _only_linear(self)
        return np.asarray(self.intercepts_[0])


class GradientDescentRegressor(RegressorMixin, _GradientDescent):
    """A linear regression or multilayer perceptron by gradient descent.

    The arguments are those of `automl.descent.PARAMETERS`, with ``loss_params``, ``optimizer_params`` and
    ``schedule_params`` for the parameters of what was chosen, and ``random_state`` for initial weights,
    dropout and the order of rows. The default loss is squared. The target is standardised inside, so learning
    rates and penalties do not depend on its unit.

    Attributes
    ----------
    coef_, intercept_ : ndarray of shape (d,) and float
        Where there is no hidden layer, in the target's own unit.
    coefs_, intercepts_ : list of ndarray
        Weights ``(d, h)`` and biases ``(h,)`` of each layer.
    loss_curve_ : list of float
        Training loss by epoch on the standardised target, penalties left out.
    n_iter_ : int
        Epochs done.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(100, 2))
    >>> model = GradientDescentRegressor(learning_rate=0.01, random_state=0).fit(X, 1000 + X @ [300, 0])
    >>> np.round(model.coef_, -1).astype(int).tolist(), round(float(model.intercept_), -1)
    ([300, 0], 1000.0)
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> GradientDescentRegressor:
        """Fit to rows ``X`` ``(n, d)`` and targets ``y`` ``(n,)``, with optional row weights."""
        X, y = validate_data(self, X, y, dtype=np.float32, y_numeric=True)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X)
        self._train("regression", X, y, 1, sample_weight)
        return self

    def predict(self, X: Any) -> Array:
        """Return predictions ``(n,)`` for rows ``X`` ``(n, d)``."""
        z = self._raw(X)
        return np.asarray(self._fitted_loss().link(z))

    @property
    def coef_(self) -> Array:
        """Weights ``(d,)`` of the linear model, in the target's own unit."""
        _only_linear(self)
        return np.asarray(self.coefs_[0][:, 0])

    @property
    def intercept_(self) -> float:
        """Bias of the linear model, in the target's own unit."""
        _only_linear(self)
        return float(self.intercepts_[0][0])


def _only_linear(model: _GradientDescent) -> None:
    """Raise where ``model`` is not fitted or has hidden layers."""
    if len(getattr(model, "coefs_", ())) != 1:
        raise AttributeError("coef_ and intercept_ belong to a fitted model without hidden layers")
