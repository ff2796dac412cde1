"""One trial again, by itself."""

from __future__ import annotations

from automl.records import Proposal, TrialRecord
from automl.workers.evaluate import Cohort, evaluate
from automl.workers.prepared import Assignment, PreparedFolds
from automl.workers.threads import few_threads

__all__ = ["train_alone"]


def train_alone(assignment: Assignment, proposal: Proposal, last_rung: int | None = None) -> TrialRecord:
    """Train a trial in this process, without neighbours and without limits.

    Parameters
    ----------
    assignment : Assignment
        Table, folds, scoring.
    proposal : Proposal
        The trial.
    last_rung : int or None
        Where to stop; None for its own last.
    """

    def judge(rung: int, scores: dict[int, float]) -> set[int]:
        return set(scores) if last_rung is not None and rung >= last_rung else set()

    with few_threads(assignment.frame.size, 1, proposal.blas_threads):
        (record,) = evaluate(
            assignment, PreparedFolds(assignment), Cohort(0, (proposal,)), judge, lambda: False
        )
    return record
