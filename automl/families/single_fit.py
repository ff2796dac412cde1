"""Trainers of a single scikit-learn estimator."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from typing_extensions import override

from automl.families.base import Trainer, fit_weighted
from automl.families.native_categories import without_functions
from automl.families.problem import Array, Fold, Problem, predictions_from
from automl.metrics import Predictions

__all__ = ["RUNG_RATIO", "ForeignFit", "Growth", "SingleFit"]

RUNG_RATIO = (
    4  # of successive rungs: the fit on a sample is thrown away, so it should be small beside the next
)
_PIECE_VALUES = 1_000_000  # trees times table values between two checks of `stop`: a fit has a fixed cost


@dataclass(frozen=True)
class Growth:
    """How a model grows tree by tree.

    Parameters
    ----------
    parameter : str
        The parameter that counts the trees.
    epoch : int
        Trees of an epoch.
    divisible : bool
        Whether a few trees at a time cost no more. Boosting reads all rows at the start of every fit.
    """

    parameter: str
    epoch: int
    divisible: bool


class SingleFit(Trainer):
    """Trains a scikit-learn estimator: on samples below the first epoch, then tree by tree or as a whole.

    A model that grows equals that of a single fit, bit for bit. Warm start continues the random numbers, and boosting
    keeps its held-out rows and their scores. A trial of a boosting that stops early is complete.

    Parameters
    ----------
    make : callable
        Returns the unfitted estimator, with the parameters it is called with.
    problem : Problem
        The problem.
    fold : Fold
        The training rows.
    growth : Growth, optional
        How the model grows, if it does.
    """

    def __init__(
        self, make: Callable[..., Any], problem: Problem, fold: Fold, growth: Growth | None = None
    ) -> None:
        self.failures = {}
        self._selected = np.arange(1)
        self._make, self._problem, self._fold, self._growth = make, problem, fold, growth
        self._estimator: Any = None
        self._n_trees = self._step = 0

    @property
    @override
    def trials(self) -> Array:
        return self._selected

    @property
    @override
    def model_step(self) -> int:
        return self._step

    @override
    def advance(self, rung: int, stop: Callable[[], bool]) -> bool:
        if stop() or not self._train(rung, stop):
            return False
        self._step = rung
        return True

    def _train(self, rung: int, stop: Callable[[], bool]) -> bool:
        fold, steps = self._fold, self._fold.epoch_steps
        if rung < steps:
            rows = np.sort(fold.order[: len(fold.y) * rung // steps])
            weight = None if fold.weight is None else fold.weight[rows]
            self._estimator = fit_weighted(
                self._make(**self._trees(steps)), fold.X[rows], fold.y[rows], weight
            )
            return True
        if self._growth is not None:
            return self._grow(self._growth, rung, stop)
        self._estimator = fit_weighted(self._make(), fold.X, fold.y, fold.weight)
        return True

    def _trees(self, rung: int) -> dict[str, int]:
        """Return the number of trees at a step, by the name of the parameter."""
        if self._growth is None:
            return {}
        all_trees = self._make().get_params()[self._growth.parameter]
        return {self._growth.parameter: min(all_trees, self._growth.epoch * rung // self._fold.epoch_steps)}

    def _grow(self, growth: Growth, rung: int, stop: Callable[[], bool]) -> bool:
        ((name, n_trees),) = self._trees(rung).items()
        if not self._n_trees:
            self._estimator, self._step = self._make(warm_start=True), 0
        piece = max(1, _PIECE_VALUES // max(1, self._fold.X.size)) if growth.divisible else n_trees
        while self._n_trees < n_trees and not _stopped_early(self._estimator):
            if stop():
                return False
            self._n_trees, self._step = min(self._n_trees + piece, n_trees), 0
            with warnings.catch_warnings():
                # Every fit computes the class weights again; all fits see the same rows.
                warnings.filterwarnings("ignore", "class_weight presets", UserWarning)
                self._estimator.set_params(**{name: self._n_trees})
                fit_weighted(self._estimator, self._fold.X, self._fold.y, self._fold.weight)
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
        self._selected = np.intersect1d(self._selected, np.asarray(positions, dtype=int))

    @override
    def estimator(self, position: int) -> Any:
        return without_functions(self._estimator, self._fold.X)

    def _all_classes(self, probabilities: Array) -> Array:
        """Add a column of zeros for each class without rows in this fold."""
        if probabilities.shape[1] == self._problem.n_classes:
            return probabilities
        full = np.zeros((len(probabilities), self._problem.n_classes))
        full[:, self._estimator.classes_] = probabilities
        return full


class ForeignFit(SingleFit):
    """Trains an estimator of any package, of which only scikit-learn's interface is known."""

    @override
    def _predictions(self, X: Array) -> Predictions:
        values = np.asarray(self._estimator.predict(X)).reshape(X.shape[0])
        if self._problem.task == "regression":
            return Predictions(values)
        if hasattr(self._estimator, "predict_proba"):
            return Predictions(values, probabilities=self._all_classes(self._estimator.predict_proba(X)))
        if hasattr(self._estimator, "decision_function"):
            return Predictions(values, decision=self._scores(self._estimator.decision_function(X)))
        return Predictions(values)

    def _scores(self, decision: Array) -> Array:
        """Add scores below all others for each class without rows in this fold."""
        if decision.ndim == 1 and self._problem.n_classes == 2:
            return decision
        scores = np.column_stack([-decision, decision]) if decision.ndim == 1 else decision
        full = np.full((len(scores), self._problem.n_classes), scores.min() - 1)
        full[:, self._estimator.classes_] = scores
        return full


def _stopped_early(estimator: Any) -> bool:
    """Return whether a boosting has stopped early; another fit would add one tree before it notices."""
    if not getattr(estimator, "do_early_stopping_", False):
        return False
    scores, n = estimator.validation_score_, estimator.n_iter_no_change
    return len(scores) > n and bool(max(scores[-n:]) <= scores[-n - 1] + estimator.tol)
