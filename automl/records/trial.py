"""Records of a trial, before and after it is trained."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal, NamedTuple

from pydantic import ConfigDict, Field

from automl.constraints import named
from automl.records.base import Record
from automl.records.search import SearchRecord

__all__ = ["OUTSIDE", "Curve", "Model", "State", "TrialRecord", "TrialSpec", "model_of"]

_FAILED, _WITHOUT_SCORE, _OUTSIDE, _NOT_MEASURED, _INFEASIBLE, _PRUNED = 7, 6, 5, 4, 3, 2

State = Literal["complete", "stopped", "pruned", "failed"]
OUTSIDE = "not of the space"  # the reason of a model of last resort begins with it
_REPEATS = "same configuration as trial"


class Model(NamedTuple):
    """The model that a configuration describes.

    Parameters
    ----------
    family : str
        Name of the family.
    estimator : str or None
        Import path of the class, for a family that the space names by one.
    params : dict
        Parameters of the family.
    preprocess : dict
        The preprocessing.
    """

    family: str
    estimator: str | None
    params: dict[str, Any]
    preprocess: dict[str, Any]


def model_of(configuration: Mapping[str, Any]) -> Model:
    """Return the family, its parameters and the preprocessing of a configuration.

    Examples
    --------
    >>> model_of({"model": {"tree": {"max_depth": 3}}, "preprocess": {"numeric": {"scale": "robust"}}})
    Model(family='tree', estimator=None, params={'max_depth': 3}, preprocess={'numeric': {'scale': 'robust'}})
    """
    family, params = named(configuration["model"])
    preprocess = params.pop("preprocess", configuration.get("preprocess", {}))
    return Model(family, params.pop("estimator", None), params, preprocess)


class _Trial(Record):
    """The part of a trial that is known before it is trained."""

    number: int
    configuration: dict[str, Any]
    params: dict[str, Any]
    seed: int
    blas_threads: int = 1

    @cached_property
    def model(self) -> Model:
        """The configuration, parsed once."""
        return model_of(self.configuration)

    @property
    def family_params(self) -> dict[str, Any]:
        """Parameters of the family."""
        return self.model.params

    @property
    def preprocess(self) -> dict[str, Any]:
        """The preprocessing."""
        return self.model.preprocess


class TrialSpec(_Trial):
    """A trial before it is trained.

    Parameters
    ----------
    number : int
        Number of the trial in its study, from 0.
    configuration : dict
        A point of the space: nested, plain values.
    params : dict
        The same point flat, ``{"model.linear.learning_rate": 0.01, ...}``.
    seed : int
        Seed of the trial (initial weights, bootstraps), derived from the search's seed.
    blas_threads : int
        Threads for linear algebra; another number changes the last bits of a result.
    """

    @property
    def family(self) -> str:
        """Name of the family."""
        return self.model.family


class Curve(Record):
    """The history of a trial, means over the folds.

    Parameters
    ----------
    losses : tuple of float
        Training loss of epoch 1, 2, ...; empty for a family without epochs.
    learning_rates : tuple of float
        Learning rate at the end of epoch 1, 2, ....
    rungs : tuple of int
        Steps at which the trial was scored.
    scores : tuple of float
        Validation score at each rung.
    epoch_steps : int
        Steps of an epoch. Earlier rungs are scored on a sample of the rows.
    """

    losses: tuple[float, ...] = ()
    learning_rates: tuple[float, ...] = ()
    rungs: tuple[int, ...] = ()
    scores: tuple[float, ...] = ()
    epoch_steps: int = 1

    @property
    def epochs(self) -> float:
        """Epochs trained: a fraction below 1, else a whole number."""
        reached = max(len(self.losses), max(self.rungs, default=0) / self.epoch_steps)
        return int(reached) if reached >= 1 else reached


class TrialRecord(_Trial):
    """A trial that has ended.

    Parameters
    ----------
    number, configuration, params, seed, blas_threads
        As in `TrialSpec`.
    state : {"complete", "stopped", "pruned", "failed"}
        How it ended: at its last rung; by the time limit or the user; by the pruner or ``trial_timeout``; by an error.
    family : str
        Name of the model family.
    score : float or None
        Mean validation score over the folds, greater is better; None if it failed.
    fold_scores : tuple of float
        Score of each fold that was trained.
    folds_left : int
        Folds that its score does not count, because it ended before they were trained.
    score_seconds : tuple of float
        Seconds that predictions and score of each fold took at the last rung; empty in records of older versions.
    metrics : dict
        Final metrics by plain name (``accuracy``, ``rmse``, ...), means over the folds.
    values : dict
        Values of several objectives, and of everything that has a limit, by name: in their natural sign, means over
        the folds.
    violation : dict
        For each limit, the share by which the measured value exceeds it: 0.5 is half as much again, 0 or less is
        within it. Empty without limits or measurements. In JSON it is ``excess``.
    found_params : dict of str to int
        Parameters that training found, such as the number of trees by early stopping; means over the folds.
    curve : Curve
        The history.
    started : float
        Start of its cohort, seconds since 1970.
    seconds : float
        Its share of the cohort's training time.
    prepare_seconds, fit_seconds : float
        Of these: before the first fit, and in fits up to the last score; 0 in records of older versions.
    reason : str
        Reason for a state other than complete.
    """

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    state: State
    family: str
    score: float | None = None
    fold_scores: tuple[float, ...] = ()
    folds_left: int = 0
    score_seconds: tuple[float, ...] = ()
    metrics: dict[str, float] = Field(default_factory=dict)
    values: dict[str, float] = Field(default_factory=dict)
    violation: dict[str, float] = Field(default_factory=dict, alias="excess")
    found_params: dict[str, int] = Field(default_factory=dict)
    curve: Curve = Curve()
    started: float = 0.0
    seconds: float = 0.0
    prepare_seconds: float = 0.0
    fit_seconds: float = 0.0
    reason: str = ""

    @property
    def total_violation(self) -> float:
        """Sum of all violated limits; 0 if none is known to be violated."""
        return sum(share for share in self.violation.values() if share > 0)

    @property
    def lasting(self) -> bool:
        """Whether training it again would give the same result: not after a time limit or an interrupt."""
        return self.state != "stopped"

    @property
    def early(self) -> bool:
        """Whether it was cut short in its first epoch or before its last fold, so that its score means little."""
        return self.state == "stopped" and (0 < self.curve.epochs < 1 or self.folds_left > 0)

    @property
    def trained_share(self) -> float:
        """Share of the folds that its score counts."""
        n = len(self.fold_scores)
        return n / (n + self.folds_left) if n else 1.0

    @property
    def repeats(self) -> bool:
        """Whether it took its result over from an earlier trial with the same configuration."""
        return self.reason.startswith(_REPEATS)

    @property
    def original(self) -> int:
        """Number of the trial whose result it took over; its own number if it was trained."""
        return int(self.reason.removeprefix(_REPEATS)) if self.repeats else self.number

    @property
    def outside(self) -> bool:
        """Whether it is the model of last resort, which is not of the space: any trial of the space ranks before it."""
        return self.reason.startswith(OUTSIDE)

    def group(self, search: SearchRecord | None = None) -> int:
        """Return the group of the trial in a ranking; lower groups rank first, whatever the scores."""
        limits = search.constraints if search is not None else {}
        if self.score is None:
            return _FAILED if self.state == "failed" else _WITHOUT_SCORE
        if self.outside:
            return _OUTSIDE
        if limits and self.violation.keys() != limits.keys():
            return _NOT_MEASURED
        if self.total_violation > 0:
            return _INFEASIBLE
        if self.state == "pruned" or self.early:
            return _PRUNED
        # The costs of a stopped trial are not those of the complete training.
        return int(self.state == "stopped" and search is not None and search.several)

    def place(self, search: SearchRecord | None = None) -> tuple[float, ...]:
        """Return a key by which trials with scores are sorted, best first, by the first objective."""
        return self.group(search), self.total_violation, -(self.score or 0.0), self.number

    @property
    def spec(self) -> TrialSpec:
        """The trial before it was trained."""
        return TrialSpec(**self.model_dump(include=set(TrialSpec.model_fields)))

    def repeated(self, spec: TrialSpec) -> TrialRecord:
        """Return this result as the record of a later trial with the same configuration, at no cost.

        The seed stays the one that led to the result.
        """
        reason = f"{_REPEATS} {self.number}"
        times = {"started": time.time(), "seconds": 0.0, "prepare_seconds": 0.0, "fit_seconds": 0.0}
        return self.model_copy(update={"number": spec.number, "reason": reason, **times})
