"""What a search will train on, checked completely before anything trains."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from automl.families import Array, Problem, epoch_steps, incompatibility_check, load_space, smoke_test
from automl.metrics import Direction, Objectives, objectives_for
from automl.records import SearchRecord
from automl.table import (
    IMPUTE,
    Target,
    TypedColumns,
    as_frame,
    check_table,
    make_folds,
    preprocessor,
    usable_columns,
)
from automl.workers import WorkerContext

if TYPE_CHECKING:
    from automl.space import Space

__all__ = ["Plan", "make_plan"]


@dataclass(frozen=True)
class Plan:
    """A checked search.

    Parameters
    ----------
    columns : TypedColumns
        The first step of every pipeline, fitted.
    frame : DataFrame of shape (n, p)
        The typed columns.
    example : DataFrame
        Some rows as they came.
    target : Target
        The target as numbers.
    problem : Problem
        Task and number of classes.
    objectives : Objectives
        What ranks the trials, and what else is looked for.
    space : Space
        What is left of the space for this task.
    folds : list of (train, valid)
        Row numbers.
    file : str
        Where the table was read from, if `read_table` read it.
    """

    columns: TypedColumns
    frame: pd.DataFrame
    example: pd.DataFrame
    target: Target
    problem: Problem
    objectives: Objectives
    space: Space
    folds: list[tuple[Array, Array]]
    file: str = ""

    @property
    def epoch_steps(self) -> int:
        """Steps of an epoch: the scale of all rungs."""
        return epoch_steps(max(len(train) for train, _ in self.folds))

    def worker_context(self, random_state: int) -> WorkerContext:
        """Return the facts that workers need."""
        return WorkerContext(
            frame=self.frame,
            column_types=self.columns.column_types_,
            y=self.target.values,
            problem=self.problem,
            folds=self.folds,
            objectives=self.objectives,
            random_state=random_state,
            epoch_steps=self.epoch_steps,
            constraints=self.space.constraints,
            columns=self.columns,
        )

    def about(
        self, study_name: str, random_state: int, cv: Any, *, grouped: bool, blas_threads: int
    ) -> SearchRecord:
        """Return what a search by this plan is about, under the name of its study."""
        n_rows, n_columns = self.frame.shape
        prints = self.fingerprints()
        return SearchRecord(
            study_name=study_name,
            task=self.target.task,
            target=self.target.name,
            scoring=", ".join(self.objectives.names),
            directions=self.objectives.directions,
            constraints=dict(self.space.constraints),
            space=self.space.name,
            space_digest=self.space.digest(),
            n_rows=n_rows,
            n_columns=n_columns,
            n_folds=len(self.folds),
            random_state=random_state,
            epoch_steps=self.epoch_steps,
            columns=self.columns.column_types_,
            left_out=self.left_out,
            file=self.file,
            cv="object" if grouped or not isinstance(cv, int | None) else cv,
            content=prints["content"],
            folds=prints["folds"],
            blas_threads=blas_threads,
        )

    @property
    def left_out(self) -> tuple[str, ...]:
        """What of the table and of the space is not used, each with the reason."""
        dropped = {
            "text": "free text",
            "constant": "a single value",
            "identifier": "an identifier of the rows",
        }
        kept = self.columns.get_feature_names_out()
        gone = ((name, kind) for name, kind in self.columns.column_types_.items() if name not in kept)
        columns = (f"column {name}: {dropped[kind]}" for name, kind in gone)
        return (*columns, *self.space.excluded)

    def pipeline(self, preprocess: Mapping[str, Any], model: Any, random_state: int) -> Pipeline:
        """Return the unfitted steps from a raw table to predictions: ``columns``, ``prepare``, ``model``."""
        column_types, task = self.columns.column_types_, self.problem.task
        n_rows = len(self.frame)
        prepare = preprocessor(preprocess, column_types, task=task, random_state=random_state, n_rows=n_rows)
        return Pipeline([("columns", clone(self.columns)), ("prepare", prepare), ("model", model)])

    def fingerprints(self) -> dict[str, str]:
        """Return what tells whether another plan has the same ``content`` and the same ``folds``."""
        content = hashlib.sha256()
        for name, column in self.frame.items():
            plain = isinstance(column.dtype, np.dtype) and column.dtype.kind in "fM"
            values = (
                column.to_numpy() if plain else pd.util.hash_pandas_object(column, index=False).to_numpy()
            )
            content.update(str(name).encode())
            content.update(np.ascontiguousarray(values).view(np.uint64).data)
        labels = repr(None if self.target.classes is None else self.target.classes.tolist()).encode()
        content.update(self.target.values.tobytes() + labels)
        folds = hashlib.sha256()
        for part in (part for fold in self.folds for part in fold):
            folds.update(len(part).to_bytes(8, "big") + part.astype("int64").tobytes())
        return {"content": content.hexdigest()[:16], "folds": folds.hexdigest()[:16]}


def _idle(space: Space, column_types: Mapping[str, str], frame: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """Yield what of the preprocessing makes no difference to a table, and why."""
    for kind in sorted({"categorical", "datetime", "text"} - set(column_types.values())):
        yield kind, f"the table has no {kind} column"
    numbers = [name for name, kind in column_types.items() if kind in ("numeric", "datetime")]
    if space.offers("numeric.impute", IMPUTE) and not any(frame[name].isna().any() for name in numbers):
        yield "numeric.impute", "the table has no missing number"


def _rows_a_class(cv: Any) -> int | None:
    """Return how many rows each class needs; None leaves it to the default folds."""
    if cv is None or isinstance(cv, Integral):
        return cv if cv is None else int(cv)
    return 2  # splits of the user's own may do with less than a row in every fold


def make_plan(
    X: Any,
    y: Any,
    *,
    space: Any,
    scoring: Any,
    cv: Any,
    groups: Any,
    random_state: int,
    allow_imports: Sequence[str] = (),
    directions: Sequence[Direction] | None = None,
    n_columns: int | None = None,
) -> Plan:
    """Check a table, a space and how they are to be judged.

    Where ``space`` is only a part of the one that was searched, ``n_columns``, as many as the search kept of the table,
    tells whether free text was among them.

    Raises
    ------
    InputError
        With every fault of what is wrong first: the space's text, the table, the metric, what of the space is left
        for the task.
    """
    loaded = load_space(space, allow_imports=allow_imports)
    text = loaded.offers("text.encode", "tfidf")
    columns = check_table(X, y, n_folds=_rows_a_class(cv), text=text)
    if n_columns is not None:
        columns.set_params(text=n_columns > len(usable_columns(columns.column_types_)))
    target = Target.of(y)
    if target.classes is None:
        problem = Problem(target.task, least=float(target.values.min()))
    else:
        problem = Problem(target.task, len(target.classes))
    objectives = objectives_for(scoring, directions, problem.task, problem.n_classes)
    fits = incompatibility_check(problem, *objectives.metrics)
    if not usable_columns(columns.column_types_):
        loaded = loaded.require("text.encode", "tfidf", "the table has nothing but free text")
    frame = columns.transform(X)
    for path, reason in _idle(loaded, columns.column_types_, frame):
        loaded = loaded.drop_irrelevant(path, reason)
    left = loaded.specialise(problem.task, fits, smoke_test(problem, objectives.metric))
    folds = make_folds(target.values, problem.task, cv, random_state, groups)
    file = str(getattr(X, "attrs", {}).get("file", ""))
    return Plan(columns, frame, as_frame(X).head(5), target, problem, objectives, left, folds, file)
