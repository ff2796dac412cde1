"""Train a boosting on one fold, stopped early on the fold's validation rows."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from typing_extensions import override

from automl.families.base import Trainer
from automl.families.problem import Array, Fold, Problem, predictions_from
from automl.metrics import Predictions

__all__ = ["EPOCH", "Booster", "BoostingTrainer", "patience"]

EPOCH = 25  # trees
_SMALL = 10_000  # rows up to which the patience does not depend on them
_PATIENCE = 100  # trees on a small table
_MIN_PATIENCE = 20  # trees on the largest tables
_PARTS = 4  # of the training between two rungs
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


class Booster(ABC):
    """A library's ensemble of trees that grows on a fold and knows its validation loss.

    Attributes
    ----------
    n_trees : int
        Trees so far (for each class, if there are more than two).
    grows : bool
        False once the library finds no further split.
    continues : bool
        Whether a further call of `grow` costs no more than its trees.
    """

    n_trees: int = 0
    grows: bool = True
    continues: bool = True

    @abstractmethod
    def grow(self, n_trees: int, after: Callable[[int, float], bool]) -> None:
        """Add trees.

        Parameters
        ----------
        n_trees : int
            Trees to have at the end, more than now.
        after : callable
            ``after(n, loss)`` is called with the number of trees after each of them and the loss on the validation
            rows (NaN without such rows); growth ends as soon as it returns False.
        """

    @abstractmethod
    def predict(self, X: Array, n_trees: int) -> Array:
        """Return probabilities, shape (m,) or (m, n_classes), or numbers, shape (m,), by the first ``n_trees``."""


class BoostingTrainer(Trainer):
    """One trial on one fold.

    Predictions come from the number of trees with the lowest validation loss so far.

    Parameters
    ----------
    booster : Booster
        The ensemble, without trees.
    make : callable
        Returns the unfitted estimator with the parameters it is called with.
    problem, fold : Problem and Fold
        The problem and the rows.
    n_trees : int
        Trees at most.
    stops : bool
        Whether training stops early.
    """

    def __init__(
        self,
        booster: Booster,
        make: Callable[..., Any],
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
        self._losses: list[float] = []  # after each tree
        self._best, self._lowest = 0, np.inf
        self.parts = _PARTS if booster.continues else 1

    @property
    @override
    def trials(self) -> Array:
        return self._selected

    @override
    def advance(self, rung: int, stop: Callable[[], bool]) -> bool:
        wanted = self._trees_at(rung)
        interrupted = False

        def after(n_trees: int, loss: float) -> bool:
            nonlocal interrupted
            self._losses[n_trees - 1 :] = [loss]
            self._note(n_trees, loss)
            if self._stopped_early(n_trees) or n_trees >= wanted:
                return False
            interrupted = stop()
            return not interrupted

        booster = self._booster
        if booster.n_trees < wanted and booster.grows and not self._stopped_early(booster.n_trees):
            if stop():
                return False
            booster.grow(wanted, after)
        return not interrupted

    @property
    @override
    def reached(self) -> int:
        booster = self._booster
        if not booster.grows or self._stopped_early(booster.n_trees):
            return sys.maxsize  # further training changes nothing
        return booster.n_trees // EPOCH * self._fold.epoch_steps

    @override
    def rewind(self, rung: int) -> None:
        super().rewind(rung)
        self._best, self._lowest = 0, np.inf
        for n_trees, loss in enumerate(self._losses[: self._trees_at(rung)], start=1):
            self._note(n_trees, loss)

    def _trees_at(self, rung: int) -> int:
        return min(self._n_trees, EPOCH * rung // self._fold.epoch_steps)

    def _note(self, n_trees: int, loss: float) -> None:
        if loss < self._lowest or not self._stops:
            self._best, self._lowest = n_trees, loss

    def _stopped_early(self, n_trees: int) -> bool:
        return self._stops and n_trees - self._best >= patience(self._best, len(self._fold.y))

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

    keeps_model = False  # no library has a public way from its own ensemble to its scikit-learn class

    @override
    def estimator(self, position: int) -> Any:
        model = self._make(n_estimators=max(1, self._best))
        return model.fit(self._fold.X, self._fold.y, sample_weight=self._fold.weight)
