"""From a table and a target to the rows and the task of a search."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from automl.table.rows import RareClasses, TrainingRows
from automl.table.target import asked_task, target_faults
from automl.table.task import Inferred, Task, TaskHint, infer_task, numbers_of

__all__ = ["TargetSettings"]


@dataclass(frozen=True)
class TargetSettings:
    """The settings of a search that concern the target and its rows.

    Parameters
    ----------
    task : {"binary", "multiclass", "regression"} or None
        The task; None infers it.
    positive_class : label or None
        The positive class of two; None takes the second one of the sorted labels.
    class_weight : "balanced", mapping of label to number, or None
        Weight of each class in training.
    drop_missing_target : bool
        Whether rows without a target are left out; otherwise they are a fault.
    rare_classes : {"error", "merge", "drop"}
        What happens to classes with fewer rows than folds.
    time_column : str or None
        Column that orders the rows for ``cv="time"``.
    """

    task: Task | None = None
    positive_class: Any = None
    class_weight: Any = None
    drop_missing_target: bool = True
    rare_classes: RareClasses = "error"
    time_column: str | None = None

    def choose(
        self, rows: TrainingRows, y: Any, n_folds: int, hint: Callable[[int], TaskHint | None]
    ) -> tuple[TrainingRows, Inferred | None]:
        """Return the rows to train on, and the task with its reason; if the target is faulty, the requested task.

        Parameters
        ----------
        rows : TrainingRows
            All rows.
        y : array-like
            The target as it was given.
        n_folds : int
            Rows that a class must have.
        hint : callable
            From the number of distinct values to the task that the scorer or the space implies.
        """
        rows = rows.with_target(drop_missing=self.drop_missing_target)
        asked = asked_task(y, self.task)
        if target_faults(rows.y, None if asked == "regression" else asked):
            return rows, None if asked is None else Inferred(asked, "")
        known = None if asked is not None or numbers_of(rows.y) is None else hint(rows.y.nunique())
        found = infer_task(rows.y, asked, known)
        if self.task is None and asked is not None:
            found = found._replace(reason=f"{rows.y.nunique()} categories")
        if found.task == "regression":
            return rows.as_numbers(), found
        kept = rows.without_rare(self.rare_classes, n_folds)
        n_classes = kept.y.nunique()
        if kept is not rows and self.task is None:
            task: Task = "binary" if n_classes == 2 else "multiclass"
            found = Inferred(task, f"{n_classes} classes that are not rare")
        return kept, found
