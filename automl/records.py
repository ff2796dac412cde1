"""Frozen records that travel between packages: no references, JSON both ways."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from automl.constraints import named

__all__ = [
    "OUTSIDE", "Curve", "EnsembleRecord", "Model", "SearchRecord", "State", "Task", "TrialRecord", "TrialSpec",
    "model_of",
]  # fmt: skip

_FAILED, _WITHOUT_SCORE, _OUTSIDE, _NOT_MEASURED, _INFEASIBLE, _PRUNED = 7, 6, 5, 4, 3, 2

Task = Literal["binary", "multiclass", "regression"]
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


class _Record(BaseModel):
    """A frozen record; ``model_dump_json`` and ``model_validate_json`` keep infinities and NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")


class _Trial(_Record):
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


class Curve(_Record):
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
        Score of each fold.
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
        """Whether it was cut short in its first epoch, so that its score means little."""
        return self.state == "stopped" and 0 < self.curve.epochs < 1

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


class EnsembleRecord(_Record):
    """An ensemble of trials that a search chose, or the reason why there is none.

    Parameters
    ----------
    members : tuple of (int, float)
        Numbers of the trials with their weights, which sum to 1, greatest first; empty if there is no ensemble.
    score : float or None
        Score of the weighted average on the validation rows, the mean over the folds; greater is better.
    fold_scores : tuple of float
        Score of each fold.
    gain, gain_error : float
        How much better it scores than the best trial, and the standard error of that.
    reason : str
        Why there is no ensemble.
    """

    members: tuple[tuple[int, float], ...] = ()
    score: float | None = None
    fold_scores: tuple[float, ...] = ()
    gain: float = 0.0
    gain_error: float = 0.0
    reason: str = ""


class SearchRecord(_Record):
    """The facts of a search that its study and its MLflow run keep.

    Parameters
    ----------
    study_name : str
        Name of the Optuna study.
    task, target : str
        Kind (binary, multiclass, regression) and name of the target.
    scoring : str
        Names of the objectives, separated by commas; the first ranks the trials.
    directions : tuple of {"maximize", "minimize"}
        Direction of each objective.
    constraints : dict of str to float
        Upper limits on measured values of a trial.
    space, space_digest : str
        Name and fingerprint of the space.
    n_rows, n_columns, n_folds : int
        Size of the table and number of folds.
    density : float
        Share of the cells that are stored, below 1 for a sparse table.
    epoch_steps : int
        Steps of an epoch, the scale of all rungs.
    random_state : int
        Seed of the search.
    columns, types : dict of str to str
        Type of each column, and the types that the user asked for.
    left_out : tuple of str
        Excluded columns and values of the space, each with the reason.
    content, folds, weights : str
        Fingerprints of table with target, folds and row weights; empty in older records, and without weights.
    file, encoding, separator : str
        File of the table, and how it is read: empty without a file, and where the file decides.
    cv : int, "time", "object" or None
        The requested folds; "object" for splits or groups handed in by a program.
    task_reason : str
        Reason of the task.
    positive_class : str
        The positive class of two, as text.
    class_weights : tuple of float
        Weight of each class in training, in the order of the sorted labels; empty if none were given.
    rare_classes : {"error", "merge", "drop"}
        The rule for classes with fewer rows than folds.
    sample_weight, groups, time_column : str
        Columns of the table; "object" for values handed in by a program, empty without.
    hold_out : float
        Share of the rows that a single default fold validates on.
    blas_threads : int
        Threads for linear algebra of the next trials.
    table_rows, sample_rows : int
        Rows of a table of which the search had a sample, and rows asked for in the sample; 0 without a sample.
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
    encoding: str = ""
    separator: str = ""
    epoch_steps: int = 1
    weights: str = ""
    hold_out: float = 0.2
    cv: int | Literal["object"] | Annotated[str, Field(pattern="^time(:[1-9][0-9]*)?$")] | None = None
    task_reason: str = ""
    positive_class: str = ""
    class_weights: tuple[float, ...] = ()
    rare_classes: Literal["error", "merge", "drop"] = "error"
    sample_weight: str = ""
    groups: str = ""
    time_column: str = ""
    directions: tuple[Literal["maximize", "minimize"], ...] = ("maximize",)
    constraints: dict[str, float] = Field(default_factory=dict)
    types: dict[str, str] = Field(default_factory=dict)
    blas_threads: int = 1
    table_rows: int = 0
    sample_rows: int = 0
    density: float = 1.0

    @property
    def rows_searched(self) -> str:
        """The rows that trials are trained and scored on, as text, with the total if they are a sample."""
        return f"{self.n_rows:,} of {self.table_rows:,}" if self.table_rows else f"{self.n_rows:,}"

    @property
    def several(self) -> bool:
        """Whether there are several objectives."""
        return len(self.directions) > 1

    @property
    def reading(self) -> dict[str, str]:
        """Arguments for `automl.table.read_table`."""
        given = {"encoding": self.encoding, "separator": self.separator}
        return {name: value for name, value in given.items() if value}

    @property
    def objectives(self) -> tuple[str, ...]:
        """Names of the objectives."""
        return tuple(self.scoring.split(", "))
