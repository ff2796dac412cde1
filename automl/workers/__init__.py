"""Where cohorts run: in this process, or in processes of their own."""

from automl.workers.alone import train_single
from automl.workers.blas import limit_threads, threads_per_job
from automl.workers.evaluate import Cohort
from automl.workers.measurements import excess, model_bytes, sample_rows, seconds_for
from automl.workers.memory import MIN_WORKER_MEMORY, cohort_bytes, format_bytes, parse_bytes, trim_memory
from automl.workers.prepared import WorkerContext
from automl.workers.process_worker import ProcessWorkers
from automl.workers.protocol import Crashed, Event, Finished, Killed, RungReached, Workers
from automl.workers.thread_worker import ThreadWorkers

__all__ = [
    "MIN_WORKER_MEMORY",
    "WorkerContext",
    "Cohort",
    "Crashed",
    "Event",
    "Finished",
    "RungReached",
    "Killed",
    "ProcessWorkers",
    "ThreadWorkers",
    "Workers",
    "format_bytes",
    "cohort_bytes",
    "excess",
    "limit_threads",
    "model_bytes",
    "open_workers",
    "sample_rows",
    "seconds_for",
    "threads_per_job",
    "parse_bytes",
    "train_single",
]


def open_workers(
    assignment: WorkerContext, n_jobs: int, *, memory_limit: float = float("inf"), killable: bool = False
) -> Workers:
    """Return workers for ``n_jobs`` cohorts side by side.

    One runs in this process, unless it must be ``killable`` or its memory is limited, in bytes.
    """
    trim_memory()  # what checking the table has left behind
    if n_jobs == 1 and not killable and memory_limit == float("inf"):
        return ThreadWorkers(assignment)
    return ProcessWorkers(assignment, n_jobs, memory_limit)
