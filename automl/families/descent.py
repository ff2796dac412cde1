"""Families that the gradient-descent core trains in cohorts."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from typing_extensions import override

from automl.constraints import Parameter, Section, named
from automl.descent import (
    DEFAULT_LOSSES,
    LOSSES,
    Architecture,
    GradientDescentClassifier,
    GradientDescentRegressor,
    Training,
    from_configuration,
    parameters,
)
from automl.families.base import Family, Trainer
from automl.families.problem import Array, Fold, Problem, StreamedFit, predictions_from
from automl.metrics import Metric, Predictions

__all__ = ["DescentFamily"]

_AT_A_TIME = 1024  # rows of a large batch that pass through the layers together, approximately
_STEP = 20_000  # fixed cost of a step, in products of a row and a weight
_LEAST, _MOST = 2, 8  # cohort size; larger cohorts would be proposed with too little knowledge
_SHARED = 20_000  # products of a row with all trials, beyond which products dominate a step
# No pruning before this many rows or this share of training: decaying rates start large and score badly at first.
_TELLING_ROWS, _TELLING_PART = 300_000, 1 / 8
_STREAMED_ROW = 40  # bytes of a streamed row in memory: its target, and temporary copies of it
_WINDOW_BYTES = 200_000_000  # rows that are shuffled together
_HIDDEN = {"hidden_layer_sizes": (64,)}  # default of the mlp family
_OF_HIDDEN_LAYERS = ("hidden_layer_sizes", "activation", "normalization", "dropout", "input_layer")


class _CohortTrainer(Trainer):
    """Trains a cohort of the core on one fold."""

    def __init__(
        self, training: Training, problem: Problem, epoch_steps: int, unfitted: Callable[[int], Any]
    ) -> None:
        self._training, self._problem, self._epoch_steps = training, problem, epoch_steps
        self._unfitted = unfitted
        self.failures = {}

    @property
    @override
    def trials(self) -> Array:
        return self._training.trials

    @property
    @override
    def updated(self) -> Array:
        return np.asarray(self._training.trials[self._training.updated])

    @override
    def advance(self, rung: int, stop: Callable[[], bool]) -> bool:
        epoch = rung / self._epoch_steps
        self._training.advance(epoch, stop)
        for position, failure in self._training.failures.items():
            self.failures[position] = f"diverged in epoch {failure.epoch}: {failure.reason}"
        return self._training.epoch + self._training.part >= epoch

    @override
    def predict(self, X: Array) -> list[Predictions]:
        if self._problem.task == "regression":
            return [Predictions(values) for values in self._training.predict(X)]
        if self._training.loss.probabilities:
            return [predictions_from(self._problem, probabilities=p) for p in self._training.predict(X)]
        return [predictions_from(self._problem, decision=scores) for scores in self._training.decision(X)]

    @override
    def select(self, positions: Sequence[int]) -> None:
        self._training.select(np.isin(self._training.trials, positions))

    @override
    def estimator(self, position: int) -> Any:
        return self._unfitted(position).adopt(self._training, position)

    @override
    def history(self, position: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
        return self._training.history(position)


class DescentFamily(Family):
    """Linear models, or multilayer perceptrons, of the core.

    Parameters
    ----------
    name : str
        Name of the family in a space.
    hidden : bool
        Whether there are hidden layers.
    """

    interruptible = True
    folds_in_turn = False  # a cohort trains on all folds in lockstep
    scales_target = True
    takes_sparse = True
    unit_seconds = 1e-9
    solo_slowdown = 3.0

    def __init__(self, name: str, *, hidden: bool) -> None:
        self.name, self.hidden, self.averages_folds = name, hidden, hidden
        self.category_codes = frozenset(["embed"] if hidden else [])
        rules = {key: rule for key, rule in parameters().items() if hidden or key not in _OF_HIDDEN_LAYERS}
        if hidden:
            sizes = rules["hidden_layer_sizes"]
            rules["hidden_layer_sizes"] = Parameter(
                sizes.constraint, _HIDDEN["hidden_layer_sizes"], "units of each hidden layer"
            )
        # The default loss depends on the task.
        rules["loss"] = Parameter(
            rules["loss"].constraint, None, "function to minimise; the default depends on the task"
        )
        self.section = Section(rules)
        self.shared_params = frozenset({field.name for field in fields(Architecture)} & rules.keys())

    def _products(self, params: dict[str, Any], n_columns: int) -> int:
        """Return the number of weights that each row is multiplied by."""
        sizes = [n_columns, *self._whole(params).get("hidden_layer_sizes", ()), 1]
        return sum(into * out for into, out in zip(sizes, sizes[1:], strict=False))

    def _whole(self, params: dict[str, Any]) -> dict[str, Any]:
        return {**_HIDDEN, **params} if self.hidden else params

    @override
    def incompatibility(self, params: dict[str, Any], problem: Problem, metric: Metric | None = None) -> str:
        if "loss" not in params:
            return ""
        name, _ = named(params["loss"])
        loss = LOSSES[name]
        if problem.task not in loss.tasks:
            return f"loss {name} is for {', '.join(sorted(loss.tasks))}, not for {problem.task}"
        if problem.task == "regression" and (rule := loss().target_error(np.array([1.0, problem.least]))):
            return f"of loss {name} the target {rule}"
        if metric is None or not problem.n_classes or loss.probabilities:
            return ""
        if metric.needs_probabilities():
            return f"loss {name} gives no probabilities, which {metric.name} needs"
        return ""

    @override
    def defaults(self, task: str) -> dict[str, Any]:
        return {**super().defaults(task), "loss": DEFAULT_LOSSES[task]}

    @override
    def epochs(self, params: dict[str, Any]) -> int:
        return int(params.get("max_epochs", self.section.parameters["max_epochs"].default))

    @override
    def min_resource(self, params: dict[str, Any], epoch_steps: int, n_rows: int) -> int:
        enough = math.ceil(_TELLING_ROWS * epoch_steps / n_rows)
        return min(enough, math.ceil(_TELLING_PART * self.last_rung(params, epoch_steps)))

    @override
    def truncated_params(self, params: dict[str, Any], rung: int, epoch_steps: int) -> dict[str, Any]:
        return {**params, "max_epochs": max(1, rung // epoch_steps)}

    @override
    def cost(self, params: dict[str, Any], n_rows: int, n_columns: int) -> float:
        batch = params.get("batch_size", self.section.parameters["batch_size"].default)
        steps = 1 if batch == "full" else n_rows / batch
        return float(self.epochs(params) * (n_rows * self._products(params, n_columns) + _STEP * steps))

    @override
    def max_cohort_size(self, params: dict[str, Any], n_columns: int) -> int:
        # Cohorts share Python calls and the reading of rows, but not the products of hidden layers.
        if not self.hidden:
            return _MOST
        return min(max(_LEAST, _SHARED // self._products(params, n_columns)), _MOST)

    @override
    def memory(self, params: dict[str, Any], n_rows: int, n_columns: int, density: float = 1.0) -> float:
        sizes = [n_columns, *self._whole(params).get("hidden_layer_sizes", ()), 1]
        batch = params.get("batch_size", self.section.parameters["batch_size"].default)
        rows = min(n_rows, _AT_A_TIME if batch == "full" else batch, _AT_A_TIME)
        # Weights, gradients and two moments; and the units of a batch, forward and backward.
        return float(4 * (4 * self._products(params, n_columns) + 3 * rows * sum(sizes[1:])))

    @override
    def streamed_params(self, params: dict[str, Any], n_sample: int, n_rows: int) -> dict[str, Any] | None:
        # At least as many updates as on the sample: each pass has more of them.
        epochs = self.epochs(params)
        passes = max(1, math.ceil(epochs * n_sample / n_rows))
        found = {**params, "max_epochs": passes, "warmup": params.get("warmup", 0) * passes / epochs}
        if params.get("batch_size") == "full":
            found["batch_size"] = n_sample
        return found

    @override
    def streamed_bytes(self, params: dict[str, Any], n_rows: int, n_columns: int, problem: Problem) -> float:
        return _STREAMED_ROW * n_rows + _WINDOW_BYTES + self.memory(params, n_rows, n_columns)

    @override
    def fit_streamed(self, fit: StreamedFit) -> Any:
        trainer = self.trainer([fit.params], [fit.seed], fit.problem, fit.fold)
        if not trainer.advance(self.epochs(fit.params), fit.stop) or trainer.failures:
            return None
        fitted = trainer.estimator(0)
        if fit.problem.n_classes:
            fitted.classes_ = fit.model.classes_
        return fitted

    @override
    def trainer(
        self, configurations: Sequence[dict[str, Any]], seeds: Sequence[int], problem: Problem, fold: Fold
    ) -> Trainer:
        built = [
            from_configuration(self._whole(params), problem.task, seed, problem.categories)
            for params, seed in zip(configurations, seeds, strict=True)
        ]
        training = Training(
            built[0][0],
            [config for _, config in built],
            fold.X,
            fold.y,
            n_outputs=problem.n_classes if problem.n_classes > 2 else 1,
            sample_weight=fold.weight,
            order_seed=fold.order_seed,
        )
        return _CohortTrainer(
            training,
            problem,
            fold.epoch_steps,
            lambda i: self.estimator(configurations[i], seeds[i], problem),
        )

    @override
    def estimator(self, params: dict[str, Any], seed: int, problem: Problem) -> Any:
        architecture, config = from_configuration(self._whole(params), problem.task, seed, problem.categories)
        kind = GradientDescentRegressor if problem.task == "regression" else GradientDescentClassifier
        names = kind().get_params()
        values = {**vars(architecture), **vars(config), "random_state": seed}
        return kind(**{name: value for name, value in values.items() if name in names})
