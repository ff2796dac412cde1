"""Run cohorts in worker processes of this machine.

Each worker is a process with a pipe of its own. Cohorts go down; scores at rungs and records come up. The parent alone
uses the study. A worker that dies loses its own cohort and no other.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, cast

import cloudpickle
import joblib
from typing_extensions import override

from automl.errors import Fault, SettingError, StoreError
from automl.workers.blas import threads_per_job, worker_environment
from automl.workers.cohort import Cohort
from automl.workers.context import WorkerContext
from automl.workers.fork_server import ForkedWorker, ForkServer
from automl.workers.memory import format_bytes, process_tree_rss
from automl.workers.protocol import Crashed, Event, Finished, Killed, RungReached, Workers
from automl.workers.serve import TABLE
from automl.workers.table_file import write_table_file
from automl.workers.worker_process import WorkerProcess

__all__ = ["ProcessWorkers", "unsendable_scorer"]

_WATCH_SECONDS = 1.0  # between two measurements of the workers' memory
_REUSE = 0.5  # share of a worker's memory limit above which it is not used again


class ProcessWorkers(Workers):
    """One slot per process; the processes share the cores.

    Parameters
    ----------
    context : WorkerContext
        What every cohort trains on; written once to a temporary folder, which is removed with the last process.
    n_jobs : int
        Number of processes.
    memory_limit : float
        Bytes for this process and its workers together; each worker gets an equal share of the rest. A worker that
        uses more is killed, as is one whose cohort takes longer than its trials may.
    server : ForkServer, optional
        The fork server, if it was started before.

    Raises
    ------
    SettingError
        If a scorer cannot be sent to another process.
    """

    def __init__(
        self,
        context: WorkerContext,
        n_jobs: int,
        memory_limit: float = float("inf"),
        server: ForkServer | None = None,
    ) -> None:
        super().__init__(slots=n_jobs)
        self._memory_limit = memory_limit
        self._folder = Path(tempfile.mkdtemp(prefix="automl-"))
        self._context_file = self._folder / "context.joblib"
        self._idle: list[WorkerProcess | ForkedWorker] = []
        self._busy: dict[Connection, _Job] = {}
        # Processes take seconds to start; meanwhile the table is written, and the search opens its stores.
        self._server = server or self._new_server()
        try:
            _write(context, self._context_file)
        except OSError as error:
            self.close()
            raise StoreError(
                f"scratch: {self._folder.parent} has no room for the table ({error.strerror or error}). Make room, or "
                "name another folder with scratch=."
            ) from error
        except BaseException:
            self.close()
            raise
        self._idle = [self._start_worker() for _ in range(n_jobs)]
        self._measured = 0.0  # when memory was measured last

    @override
    def submit(self, cohort: Cohort) -> None:
        worker = self._next_worker()
        self._busy[worker.connection] = _Job(worker, cohort)
        with suppress(OSError):  # it dies at this moment; `next` reports that
            worker.connection.send(cohort)

    def _next_worker(self) -> WorkerProcess | ForkedWorker:
        while self._idle:
            worker = self._idle.pop()
            if worker.alive():
                return worker
            worker.end()
        return self._start_worker()

    def _start_worker(self) -> WorkerProcess | ForkedWorker:
        if self._server is None:
            return WorkerProcess(self._context_file, self.slots)
        if not self._server.alive():
            self._server.close()
            self._server = ForkServer(worker_environment(threads_per_job(self.slots)))
        return self._server.start(self._context_file, self.slots)

    def _new_server(self) -> ForkServer | None:
        """Return a fork server; None where the system has none."""
        return ForkServer(worker_environment(threads_per_job(self.slots))) if ForkServer.available() else None

    @override
    def memory_per_worker(self) -> float:
        return self._memory()[0]

    def _memory(self) -> tuple[float, dict[int, int]]:
        """Return the bytes that each worker may use, and the bytes used by process id."""
        if self._memory_limit == float("inf"):
            return self._memory_limit, {}
        workers = [*self._idle, *(job.worker for job in self._busy.values())]
        used = process_tree_rss([os.getpid(), *(worker.pid for worker in workers)])
        return max(0.0, (self._memory_limit - used.pop(os.getpid())) / self.slots), used

    @override
    def next(self, timeout: float | None = None) -> Event | None:
        end = float("inf") if timeout is None else time.monotonic() + timeout
        while True:
            if (killed := self._kill_beyond_limits()) is not None:
                return killed
            wake = min(end, self._next_check())
            seconds = None if wake == float("inf") else max(0.0, wake - time.monotonic())
            ready = wait(list(self._busy), seconds)
            if ready:
                if (event := self._event(self._busy[cast(Connection, ready[0])])) is not None:
                    return event
            elif time.monotonic() >= end:
                return None

    def _event(self, job: _Job) -> Event | None:
        """Receive a worker's message; None if it only reports that training begins."""
        try:
            message = job.worker.connection.recv()
        except (EOFError, OSError):
            reason = self._end(job, patience=1.0)
            return Crashed(job.cohort, f"the worker process is gone: {reason}")
        if message is None:
            job.training_since = time.monotonic()
            return None
        if isinstance(message, tuple):
            rung, scores, seconds = message
            return RungReached(job.cohort, rung, scores, job.worker.connection.send, seconds)
        self._release(job.worker)
        return Crashed(job.cohort, message) if isinstance(message, str) else Finished(job.cohort, message)

    def _release(self, worker: WorkerProcess | ForkedWorker) -> None:
        """Keep a worker for the next cohort, unless it still uses much of its memory."""
        limit, used = self._memory()
        del self._busy[worker.connection]
        if used.get(worker.pid, 0) > _REUSE * limit:
            worker.end()
        else:
            self._idle.append(worker)

    def _next_check(self) -> float:
        """Return when the next limit could be exceeded."""
        checks = [job.limit for job in self._busy.values()]
        if self._memory_limit < float("inf") and self._busy:
            checks.append(self._measured + _WATCH_SECONDS)
        return min(checks, default=float("inf"))

    def _kill_beyond_limits(self) -> Killed | None:
        """Kill a worker that exceeds its time or its memory."""
        now = time.monotonic()
        for job in self._busy.values():
            if now >= job.limit:
                self._end(job)
                return Killed(
                    job.cohort, "trial_timeout", job.cohort.timeout_reason, now - job.training_since
                )
        if self._memory_limit == float("inf") or not self._busy or now < self._measured + _WATCH_SECONDS:
            return None
        limit, used = self._memory()
        for job in self._busy.values():
            if (n_bytes := used[job.worker.pid]) > limit:
                self._end(job)
                reason = (
                    f"its worker had {format_bytes(n_bytes)} of memory, and may have {format_bytes(limit)}"
                )
                return Killed(job.cohort, "memory_limit", reason, max(0.0, now - job.training_since))
        self._measured = now
        return None

    def _end(self, job: _Job, patience: float = 0.0) -> str:
        del self._busy[job.worker.connection]
        return job.worker.end(patience)

    @override
    def stop(self) -> bool:
        for job in self._busy.values():
            with suppress(OSError):  # it dies at this moment; `next` reports that
                job.worker.connection.send(None)
        return True

    @override
    def close(self) -> None:
        for worker in [*self._idle, *(job.worker for job in self._busy.values())]:
            worker.end()
        self._idle, self._busy = [], {}
        if self._server is not None:
            self._server.close()
            self._server = None
        shutil.rmtree(self._folder, ignore_errors=True)


