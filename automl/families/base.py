"""The interface of a model family: how its configurations train, and the estimator of the winner.

To add a family, write a module with a subclass of `Family` and of `Trainer`, and add an instance to the table
``FAMILIES`` in ``catalog.py``. A scikit-learn classifier and regressor need no new class: add a row of
`SklearnFamily`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from sklearn.base import clone

from automl.constraints import Section
from automl.families.problem import Array, Fold, Problem, StreamedFit, matrix_bytes
from automl.families.rungs import rung_levels
from automl.metrics import Metric, Predictions

__all__ = ["Family", "Trainer", "fit_weighted"]


class Trainer(ABC):
    """Trials of a cohort in training on one fold.

    Trials are known by their positions among the configurations that were passed to `Family.trainer`.

    Attributes
    ----------
    failures : dict of int to str
        Reasons, by position, of trials that failed in training; the trainer has removed them.
    keeps_model : bool
        Whether `estimator` returns what was trained, without another fit.
    parts : int
        Parts of the training between two rungs, after each of which another fold trains. An interruption loses less.
    """

    failures: dict[int, str]
    keeps_model: bool = True
    parts: int = 1

    @property
    @abstractmethod
    def trials(self) -> Array:
        """Positions of the trials in training, shape (k,)."""

    @property
    def updated(self) -> Array:
        """Positions of the trials that have learned from at least one row; only these can be scored."""
        return self.trials

    @abstractmethod
    def advance(self, rung: int, stop: Callable[[], bool]) -> bool:
        """Train until the step ``rung``.

        Parameters
        ----------
        rung : int
            The step, above all steps before.
        stop : callable
            To be called often; training ends as soon as it returns True.

        Returns
        -------
        bool
            False if ``stop`` ended training before the rung.
        """

    @property
    def model_step(self) -> int:
        """The step of the model that `estimator` returns; 0 if it may be between two steps."""
        return 0

    @property
    def reached(self) -> int:
        """The last step that `rewind` can go back to; 0 if it cannot."""
        return 0

    def rewind(self, rung: int) -> None:
        """Go back to the model of the step ``rung``, at most ``reached``, after an interrupted `advance`.

        Raises
        ------
        ValueError
            If the step is later; by default, any step is.
        """
        if rung > self.reached:
            raise ValueError(f"cannot go back to step {rung}: {self.reached} is the last one reached")

    @abstractmethod
    def predict(self, X: Array) -> list[Predictions]:
        """Return the predictions of each of ``trials`` for rows ``X`` of shape (m, d)."""

    @abstractmethod
    def select(self, positions: Sequence[int]) -> None:
        """Continue with these positions only."""

    @abstractmethod
    def estimator(self, position: int) -> Any:
        """Return a trial as a scikit-learn estimator, fitted as far as the trial is."""

    def found_params(self, position: int) -> dict[str, int]:
        """Return parameters that training found for a trial, such as a number of trees; empty if none."""
        return {}

    def history(self, position: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return training losses and learning rates of a trial by epoch; empty without epochs."""
        return (), ()


