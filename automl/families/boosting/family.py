"""The family of a boosting library: its parameters, rungs by trees, cost, trainer and estimator."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from functools import partial
from typing import Any

from typing_extensions import override

from automl.constraints import Boolean, Number, OneOf, Parameter, Section, Union
from automl.families.base import Family, Trainer
from automl.families.boosting.trainer import EPOCH, Booster, BoostingTrainer, patience
from automl.families.problem import Fold, Problem
from automl.families.rungs import rung_levels
from automl.metrics import Metric

__all__ = ["DEPTH", "POSITIVE", "SHARE", "WHOLE", "BoostingFamily", "common_parameters"]

WHOLE = Number(1, integer=True)
SHARE = Number(0, 1, open_low=True)
POSITIVE = Number(0, open_low=True)
DEPTH = Union((WHOLE, OneOf((-1,))))

_FIXED = 10_000  # values whose time equals the fixed cost of a tree


def common_parameters(n_estimators: int, learning_rate: float) -> dict[str, Parameter]:
    """Return the parameters that all libraries share, with their defaults."""
    return {
        "n_estimators": Parameter(
            WHOLE, n_estimators, "Trees at most (for each class, if there are more than two)."
        ),
        "early_stopping": Parameter(
            Boolean(), True, "Whether the trees end with the lowest loss on the fold's validation rows."
        ),
        "learning_rate": Parameter(POSITIVE, learning_rate, "Shrinkage of every tree."),
    }


class BoostingFamily(Family):
    """Gradient boosting of a library, with the number of trees found by early stopping.

    A trial trains on one fold at a time for 25 trees an epoch; its validation loss (log loss for classes, the
    objective itself for numbers) is computed after every tree. The refit trains the mean of the numbers of trees that
    the folds found, without early stopping.

    A subclass names its parameters and makes the ensemble and the estimator.

    Parameters
    ----------
    name : str
        Name in a space.
    parameters : dict of str to Parameter
        Parameters of all tasks.
    objectives : sequence of str
        Losses for regression, the default first.
    expected : float
        Trees times learning rate at which early stopping is expected.
    """

    interruptible = True
    takes_missing = True
    solo_slowdown = 1.0

    def __init__(
        self, name: str, parameters: dict[str, Parameter], objectives: Sequence[str], expected: float
    ) -> None:
        self.name = name
        objective = Parameter(OneOf(tuple(objectives)), objectives[0], "The loss of the trees.")
        self.section = Section({**parameters, "objective": objective})
        self.shared_params = frozenset(self.section.parameters)
        self._expected = expected

    @override
    def incompatibility(self, params: dict[str, Any], problem: Problem, metric: Metric | None = None) -> str:
        objective = params.get("objective")
        if objective is not None and problem.task != "regression":
            return "objective is for regression"
        if objective is not None and "poisson" in objective.lower() and problem.least < 0:
            return f"objective {objective} is for numbers of at least 0"
        return ""

    @override
    def defaults(self, task: str) -> dict[str, Any]:
        defaults = self.section.defaults()
        return defaults if task == "regression" else {k: v for k, v in defaults.items() if k != "objective"}

    @override
    def epochs(self, params: dict[str, Any]) -> int:
        return -(-self._trees(params) // EPOCH)

    def _trees(self, params: dict[str, Any]) -> int:
        return int({**self.section.defaults(), **params}["n_estimators"])

    @override
    def rungs(self, last: int, epoch_steps: int) -> set[int]:
        return {rung for rung in rung_levels(last, through=epoch_steps) if rung >= epoch_steps}

    @override
    def truncated_params(self, params: dict[str, Any], rung: int, epoch_steps: int) -> dict[str, Any]:
        return {**params, "n_estimators": min(EPOCH * max(1, rung // epoch_steps), self._trees(params))}

    @override
    def cost(self, params: dict[str, Any], n_rows: int, n_columns: int) -> float:
        every = {**self.section.defaults(), **params}
        trees = every["n_estimators"]
        if every["early_stopping"]:
            trees = min(trees, self._expected / every["learning_rate"])
        columns = n_columns * self.column_share(every)
        return float(trees * (n_rows * columns + _FIXED) * self.levels(every))

    @override
    def kept_share(self, params: dict[str, Any], found: dict[str, int], n_rows: int) -> float:
        best = found.get("n_estimators", 0)
        return best / min(self._trees(params), best + patience(best, n_rows)) if best else 1.0

    @override
    def trainer(
        self, configurations: Sequence[dict[str, Any]], seeds: Sequence[int], problem: Problem, fold: Fold
    ) -> Trainer:
        ((params, seed),) = zip(configurations, seeds, strict=True)
        every = {**self.defaults(problem.task), **params}
        n_trees, stops = every.pop("n_estimators"), every.pop("early_stopping")
        booster = self.booster(every, seed, problem, fold)
        make = partial(self._make, params, seed, problem)
        return BoostingTrainer(booster, make, problem, fold, n_trees, stops=stops)

    @override
    def estimator(self, params: dict[str, Any], seed: int, problem: Problem) -> Any:
        return self._make(params, seed, problem)

    def _make(self, params: dict[str, Any], seed: int, problem: Problem, **changed: Any) -> Any:
        every = {**self.defaults(problem.task), **params, **changed}
        del every["early_stopping"]
        return self.make(every, seed, problem)

    # A library

    @abstractmethod
    def booster(self, params: dict[str, Any], seed: int, problem: Problem, fold: Fold) -> Booster:
        """Return the ensemble without trees; ``params`` are all parameters but the number of trees."""

    @abstractmethod
    def make(self, params: dict[str, Any], seed: int, problem: Problem) -> Any:
        """Return the unfitted scikit-learn estimator; ``params`` are all parameters but ``early_stopping``."""

    @abstractmethod
    def levels(self, params: dict[str, Any]) -> float:
        """Return how often a tree reads all rows."""

    def column_share(self, params: dict[str, Any]) -> float:
        """Return the share of the columns that a tree reads."""
        return float(params["colsample_bytree"])
