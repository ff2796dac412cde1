"""Where cohorts run: in this process, or in processes of their own."""

from automl.workers.base import Crashed, Event, Finished, JudgeRequest, Workers
from automl.workers.evaluate import Cohort
from automl.workers.prepared import Assignment
from automl.workers.process import ProcessWorkers
from automl.workers.thread import ThreadWorkers
from automl.workers.threads import few_threads

__all__ = [
    "Assignment",
    "Cohort",
    "Crashed",
    "Event",
    "Finished",
    "JudgeRequest",
    "ProcessWorkers",
    "ThreadWorkers",
    "Workers",
    "few_threads",
    "open_workers",
]


def open_workers(assignment: Assignment, n_jobs: int) -> Workers:
    """Return workers for ``n_jobs`` cohorts side by side; one runs in this process."""
    return ThreadWorkers(assignment) if n_jobs == 1 else ProcessWorkers(assignment, n_jobs)
