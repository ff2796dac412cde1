"""Train the configuration of a trial on all rows."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
from sklearn.pipeline import Pipeline

from automl.families import get_family, params_at_stop, prepared_problem, target_scale
from automl.records import SearchRecord, TrialRecord
from automl.search.plan import Plan
from automl.workers import limit_threads, matrices_key, train_folds, trim_memory

__all__ = [
    "SharedMatrices",
    "averages_folds",
    "fit_rows",
    "fold_models",
    "refit",
    "trial_pipeline",
    "with_columns",
]


class PreparedRows:
    """A fitted step ``prepare`` and the matrix of all rows."""

    def __init__(self, prepare: Any, X: Any) -> None:
        self.prepare, self.X = prepare, X


class SharedMatrices:
    """Matrices of all rows that fits on several threads share.

    A matrix lives as long as a fit uses it. One is prepared at a time, because that takes the memory of two.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._alive: WeakValueDictionary[str, PreparedRows] = WeakValueDictionary()

    def __call__(self, preprocess: Mapping[str, Any], prepare: Any, frame: Any, y: Any) -> PreparedRows:
        """Fit a step ``prepare``, unless a fit of the same preprocessing uses one."""
        key = matrices_key(preprocess)
        with self._lock:
            found = self._alive.get(key)
            if found is None:
                trim_memory()
                found = self._alive[key] = PreparedRows(prepare, prepare.fit_transform(frame, y))
            return found


def refit(
    record: TrialRecord, plan: Plan, facts: SearchRecord, n_jobs: int, shared: SharedMatrices | None = None
) -> Pipeline:
    """Return the steps ``prepare`` and ``model`` of a trial, fitted on all rows of the typed table.

    Parameters
    ----------
    record : TrialRecord
        The trial; one that was stopped is trained to its last rung, because its score is of that.
    plan : Plan
        The table.
    facts : SearchRecord
        Facts of the search.
    n_jobs : int
        Workers of the search: the fit has as many threads as each of them had, as its time was estimated.
    shared : SharedMatrices, optional
        The matrices of fits at the same time.
    """
    with limit_threads(plan.frame.size, n_jobs, record.blas_threads):
        return fit_rows(record, plan, facts, shared)


def fit_rows(
    record: TrialRecord, plan: Plan, facts: SearchRecord, shared: SharedMatrices | None = None
) -> Pipeline:
    """Return the same as `refit`, with the threads that the caller allows."""
    _, prepare, model = (step for _, step in trial_pipeline(record, plan, facts).steps)
    weights = {} if plan.weights.fit is None else {"sample_weight": plan.weights.fit}
    y = plan.target.decode(plan.target.values)
    rows = (shared or SharedMatrices())(record.preprocess, prepare, plan.frame, y)
    return Pipeline([("prepare", rows.prepare), ("model", model.fit(rows.X, y, **weights))])


def trial_pipeline(record: TrialRecord, plan: Plan, facts: SearchRecord) -> Pipeline:
    """Return the pipeline of a trial, not fitted; parameters that training found are fixed."""
    family = get_family(record)
    problem = prepared_problem(family, plan.problem, record.preprocess, plan.columns.column_types_)
    params = params_at_stop(record)
    scale = target_scale(family, params, record.model.estimator, problem)
    model = scale.wrap(family.estimator(params, record.seed, problem))
    return plan.pipeline(record.preprocess, model, facts.random_state)


def fold_models(
    record: TrialRecord,
    plan: Plan,
    facts: SearchRecord,
    n_jobs: int,
    models: Sequence[Any] | None = None,
) -> list[Pipeline]:
    """Return the steps ``prepare`` and ``model`` of a trial, fitted on the training rows of each fold.

    Parameters
    ----------
    record, plan, facts, n_jobs
        As in `refit`.
    models : sequence of estimator, optional
        The fold models that the trial kept; they are trained again without.
    """
    fitted = []
    models = models or train_folds(plan.worker_context(facts), record, n_jobs)
    for model, (train, _) in zip(models, plan.folds, strict=True):
        prepare = plan.pipeline(record.preprocess, model, facts.random_state).named_steps["prepare"]
        prepare.fit(plan.frame.iloc[train], plan.target.values[train])
        if plan.target.classes is not None:
            model.classes_ = plan.target.classes  # folds train on codes
        fitted.append(Pipeline([("prepare", prepare), ("model", model)]))
    return fitted


def averages_folds(record: TrialRecord, plan: Plan) -> bool:
    """Return whether the mean of fold models is better than a refit: for networks, and three folds of all rows."""
    n_rows, rows = len(plan.frame), np.concatenate([valid for _, valid in plan.folds])
    covered = len(rows) == n_rows and len(np.unique(rows)) == n_rows
    return get_family(record).averages_folds and len(plan.folds) >= 3 and covered


def with_columns(plan: Plan, steps: Pipeline) -> Pipeline:
    """Return fitted steps behind the first step, which takes raw tables."""
    return Pipeline([("columns", plan.columns.fixed()), *steps.steps])
