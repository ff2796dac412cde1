"""Families that scikit-learn trains, or anything that looks like it, one trial at a time."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any, cast

import numpy as np
from sklearn.base import is_classifier, is_regressor
from typing_extensions import override

from automl.constraints import Parameter, Section, Union
from automl.families.base import Array, Family, Fold, Problem, Trainer, predictions_from, rung_levels
from automl.families.label_encoding import LabelEncodedClassifier, accepts_labels
from automl.metrics import Metric, Predictions
from automl.space import estimator_section

__all__ = ["ITERATIONS", "EstimatorFamily", "Growth", "SklearnFamily"]

ITERATIONS = frozenset(
    {
        *("n_estimators", "max_iter", "iterations", "n_iter", "num_iterations", "num_boost_round"),
        *("num_trees", "epochs", "max_epochs", "n_epochs"),
    }
)
"""Parameters of classes that count iterations."""

_RATIO = 4  # from rung to rung: a sample that is fitted anew should be small beside the next
_AT_ONCE = (
    1_000_000  # values of a table; so many trees at a time of a smaller one as make up for a fit's fixed cost
)


@dataclass(frozen=True)
class Growth:
    """How a model grows tree by tree.

    Parameters
    ----------
    parameter : str
        What says how many trees.
    epoch : int
        How many are an epoch.
    apart : bool
        Whether they can as well be fitted a few at a time; boosting begins every fit with a look at all rows.
    """

    parameter: str
    epoch: int
    apart: bool


# What the classes of a package are told besides their parameters: to keep to one core, for cohorts train side by side
# already; to print nothing, and to leave no files where the user stands.
QUIET_DEFAULTS: dict[str, dict[str, Any]] = {
    "sklearn.linear_model.LogisticRegression": {},  # where n_jobs does nothing, and scikit-learn warns of it
    "lightgbm": {"n_jobs": 1, "verbose": -1},
    "xgboost": {"n_jobs": 1, "verbosity": 0},
    "catboost": {"thread_count": 1, "verbose": False, "allow_writing_files": False},
}
_ONE_CORE = {"n_jobs": 1}
_VERBOSITY = frozenset({"verbose", "verbosity", "silent", "logging_level", "verbose_eval"})


class _OneFit(Trainer):
    """A single estimator: below the first epoch fitted anew on nested samples of the rows, then grown or fitted whole.

    A model that is grown is that of a single fit, bit for bit: scikit-learn's warm start draws on where it was, and
    boosting keeps its held-out rows and its scores. Where boosting stops early the trial has come to its end.
    """

    def __init__(
        self, make: Callable[..., Any], problem: Problem, fold: Fold, growth: Growth | None = None
    ) -> None:
        self.failures = {}
        self._kept = np.arange(1)
        self._make, self._problem, self._fold, self._growth = make, problem, fold, growth
        self._estimator: Any = None
        self._grown = 0

    @property
    @override
    def trials(self) -> Array:
        return self._kept

    @override
    def advance(self, rung: int, stop: Callable[[], bool]) -> bool:
        if stop():
            return False
        fold, steps = self._fold, self._fold.epoch_steps
        if rung < steps:
            rows = np.sort(fold.order[: len(fold.y) * rung // steps])
            self._estimator = self._make(**self._trees(steps)).fit(fold.X[rows], fold.y[rows])
            return True
        if self._growth is not None:
            return self._grow(self._growth, rung, stop)
        self._estimator = self._make().fit(fold.X, fold.y)
        return True

    def _trees(self, rung: int) -> dict[str, int]:
        """Return how many trees there are at a step."""
        if self._growth is None:
            return {}
        all_trees = self._make().get_params()[self._growth.parameter]
        return {self._growth.parameter: min(all_trees, self._growth.epoch * rung // self._fold.epoch_steps)}

    def _grow(self, growth: Growth, rung: int, stop: Callable[[], bool]) -> bool:
        ((name, wanted),) = self._trees(rung).items()
        if not self._grown:
            self._estimator = self._make(warm_start=True)
        piece = max(1, _AT_ONCE // self._fold.X.size) if growth.apart else wanted
        while self._grown < wanted and not _stopped_early(self._estimator):
            if stop():
                return False
            self._grown = min(self._grown + piece, wanted)
            with warnings.catch_warnings():
                # That classes are weighed anew by every fit: all fits see the same rows.
                warnings.filterwarnings("ignore", "class_weight presets", UserWarning)
                self._estimator.set_params(**{name: self._grown}).fit(self._fold.X, self._fold.y)
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
    def select(self, positions: Sequence[int]) -> None:
        self._kept = np.intersect1d(self._kept, np.asarray(positions, dtype=int))

    @override
    def estimator(self, position: int) -> Any:
        return self._estimator

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
    cost : callable
        ``cost(params, n_rows, n_columns)``: the size of one fit, proportional to its time.
    unit_seconds : float
        A first guess at the seconds that a unit of it takes.
    growth : Growth, optional
        How it grows tree by tree, if it does.
    """

    solo_slowdown = 1.0

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
    ) -> None:
        self.name, self.unit_seconds, self._growth = name, unit_seconds, growth
        self.interruptible = growth is not None and growth.apart
        self.section = _either(classification, regression)
        self.shared_params = frozenset(self.section.parameters)
        self._cost = cost
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
        return rung_levels(last, _RATIO, epoch_steps)

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
        return _OneFit(partial(self._make, params, seed, problem), problem, fold, self._growth)

    @override
    def estimator(self, params: dict[str, Any], seed: int, problem: Problem) -> Any:
        return self._make(params, seed, problem)

    def _make(self, params: dict[str, Any], seed: int, problem: Problem, **changed: Any) -> Any:
        estimator = _class(self._kind(problem)[0])(**{**params, **changed})
        has_seed = "random_state" in estimator.get_params()
        return estimator.set_params(random_state=seed) if has_seed else estimator


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
    >>> forest.incompatibility({}, Problem("regression"))
    'ExtraTreesClassifier is no regressor'
    """

    solo_slowdown = 1.0
    unit_seconds = 1e-7

    def __init__(self, name: str, path: str) -> None:
        self.name, self.path, self.package = name, path, path.partition(".")[0]
        self.section = estimator_section(path, allow_imports=[self.package])
        self.shared_params = frozenset(self.section.parameters)

    @override
    def incompatibility(self, params: dict[str, Any], problem: Problem, metric: Metric | None = None) -> str:
        make, name = _class(self.path), self.path.rpartition(".")[2]
        if problem.task == "regression":
            return "" if _is(is_regressor, make) else f"{name} is no regressor"
        if not _is(is_classifier, make):
            return f"{name} is no classifier"
        if metric is not None and not hasattr(make, "predict_proba") and metric.needs_probabilities():
            return f"{name} gives no probabilities, which {metric.name} needs"
        return ""

    @override
    def epochs(self, params: dict[str, Any]) -> int:
        return 1

    @override
    def rungs(self, last: int, epoch_steps: int) -> set[int]:
        return rung_levels(last, _RATIO, epoch_steps)

    @override
    def cost(self, params: dict[str, Any], n_rows: int, n_columns: int) -> float:
        # Nothing is known of what it does; that so many iterations take so many times as long is all but certain.
        given = [params[name] for name in ITERATIONS & params.keys() - {"max_iter", "n_estimators"}]
        n_estimators = {**self.section.defaults(), **params}.get("n_estimators")
        n_iterations = given[0] if given else n_estimators
        return float((n_iterations or 1) * n_rows * n_columns)

    @override
    def trainer(
        self, configurations: Sequence[dict[str, Any]], seeds: Sequence[int], problem: Problem, fold: Fold
    ) -> Trainer:
        ((params, seed),) = zip(configurations, seeds, strict=True)
        # A fold, or a sample of one, may lack a class, which leaves codes that a foreign class may not take.
        by_codes = bool(problem.n_classes) and self.package != "sklearn"
        return _AnyFit(lambda: self._new(params, seed, by_codes=by_codes), problem, fold)

    @override
    def estimator(self, params: dict[str, Any], seed: int, problem: Problem) -> Any:
        made = self._new(params, seed)
        if not problem.n_classes or self.package == "sklearn" or accepts_labels(made, problem.n_classes):
            return made
        return LabelEncodedClassifier(made)

    def _new(self, params: dict[str, Any], seed: int, *, by_codes: bool = False) -> Any:
        own = {
            "random_state": seed,
            **QUIET_DEFAULTS.get(self.path, QUIET_DEFAULTS.get(self.package, _ONE_CORE)),
        }
        # How much to print has many names, some of which a class takes without naming them; the user's word holds.
        takes = self.section.parameters.keys() - _VERBOSITY
        takes |= set() if _VERBOSITY & params.keys() else _VERBOSITY
        known = {name: value for name, value in own.items() if name in takes}
        made = _class(self.path)(**{**known, **params})
        return LabelEncodedClassifier(made) if by_codes else made


def _stopped_early(estimator: Any) -> bool:
    """Return whether a boosting has seen no improvement of late: another fit would add a tree before it looked."""
    if not getattr(estimator, "do_early_stopping_", False):
        return False
    scores, n = estimator.validation_score_, estimator.n_iter_no_change
    return len(scores) > n and bool(max(scores[-n:]) <= scores[-n - 1] + estimator.tol)


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
