"""The core as scikit-learn estimators: a cohort of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state, compute_class_weight
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data
from typing_extensions import override

from automl.constraints import Anything, Boolean, Number, Parameter
from automl.descent.arrays import Array
from automl.descent.cohort import Snapshot
from automl.descent.losses import DEFAULT_LOSSES, LOSSES, Loss
from automl.descent.network import Network
from automl.descent.recipe import EMBEDDINGS, Architecture, Recipe, faults, parameters
from automl.descent.train import Training
from automl.errors import Fault, InputError

__all__ = ["ESTIMATOR_PARAMETERS", "GradientDescentClassifier", "GradientDescentRegressor"]

_OPEN = Number(0, 1, open_low=True, open_high=True)

ESTIMATOR_PARAMETERS: dict[str, Parameter] = {
    "embeddings": EMBEDDINGS,
    "early_stopping": Parameter(Boolean(), False, "stop when the loss on held-out rows no longer falls"),
    "validation_fraction": Parameter(_OPEN, 0.1, "share of the rows held out for early stopping"),
    "patience": Parameter(Number(1, integer=True), 10, "epochs without a new best that are borne"),
    "warm_start": Parameter(Boolean(), False, "start from the weights of the fit before"),
    "random_state": Parameter(Anything(), None, "seed of initial weights, dropout, held-out rows and order"),
}
"""What the estimators take beyond `automl.descent.PARAMETERS`."""


@dataclass(eq=False, repr=False)
class _GradientDescent(BaseEstimator):
    loss: str | None = None
    _: KW_ONLY
    loss_params: Mapping[str, Any] | None = None
    hidden_layer_sizes: Sequence[int] = ()
    activation: str = "relu"
    normalization: str | None = None
    embeddings: Sequence[tuple[int, int]] = ()
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

    def _plan(self, task: str) -> tuple[Architecture, Recipe]:
        """Return what the constructor's arguments mean, or raise all their faults."""
        values = self.get_params(deep=False)
        values["loss"] = DEFAULT_LOSSES[task] if self.loss is None else self.loss
        for name in ("loss_params", "optimizer_params", "schedule_params"):
            values[name] = {} if values[name] is None else values[name]
        values["hidden_layer_sizes"] = tuple(np.atleast_1d(self.hidden_layer_sizes).tolist())
        values["embeddings"] = tuple(tuple(pair) for pair in self.embeddings)
        found = faults(values, parameters(task) | ESTIMATOR_PARAMETERS)
        if found:
            raise InputError(found)
        architecture = {name: values[name] for name in Architecture.__dataclass_fields__}
        recipe = {name: values[name] for name in Recipe.__dataclass_fields__ if name in values}
        return Architecture(**architecture), Recipe(**recipe, seed=_seed(self.random_state))

    def _train(
        self, task: str, X: Any, y: Array, n_outputs: int, weight: Array | None, partial: bool
    ) -> None:
        architecture, recipe = self._plan(task)
        known = hasattr(self, "theta_") and (partial or self.warm_start)
        held: tuple[Any, Array, Array | None] | None = None
        if self.early_stopping and not partial:
            (X, y, weight), held = self._hold_out(X, y, weight, task, recipe.seed)
        goes_on = partial and known
        epochs = recipe.max_epochs
        if partial:
            epochs = self.n_iter_ + 1 if goes_on else 1
            seed = self.seed_ if goes_on else recipe.seed
            # a call past the last epoch still trains: the schedule then stays at its end
            recipe = replace(recipe, seed=seed, max_epochs=max(recipe.max_epochs, epochs))
        training = Training(
            architecture,
            [recipe],
            X,
            y,
            n_outputs=n_outputs,
            sample_weight=weight,
            order_seed=recipe.seed,
            resume=[Snapshot(self.theta_, self.optimizer_state_ if partial else {})] if known else None,
            epoch=self.n_iter_ if goes_on else 0,
            target_scale=(self.target_shift_, self.target_factor_) if known else None,
        )
        earlier: list[float] = self.loss_curve_ if goes_on else []
        self.validation_curve_: list[float] = []
        theta = None if held is None else self._stop_early(training, recipe.max_epochs, held)
        if held is None:
            training.advance(epochs)
        if training.failures:
            failure = training.failures[0]
            raise FloatingPointError(
                f"training ended in epoch {failure.epoch}: {failure.reason}. "
                "Lower learning_rate or set clip_norm."
            )
        self._keep(training, 0, theta)
        self.loss_curve_[:0] = earlier

    def _hold_out(self, X: Any, y: Array, weight: Array | None, task: str, seed: int) -> Any:
        """Return ``(X, y, weight)`` to train on and the same to stop by."""
        parts = train_test_split(
            *(part for part in (X, y, weight) if part is not None),
            test_size=self.validation_fraction,
            random_state=seed % 2**32,
            stratify=None if task == "regression" else y,
        )
        return [*parts[::2], None][:3], [*parts[1::2], None][:3]

    def _stop_early(self, training: Training, epochs: int, held: Any) -> Array | None:
        """Train until ``patience`` epochs brought no new best on held-out rows; return the best weights."""
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
        """Become what recipe ``i`` of a cohort is by now, as if fitted alone; classes are the codes 0, 1, ...."""
        self.n_features_in_ = training.shape[0]
        self.validation_curve_ = []
        self._keep(training, i, None)
        self.n_iter_: int = len(self.loss_curve_)
        return self

    def _keep(self, training: Training, i: int, theta: Array | None) -> None:
        """Take over what a training learned of recipe ``i``, as plain values."""
        self.n_outputs_ = training.shape[1]
        self.loss_ = training.architecture.loss
        snapshot = training.snapshot(i)
        self.optimizer_state_ = snapshot.state
        self.theta_ = training.theta(i) if theta is None else theta
        self.target_shift_, self.target_factor_ = training.target_scale
        self.n_iter_ = training.epoch
        self.seed_: int = training.recipes[i].seed
        self.loss_curve_: list[float] = list(training.history(i)[0])
        layers = training.weights(i, self.theta_)
        self.coefs_ = [weight for weight, _ in layers]
        self.intercepts_ = [bias for _, bias in layers]

    def _raw(self, X: Any) -> Array:
        """Return raw outputs ``(n, c)`` in the target's own unit."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=np.float32, accept_sparse="csr")
        sizes = tuple(np.atleast_1d(self.hidden_layer_sizes).astype(int).tolist())
        architecture = Architecture(
            self.loss_, sizes, self.activation, self.normalization, embeddings=tuple(self.embeddings)
        )
        z = Network(architecture, X.shape[1], self.n_outputs_).outputs(self.theta_[None], X)[0]
        return self._fitted_loss().restore(z, self.target_shift_, self.target_factor_)

    def _fitted_loss(self) -> Loss:
        return LOSSES[self.loss_](**(self.loss_params or {}))

    def _linear(self) -> tuple[Array, Array]:
        """Return ``(W, b)`` of a fitted model without hidden layers."""
        if len(getattr(self, "coefs_", ())) != 1:
            raise AttributeError("coef_ and intercept_ belong to a fitted model without hidden layers")
        return self.coefs_[0], self.intercepts_[0]


def _seed(random_state: Any) -> int:
    if isinstance(random_state, int | np.integer):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))


@dataclass(eq=False, repr=False)
class GradientDescentClassifier(ClassifierMixin, _GradientDescent):
    """A linear classifier or multilayer perceptron by gradient descent.

    The arguments are those of `automl.descent.PARAMETERS` and `ESTIMATOR_PARAMETERS`, with ``loss_params``,
    ``optimizer_params`` and ``schedule_params`` for the parameters of what was chosen. The default loss is
    logistic for two classes and softmax for more.

    Parameters
    ----------
    class_weight : dict or "balanced", optional
        Weight of each label; balanced: in inverse proportion to their number.

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

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> GradientDescentClassifier:
        """Fit to rows ``X`` ``(n, d)`` and labels ``y`` ``(n,)`` of any kind, with optional row weights."""
        X, y = validate_data(self, X, y, dtype=np.float32, accept_sparse="csr")
        check_classification_targets(y)
        classes = np.unique(y)
        if len(classes) < 2:
            raise InputError(Fault("y", "must have at least 2 classes", "1 class"))
        self.classes_ = classes
        return self._learn(X, y, sample_weight, partial=False)

    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None
    ) -> GradientDescentClassifier:
        """Train one epoch on these rows; ``classes`` names all labels, at the first call at least."""
        first = not hasattr(self, "theta_")
        X, y = validate_data(self, X, y, dtype=np.float32, accept_sparse="csr", reset=first)
        check_classification_targets(y)
        if first and classes is None:
            raise InputError(Fault("classes", "must be given at the first call of partial_fit", "None"))
        if first:
            self.classes_ = np.unique(classes)
        if not np.isin(y, self.classes_).all():
            raise InputError(
                Fault("y", "must hold labels of classes only", str(np.setdiff1d(y, self.classes_)))
            )
        return self._learn(X, y, sample_weight, partial=True)

    def _learn(self, X: Any, y: Array, sample_weight: Any, partial: bool) -> GradientDescentClassifier:
        weight = None if sample_weight is None else _check_sample_weight(sample_weight, X)
        codes = np.searchsorted(self.classes_, y)
        if self.class_weight is not None:
            by_class = compute_class_weight(self.class_weight, classes=self.classes_, y=y)
            weight = by_class[codes] * (1 if weight is None else weight)
        count = len(self.classes_)
        task, n_outputs = ("binary", 1) if count == 2 else ("multiclass", count)
        self._train(task, X, codes, n_outputs, weight, partial)
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
        return self._fitted_loss().link(z)

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

    The arguments are those of `automl.descent.PARAMETERS` and `ESTIMATOR_PARAMETERS`, with ``loss_params``,
    ``optimizer_params`` and ``schedule_params`` for the parameters of what was chosen. The default loss is
    squared. The target is standardised inside, so learning rates and penalties do not depend on its unit.

    Attributes
    ----------
    coef_, intercept_ : ndarray of shape (d,) and float
        Where there is no hidden layer, in the target's own unit (Poisson: of the logarithm).
    coefs_, intercepts_ : list of ndarray
        Weights ``(d, h)`` and biases ``(h,)`` of each layer.
    loss_curve_ : list of float
        Training loss by epoch on the standardised target, penalties left out.
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

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> GradientDescentRegressor:
        """Fit to rows ``X`` ``(n, d)`` and targets ``y`` ``(n,)``, with optional row weights."""
        return self._learn(X, y, sample_weight, partial=False)

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> GradientDescentRegressor:
        """Train one epoch on these rows; the first call's targets set the scale."""
        return self._learn(X, y, sample_weight, partial=True)

    def _learn(self, X: Any, y: Any, sample_weight: Any, partial: bool) -> GradientDescentRegressor:
        first = not (partial and hasattr(self, "theta_"))
        X, y = validate_data(self, X, y, dtype=np.float32, accept_sparse="csr", y_numeric=True, reset=first)
        weight = None if sample_weight is None else _check_sample_weight(sample_weight, X)
        self._train("regression", X, y, 1, weight, partial)
        return self

    def predict(self, X: Any) -> Array:
        """Return predictions ``(n,)`` for rows ``X`` ``(n, d)``."""
        z = self._raw(X)
        return self._fitted_loss().link(z)

    @property
    def coef_(self) -> Array:
        """Weights ``(d,)`` of the linear model, in the target's own unit."""
        return self._linear()[0][:, 0]

    @property
    def intercept_(self) -> float:
        """Bias of the linear model, in the target's own unit."""
        return float(self._linear()[1][0])
