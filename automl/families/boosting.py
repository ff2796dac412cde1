"""Gradient boosting by LightGBM: one tree at a time, stopped early on the fold's validation rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np
from typing_extensions import override

from automl.constraints import Boolean, Number, OneOf, Parameter, Section, Union
from automl.families.base import Array, Family, Fold, Problem, Trainer, predictions_from
from automl.families.rungs import rung_levels
from automl.metrics import Metric, Predictions

__all__ = ["BoostingFamily", "patience"]

_EPOCH = 25  # trees
_SMALL = 10_000  # rows up to which the patience does not depend on them
_PATIENCE = 100  # trees on a small table
_MIN_PATIENCE = 20  # trees on the largest tables
_GROWTH = 0.3  # extra patience, as a share of the best number of trees


def patience(best: int, n_rows: int) -> int:
    """Return how many trees without improvement end a training.

    The rule has the form of AutoGluon's adaptive early stopping: more patience after more trees, because the loss
    flattens, and less on large tables, where a tree costs more and the validation loss is less noisy.

    Parameters
    ----------
    best : int
        Number of trees of the best validation loss so far.
    n_rows : int
        Training rows.

    Examples
    --------
    >>> [patience(0, 1_000), patience(500, 1_000), patience(500, 100_000)]
    [120, 270, 190]
    """
    least = _PATIENCE if n_rows <= _SMALL else max(_MIN_PATIENCE, _PATIENCE * _SMALL // n_rows)
    return int(least + _GROWTH * best + 20)


class _Booster:
    """A LightGBM booster that grows one iteration at a time and knows its validation loss."""

    def __init__(self, params: dict[str, Any], fold: Fold) -> None:
        lightgbm = import_module("lightgbm")
        # The threads are part of the data set too: without them, binning starts a thread on each core.
        train = lightgbm.Dataset(fold.X, fold.y, weight=fold.weight, params=params)
        self._booster = lightgbm.Booster(params, train)
        self._valid = len(fold.y_valid) > 0
        if self._valid:
            valid = lightgbm.Dataset(
                fold.X_valid, fold.y_valid, reference=train, weight=fold.weight_valid, params=params
            )
            self._booster.add_valid(valid, "valid")
        self.n_trees = 0
        self.grows = True

    def update(self) -> float:
        """Add a tree (one for each class) and return the validation loss; NaN without validation rows."""
        self.grows = not self._booster.update()
        self.n_trees += self.grows
        return float(self._booster.eval_valid()[0][2]) if self._valid else np.nan

    def predict(self, X: Array, n_trees: int) -> Array:
        """Return probabilities, shape (m,) or (m, n_classes), or numbers, shape (m,)."""
        return np.asarray(self._booster.predict(X, num_iteration=n_trees, num_threads=1))


class _BoostingTrainer(Trainer):
    """One trial on one fold.

    Predictions come from the number of trees with the lowest validation loss so far.
    """

    def __init__(
        self,
        make: Callable[..., Any],
        booster: _Booster,
        problem: Problem,
        fold: Fold,
        n_trees: int,
        *,
        stops: bool,
    ) -> None:
        self.failures = {}
        self._selected = np.arange(1)
        self._make, self._booster, self._problem, self._fold = make, booster, problem, fold
        self._n_trees, self._stops = n_trees, stops and len(fold.y_valid) > 0
        self._best, self._lowest = 0, np.inf

    @property
    @override
    def trials(self) -> Array:
        return self._selected

    @override
    def advance(self, rung: int, stop: Callable[[], bool]) -> bool:
        wanted = min(self._n_trees, _EPOCH * rung // self._fold.epoch_steps)
        booster, n_rows = self._booster, len(self._fold.y)
        while booster.n_trees < wanted and booster.grows and not self._stopped_early(n_rows):
            if stop():
                return False
            loss = booster.update()
            if loss < self._lowest or not self._stops:
                self._best, self._lowest = booster.n_trees, loss
        return True

    def _stopped_early(self, n_rows: int) -> bool:
        return self._stops and self._booster.n_trees - self._best >= patience(self._best, n_rows)

    @override
    def predict(self, X: Array) -> list[Predictions]:
        return [self._predictions(X)] * len(self.trials)

    def _predictions(self, X: Array) -> Predictions:
        values = self._booster.predict(X, max(1, self._best))
        if self._problem.task == "regression":
            return Predictions(values)
        probabilities = np.column_stack([1 - values, values]) if values.ndim == 1 else values
        return predictions_from(self._problem, probabilities=probabilities)

    @override
    def select(self, positions: Sequence[int]) -> None:
        self._selected = np.intersect1d(self._selected, np.asarray(positions, dtype=int))

    @override
    def found_params(self, position: int) -> dict[str, int]:
        return {"n_estimators": max(1, self._best)}

    @override
    def estimator(self, position: int) -> Any:
        model = self._make(n_estimators=max(1, self._best))
        return model.fit(self._fold.X, self._fold.y, sample_weight=self._fold.weight)


_WHOLE = Number(1, integer=True)
_SHARE = Number(0, 1, open_low=True)
_POSITIVE = Number(0, open_low=True)

_LIGHTGBM = Section(
    {
        "n_estimators": Parameter(
            _WHOLE, 2000, "Trees at most (for each class, if there are more than two)."
        ),
        "early_stopping": Parameter(
            Boolean(), True, "Whether the trees end with the lowest loss on the fold's validation rows."
        ),
        "learning_rate": Parameter(_POSITIVE, 0.05, "Shrinkage of every tree."),
        "num_leaves": Parameter(Number(2, integer=True), 31, "Leaves of a tree at most."),
        "max_depth": Parameter(
            Union((_WHOLE, OneOf((-1,)))), -1, "Levels of a tree at most; -1 sets no limit."
        ),
        "min_child_samples": Parameter(_WHOLE, 20, "Rows a leaf holds at least."),
        "min_child_weight": Parameter(Number(0), 1e-3, "Sum of second derivatives a leaf holds at least."),
        "colsample_bytree": Parameter(_SHARE, 1.0, "Share of the columns drawn for a tree."),
        "subsample": Parameter(_SHARE, 1.0, "Share of the rows drawn; only with subsample_freq above 0."),
        "subsample_freq": Parameter(
            Number(0, integer=True), 0, "Trees between two draws of rows; 0 never draws."
        ),
        "reg_alpha": Parameter(Number(0), 0.0, "L1 penalty on the values of leaves."),
        "reg_lambda": Parameter(Number(0), 0.0, "L2 penalty on the values of leaves."),
        "extra_trees": Parameter(Boolean(), False, "Whether each split has one random threshold a column."),
        "max_bin": Parameter(Number(2, integer=True), 255, "Bins a column is cut into."),
    }
)
_REGRESSION = {
    "objective": Parameter(
        OneOf(("regression", "regression_l1", "huber", "poisson")), "regression", "The loss of the trees."
    )
}
_OBJECTIVES = {"binary": "binary", "multiclass": "multiclass"}


class BoostingFamily(Family):
    """Gradient boosting of LightGBM, with the number of trees found by early stopping.

    A trial trains on one fold at a time for 25 trees an epoch; its validation loss (log loss for classes, the
    objective itself for numbers) is computed after every tree. The refit trains the mean of the numbers of trees that
    the folds found, without early stopping.

    Parameters
    ----------
    name : str
        Name in a space.
    """

    interruptible = True
    solo_slowdown = 1.0
    unit_seconds = 2e-9

    def __init__(self, name: str) -> None:
        self.name = name
        self.section = Section({**_LIGHTGBM.parameters, **_REGRESSION})
        self.shared_params = frozenset(self.section.parameters)

    @override
    def incompatibility(self, params: dict[str, Any], problem: Problem, metric: Metric | None = None) -> str:
        objective = params.get("objective")
        if objective is not None and problem.task != "regression":
            return "objective is for regression"
        if objective == "poisson" and problem.least < 0:
            return "objective poisson is for numbers of at least 0"
        return ""

    @override
    def defaults(self, task: str) -> dict[str, Any]:
        defaults = self.section.defaults()
        return defaults if task == "regression" else {k: v for k, v in defaults.items() if k != "objective"}

    @override
    def epochs(self, params: dict[str, Any]) -> int:
        return -(-self._trees(params) // _EPOCH)

    def _trees(self, params: dict[str, Any]) -> int:
        return int({**self.section.defaults(), **params}["n_estimators"])

    @override
    def rungs(self, last: int, epoch_steps: int) -> set[int]:
        return {rung for rung in rung_levels(last, through=epoch_steps) if rung >= epoch_steps}

    @override
    def truncated_params(self, params: dict[str, Any], rung: int, epoch_steps: int) -> dict[str, Any]:
        return {**params, "n_estimators": min(_EPOCH * max(1, rung // epoch_steps), self._trees(params))}

    @override
    def cost(self, params: dict[str, Any], n_rows: int, n_columns: int) -> float:
        every = {**self.section.defaults(), **params}
        trees = every["n_estimators"]
        if every["early_stopping"]:
            trees = min(trees, _EXPECTED / every["learning_rate"])
        levels = np.log2(every["num_leaves"])
        return float(trees * (n_rows * n_columns * every["colsample_bytree"] + _FIXED) * levels)

    @override
    def trainer(
        self, configurations: Sequence[dict[str, Any]], seeds: Sequence[int], problem: Problem, fold: Fold
    ) -> Trainer:
        ((params, seed),) = zip(configurations, seeds, strict=True)
        every = {**self.defaults(problem.task), **params}
        booster = _Booster(_native(every, seed, problem), fold)
        make = partial(self._make, params, seed, problem)
        stops = every["early_stopping"]
        return _BoostingTrainer(make, booster, problem, fold, every["n_estimators"], stops=stops)

    @override
    def estimator(self, params: dict[str, Any], seed: int, problem: Problem) -> Any:
        return self._make(params, seed, problem)

    def _make(self, params: dict[str, Any], seed: int, problem: Problem, **changed: Any) -> Any:
        lightgbm = import_module("lightgbm")
        kind = lightgbm.LGBMRegressor if problem.task == "regression" else lightgbm.LGBMClassifier
        every = {**self.defaults(problem.task), **params, **changed}
        del every["early_stopping"]
        return kind(**every, random_state=seed, n_jobs=1, **_REPEATABLE)


# LightGBM chooses its histogram algorithm by a clock otherwise, so two runs could differ.
_REPEATABLE = {"verbose": -1, "deterministic": True, "force_row_wise": True}
_EXPECTED = 25  # trees times learning rate at which early stopping is expected
_FIXED = 10_000  # values whose time equals the fixed cost of a tree


def _native(params: dict[str, Any], seed: int, problem: Problem) -> dict[str, Any]:
    """Return parameters for LightGBM's own interface."""
    native = {name: value for name, value in params.items() if name not in ("n_estimators", "early_stopping")}
    native.setdefault("objective", _OBJECTIVES.get(problem.task, "regression"))
    if problem.task == "multiclass":
        native["num_class"] = problem.n_classes
    return {**native, **_REPEATABLE, "seed": seed, "num_threads": 1}
