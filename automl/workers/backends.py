"""The places where cohorts can run, in one table.

To add a backend, write a class of `Workers` and add one row to `BACKENDS`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from automl.errors import Fault, SettingError
from automl.workers.blas import threads_per_job, worker_environment
from automl.workers.context import WorkerContext
from automl.workers.early_start import EarlyStart
from automl.workers.fork_server import ForkServer
from automl.workers.hybrid_workers import HybridWorkers
from automl.workers.memory import trim_memory
from automl.workers.process_worker import ProcessWorkers
from automl.workers.protocol import Workers

__all__ = ["BACKENDS", "Backend", "WorkerRequest", "loading_libraries", "open_workers"]


@dataclass(frozen=True)
class WorkerRequest:
    """What a search needs of its workers.

    Parameters
    ----------
    n_jobs : int or None
        Cohorts that train at the same time; None is one for each core of a Ray cluster.
    memory_limit : float
        Bytes for this process and its workers together; infinite without a limit.
    killable : bool
        Whether a training that does not end by itself must be stopped.
    engine : str
        ``"local"``, ``"ray"`` or the address of a Ray cluster, ``"ray://HOST:PORT"``.
    server : ForkServer, optional
        The fork server of processes, if it was started before; they close it.
    """

    n_jobs: int | None
    memory_limit: float = math.inf
    killable: bool = False
    engine: str = "local"
    server: ForkServer | None = None


@dataclass(frozen=True)
class Backend:
    """One row of the table.

    Parameters
    ----------
    open : callable
        ``(WorkerContext, WorkerRequest) -> Workers``.
    serves : callable
        ``WorkerRequest -> bool``: whether the backend can serve a request. The first row that can is used.
    """

    open: Callable[[WorkerContext, WorkerRequest], Workers]
    serves: Callable[[WorkerRequest], bool]


def _ray_workers(context: WorkerContext, request: WorkerRequest) -> Workers:
    try:
        from automl.workers.ray_workers import RayWorkers  # loading Ray takes a second
    except ImportError as error:
        rule, remedy = "needs the package ray", "pip install 'automl-orchestrator[ray]'"
        raise SettingError(Fault("engine", rule, str(error), remedy)) from error
    return RayWorkers(context, request.n_jobs, request.memory_limit, request.engine)


def _processes(context: WorkerContext, request: WorkerRequest) -> Workers:
    processes = ProcessWorkers(context, request.n_jobs or 1, request.memory_limit, request.server)
    limited = request.killable or not math.isinf(request.memory_limit)
    return processes if limited else EarlyStart(context, processes)


BACKENDS: dict[str, Backend] = {
    "ray": Backend(_ray_workers, lambda request: request.engine != "local"),
    "thread": Backend(
        lambda context, request: HybridWorkers(context),
        lambda request: request.n_jobs == 1 and not request.killable and math.isinf(request.memory_limit),
    ),
    "process": Backend(
        lambda context, request: _processes(context, request),
        lambda request: True,
    ),
}


@contextmanager
def loading_libraries(n_jobs: int) -> Iterator[ForkServer | None]:
    """Start the fork server of ``n_jobs`` processes, which loads libraries for seconds; close it at the end.

    None where processes have no fork server, and for one job, which trains in this process.
    """
    if n_jobs == 1 or not ForkServer.available():
        yield None
        return
    server = ForkServer(worker_environment(threads_per_job(n_jobs)))
    try:
        yield server
    finally:
        server.close()


def open_workers(
    context: WorkerContext,
    n_jobs: int | None,
    *,
    memory_limit: float = math.inf,
    killable: bool = False,
    engine: str = "local",
    server: ForkServer | None = None,
) -> Workers:
    """Return workers for ``n_jobs`` cohorts at the same time, of the first backend that can serve them.

    Parameters
    ----------
    context : WorkerContext
        The data that every cohort trains on.
    n_jobs, memory_limit, killable, engine, server
        As in `WorkerRequest`.
    """
    trim_memory()  # left by the checks of the table
    request = WorkerRequest(n_jobs, memory_limit, killable, engine, server)
    backend = next(row for row in BACKENDS.values() if row.serves(request))
    return backend.open(context, request)
