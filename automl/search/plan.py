"""The plan of a search: table, target, folds and space, all checked before training."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from automl.errors import TableError
from automl.families import (
    Array,
    Problem,
    epoch_steps,
    forbid_unsuitable_inputs,
    incompatibility_check,
    load_space,
    scale_of,
    smoke_test,
    space_kind,
)
from automl.metrics import Direction, Objectives, objectives_for, scorer_kind
from automl.records import SearchRecord
from automl.space import TableFacts
from automl.table import (
    TEXT_ENCODERS,
    RowWeights,
    SparseColumns,
    SparseTable,
    Split,
    Target,
    TargetSettings,
    TaskHint,
    TypedColumns,
    as_frame,
    as_sparse,
    check_leaks,
    check_table,
    default_split,
    irrelevant_options,
    is_sparse,
    make_folds,
    preprocessor,
    training_rows,
    usable_columns,
)
from automl.workers import WorkerContext

if TYPE_CHECKING:
    from automl.space import Space

__all__ = ["Plan", "make_plan"]

_DEFAULTS = TargetSettings()
_WHY_DROPPED = {
    "text": "free text; a space with text: {{encode: tfidf}} uses it",
    "constant": "a single value, or none; give rows where it varies, or remove the column",
    "identifier": 'an identifier of the rows; columns={{"{name}": "categorical"}} keeps it',
    "drop": "dropped on request; columns= without it keeps it",
}


@dataclass(frozen=True)
class Plan:
    """A checked table and space.

    Parameters
    ----------
    columns : TypedColumns or SparseColumns
        The first step of every pipeline, fitted.
    frame : DataFrame or SparseTable of shape (n, p)
        The typed columns.
    example : DataFrame, or array for a sparse table
        Some raw rows.
    target : Target
        The encoded target.
    problem : Problem
        Task and number of classes.
    objectives : Objectives
        The objectives; the first one ranks the trials.
    space : Space
        The part of the space that fits the task and the table.
    folds : list of (train, valid)
        Row numbers.
    weights : RowWeights
        Row weights of training and of scores.
    hold_out : float
        Share of the rows that a single default fold validates on.
    file : str
        File of the table, if `read_table` read it.
    table_rows, sample_rows : int
        Rows of a table of which these rows are a sample, and rows asked for in the sample; 0 without a sample.
    reading : dict
        The encoding and separator that were given to read it.
    """

    columns: TypedColumns | SparseColumns
    frame: Any
    example: Any
    target: Target
    problem: Problem
    objectives: Objectives
    space: Space
    folds: list[tuple[Array, Array]]
    weights: RowWeights = RowWeights()
    hold_out: float = 0.2
    file: str = ""
    table_rows: int = 0
    sample_rows: int = 0
    reading: dict[str, str] = field(default_factory=dict)

    @property
    def epoch_steps(self) -> int:
        """Steps of an epoch: the scale of all rungs."""
        return epoch_steps(max(len(train) for train, _ in self.folds))

    def worker_context(self, facts: SearchRecord) -> WorkerContext:
        """Return the data that workers train on, with the seed of the search."""
        return WorkerContext(
            frame=self.frame,
            column_types=self.columns.column_types_,
            y=self.target.values,
            problem=self.problem,
            folds=self.folds,
            objectives=self.objectives,
            random_state=facts.random_state,
            epoch_steps=self.epoch_steps,
            constraints=self.space.constraints,
            fit_weight=self.weights.fit,
            score_weight=self.weights.score,
            columns=self.columns,
        )

    @property
    def excluded(self) -> tuple[str, ...]:
        """Columns and values of the space that are not used, each with the reason."""
        kept = set(self.columns.get_feature_names_out())
        gone = ((name, kind) for name, kind in self.columns.column_types_.items() if name not in kept)
        columns = (f"column {name}: {_WHY_DROPPED[kind].format(name=name)}" for name, kind in gone)
        return (*columns, *self.space.excluded)

    def pipeline(self, preprocess: Mapping[str, Any], model: Any, random_state: int) -> Pipeline:
        """Return the unfitted steps from a raw table to predictions: ``columns``, ``prepare``, ``model``."""
        column_types, task = self.columns.column_types_, self.problem.task
        n_rows = len(self.frame)
        prepare = preprocessor(preprocess, column_types, task=task, random_state=random_state, n_rows=n_rows)
        return Pipeline([("columns", self.columns.fixed()), ("prepare", prepare), ("model", model)])

    def fingerprints(self) -> dict[str, str]:
        """Return the fingerprints of the table with its target, ``content``, of the ``folds`` and ``weights``."""
        content = hashlib.sha256()
        if isinstance(self.frame, SparseTable):
            matrix = self.frame.matrix
            for part in (
                self.frame.columns.to_numpy().astype(str),
                matrix.data,
                matrix.indices,
                matrix.indptr,
            ):
                content.update(np.ascontiguousarray(part).tobytes())
        for name, column in {} if isinstance(self.frame, SparseTable) else self.frame.items():
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
        weights = hashlib.sha256()
        for weight in (self.weights.fit, self.weights.score):
            weights.update(b"" if weight is None else weight.tobytes())
        weighted = self.weights.fit is not None
        return {
            "content": content.hexdigest()[:16],
            "folds": folds.hexdigest()[:16],
            "weights": weights.hexdigest()[:16] if weighted else "",
        }


def _min_rows_per_class(cv: Any) -> int:
    """Return the rows that each class needs."""
    if isinstance(cv, Split):
        return max(2, cv.n_folds)
    if isinstance(cv, Integral):
        return max(2, int(cv))
    return 2  # a splitter of the user may leave a class out of a fold


def _hint(scoring: Any, space: Space, n_classes: int) -> TaskHint | None:
    """Return the task that the first scorer, or else the space, implies for a numeric target."""
    first = scoring[0] if isinstance(scoring, list | tuple) and scoring else scoring
    if kind := scorer_kind(first):
        what = "numbers" if kind == "regression" else "classes"
        return TaskHint(kind, f"the scorer {_scorer_name(first)} is for {what}")
    if kind := space_kind(space, n_classes):
        return TaskHint(kind, f"the space {space.name} is for {kind}")
    return None


def _scorer_name(scorer: Any) -> str:
    return scorer if isinstance(scorer, str) else type(scorer).__name__


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
    allow_includes: str | Sequence[str] = (),
    directions: Sequence[Direction] | None = None,
    sample_weight: Any = None,
    settings: TargetSettings = _DEFAULTS,
    types: Mapping[str, str] | None = None,
    n_columns: int | None = None,
    timeout: float | None = None,
) -> Plan:
    """Check a table, a space and the objectives.

    Parameters
    ----------
    X, y, groups, sample_weight
        The table, as in `Search.fit`.
    space, scoring, cv, random_state, allow_imports, allow_includes, directions
        The settings of `Search`.
    settings : TargetSettings
        The settings of `Search` for the target and its rows.
    types : mapping of str to str, optional
        Types of columns by name; they win over those of the space, as does the positive class of ``settings``.
    n_columns : int, optional
        Columns that an earlier search used; tells whether free text was among them, for a replay with one point of the
        space.
    timeout : float, optional
        Seconds of the search; the number of default folds depends on it.

    Raises
    ------
    InputError
        With every fault of the first invalid part: space, table, objectives, or the space after it was specialised.
    """
    loaded = load_space(space, allow_imports=allow_imports, allow_includes=allow_includes)
    types = dict(loaded.columns) | dict(types or {})
    if settings.positive_class is None:
        settings = replace(settings, positive_class=loaded.positive_class)
    text = any(loaded.offers("text.encode", encoder) for encoder in TEXT_ENCODERS)
    try:
        rows = training_rows(
            X, y, sample_weight=sample_weight, groups=groups, time_column=settings.time_column
        )
    except TableError:
        check_table(X, y, text=text, types=types)  # finds the faults of the columns, too
        raise
    if cv is None:
        large = as_sparse(rows.X)
        table: Any = as_frame(rows.X) if large is None else large
        cv = default_split(len(table), -(-table.size // max(1, len(table))), timeout)
    n_folds = _min_rows_per_class(cv)
    rows, inferred = settings.choose(rows, y, n_folds, lambda n: _hint(scoring, loaded, n))
    task = None if inferred is None else inferred.task
    columns: Any
    frame: Any
    columns, frame = check_table(rows.X, rows.y, n_folds=n_folds, task=task, text=text, types=types)
    if n_columns is not None and not is_sparse(columns.column_types_):
        columns.set_params(text=n_columns > len(usable_columns(columns.column_types_)))
        frame = columns.transform(rows.X)
    target = Target.of(rows.y, task=task, positive_class=settings.positive_class)
    target = replace(target, reason="" if inferred is None else inferred.reason, merged=rows.merged)
    weights = RowWeights.of(target, rows.sample_weight, settings.class_weight)
    sparse = is_sparse(columns.column_types_)
    problem = replace(_problem(target, weighted=weights.fit is not None), sparse=sparse)
    objectives = objectives_for(
        scoring,
        directions,
        problem.task,
        problem.n_classes,
        labels=target.classes,
        positive=target.positive,
    )
    _warn_if_unweighted(objectives, weights)
    fits = incompatibility_check(problem, *objectives.metrics)
    if not usable_columns(columns.column_types_):
        loaded = loaded.require("text.encode", TEXT_ENCODERS, "the table has nothing but free text")
    if not sparse:
        check_leaks(frame, columns.column_types_, target, getattr(y, "name", None))
    irrelevant = irrelevant_options(loaded.offers, columns.column_types_, frame, problem.task)
    loaded = forbid_unsuitable_inputs(loaded.drop_irrelevant(dict(irrelevant)))
    specialised = loaded.specialise(problem.task, fits, smoke_test(problem, objectives.metric))
    facts = TableFacts(problem.task, len(frame), frame.shape[1], problem.n_classes)
    specialised = specialised.for_table(facts)
    folds = make_folds(target.values, problem.task, cv, random_state, rows.groups, rows.time)
    weights.check(folds)
    attrs = getattr(X, "attrs", {})
    return Plan(
        columns,
        frame,
        _example(rows.X, columns),
        target,
        problem,
        objectives,
        specialised,
        folds,
        weights,
        cv.hold_out if isinstance(cv, Split) else 0.2,
        str(attrs.get("file", "")),
        int(attrs.get("table_rows", 0)),
        int(attrs.get("sample_rows", 0)),
        dict(attrs.get("reading", {})),
    )


def _example(X: Any, columns: TypedColumns | SparseColumns) -> Any:
    """Return some raw rows: a DataFrame, or an array for a sparse table, whose columns may be very many."""
    if isinstance(columns, TypedColumns):
        return as_frame(X).head(5)
    n = max(1, min(5, 100_000 // columns.n_features_in_))
    return columns.transform(X.iloc[:n] if hasattr(X, "iloc") else X.tocsr()[:n]).toarray()


def _problem(target: Target, *, weighted: bool) -> Problem:
    if target.classes is None:
        least, scale = float(target.values.min()), scale_of(target.values)
        return Problem(target.task, least=least, weighted=weighted, target_scale=scale)
    return Problem(target.task, len(target.classes), positive=target.positive, weighted=weighted)


def _warn_if_unweighted(objectives: Objectives, weights: RowWeights) -> None:
    names = [metric.name for metric in objectives.metrics if not metric.weighted]
    if weights.score is not None and names:
        text = f"the scorer {', '.join(names)} takes no sample_weight: its scores weigh all rows equally"
        warnings.warn(text, stacklevel=4)
