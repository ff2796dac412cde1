"""Folds as prepared matrices, fitted on their training rows alone and kept while they are wanted."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.families import Array, Problem
from automl.table import preprocessor

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Assignment", "PreparedFold", "PreparedFolds"]

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
    scoring : str or callable
        The scorer that ranks trials.
    random_state : int
        The search's seed; the order of rows in training follows from it.
    """

    frame: pd.DataFrame
    kinds: Mapping[str, str]
    y: Array
    problem: Problem
    folds: list[tuple[Array, Array]]
    scoring: Any
    random_state: int


@dataclass(frozen=True)
class PreparedFold:
    """A fold's matrices: training and validation rows, (n, d) float32, with their targets."""

    X: Array
    y: Array
    X_valid: Array
    y_valid: Array


class PreparedFolds:
    """Every fold under the preprocessing asked for."""

    def __init__(self, assignment: Assignment) -> None:
        self._assignment = assignment
        self._kept: OrderedDict[str, list[PreparedFold]] = OrderedDict()

    def __call__(self, preprocess: Mapping[str, Any]) -> list[PreparedFold]:
        """Return the folds prepared by the ``preprocess`` part of a configuration."""
        key = json.dumps(preprocess, sort_keys=True)
        if key not in self._kept:
            self._kept[key] = [self._prepare(preprocess, *fold) for fold in self._assignment.folds]
        self._kept.move_to_end(key)
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return self._kept[key]

    def _prepare(self, preprocess: Mapping[str, Any], train: Array, valid: Array) -> PreparedFold:
        frame, y = self._assignment.frame, self._assignment.y
        transformer = preprocessor(preprocess, self._assignment.kinds, task=self._assignment.problem.task)
        X = transformer.fit_transform(frame.iloc[train], y[train])
        X_valid = transformer.transform(frame.iloc[valid])
        matrices = (np.ascontiguousarray(matrix, dtype=np.float32) for matrix in (X, X_valid))
        return PreparedFold(next(matrices), y[train], next(matrices), y[valid])
