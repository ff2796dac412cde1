"""Families of any class with scikit-learn's interface."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sklearn.base import is_classifier, is_regressor
from sklearn.utils import get_tags
from sklearn.utils.validation import has_fit_parameter
from typing_extensions import override

from automl.families.base import Family, Trainer
from automl.families.label_encoding import LabelEncodedClassifier, accepts_labels
from automl.families.problem import Fold, Problem
from automl.families.rungs import rung_levels
from automl.families.single_fit import RUNG_RATIO, ForeignFit
from automl.families.sklearn_family import load_class
from automl.metrics import Metric
from automl.space import estimator_section

__all__ = ["ITERATIONS", "QUIET_DEFAULTS", "EstimatorFamily"]

ITERATIONS = frozenset(
    {
        *("n_estimators", "max_iter", "iterations", "n_iter", "num_iterations", "num_boost_round"),
        *("num_trees", "epochs", "max_epochs", "n_epochs"),
    }
)
"""Parameters of classes that count iterations."""

QUIET_DEFAULTS: dict[str, dict[str, Any]] = {
    # n_jobs does nothing there, and scikit-learn warns of it
    "sklearn.linear_model.LogisticRegression": {},
    "lightgbm": {"n_jobs": 1, "verbose": -1},
    "xgboost": {"n_jobs": 1, "verbosity": 0},
    "catboost": {"thread_count": 1, "verbose": False, "allow_writing_files": False},
}
"""Parameters of packages and classes that keep them on one core, silent, and from writing files.

Cohorts train side by side already, so a model has one core."""
_ONE_CORE = {"n_jobs": 1}  # for all other classes
_VERBOSITY = frozenset({"verbose", "verbosity", "silent", "logging_level", "verbose_eval"})


class EstimatorFamily(Family):
    """A class with scikit-learn's interface, which a space names with ``estimator:``.

    Parameters
    ----------
    name : str
        Name of the branch in the space.
    path : str
        Import path of the class; `load_space` has checked that its import is allowed.

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
        self.takes_missing = _takes("allow_nan", load_class(path))
        self.takes_sparse = _takes("sparse", load_class(path))

    @override
    def incompatibility(self, params: dict[str, Any], problem: Problem, metric: Metric | None = None) -> str:
        make, name = load_class(self.path), self.path.rpartition(".")[2]
        if problem.weighted and not has_fit_parameter(make, "sample_weight"):
            return f"{name} takes no row weights"
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
        return rung_levels(last, RUNG_RATIO, epoch_steps)

    @override
    def cost(self, params: dict[str, Any], n_rows: int, n_columns: int) -> float:
        # Nothing is known of the class; time proportional to its iterations is a good guess.
        given = [params[name] for name in ITERATIONS & params.keys() - {"max_iter", "n_estimators"}]
        n_estimators = {**self.section.defaults(), **params}.get("n_estimators")
        n_iterations = given[0] if given else n_estimators
        return float((n_iterations or 1) * n_rows * n_columns)

    @override
    def trainer(
        self, configurations: Sequence[dict[str, Any]], seeds: Sequence[int], problem: Problem, fold: Fold
    ) -> Trainer:
        ((params, seed),) = zip(configurations, seeds, strict=True)
        # A fold, or a sample of it, may lack a class; some packages refuse codes that are not consecutive.
        by_codes = bool(problem.n_classes) and self.package != "sklearn"
        return ForeignFit(lambda: self._new(params, seed, by_codes=by_codes), problem, fold)

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
        # Verbosity has many names, some of which a class accepts without listing them. The user's value has priority.
        accepted = self.section.parameters.keys() - _VERBOSITY
        accepted |= set() if _VERBOSITY & params.keys() else _VERBOSITY
        known = {name: value for name, value in own.items() if name in accepted}
        made = load_class(self.path)(**{**known, **params})
        return LabelEncodedClassifier(made) if by_codes else made


def _takes(tag: str, make: Callable[[], Any]) -> bool:
    """Return a class's tag of scikit-learn about its input."""
    try:
        return bool(getattr(get_tags(make()).input_tags, tag))
    except Exception:  # a class of any package: it may need arguments, or have no tags
        return False


def _is(kind: Callable[[Any], bool], make: Callable[[], Any]) -> bool:
    try:
        return kind(make())
    except AttributeError:  # a class without the tags of scikit-learn's base classes
        return False
