"""Families that scikit-learn trains, or anything that looks like it, one trial at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import numpy as np
from sklearn.base import is_classifier, is_regressor
from typing_extensions import override

from automl.constraints import Parameter, Section, Union
from automl.families.base import Array, Family, Fold, Problem, Trainer, predictions_from
from automl.metrics import Metric, Predictions
from automl.space import estimator_section

__all__ = ["EstimatorFamily", "SklearnFamily"]


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
        return [self._predictions(X)] * len(self.trials)

    def _predictions(self, X: Array) -> Predictions:
        if self._problem.task == "regression":
            return Predictions(self._estimator.predict(X))
        probabilities = self._all_classes(self._estimator.predict_proba(X))
        return predictions_from(self._problem, probabilities=probabilities)

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


class _AnyFit(_OneFit):
    """The same of a class that nothing is known about but that it looks like one of scikit-learn."""

    @override
    def _predictions(self, X: Array) -> Predictions:
        values = np.asarray(self._estimator.predict(X)).reshape(len(X))
        if self._problem.task == "regression":
            return Predictions(values)
        if hasattr(self._estimator, "predict_proba"):
            return Predictions(values, probabilities=self._all_classes(self._estimator.predict_proba(X)))
        if hasattr(self._estimator, "decision_function"):
            return Predictions(values, decision=self._scores(self._estimator.decision_function(X)))
        return Predictions(values)

    def _scores(self, decision: Array) -> Array:
        """Give a class that no row of this fold had scores below all others."""
        if decision.ndim == 1 and self._problem.n_classes == 2:
            return decision
        scores = np.column_stack([-decision, decision]) if decision.ndim == 1 else decision
        full = np.full((len(scores), self._problem.n_classes), scores.min() - 1)
        full[:, self._estimator.classes_] = scores
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
    def unfit(self, params: dict[str, Any], problem: Problem, metric: Metric | None = None) -> str:
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
        return _class(self._kind(problem)[0])(**params, random_state=seed)


class EstimatorFamily(Family):
    """Any class that looks like one of scikit-learn, named by a space with ``estimator:``.

    Parameters
    ----------
    name : str
        The branch's name in the space.
    path : str
        Import path of the class; `load_space` has seen to it that it may be imported.

    Examples
    --------
    >>> forest = EstimatorFamily("mine", "sklearn.ensemble.ExtraTreesClassifier")
    >>> forest.estimator({"n_estimators": 10}, 7, Problem("binary", 2))
    ExtraTreesClassifier(n_estimators=10, n_jobs=1, random_state=7)
    >>> forest.unfit({}, Problem("regression"))
    'ExtraTreesClassifier is no regressor'
    """

    cohort_limit = 1
    alone = 1.0
    unit_seconds = 1e-7

    def __init__(self, name: str, path: str) -> None:
        self.name, self.path = name, path
        self.section = estimator_section(path, allow_imports=[path.partition(".")[0]])
        self.structural = frozenset(self.section.parameters)

    @override
    def unfit(self, params: dict[str, Any], problem: Problem, metric: Metric | None = None) -> str:
        make, name = _class(self.path), self.path.rpartition(".")[2]
        if problem.task == "regression":
            return "" if _is(is_regressor, make) else f"{name} is no regressor"
        if not _is(is_classifier, make):
            return f"{name} is no classifier"
        if metric is not None and not hasattr(make, "predict_proba") and metric.needs_probabilities():
            return f"{name} gives no probabilities, which {metric.name} needs"
        return ""

    @override
    def last_rung(self, params: dict[str, Any]) -> int:
        return 1

    @override
    def work(self, params: dict[str, Any], n_rows: int, n_columns: int) -> float:
        # Nothing is known of what it does; that so many estimators take so many times as long is all but certain.
        n_estimators = {**self.section.defaults(), **params}.get("n_estimators")
        return float((n_estimators or 1) * n_rows * n_columns)

    @override
    def trainer(
        self, configurations: Sequence[dict[str, Any]], seeds: Sequence[int], problem: Problem, fold: Fold
    ) -> Trainer:
        ((params, seed),) = zip(configurations, seeds, strict=True)
        return _AnyFit(self.estimator(params, seed, problem), problem, fold)

    @override
    def estimator(self, params: dict[str, Any], seed: int, problem: Problem) -> Any:
        # Cohorts train side by side already, so that each has one core.
        own = {"random_state": seed, "n_jobs": 1}
        known = {name: value for name, value in own.items() if name in self.section.parameters}
        return _class(self.path)(**{**known, **params})


def _class(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)


def _is(kind: Callable[[Any], bool], make: Callable[[], Any]) -> bool:
    try:
        return kind(make())
    except AttributeError:  # a class without the tags of scikit-learn's base classes
        return False


def _either(first: Section, second: Section) -> Section:
    """Return the parameters of both; one that differs may be what either allows."""
    merged = {**first.parameters, **second.parameters}
    for name in first.parameters.keys() & second.parameters.keys():
        mine, other = first.parameters[name], second.parameters[name]
        if mine != other:
            rules = dict.fromkeys((mine.constraint, other.constraint))
            rule = mine.constraint if len(rules) == 1 else Union(tuple(rules))
            merged[name] = Parameter(rule, None, mine.about)
    return Section(merged)
