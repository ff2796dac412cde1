"""Train the configuration of a trial on all rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from automl.families import get_family, params_at_stop, prepared_problem, target_scale
from automl.records import SearchRecord, TrialRecord
from automl.search.plan import Plan
from automl.workers import limit_threads, train_folds

__all__ = ["averages_folds", "fold_models", "refit", "trial_pipeline", "with_columns"]


def refit(record: TrialRecord, plan: Plan, facts: SearchRecord, n_jobs: int) -> Pipeline:
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
    """
    steps = trial_pipeline(record, plan, facts)[1:]
    weights = {} if plan.weights.fit is None else {"model__sample_weight": plan.weights.fit}
    with limit_threads(plan.frame.size, n_jobs, record.blas_threads):
        return steps.fit(plan.frame, plan.target.decode(plan.target.values), **weights)


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
