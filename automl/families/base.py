"""What a family is: how configurations of one kind of model train on a fold, and what is built from the winner."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from automl.constraints import Section
from automl.metrics import Metric, Predictions

__all__ = ["Array", "Family", "Fold", "Problem", "Trainer", "epoch_steps", "rung_levels", "predictions_from"]

Array = npt.NDArray[Any]

_FIRST_SAMPLE = 5_000  # rows of the first rung of a large table, at least


@dataclass(frozen=True)
class Problem:
    """What is asked of a model.

    Parameters
    ----------
    task : {"binary", "multiclass", "regression"}
        What the target asks for.
    n_classes : int
        Classes of the target; 0 for regression.
    least : float
        The least number of a regression's target: some models are for numbers above or from 0.
    """

    task: str
    n_classes: int = 0
    least: float = 1.0


@dataclass(frozen=True)
class Fold:
    """Prepared rows to train on.

    Parameters
    ----------
    X : ndarray of shape (n, d), float32
        The prepared matrix.
    y : ndarray of shape (n,)
        Class codes 0, 1, ... or numbers.
    order_seed : tuple of int
        What the order of the rows in every epoch is derived from: the search's seed and the fold's number.
    epoch_steps : int
        Steps of an epoch, as `epoch_steps` says for the whole study.
    order : ndarray of shape (n,), optional
        Row numbers of which every beginning is a fair sample: what models without epochs see before the first
        epoch. Needed where an epoch has several steps.
    """

    X: Array
    y: Array
    order_seed: tuple[int, ...]
    epoch_steps: int = 1
    order: Array = field(default_factory=lambda: np.empty(0, np.intp))


class Trainer(ABC):
    """Trials of one structure, training on one fold.

    Attributes
    ----------
    failures : dict of int to str
        Reasons, by position, of trials that failed; these leave by themselves.
    """

    failures: dict[int, str]

    @property
    @abstractmethod
    def trials(self) -> Array:
        """Positions, in the configurations handed in, of the trials still training; shape (k,)."""

    @property
    def updated(self) -> Array:
        """Positions of those of ``trials`` that have learned anything yet, shape (k,): all that can be judged."""
        return self.trials

    @abstractmethod
    def advance(self, rung: int, stop: Callable[[], bool]) -> bool:
        """Train on until the step ``rung``; return False if ``stop`` answered True before it was reached."""

    @abstractmethod
    def predict(self, X: Array) -> list[Predictions]:
        """Return what each of ``trials`` says about rows ``X`` of shape (m, d)."""

    @abstractmethod
    def select(self, positions: Sequence[int]) -> None:
        """Let only these positions train on."""

    @abstractmethod
    def estimator(self, position: int) -> Any:
        """Return a trial as the fitted scikit-learn estimator that it is by now."""

    def history(self, position: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return a trial's training losses and learning rates by epoch; empty without epochs."""
        return (), ()


class Family(ABC):
    """A kind of model a configuration can build.

    Attributes
    ----------
    name : str
        The word for it in a space.
    section : Section
        Its parameters as data.
    shared_params : frozenset of str
        Names of the parameters that must be equal for trials to train together.
    interruptible : bool
        Whether training between two rungs can be stopped.
    unit_seconds : float
        A first guess at the seconds that a unit of `cost` takes, until it is measured.
    solo_slowdown : float
        How many times dearer a trial is alone than in a cohort.
    """

    name: str
    section: Section
    shared_params: frozenset[str]
    interruptible: bool = False
    unit_seconds: float
    solo_slowdown: float

    @abstractmethod
    def incompatibility(self, params: dict[str, Any], problem: Problem, metric: Metric | None = None) -> str:
        """Return why a configuration cannot serve this problem, and the metric if there is one; empty if it can."""

    def defaults(self, task: str) -> dict[str, Any]:
        """Return what every parameter of a task is where a configuration says nothing."""
        return self.section.defaults()

    @abstractmethod
    def epochs(self, params: dict[str, Any]) -> int:
        """Return how many epochs the whole training of a trial has."""

    def last_rung(self, params: dict[str, Any], epoch_steps: int) -> int:
        """Return the step at which a trial is complete."""
        return self.epochs(params) * epoch_steps

    def rungs(self, last: int, epoch_steps: int) -> set[int]:
        """Return the steps up to ``last`` at which this family's trials are judged; the last of each comes on top."""
        return rung_levels(last)

    def min_resource(self, params: dict[str, Any], epoch_steps: int, n_rows: int) -> int:
        """Return the step from which scores tell how a training on so many rows will end, as far as that is known."""
        return 0

    def truncated_params(self, params: dict[str, Any], rung: int, epoch_steps: int) -> dict[str, Any]:
        """Return the configuration of a training on all rows that ends at the step ``rung``, or with an epoch."""
        return params

    @abstractmethod
    def cost(self, params: dict[str, Any], n_rows: int, n_columns: int) -> float:
        """Return the size of one training in units of this family's own, proportional to its time."""

    def max_cohort_size(self, params: dict[str, Any], n_columns: int) -> int:
        """Return how many trials of a structure are worth training together."""
        return 1

    def memory(self, params: dict[str, Any], n_rows: int, n_columns: int) -> float:
        """Return about how many bytes a trial takes while it trains on one fold, the fold itself left out."""
        return 4.0 * n_rows * n_columns

    @abstractmethod
    def trainer(
        self, configurations: Sequence[dict[str, Any]], seeds: Sequence[int], problem: Problem, fold: Fold
    ) -> Trainer:
        """Return trials of equal structure, ready to train on ``fold``."""

    @abstractmethod
    def estimator(self, params: dict[str, Any], seed: int, problem: Problem) -> Any:
        """Return the unfitted scikit-learn estimator that the configuration describes."""


def epoch_steps(n_rows: int) -> int:
    """Return how many steps an epoch has where ``n_rows`` rows are trained on: a power of two.

    Steps are the scale that all rungs of a study are on, proportional to what was spent: step ``s`` below
    ``epoch_steps`` has seen that share of the rows, and later ones stand for whole epochs. An epoch is a pass over
    the rows, so many trees, or the whole fit of a model that has neither.

    Examples
    --------
    >>> [epoch_steps(n) for n in (100, 9_999, 10_000, 80_000, 1_000_000)]
    [1, 1, 2, 16, 128]
    """
    return int(2 ** max(0, (n_rows // _FIRST_SAMPLE).bit_length() - 1))


def rung_levels(last: int, ratio: int = 2, through: int = 1) -> set[int]:
    """Return the steps up to ``last``, each ``ratio`` times the one before, that ``through`` is one of.

    They are the same for every trial of a family, so that a pruner compares like with like.

    Examples
    --------
    >>> sorted(rung_levels(20))
    [1, 2, 4, 8, 16]
    >>> sorted(rung_levels(200, ratio=4, through=32))
    [2, 8, 32, 128]
    """
    first = through
    while first % ratio == 0:
        first //= ratio
    return {rung for power in range(last.bit_length()) if (rung := first * ratio**power) <= last}


def predictions_from(
    problem: Problem, *, probabilities: Array | None = None, decision: Array | None = None
) -> Predictions:
    """Return predictions whose class codes follow from probabilities or decision scores."""
    if probabilities is not None:
        return Predictions(probabilities.argmax(axis=1), probabilities=probabilities)
    if decision is None:
        raise ValueError("either probabilities or decision scores")
    if problem.n_classes == 2:
        decision = decision.reshape(len(decision))
        return Predictions((decision > 0).astype(np.int64), decision=decision)
    return Predictions(decision.argmax(axis=1), decision=decision)
