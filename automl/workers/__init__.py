"""Train cohorts, in this process or in worker processes."""

from automl.workers.backends import loading_libraries, open_workers
from automl.workers.blas import limit_threads, threads_per_job
from automl.workers.cohort import Cohort
from automl.workers.context import WorkerContext
from automl.workers.evaluation import evaluate
from automl.workers.fork_server import ForkServer
from automl.workers.measurements import model_bytes, sample_rows, seconds_for, violations
from automl.workers.memory import MIN_WORKER_MEMORY, cohort_bytes, format_bytes, parse_bytes, trim_memory
from automl.workers.prepared import PreparedFolds, matrices_key
from automl.workers.process_worker import ProcessWorkers
from automl.workers.protocol import Crashed, Event, Finished, Killed, RungReached, Workers
from automl.workers.single import train_folds, train_single
from automl.workers.thread_worker import ThreadWorkers

__all__ = [
    "MIN_WORKER_MEMORY",
    "Cohort",
    "Crashed",
    "Event",
    "Finished",
    "ForkServer",
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
    "loading_libraries",
    "matrices_key",
    "model_bytes",
    "open_workers",
    "parse_bytes",
    "sample_rows",
    "seconds_for",
    "threads_per_job",
    "train_folds",
    "train_single",
    "trim_memory",
    "violations",
]