class Family(ABC):
    """A kind of model.

    A subclass sets the attributes, and implements the abstract methods; the others have defaults for a model that is
    fitted as a whole. ``params`` are the values of a configuration for the parameters of ``section``; those that the
    configuration leaves out are missing.

    Attributes
    ----------
    name : str
        Name of the family in a search space.
    section : Section
        The parameters with their rules, defaults and descriptions.
    shared_params : frozenset of str
        Parameters that must be equal for trials to train together in a cohort.
    category_codes : frozenset of str
        Encoders whose codes of categories the family takes: ``embed`` for learned vectors, ``native`` for splits.
    takes_missing : bool
        Whether the family takes missing numbers (NaN).
    takes_sparse : bool
        Whether the family takes sparse matrices.
    package : str
        Package that the family needs besides the plain install; the extra ``boosting`` brings it. Empty if none.
    interruptible : bool
        Whether training can be stopped between two rungs.
    folds_in_turn : bool
        Whether a trial, which trains alone, may be trained on one fold after the other.
    scales_target : bool
        Whether the family standardises a regression target by itself.
    averages_folds : bool
        Whether the mean of its fold models predicts better than one model of all rows, as for networks.
    quick : bool
        Whether a training takes about a second on any table.
    unit_seconds : float
        A first guess at the seconds of a unit of `cost`, until it is measured.
    solo_slowdown : float
        How many times longer a trial takes alone than in a cohort.
    """

    name: str
    section: Section
    shared_params: frozenset[str]
    package: str = ""
    interruptible: bool = False
    folds_in_turn: bool = True
    quick: bool = False
    category_codes: frozenset[str] = frozenset()
    takes_missing: bool = False
    takes_sparse: bool = False
    scales_target: bool = False
    averages_folds: bool = False
    unit_seconds: float
    solo_slowdown: float = 1.0

    # What can be searched

    @abstractmethod
    def incompatibility(self, params: dict[str, Any], problem: Problem, metric: Metric | None = None) -> str:
        """Return the reason why parameters are not for a problem or a metric; empty if there is none."""

    def defaults(self, task: str) -> dict[str, Any]:
        """Return the default of every parameter of a task."""
        return self.section.defaults()

    # Rungs

    @abstractmethod
    def epochs(self, params: dict[str, Any]) -> int:
        """Return the number of epochs of a complete training."""

    def last_rung(self, params: dict[str, Any], epoch_steps: int) -> int:
        """Return the step at which a trial is complete."""
        return self.epochs(params) * epoch_steps

    def rungs(self, last: int, epoch_steps: int) -> set[int]:
        """Return the steps up to ``last`` at which trials are scored, apart from the last rung of each."""
        return rung_levels(last)

    def min_resource(self, params: dict[str, Any], epoch_steps: int, n_rows: int) -> int:
        """Return the first step at which a trial may be pruned."""
        return 0

    def truncated_params(self, params: dict[str, Any], rung: int, epoch_steps: int) -> dict[str, Any]:
        """Return the parameters of a training on all rows that ends at the step ``rung``, in whole epochs."""
        return params

    # Cost

    def kept_share(self, params: dict[str, Any], found: dict[str, int], n_rows: int) -> float:
        """Return the share of a complete training that leads to its best score; a refit takes no more.

        Parameters
        ----------
        params, found : dict
            The parameters of a trial, and those that its training found.
        n_rows : int
            Training rows.
        """
        return 1.0

    @abstractmethod
    def cost(self, params: dict[str, Any], n_rows: int, n_columns: int) -> float:
        """Return the cost of one training, proportional to its time; the family chooses the unit."""

    def max_cohort_size(self, params: dict[str, Any], n_columns: int) -> int:
        """Return the largest number of trials worth training together."""
        return 1

    def memory(self, params: dict[str, Any], n_rows: int, n_columns: int, density: float = 1.0) -> float:
        """Estimate the bytes of a trial that trains on one fold, apart from the fold itself.

        ``density`` is the share of the cells that are stored, below 1 for a sparse table.
        """
        return matrix_bytes(n_rows, n_columns, density)

    # All rows of a table that does not fit into memory

    def streamed_params(self, params: dict[str, Any], n_sample: int, n_rows: int) -> dict[str, Any] | None:
        """Return the parameters for one or a few passes over streamed rows; None if the family needs them in memory.

        Parameters
        ----------
        params : dict
            The parameters of a trial.
        n_sample : int
            Rows that the trial was trained on.
        n_rows : int
            Streamed rows.
        """
        return None

    def streamed_bytes(self, params: dict[str, Any], n_rows: int, n_columns: int, problem: Problem) -> float:
        """Estimate the bytes of `fit_streamed`; by default of a fit with the matrix in memory."""
        return 4.0 * n_rows * n_columns + self.memory(params, n_rows, n_columns)

    def fit_streamed(self, fit: StreamedFit) -> Any:
        """Return an estimator fitted to rows that are read block by block; None if ``fit.stop`` returned True.

        By default the rows are read into memory.
        """
        y = fit.model.classes_[fit.fold.y] if fit.problem.n_classes else fit.fold.y
        return fit_weighted(clone(fit.model), fit.fold.X[:], y, fit.fold.weight)

    # Training

    @abstractmethod
    def trainer(
        self, configurations: Sequence[dict[str, Any]], seeds: Sequence[int], problem: Problem, fold: Fold
    ) -> Trainer:
        """Return a trainer of trials with equal ``shared_params``.

        Parameters
        ----------
        configurations : sequence of dict
            The parameters of each trial; one trial if `max_cohort_size` is 1.
        seeds : sequence of int
            The seed of each trial.
        problem : Problem
            The problem.
        fold : Fold
            The training rows.
        """

    @abstractmethod
    def estimator(self, params: dict[str, Any], seed: int, problem: Problem) -> Any:
        """Return the unfitted scikit-learn estimator of a configuration."""


def fit_weighted(estimator: Any, X: Any, y: Any, sample_weight: Any) -> Any:
    """Fit an estimator; without row weights (None) also one that takes none."""
    return estimator.fit(X, y) if sample_weight is None else estimator.fit(X, y, sample_weight=sample_weight)
