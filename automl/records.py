"""What travels between rooms: small frozen records, without references, JSON both ways."""

from __future__ import annotations

import time
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Curve", "TrialSpec", "SearchRecord", "State", "Task", "TrialRecord"]

Task = Literal["binary", "multiclass", "regression"]
State = Literal["complete", "stopped", "pruned", "failed"]


class _Record(BaseModel):
    """``model_dump_json`` and ``model_validate_json`` go both ways, infinities and NaN included."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")


class TrialSpec(_Record):
    """A trial before it is trained.

    Parameters
    ----------
    number : int
        The trial's number in its study, from 0.
    configuration : dict
        A point of the space: nested, plain values.
    params : dict
        The same point flat, ``{"model.linear.learning_rate": 0.01, ...}``.
    seed : int
        The trial's own seed (initial weights, bootstraps), derived from the search's.
    blas_threads : int
        Threads of the linear algebra that it may have: another number gives other last bits.
    """

    number: int
    configuration: dict[str, Any]
    params: dict[str, Any]
    seed: int
    blas_threads: int = 1


class Curve(_Record):
    """A trial's history, means over the folds.

    Parameters
    ----------
    losses : tuple of float
        Training loss of epoch 1, 2, ...; empty for a family without epochs.
    learning_rates : tuple of float
        Learning rate at the end of epoch 1, 2, ....
    rungs : tuple of int
        Steps at which the trial was judged.
    scores : tuple of float
        Validation score at each rung.
    epoch_steps : int
        Steps of an epoch; those below were judged by a sample of the rows.
    """

    losses: tuple[float, ...] = ()
    learning_rates: tuple[float, ...] = ()
    rungs: tuple[int, ...] = ()
    scores: tuple[float, ...] = ()
    epoch_steps: int = 1

    @property
    def epochs(self) -> float:
        """How far the trial came: a part of an epoch, or so many."""
        reached = max(len(self.losses), max(self.rungs, default=0) / self.epoch_steps)
        return int(reached) if reached >= 1 else reached


class TrialRecord(_Record):
    """A trial as it ended.

    Parameters
    ----------
    number, configuration, params, seed, blas_threads
        As in the `TrialSpec`.
    state : {"complete", "stopped", "pruned", "failed"}
        How it ended: at its last rung; cut short because the time was up or the user had enough; given up by the
        pruner, or because it took longer than a trial may; or with an error.
    family : str
        The model family's name.
    score : float or None
        Mean validation score over the folds, greater is better; None where it failed.
    fold_scores : tuple of float
        The score of each fold.
    metrics : dict
        Final metrics by plain name (``accuracy``, ``rmse``, ...), means over the folds.
    values : dict
        The objectives' values by name, where there are several, and what was measured for limits: as people read
        them, means over the folds.
    excess : dict
        For each limit the part of it by which the measured value is above it: 0.5 is half as much again, and what is
        not above 0 is within it. Empty without limits, and where nothing could be measured.
    curve : Curve
        The history.
    started : float
        When its cohort started, seconds since 1970.
    seconds : float
        Its share of its cohort's training time.
    reason : str
        Why it was stopped, pruned or failed; empty where it completed.
    """

    number: int
    configuration: dict[str, Any]
    params: dict[str, Any]
    seed: int
    blas_threads: int = 1
    state: State
    family: str
    score: float | None = None
    fold_scores: tuple[float, ...] = ()
    metrics: dict[str, float] = Field(default_factory=dict)
    values: dict[str, float] = Field(default_factory=dict)
    excess: dict[str, float] = Field(default_factory=dict)
    curve: Curve = Curve()
    started: float = 0.0
    seconds: float = 0.0
    reason: str = ""

    @property
    def overrun(self) -> float:
        """By how much limits are broken, all together; 0 where none is known to be."""
        return sum(excess for excess in self.excess.values() if excess > 0)

    @property
    def lasting(self) -> bool:
        """Whether to train it again would tell nothing new; not so where time or the user cut it short."""
        return self.state != "stopped"

    @property
    def early(self) -> bool:
        """Whether it was cut short before it had seen all rows, so that its score tells little."""
        return self.state == "stopped" and 0 < self.curve.epochs < 1

    def repeated(self, proposal: TrialSpec) -> TrialRecord:
        """Return the record of an equal configuration proposed later: this result, at no cost.

        The seed stays the one that led to the result.
        """
        reason = f"same configuration as trial {self.number}"
        changed = {"number": proposal.number, "started": time.time(), "seconds": 0.0, "reason": reason}
        return self.model_copy(update=changed)


class SearchRecord(_Record):
    """What a search is about; the same for all its trials.

    Parameters
    ----------
    study_name : str
        The Optuna study's name.
    task : {"binary", "multiclass", "regression"}
        What the target asks for.
    target : str
        The target's name.
    scoring : str
        The scikit-learn scorer that ranks the trials; or all objectives, it first, with commas between.
    directions : tuple of {"maximize", "minimize"}
        Where the value of each objective should go.
    constraints : dict of str to float
        Limits on what is measured of a trial.
    space : str
        The space's name.
    space_digest : str
        Its fingerprint.
    n_rows, n_columns, n_folds : int
        Size of the table and of its split.
    epoch_steps : int
        Steps of an epoch, the scale of all rungs.
    random_state : int
        The seed everything else is derived from.
    columns : dict of str to str
        Kind of each column.
    left_out : tuple of str
        What of the space and the table is not used, each with the reason.
    content, folds : str
        Fingerprints of the table's values with the target, and of the split; empty in records of older versions.
    file : str
        Where the table was read from; empty for one that was made in memory.
    cv : int, "object" or None
        The folds that were asked for; "object" where a program handed in splits or groups of its own.
    blas_threads : int
        Threads of the linear algebra that its next trials may have.
    """

    study_name: str
    task: Task
    target: str
    scoring: str
    space: str
    space_digest: str
    n_rows: int
    n_columns: int
    n_folds: int
    random_state: int
    columns: dict[str, str] = Field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    content: str = ""
    folds: str = ""
    file: str = ""
    epoch_steps: int = 1
    cv: int | Literal["object"] | None = None
    directions: tuple[Literal["maximize", "minimize"], ...] = ("maximize",)
    constraints: dict[str, float] = Field(default_factory=dict)
    blas_threads: int = 1

    @property
    def several(self) -> bool:
        """Whether there are several objectives."""
        return len(self.directions) > 1

    @property
    def objectives(self) -> tuple[str, ...]:
        """The names of the objectives."""
        return tuple(self.scoring.split(", "))
