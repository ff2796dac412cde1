"""The learning problem and the rows that a family trains on, and its predictions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from automl.metrics import Predictions

__all__ = ["Array", "Fold", "Problem", "StreamedFit", "matrix_bytes", "predictions_from"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Problem:
    """The learning problem of a search.

    Parameters
    ----------
    task : {"binary", "multiclass", "regression"}
        The task.
    n_classes : int
        Classes of the target; 0 for regression.
    least : float
        The smallest number of a regression target: some losses need numbers above 0, or of at least 0.
    categories : tuple of int
        Number of codes of each of the last columns, where the preprocessing leaves categories as codes.
    positive : int
        Code of the positive class of two.
    weighted : bool
        Whether training rows have weights, which the family must take.
    sparse : bool
        Whether the prepared matrices are sparse, a csr_matrix each.
    target_scale : (float, float)
        Shift and factor of a regression target, see `automl.families.target_scale`.
    """

    task: str
    n_classes: int = 0
    least: float = 1.0
    categories: tuple[int, ...] = ()
    positive: int = 1
    weighted: bool = False
    sparse: bool = False
    target_scale: tuple[float, float] = (0.0, 1.0)


@dataclass(frozen=True)
class Fold:
    """Prepared training rows of a fold, and its validation rows for early stopping.

    Parameters
    ----------
    X : ndarray of shape (n, d), float32
        The prepared matrix.
    y : ndarray of shape (n,)
        Class codes 0, 1, ... or numbers.
    order_seed : tuple of int
        Seed of the order of rows in every epoch: the search's seed and the fold's number.
    epoch_steps : int
        Steps of an epoch, see `automl.families.epoch_steps`.
    order : ndarray of shape (n,), optional
        Row numbers, the first m of which are a stratified sample for any m. Models without epochs train on such
        samples before the first epoch. Needed if an epoch has several steps.
    X_valid : ndarray of shape (m, d), float32, optional
        Validation rows of the fold, for families that stop early.
    y_valid : ndarray of shape (m,), optional
        Target of the validation rows.
    weight : ndarray of shape (n,), optional
        Weights of the training rows, class weights included; None weighs all equally.
    weight_valid : ndarray of shape (m,), optional
        Weights of the validation rows, for the loss of families that stop early.
    """

    X: Array
    y: Array
    order_seed: tuple[int, ...]
    epoch_steps: int = 1
    order: Array = field(default_factory=lambda: np.empty(0, np.intp))
    X_valid: Array = field(default_factory=lambda: np.empty((0, 0), np.float32))
    y_valid: Array = field(default_factory=lambda: np.empty(0))
    weight: Array | None = None
    weight_valid: Array | None = None


@dataclass(frozen=True)
class StreamedFit:
    """The model, parameters and rows of a fit to more rows than its trial had.

    Parameters
    ----------
    model : estimator
        The estimator of the same trial, fitted to a sample of the rows.
    params : dict
        The parameters, as `Family.streamed_params` returns them.
    seed : int
        The seed of the trial.
    problem : Problem
        The problem.
    fold : Fold
        All rows. ``X`` has ``shape`` and ``blocks``, a list of ``(start, stop)``, and returns slices of rows.
    stop : callable
        Called from time to time; the fit ends as soon as it returns True.
    """

    model: Any
    params: dict[str, Any]
    seed: int
    problem: Problem
    fold: Fold
    stop: Callable[[], bool]


def matrix_bytes(n_rows: int, n_columns: int, density: float = 1.0) -> float:
    """Return the bytes of a prepared matrix: float32 cells, or the stored cells of a sparse one with their columns.

    Examples
    --------
    >>> matrix_bytes(1_000, 100), matrix_bytes(1_000, 100, density=0.01)
    (400000.0, 12000.0)
    """
    cells = float(n_rows * n_columns)
    return 4 * cells if density >= 1 else 8 * cells * density + 4 * n_rows


def predictions_from(
    problem: Problem, *, probabilities: Array | None = None, decision: Array | None = None
) -> Predictions:
    """Return predictions with the class codes of probabilities or of decision scores."""
    if probabilities is not None:
        return Predictions(probabilities.argmax(axis=1), probabilities=probabilities)
    if decision is None:
        raise ValueError("either probabilities or decision scores")
    if problem.n_classes == 2:
        decision = decision.reshape(len(decision))
        return Predictions((decision > 0).astype(np.int64), decision=decision)
    return Predictions(decision.argmax(axis=1), decision=decision)
