"""The facts of a search that every worker needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from automl.families import Array, Problem
from automl.metrics import Objectives
from automl.table import TypedColumns

__all__ = ["WorkerContext"]


@dataclass(frozen=True)
class WorkerContext:
    """What every cohort of a search trains on.

    Parameters
    ----------
    frame : DataFrame of shape (n, p)
        The typed columns.
    column_types : mapping of str to str
        Type of every column.
    y : ndarray of shape (n,)
        Class codes or numbers.
    problem : Problem
        Task and number of classes.
    folds : list of (train, valid)
        Row numbers; fixed for the whole search.
    objectives : Objectives
        The scorer that ranks trials, and further objectives.
    random_state : int
        The search's seed. Random parts of preprocessing and the order of rows in training derive from it.
    epoch_steps : int
        Steps of an epoch: the unit of all rungs.
    constraints : mapping of str to float
        Upper limits of measured costs.
    fit_weight : ndarray of shape (n,) or None
        Row weights of training, class weights included; None weighs all rows equally.
    score_weight : ndarray of shape (n,) or None
        Row weights of scores.
    columns : TypedColumns or None
        The fitted first step of every pipeline; its size is part of ``model_bytes``.
    predictions : Path or None
        Folder for the out-of-fold predictions of trials; None keeps none.
    models : Path or None
        Folder for the fold models of trials that took long; None keeps none.
    packed : dict of str to bytes or None
        Receives the files of out-of-fold predictions by name, where the disk of the search cannot be reached.
    """

    frame: pd.DataFrame
    column_types: Mapping[str, str]
    y: Array
    problem: Problem
    folds: list[tuple[Array, Array]]
    objectives: Objectives
    random_state: int
    epoch_steps: int = 1
    constraints: Mapping[str, float] = field(default_factory=dict)
    fit_weight: Array | None = None
    score_weight: Array | None = None
    columns: TypedColumns | None = None
    predictions: Path | None = None
    models: Path | None = None
    packed: dict[str, bytes] | None = None
