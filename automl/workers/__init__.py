"""Train cohorts, in this process or in worker processes."""

from automl.workers.blas import limit_threads, threads_per_job
from automl.workers.cohort import Cohort
from automl.workers.context import WorkerContext
from automl.workers.evaluation import evaluate, train_single
from automl.workers.measurements import model_bytes, sample_rows, seconds_for, violations
from automl.workers.memory import MIN_WORKER_MEMORY, cohort_bytes, format_bytes, parse_bytes, trim_memory
from automl.workers.prepared import PreparedFolds
from automl.workers.process_worker import ProcessWorkers
from automl.workers.protocol import Crashed, Event, Finished, Killed, RungReached, Workers
from automl.workers.thread_worker import ThreadWorkers

__all__ = [
    "MIN_WORKER_MEMORY",
    "Cohort",
    "Crashed",
    "Event",
    "Finished",
    "Killed",
    "PreparedFolds",
    "ProcessWorkers",
    "RungReached",
    "ThreadWorkers",
    "WorkerContext",
    "Workers",
    "cohort_bytes",
    "evaluate",
    "format_bytes",
    "limit_threads",
    "model_bytes",
    "open_workers",
    "parse_bytes",
    "sample_rows",
    "seconds_for",
    "threads_per_job",
    "train_single",
    "violations",
]


def open_workers(
    context: WorkerContext, n_jobs: int, *, memory_limit: float = float("inf"), killable: bool = False
) -> Workers:
    """Return workers for ``n_jobs`` cohorts at the same time.

    One job runs in this process, unless it must be ``killable`` or its memory is limited.

    Parameters
    ----------
    context : WorkerContext
        What every cohort trains on.
    n_jobs : int
        Number of slots.
    memory_limit : float
        Bytes for this process and its workers together.
    killable : bool
        Whether a training that does not end by itself must be stopped.
    """
    trim_memory()  # left by the checks of the table
    if n_jobs == 1 and not killable and memory_limit == float("inf"):
        return ThreadWorkers(context)
    return ProcessWorkers(context, n_jobs, memory_limit)