@dataclass
class _Job:
    """A worker and its cohort."""

    worker: WorkerProcess | ForkedWorker
    cohort: Cohort
    training_since: float = float("inf")  # the start of the process and loading the table do not count

    @property
    def limit(self) -> float:
        """When the cohort must have ended."""
        return self.training_since + self.cohort.most_seconds


class _ByValue:
    """Pickles an object with cloudpickle: with everything that only a notebook or script defines."""

    def __init__(self, content: Any) -> None:
        self.content = content

    def __reduce__(self) -> tuple[Any, tuple[bytes]]:
        return cloudpickle.loads, (cloudpickle.dumps(self.content),)


def _write(context: WorkerContext, file: Path) -> None:
    # The table is a file of its own, so that workers read no more of it than they need.
    write_table_file(context.frame, file.with_name(TABLE))
    objectives: Any = _ByValue(context.objectives)
    try:
        joblib.dump(replace(context, frame=context.frame.iloc[:0], objectives=objectives), file)
    except OSError:
        raise
    except Exception as error:  # pickling an object of the user may raise anything
        raise SettingError(unsendable_scorer(error)) from error


def unsendable_scorer(error: Exception) -> Fault:
    """Return the fault of a scorer that cannot be sent to another process."""
    rule = "must be something that can be sent to other processes, where trials train"
    remedy = "Leave locks, connections and open files out of scorers, or give n_jobs=1."
    return Fault("scoring", rule, str(error), remedy)
