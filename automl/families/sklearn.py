"""Families that scikit-learn trains, one trial at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import numpy as np
from typing_extensions import override

from automl.constraints import Parameter, Section, Union
from automl.families.base import Array, Family, Fold, Problem, Trainer, predictions_from
from automl.metrics import Metric, Predictions

__all__ = ["SklearnFamily"]


class _OneFit(Trainer):
    """A single estimator whose only rung is its fit."""

    def __init__(self, estimator: Any, problem: Problem, fold: Fold) -> None:
        self.failures = {}
        self._kept = np.arange(1)
        self._estimator, self._problem, self._fold = estimator, problem, fold

    @property
    @override
    def trials(self) -> Array:
        return self._kept

    @override
    def advance(self, rung: int, stop: Callable[[], bool]) -> bool:
        if stop():
            return False
        self._estimator.fit(self._fold.X, self._fold.y)
        return True

    @override
    def predict(self, X: Array) -> list[Predictions]:
        if self._problem.task == "regression":
            return [Predictions(self._estimator.predict(X))] * len(self.trials)
        probabilities = self._all_classes(self._estimator.predict_proba(X))
        return [predictions_from(self._problem, probabilities=probabilities)] * len(self.trials)

    @override
    def keep(self, positions: Sequence[int]) -> None:
        self._kept = np.intersect1d(self._kept, np.asarray(positions, dtype=int))

    def _all_classes(self, probabilities: Array) -> Array:
        """Give a class that no row of this fold had its column of zeros."""
        if probabilities.shape[1] == self._problem.n_classes:
            return probabilities
        full = np.zeros((len(probabilities), self._problem.n_classes))
        full[:, self._estimator.classes_] = probabilities
        return full


class SklearnFamily(Family):
    """A classifier and a regressor of scikit-learn under one name.

    Parameters
    ----------
    name : str
        The word for it in a space.
    classifier, regressor : str
        Import paths of the classes.
    classification, regression : Section
        The parameters of each as data, under scikit-learn's names.
    work : callable
        ``work(params, n_rows, n_columns)``: the size of one fit, proportional to its time.
    unit_seconds : float
        A first guess at the seconds that a unit of it takes.
    """

    cohort_limit = 1
    alone = 1.0

    def __init__(
        self,
        name: str,
        *,
        classifier: str,
        classification: Section,
        regressor: str,
        regression: Section,
        work: Callable[[dict[str, Any], int, int], float],
        unit_seconds: float,
    ) -> None:
        self.name, self.unit_seconds = name, unit_seconds
        self.section = _either(classification, regression)
        self.structural = frozenset(self.section.parameters)
        self._work = work
        self._kinds = {"classification": (classifier, classification), "regression": (regressor, regression)}

    def _kind(self, problem: Problem) -> tuple[str, Section]:
        return self._kinds["regression" if problem.task == "regression" else "classification"]

    @override
    def unfit(self, params: dict[str, Any], problem: Problem, metric: Metric) -> str:
        path, section = self._kind(problem)
        for name, value in params.items():
            if name not in section.parameters:
                return f"{path.rpartition('.')[2]} has no parameter {name}"
            if not section.parameters[name].constraint.accepts(value):
                rule = section.parameters[name].constraint.describe()
                return f"{name} of {path.rpartition('.')[2]} must be {rule}, not {value}"
        return ""

    @override
    def last_rung(self, params: dict[str, Any]) -> int:
        return 1

    @override
    def work(self, params: dict[str, Any], n_rows: int, n_columns: int) -> float:
        return self._work({**self.section.defaults(), **params}, n_rows, n_columns)

    @override
    def trainer(
        self, configurations: Sequence[dict[str, Any]], seeds: Sequence[int], problem: Problem, fold: Fold
    ) -> Trainer:
        ((params, seed),) = zip(configurations, seeds, strict=True)
        return _OneFit(self.estimator(params, seed, problem), problem, fold)

    @override
    def estimator(self, params: dict[str, Any], seed: int, problem: Problem) -> Any:
        module, _, name = self._kind(problem)[0].rpartition(".")
        return getattr(import_module(module), name)(**params, random_state=seed)


def _either(first: Section, second: Section) -> Section:
    """Return the parameters of both; one that differs may be what either allows."""
    merged = {**first.parameters, **second.parameters}
    for name in first.parameters.keys() & second.parameters.keys():
        mine, other = first.parameters[name], second.parameters[name]
        if mine != other:
            merged[name] = Parameter(Union((mine.constraint, other.constraint)), None, mine.about)
    return Section(merged)
