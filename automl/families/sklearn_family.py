"""Families of scikit-learn's own models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from typing import Any, cast

from typing_extensions import override

from automl.constraints import Parameter, Section, Union
from automl.families.base import Family, Trainer
from automl.families.native_categories import (
    NativeCategoriesClassifier,
    NativeCategoriesRegressor,
    category_columns,
)
from automl.families.problem import Fold, Problem
from automl.families.rungs import rung_levels
from automl.families.single_fit import RUNG_RATIO, Growth, SingleFit
from automl.metrics import Metric

__all__ = ["SklearnFamily", "load_class"]


class SklearnFamily(Family):
    """A classifier and a regressor of scikit-learn as one family.

    Parameters
    ----------
    name : str
        Name of the family in a search space.
    classifier, regressor : str
        Import paths of the classes.
    classification, regression : Section
        The parameters of each class, under scikit-learn's names.
    cost : callable
        ``cost(params, n_rows, n_columns)``: the cost of one fit, proportional to its time.
    unit_seconds : float
        A first guess at the seconds of a unit of cost.
    growth : Growth, optional
        How the model grows tree by tree, if it does.
    native_categories : bool
        Whether the classes have ``categorical_features``.
    takes_missing : bool
        Whether the classes take missing numbers.
    takes_sparse : bool
        Whether the classes take sparse matrices.
    """

    def __init__(
        self,
        name: str,
        *,
        classifier: str,
        classification: Section,
        regressor: str,
        regression: Section,
        cost: Callable[[dict[str, Any], int, int], float],
        unit_seconds: float,
        growth: Growth | None = None,
        native_categories: bool = False,
        takes_missing: bool = False,
        takes_sparse: bool = False,
    ) -> None:
        self.name, self.unit_seconds, self._growth = name, unit_seconds, growth
        self.interruptible = growth is not None and growth.divisible
        self.section = _either(classification, regression)
        self.shared_params = frozenset(self.section.parameters)
        self._cost, self.takes_missing, self.takes_sparse = cost, takes_missing, takes_sparse
        self.category_codes = frozenset(["native"] if native_categories else [])
        self._kinds = {"classification": (classifier, classification), "regression": (regressor, regression)}

    def _kind(self, problem: Problem) -> tuple[str, Section]:
        return self._kinds["regression" if problem.task == "regression" else "classification"]

    @override
    def incompatibility(self, params: dict[str, Any], problem: Problem, metric: Metric | None = None) -> str:
        path, section = self._kind(problem)
        for name, value in params.items():
            if name not in section.parameters:
                return f"{path.rpartition('.')[2]} has no parameter {name}"
            if not section.parameters[name].constraint.accepts(value):
                rule = section.parameters[name].constraint.describe()
                return f"{name} of {path.rpartition('.')[2]} must be {rule}, not {value}"
            if value == "poisson" and problem.least < 0:
                return f"{name} poisson is for numbers of at least 0"
        return ""

    @override
    def defaults(self, task: str) -> dict[str, Any]:
        return self._kind(Problem(task))[1].defaults()

    @override
    def epochs(self, params: dict[str, Any]) -> int:
        if self._growth is None:
            return 1
        return -(-self._trees(params) // self._growth.epoch)

    def _trees(self, params: dict[str, Any]) -> int:
        growth = cast(Growth, self._growth)
        return int({**self.section.defaults(), **params}[growth.parameter])

    @override
    def rungs(self, last: int, epoch_steps: int) -> set[int]:
        return rung_levels(last, RUNG_RATIO, epoch_steps)

    @override
    def truncated_params(self, params: dict[str, Any], rung: int, epoch_steps: int) -> dict[str, Any]:
        if self._growth is None:
            return params
        reached = self._growth.epoch * max(1, rung // epoch_steps)
        return {**params, self._growth.parameter: min(reached, self._trees(params))}

    @override
    def cost(self, params: dict[str, Any], n_rows: int, n_columns: int) -> float:
        return self._cost({**self.section.defaults(), **params}, n_rows, n_columns)

    @override
    def trainer(
        self, configurations: Sequence[dict[str, Any]], seeds: Sequence[int], problem: Problem, fold: Fold
    ) -> Trainer:
        ((params, seed),) = zip(configurations, seeds, strict=True)
        make = partial(self._make, params, seed, problem)
        if problem.categories:
            columns = category_columns(fold.X, len(problem.categories))
            make = partial(make, categorical_features=columns)
        return SingleFit(make, problem, fold, self._growth)

    @override
    def estimator(self, params: dict[str, Any], seed: int, problem: Problem) -> Any:
        made = self._make(params, seed, problem)
        if not problem.categories:
            return made
        wrap = NativeCategoriesClassifier if problem.n_classes else NativeCategoriesRegressor
        return wrap(made, len(problem.categories))

    def _make(self, params: dict[str, Any], seed: int, problem: Problem, **changed: Any) -> Any:
        estimator = load_class(self._kind(problem)[0])(**{**params, **changed})
        has_seed = "random_state" in estimator.get_params()
        return estimator.set_params(random_state=seed) if has_seed else estimator


def load_class(path: str) -> Any:
    """Import a class by its path."""
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)


def _either(first: Section, second: Section) -> Section:
    """Return the parameters of both classes; a parameter that differs may have the values of either."""
    merged = {**first.parameters, **second.parameters}
    for name in first.parameters.keys() & second.parameters.keys():
        mine, other = first.parameters[name], second.parameters[name]
        if mine != other:
            rules = dict.fromkeys((mine.constraint, other.constraint))
            rule = mine.constraint if len(rules) == 1 else Union(tuple(rules))
            merged[name] = Parameter(rule, None, mine.about)
    return Section(merged)
