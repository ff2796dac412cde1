"""Folds as prepared matrices, fitted on their training rows alone and kept while they are wanted."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.families import Array, Problem
from automl.metrics import Direction
from automl.table import TypedColumns, fair_order, preprocessor

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Assignment", "PreparedFold", "PreparedFolds"]

_JUDGES = 5_000  # validation rows that judge a model of the first rungs, at least
_KEPT = 4  # ways of preparing whose matrices stay in memory, most recently used


@dataclass(frozen=True)
class Assignment:
    """What every cohort of a search trains on.

    Parameters
    ----------
    frame : DataFrame of shape (n, p)
        The typed columns.
    kinds : mapping of str to str
        Kind of every column.
    y : ndarray of shape (n,)
        Class codes or numbers.
    problem : Problem
        Task and number of classes.
    folds : list of (train, valid)
        Row numbers; fixed for the whole search.
    scoring : str, callable or list of them
        The scorer that ranks trials, or all objectives.
    random_state : int
        The search's seed; what preprocessing draws and the order of rows in training follow from it.
    epoch_steps : int
        Steps of an epoch: the scale of all rungs.
    directions : sequence of {"maximize", "minimize"} or None
        Where the objectives' values should go, if not where such values go by themselves.
    constraints : mapping of str to float
        Limits on what is measured of a trial.
    columns : TypedColumns or None
        The fitted first step of every pipeline; its size counts.
    """

    frame: pd.DataFrame
    kinds: Mapping[str, str]
    y: Array
    problem: Problem
    folds: list[tuple[Array, Array]]
    scoring: Any
    random_state: int
    epoch_steps: int = 1
    directions: Sequence[Direction] | None = None
    constraints: Mapping[str, float] = field(default_factory=dict)
    columns: TypedColumns | None = None


@dataclass(frozen=True)
class PreparedFold:
    """A fold's matrices: training and validation rows, (n, d) float32, with their targets.

    Of ``order`` and ``order_valid``, row numbers, every beginning is a fair sample; empty where no rung needs one.
    """

    X: Array
    y: Array
    X_valid: Array
    y_valid: Array
    order: Array
    order_valid: Array

    def judges(self, share: float) -> tuple[Array, Array]:
        """Return the validation rows, and their targets, that judge a model of ``share`` of the training rows."""
        n = max(_JUDGES, int(share * len(self.y_valid)))
        if share >= 1 or n >= len(self.y_valid):
            return self.X_valid, self.y_valid
        rows = np.sort(self.order_valid[:n])
        return self.X_valid[rows], self.y_valid[rows]


class PreparedFolds:
    """Every fold under the preprocessing asked for."""

    def __init__(self, assignment: Assignment) -> None:
        self._assignment = assignment
        self._kept: OrderedDict[str, list[PreparedFold]] = OrderedDict()

    def __call__(self, preprocess: Mapping[str, Any]) -> list[PreparedFold]:
        """Return the folds prepared by the ``preprocess`` part of a configuration."""
        key = json.dumps(preprocess, sort_keys=True)
        if key not in self._kept:
            self._kept[key] = [self._prepare(preprocess, n) for n in range(len(self._assignment.folds))]
        self._kept.move_to_end(key)
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return self._kept[key]

    @cached_property
    def _orders(self) -> list[list[Array]]:
        """Fair orders of the training and the validation rows of every fold."""
        assignment = self._assignment
        task, seed = assignment.problem.task, assignment.random_state
        if assignment.epoch_steps == 1:
            return [[np.empty(0, np.intp)] * 2] * len(assignment.folds)
        return [
            [
                fair_order(assignment.y[rows], task, (seed, n, 0, side))
                for side, rows in enumerate(fold, start=1)
            ]
            for n, fold in enumerate(assignment.folds)
        ]

    def _prepare(self, preprocess: Mapping[str, Any], number: int) -> PreparedFold:
        assignment = self._assignment
        frame, y, (train, valid) = assignment.frame, assignment.y, assignment.folds[number]
        transformer = preprocessor(
            preprocess, assignment.kinds, task=assignment.problem.task, random_state=assignment.random_state
        )
        X = transformer.fit_transform(frame.iloc[train], y[train])
        X_valid = transformer.transform(frame.iloc[valid])
        matrices = (np.ascontiguousarray(matrix, dtype=np.float32) for matrix in (X, X_valid))
        return PreparedFold(next(matrices), y[train], next(matrices), y[valid], *self._orders[number])
