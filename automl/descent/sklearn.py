"""The core as scikit-learn estimators: a cohort of one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, is_regressor
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state, compute_class_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data
from typing_extensions import override

from automl.constraints import Anything, Boolean, Number, Parameter
from automl.descent.config import RULES, Architecture, TrainConfig, build, parameters
from automl.descent.kernels import Array
from automl.descent.losses import DEFAULT_LOSSES, LOSSES, Loss
from automl.descent.records import Snapshot
from automl.descent.training import Training
from automl.errors import Fault, InputError

__all__ = ["ESTIMATOR_PARAMETERS", "GradientDescentClassifier", "GradientDescentRegressor"]

_OPEN = Number(0, 1, open_low=True, open_high=True)

ESTIMATOR_PARAMETERS: dict[str, Parameter] = {
    "categories": RULES["categories"],
    "early_stopping": Parameter(Boolean(), False, "stop when the loss on held-out rows no longer falls"),
    "validation_fraction": Parameter(_OPEN, 0.1, "share of the rows held out for early stopping"),
    "patience": Parameter(Number(1, integer=True), 10, "epochs without a new best before training stops"),
    "warm_start": Parameter(Boolean(), False, "start from the weights of the fit before"),
    "random_state": Parameter(Anything(), None, "seed of initial weights, dropout, held-out rows and order"),
}
"""Parameters of the estimators beyond `automl.descent.PARAMETERS`."""


@dataclass(eq=False, repr=False)
class _GradientDescent(BaseEstimator, ABC):
    loss: str | None = None
    _: KW_ONLY
    loss_params: Mapping[str, Any] | None = None
    hidden_layer_sizes: Sequence[int] = ()
    activation: str = "relu"
    normalization: str | None = None
    input_layer: str = "none"
    input_layer_params: Mapping[str, Any] | None = None
    categories: Sequence[int] = ()
    optimizer: str = "adam"
    optimizer_params: Mapping[str, Any] | None = None
    learning_rate: float = 1e-3
    schedule: str = "constant"
    schedule_params: Mapping[str, Any] | None = None
    warmup: float = 0.0
    batch_size: int | str = 32
    max_epochs: int = 100
    l1: float = 0.0
    l2: float = 1e-4
    weight_decay: float = 0.0
    dropout: float = 0.0
    clip_norm: float | None = None
    label_smoothing: float = 0.0
    average: float = 0.0
    early_stopping: bool = False
    validation_fraction: float = 0.1
    patience: int = 10
    warm_start: bool = False
    random_state: Any = None

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _plan(self, task: str) -> tuple[Architecture, TrainConfig]:
        """Return the records that the constructor's arguments describe, or raise all their faults."""
        values = self.get_params(deep=False)
        values["loss"] = DEFAULT_LOSSES[task] if self.loss is None else self.loss
        for name in values:
            if name.endswith("_params") and values[name] is None:
                values[name] = {}
        for name in ("hidden_layer_sizes", "categories"):
            values[name] = np.atleast_1d(values[name]).astype(int).tolist()
        seed = self.random_state
        if not isinstance(seed, int | np.integer):
            seed = check_random_state(seed).randint(2**31 - 1)
        return build(values, parameters(task) | ESTIMATOR_PARAMETERS, int(seed))

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit to rows ``X`` ``(n, d)`` and ``y`` ``(n,)``, targets or labels of any kind, with optional row weights."""
        return self._learn(X, y, sample_weight, first=True)

    @abstractmethod
    def _learn(self, X: Any, y: Any, sample_weight: Any, first: bool, partial: bool = False) -> Self:
        """Check the data and train; ``first``: columns and classes are those of these rows."""

    def _checked(self, X: Any, y: Any, sample_weight: Any, first: bool) -> tuple[Any, Array, Array | None]:
        X, y = validate_data(
            self, X, y, dtype=np.float32, accept_sparse="csr", y_numeric=is_regressor(self), reset=first
        )
        return X, y, None if sample_weight is None else _check_sample_weight(sample_weight, X)

    def _train(
        self, task: str, X: Any, y: Array, weight: Array | None, n_outputs: int, partial: bool
    ) -> Self:
        architecture, config = self._plan(task)
        known = hasattr(self, "theta_") and (partial or self.warm_start)
        earlier: list[float] = self.loss_curve_ if known and partial else []
        held = None
        if self.early_stopping and not partial:
            (X, y, weight), held = self._hold_out(X, y, weight, task, config.seed)
        epochs = len(earlier) + 1 if partial else config.max_epochs
        if earlier:
            # a call after the last epoch still trains, with the schedule at its end
            config = replace(config, seed=self.seed_, max_epochs=max(config.max_epochs, epochs))
        resume = None
        if known:
            continues = partial and hasattr(self, "state_")
            resume = [Snapshot(**self.state_) if continues else Snapshot(self.theta_)]
        training = Training(
            architecture,
            [config],
            X,
            y,
            n_outputs=n_outputs,
            sample_weight=weight,
            order_seed=config.seed,
            resume=resume,
            epoch=len(earlier),
            target_scale=(self.target_shift_, self.target_factor_) if known else None,
        )
        self.validation_curve_: list[float] = []
        theta = self._advance(training, epochs, held)
        for failure in training.failures.values():
            why = f"training ended in epoch {failure.epoch}: {failure.reason}"
            raise FloatingPointError(f"{why}. Lower learning_rate or set clip_norm.")
        self._store(training, 0, theta, earlier)
        self.__dict__.pop("state_", None)
        if partial:
            self.state_: dict[str, Any] = dict(vars(training.snapshot(0)))
        return self

    def _hold_out(self, X: Any, y: Array, weight: Array | None, task: str, seed: int) -> Any:
        """Return ``(X, y, weight)`` to train on and the same for early stopping."""
        parts = train_test_split(
            np.arange(len(y)),
            test_size=self.validation_fraction,
            random_state=seed % 2**32,
            stratify=None if task == "regression" else y,
        )
        return [(X[rows], y[rows], None if weight is None else weight[rows]) for rows in parts]

    def _advance(self, training: Training, epochs: int, held: Any) -> Array | None:
        """Train; return the best weights on held-out rows, or None without such rows."""
        if held is None:
            training.advance(epochs)
            return None
        best, theta, waited = np.inf, None, 0
        while training.epoch < epochs and waited < self.patience:
            training.advance(training.epoch + 1)
            if training.failures:
                return None
            value = float(training.loss_on(*held)[0])
            self.validation_curve_.append(value)
            waited += 1
            if value < best:
                best, theta, waited = value, training.theta(0), 0
        return theta

    def adopt(self, training: Training, i: int) -> Self:
        """Take over config ``i`` of a cohort as trained so far, as if fitted alone; classes are 0, 1, ...."""
        self.n_features_in_ = training.shape[0]
        self.validation_curve_ = []
        self._store(training, i)
        return self

    def _store(
        self, training: Training, i: int, theta: Array | None = None, earlier: Sequence[float] = ()
    ) -> None:
        """Store the fitted model as plain values, without the state of its optimizer."""
        self.n_outputs_ = training.shape[1]
        self.architecture_: dict[str, Any] = dict(vars(training.architecture))
        self.config_: dict[str, Any] = dict(vars(training.configs[i]))
        self.theta_ = training.theta(i) if theta is None else theta
        self.target_shift_, self.target_factor_ = training.target_scale
        self.loss_curve_ = [*earlier, *training.history(i)[0]]
        self.n_iter_ = len(self.loss_curve_)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "snapshot_" in state:  # of version 0.1, with the optimizer's state and the weights twice more
            for name in ("snapshot_", "coefs_", "intercepts_", "embeddings", "loss_", "seed_"):
                self.__dict__.pop(name)
            architecture, config = self._plan(next(iter(LOSSES[state["loss_"]].tasks)))
            self.architecture_ = {**vars(architecture), "loss": state["loss_"]}
            self.config_ = {**vars(config), "seed": state["seed_"]}

    @property
    def loss_(self) -> str:
        """Name of the loss."""
        return str(self.architecture_["loss"])

    @property
    def seed_(self) -> int:
        """Seed of the training."""
        return int(self.config_["seed"])

    @property
    def coefs_(self) -> list[Array]:
        """Weights ``(n_in, n_out)`` of each dense layer."""
        return [weight for weight, _ in self._coefficients()]

    @property
    def intercepts_(self) -> list[Array]:
        """Biases ``(n_out,)`` of each dense layer."""
        return [bias for _, bias in self._coefficients()]

    def _coefficients(self) -> list[tuple[Array, Array]]:
        model = Architecture(**self.architecture_).make_model(self.n_features_in_, self.n_outputs_)
        scale = self.target_shift_, self.target_factor_
        return self._loss().unscale_layers(model.coefficients(self.theta_), *scale)

    def _raw(self, X: Any) -> Array:
        """Return raw outputs ``(n, c)`` in the target's own unit."""
        loss = self._loss()
        X = validate_data(self, X, reset=False, dtype=np.float32, accept_sparse="csr")
        model = Architecture(**self.architecture_).make_model(X.shape[1], self.n_outputs_)
        z = model.outputs(self.theta_[None], [TrainConfig(**self.config_)], X)[0]
        return loss.unscale(z, self.target_shift_, self.target_factor_)

    def _loss(self) -> Loss:
        check_is_fitted(self)
        return Architecture(**self.architecture_).make_loss()

    def _linear(self) -> tuple[Array, Array]:
        """Return ``(W, b)`` of a fitted model without hidden layers."""
        found = self._coefficients() if hasattr(self, "theta_") else []
        if len(found) != 1:
            raise AttributeError("coef_ and intercept_ belong to a fitted model without hidden layers")
        return found[0]


