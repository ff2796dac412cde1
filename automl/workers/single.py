"""Train one trial again in this process: to compare its score, or for its fold models."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from automl.records import TrialRecord, TrialSpec
from automl.workers.blas import limit_threads
from automl.workers.cohort import Cohort
from automl.workers.context import WorkerContext
from automl.workers.evaluation import Evaluation, evaluate
from automl.workers.measurements import CostMeter
from automl.workers.prepared import PreparedFolds

__all__ = ["train_folds", "train_single"]


def train_single(
    context: WorkerContext, spec: TrialSpec, last_rung: int | None = None, n_folds: int | None = None
) -> TrialRecord:
    """Train one trial in this process, without neighbours and without limits.

    Parameters
    ----------
    context : WorkerContext
        Table, folds, objectives.
    spec : TrialSpec
        The trial.
    last_rung : int or None
        Rung to stop at; None trains to the trial's own last rung.
    n_folds : int or None
        Train on the first folds only; None trains on all.
    """
    context = replace(context, folds=context.folds[:n_folds])

    def report(rung: int, scores: dict[int, float], seconds: float) -> set[int]:
        return set(scores) if last_rung is not None and rung >= last_rung else set()

    with limit_threads(context.frame.size, 1, spec.blas_threads):
        prepared, cohort = PreparedFolds(context), Cohort(0, (spec,))
        (record,) = evaluate(context, prepared, cohort, report, lambda: False, until=last_rung)
    return record


def train_folds(context: WorkerContext, record: TrialRecord, n_jobs: int) -> list[Any]:
    """Train a trial again to its last rung, alone, and return the fitted model of each fold.

    Parameters
    ----------
    context : WorkerContext
        Table, folds, objectives.
    record : TrialRecord
        The trial; its last rung is that of its curve.
    n_jobs : int
        Workers that share the cores.
    """
    last, cohort = record.curve.rungs[-1], Cohort(0, (record.spec,))

    def report(rung: int, scores: dict[int, float], seconds: float) -> set[int]:
        return set(scores) if rung >= last else set()

    with limit_threads(context.frame.size, n_jobs, record.blas_threads):
        evaluation = Evaluation(context, cohort, report, lambda: False, CostMeter(context), last)
        evaluation.prepare(PreparedFolds(context))
        evaluation.train()
    return [trainer.estimator(0) for trainer in evaluation.trainers]
