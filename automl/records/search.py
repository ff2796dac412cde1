"""Records of a search and of its ensemble."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from automl.records.base import Record

__all__ = ["EnsembleRecord", "SearchRecord", "Task"]

Task = Literal["binary", "multiclass", "regression"]


class EnsembleRecord(Record):
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


class SearchRecord(Record):
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
        Fingerprints of the table with its target, of the folds, and of the row weights; empty in records of older
        versions, and without weights.
    file : str
        File of the table; empty for a table made in memory.
    encoding, separator : str
        Those given to read the file; empty where the file decided.
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