@dataclass(eq=False, repr=False)
class GradientDescentClassifier(ClassifierMixin, _GradientDescent):
    """A linear classifier or multilayer perceptron by gradient descent.

    The arguments are those of `automl.descent.PARAMETERS` and `ESTIMATOR_PARAMETERS`; ``loss_params``,
    ``optimizer_params``, ``schedule_params`` and ``input_layer_params`` hold the parameters of the choice.
    The default loss is logistic for two classes and softmax for more.

    Parameters
    ----------
    class_weight : dict or "balanced", optional
        Weight of each label; balanced: in inverse proportion to their number.

    Attributes
    ----------
    classes_ : ndarray of shape (c,)
        The labels.
    coef_, intercept_ : ndarray of shape (1 or c, d) and (1 or c,)
        Weights and biases of a linear model.
    coefs_, intercepts_ : list of ndarray
        Weights ``(d, h)`` and biases ``(h,)`` of each layer.
    loss_curve_ : list of float
        Training loss by epoch, without penalties.
    validation_curve_ : list of float
        Loss on the held-out rows by epoch; empty without early stopping.
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

    class_weight: Any = None

    @override
    def adopt(self, training: Training, i: int) -> Self:
        self.classes_ = np.arange(max(2, training.shape[1]))
        return super().adopt(training, i)

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Train one epoch on these rows; the first call needs ``classes``, all labels."""
        first = not hasattr(self, "theta_")
        if first and classes is None:
            raise InputError(Fault("classes", "must be given at the first call of partial_fit", "None"))
        return self._learn(X, y, sample_weight, first, partial=True, classes=classes)

    @override
    def _learn(
        self, X: Any, y: Any, sample_weight: Any, first: bool, partial: bool = False, classes: Any = None
    ) -> Self:
        X, y, weight = self._checked(X, y, sample_weight, first)
        check_classification_targets(y)
        labels = np.unique(y if classes is None else classes) if first else self.classes_
        if len(labels) < 2:
            raise InputError(Fault("y", "must have at least 2 classes", "1 class"))
        if not np.isin(y, labels).all():
            raise InputError(Fault("y", "must hold labels of classes only", str(np.setdiff1d(y, labels))))
        self.classes_ = labels
        codes = np.searchsorted(labels, y)
        if self.class_weight is not None:
            by_class = compute_class_weight(self.class_weight, classes=labels, y=y)
            weight = by_class[codes] * (1 if weight is None else weight)
        task, n_outputs = ("binary", 1) if len(labels) == 2 else ("multiclass", len(labels))
        return self._train(task, X, codes, weight, n_outputs, partial)

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
        """Return probabilities ``(n, c)``; only for losses with probabilities."""
        return self._loss().link(self._raw(X))

    @property
    def coef_(self) -> Array:
        """Weights ``(1 or c, d)`` of the linear model."""
        return self._linear()[0].T

    @property
    def intercept_(self) -> Array:
        """Biases ``(1 or c,)`` of the linear model."""
        return self._linear()[1]


