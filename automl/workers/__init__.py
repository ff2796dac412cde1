"""Where cohorts run: in this process, or in processes of their own."""

from automl.workers.alone import train_alone
from automl.workers.base import Crashed, Event, Finished, JudgeRequest, Killed, Workers
from automl.workers.costs import excess, model_bytes, sample_rows, seconds_for
from automl.workers.evaluate import Cohort
from automl.workers.memory import LEAST_MEMORY, as_text, cohort_bytes, give_back, to_bytes
from automl.workers.prepared import Assignment
from automl.workers.process import ProcessWorkers
from automl.workers.thread import ThreadWorkers
from automl.workers.threads import few_threads, share_of_cores

__all__ = [
    "LEAST_MEMORY",
    "Assignment",
    "Cohort",
    "Crashed",
    "Event",
    "Finished",
    "JudgeRequest",
    "Killed",
    "ProcessWorkers",
    "ThreadWorkers",
    "Workers",
    "as_text",
    "cohort_bytes",
    "excess",
    "few_threads",
    "model_bytes",
    "open_workers",
    "sample_rows",
    "seconds_for",
    "share_of_cores",
    "to_bytes",
    "train_alone",
]


def open_workers(
    assignment: Assignment, n_jobs: int, *, memory_limit: float = float("inf"), killable: bool = False
) -> Workers:
    """Return workers for ``n_jobs`` cohorts side by side.

    One runs in this process, unless it must be ``killable`` or its memory is limited, in bytes.
    """
    give_back()  # what checking the table has left behind
    if n_jobs == 1 and not killable and memory_limit == float("inf"):
        return ThreadWorkers(assignment)
    return ProcessWorkers(assignment, n_jobs, memory_limit)
