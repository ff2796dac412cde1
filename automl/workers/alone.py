"""One trial again, by itself."""

from __future__ import annotations

from automl.records import TrialRecord, TrialSpec
from automl.workers.blas import limit_threads
from automl.workers.evaluate import Cohort, evaluate
from automl.workers.prepared import PreparedFolds, WorkerContext

__all__ = ["train_single"]


def train_single(assignment: WorkerContext, proposal: TrialSpec, last_rung: int | None = None) -> TrialRecord:
    """Train a trial in this process, without neighbours and without limits.

    Parameters
    ----------
    assignment : WorkerContext
        Table, folds, scoring.
    proposal : TrialSpec
        The trial.
    last_rung : int or None
        Where to stop; None for its own last.
    """

    def judge(rung: int, scores: dict[int, float]) -> set[int]:
        return set(scores) if last_rung is not None and rung >= last_rung else set()

    with limit_threads(assignment.frame.size, 1, proposal.blas_threads):
        (record,) = evaluate(
            assignment, PreparedFolds(assignment), Cohort(0, (proposal,)), judge, lambda: False
        )
    return record