@dataclass(eq=False, repr=False)
class GradientDescentRegressor(RegressorMixin, _GradientDescent):
    """A linear regression or multilayer perceptron by gradient descent.

    The arguments are those of `automl.descent.PARAMETERS` and `ESTIMATOR_PARAMETERS`; ``loss_params``,
    ``optimizer_params``, ``schedule_params`` and ``input_layer_params`` hold the parameters of the choice.
    The default loss is squared. The target is standardised inside, so learning rates and penalties do not depend on
    its unit.

    Attributes
    ----------
    coef_, intercept_ : ndarray of shape (d,) and float
        Weights and bias of a linear model, in the target's own unit (Poisson: of the logarithm).
    coefs_, intercepts_ : list of ndarray
        Weights ``(d, h)`` and biases ``(h,)`` of each layer.
    loss_curve_ : list of float
        Training loss by epoch on the standardised target, without penalties.
    validation_curve_ : list of float
        Loss on the held-out rows by epoch; empty without early stopping.
    n_iter_ : int
        Epochs done.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(100, 2))
    >>> model = GradientDescentRegressor(learning_rate=0.01, random_state=0).fit(X, 1000 + X @ [300, 0])
    >>> np.round(model.coef_, -1).astype(int).tolist(), round(model.intercept_, -1)
    ([300, 0], 1000.0)
    """

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train one epoch on these rows; the targets of the first call set the scale."""
        return self._learn(X, y, sample_weight, first=not hasattr(self, "theta_"), partial=True)

    @override
    def _learn(self, X: Any, y: Any, sample_weight: Any, first: bool, partial: bool = False) -> Self:
        return self._train("regression", *self._checked(X, y, sample_weight, first), 1, partial)

    def predict(self, X: Any) -> Array:
        """Return predictions ``(n,)`` for rows ``X`` ``(n, d)``."""
        return self._loss().link(self._raw(X))

    @property
    def coef_(self) -> Array:
        """Weights ``(d,)`` of the linear model, in the target's own unit."""
        return self._linear()[0][:, 0]

    @property
    def intercept_(self) -> float:
        """Bias of the linear model, in the target's own unit."""
        return float(self._linear()[1][0])
