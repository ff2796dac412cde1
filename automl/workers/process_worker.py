"""Cohorts in worker processes of this machine.

Each worker is a process with a pipe of its own: cohorts go down, questions at rungs and records come up, and the
parent alone speaks to the study. A worker that dies loses the cohort it had and no other. Processes start as loky
starts them, so that a script needs no ``if __name__ == "__main__"`` and a notebook's scorers arrive.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, cast

import joblib
from loky import wrap_non_picklable_objects
from loky.backend import get_context, resource_tracker
from typing_extensions import override

from automl.errors import Fault, SettingError
from automl.records import TrialRecord
from automl.workers.blas import limit_threads, threads_per_job
from automl.workers.evaluate import Cohort, evaluate
from automl.workers.measurements import CostMeter
from automl.workers.memory import format_bytes, process_tree_rss
from automl.workers.prepared import PreparedFolds, WorkerContext
from automl.workers.protocol import Crashed, Event, Finished, Killed, RungReached, Workers

__all__ = ["ProcessWorkers"]

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
# glibc: what arrays of 4 MB and more leave behind goes back to the system at once.
_FRUGAL = {"MALLOC_MMAP_THRESHOLD_": str(1 << 22), "MALLOC_TRIM_THRESHOLD_": str(1 << 24)}
_KILL = getattr(signal, "SIGKILL", signal.SIGTERM)  # Windows has no SIGKILL; there SIGTERM is as sure
_TABLE = "table.joblib"
_WATCH = 1.0  # seconds between two looks whether the parent lives, and at the memory of workers
_GRACE = 0.5  # seconds that a cohort whose trials have taken too long has to say so itself
_WORN = 0.5  # of its share of the memory that a worker may bring along to the next cohort


class ProcessWorkers(Workers):
    """As many slots as processes; the cores are shared out among them.

    Parameters
    ----------
    assignment : WorkerContext
        What every cohort trains on; written once to a scratch folder, which goes with the last process.
    n_jobs : int
        Processes.
    memory_limit : float
        Bytes that this process and the workers may have together; each worker has an equal share of what this one
        leaves. A worker that has more, or a cohort that takes longer than its trials may, is killed.

    Raises
    ------
    SettingError
        If a scorer cannot be sent to another process.
    """

    def __init__(self, assignment: WorkerContext, n_jobs: int, memory_limit: float = float("inf")) -> None:
        super().__init__(slots=n_jobs)
        self._memory_limit = memory_limit
        self._folder = Path(tempfile.mkdtemp(prefix="automl-"))
        # Removed by loky's tracker, a process that outlives this one, should this one be killed.
        resource_tracker.register(str(self._folder), "folder")
        assignment = replace(assignment, scoring=_portable(assignment.scoring))
        # The table lies by itself, raw, so that workers read no more of it than they need.
        joblib.dump(assignment.frame, self._folder / _TABLE)
        self._assignment = str(self._folder / "assignment.joblib")
        try:
            joblib.dump(replace(assignment, frame=assignment.frame.iloc[:0]), self._assignment)
        except OSError:
            raise
        except Exception as error:  # pickling a stranger's object may raise anything
            rule = "must be something that can be sent to other processes, where trials train"
            remedy = "Leave locks, connections and open files out of scorers, or give n_jobs=1."
            raise SettingError(Fault("scoring", rule, str(error), remedy)) from error
        # Processes take seconds to start: they do so while the stores are opened.
        self._idle = [_Worker(self._assignment, n_jobs) for _ in range(n_jobs)]
        self._busy: dict[Connection, _Job] = {}
        self._looked = 0.0

    @override
    def submit(self, cohort: Cohort) -> None:
        worker = self._free()
        self._busy[worker.connection] = _Job(worker, cohort)
        with suppress(OSError):  # it dies this very moment; `next` finds that out
            worker.connection.send(cohort)

    def _free(self) -> _Worker:
        while self._idle:
            worker = self._idle.pop()
            if worker.alive():
                return worker
            worker.end()
        return _Worker(self._assignment, self.slots)

    @override
    def memory_per_worker(self) -> float:
        return self._look()[0]

    def _look(self) -> tuple[float, dict[int, int]]:
        """Return what each worker may have now, and what it has, by process."""
        if self._memory_limit == float("inf"):
            return self._memory_limit, {}
        workers = [*self._idle, *(job.worker for job in self._busy.values())]
        sizes = process_tree_rss([os.getpid(), *(worker.pid for worker in workers)])
        return max(0.0, (self._memory_limit - sizes.pop(os.getpid())) / self.slots), sizes

    @override
    def next(self, timeout: float | None = None) -> Event | None:
        end = float("inf") if timeout is None else time.monotonic() + timeout
        while True:
            if (killed := self._beyond_limits()) is not None:
                return killed
            wake = min(end, self._next_look())
            left = None if wake == float("inf") else max(0.0, wake - time.monotonic())
            ready = wait(list(self._busy), left)
            if ready:
                if (event := self._event(self._busy[cast(Connection, ready[0])])) is not None:
                    return event
            elif time.monotonic() >= end:
                return None

    def _event(self, job: _Job) -> Event | None:
        """Return what a worker has to say; None where it only says that it begins to train."""
        try:
            message = job.worker.connection.recv()
        except (EOFError, OSError):
            gone = self._killed(job, patience=1.0)
            return Crashed(job.cohort, f"the worker process is gone: {gone}")
        if message is None:
            job.begun = time.monotonic()
            return None
        if isinstance(message, tuple):
            rung, scores = message
            return RungReached(job.cohort, rung, scores, job.worker.connection.send)
        self._rest(job.worker)
        return Crashed(job.cohort, message) if isinstance(message, str) else Finished(job.cohort, message)

    def _rest(self, worker: _Worker) -> None:
        """Keep a worker for the next cohort, unless what this one left behind is much of the memory it may have."""
        share, sizes = self._look()
        del self._busy[worker.connection]
        if sizes.get(worker.pid, 0) > _WORN * share:
            worker.end()
        else:
            self._idle.append(worker)

    def _next_look(self) -> float:
        """Return when the next limit could be reached."""
        looks = [job.limit for job in self._busy.values()]
        if self._memory_limit < float("inf") and self._busy:
            looks.append(self._looked + _WATCH)
        return min(looks, default=float("inf"))

    def _beyond_limits(self) -> Killed | None:
        """Kill a worker that took too long, or too much memory; say what it had."""
        now = time.monotonic()
        for job in self._busy.values():
            if now >= job.limit:
                self._killed(job)
                return Killed(job.cohort, "trial_timeout", job.cohort.too_long, now - job.begun)
        if self._memory_limit == float("inf") or not self._busy or now < self._looked + _WATCH:
            return None
        share, sizes = self._look()
        for job in self._busy.values():
            if (has := sizes[job.worker.pid]) > share:
                self._killed(job)
                reason = f"its worker had {format_bytes(has)} of memory, and may have {format_bytes(share)}"
                return Killed(job.cohort, "memory_limit", reason, max(0.0, now - job.begun))
        self._looked = now
        return None

    def _killed(self, job: _Job, patience: float = 0.0) -> str:
        del self._busy[job.worker.connection]
        return job.worker.end(patience)

    @override
    def close(self) -> None:
        for worker in [*self._idle, *(job.worker for job in self._busy.values())]:
            worker.end()
        self._idle, self._busy = [], {}
        if self._folder.exists():
            shutil.rmtree(self._folder, ignore_errors=True)
            resource_tracker.unregister(str(self._folder), "folder")


def _portable(scoring: Any) -> Any:
    """Return scorers so that those of a notebook arrive in another process."""
    if isinstance(scoring, list | tuple):
        return [_portable(one) for one in scoring]
    return wrap_non_picklable_objects(scoring, keep_wrapper=False) if callable(scoring) else scoring


@dataclass
class _Job:
    """A worker and the cohort it has."""

    worker: _Worker
    cohort: Cohort
    begun: float = float("inf")  # to train: starting the process and loading the table are nobody's time

    @property
    def limit(self) -> float:
        """When the cohort has taken as long as all its trials may, and longer than it takes to end by itself.

        Trials that train together end by themselves, unless they are stuck; waiting at rungs is not their time.
        """
        n = len(self.cohort.trials)
        return self.begun + (n if n == 1 else 1.5 * n) * self.cohort.trial_timeout + _GRACE


class _Worker:
    """A process, and this side's end of the pipe to it."""

    def __init__(self, assignment: str, n_jobs: int) -> None:
        threads = threads_per_job(n_jobs)
        context = get_context("loky")
        self.connection, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve,
            args=(theirs, assignment, n_jobs, os.getpid()),
            name="automl-worker",
            daemon=True,  # ends with the parent
            # Passive: threads that wait leave the core to the neighbours.
            env={**dict.fromkeys(_THREADS, str(threads)), "OMP_WAIT_POLICY": "PASSIVE", **_FRUGAL},
        )
        with _uninterruptible():
            self._process.start()
        theirs.close()

    @property
    def pid(self) -> int:
        """The process's id."""
        return int(self._process.pid)

    def alive(self) -> bool:
        """Return whether the process is there."""
        return bool(self._process.is_alive())

    def end(self, patience: float = 0.0) -> str:
        """Kill the process unless it ends within ``patience`` seconds, and say what it ended with."""
        self.connection.close()
        self._process.join(patience)
        if self._process.exitcode is None:
            os.kill(self.pid, _KILL)
            self._process.join()
        code = self._process.exitcode or 0
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


@contextmanager
def _uninterruptible() -> Iterator[None]:
    """Start a process that never hears of Ctrl-C, which reaches every process of a terminal: the parent decides."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(parent: Connection, path: str, n_jobs: int, parent_id: int) -> None:
    """Train the cohorts that come through the pipe until it is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent_id,), daemon=True).start()

    def judge(rung: int, scores: dict[int, float]) -> set[int]:
        parent.send((rung, scores))
        pruned: set[int] = parent.recv()
        return pruned

    assignment: WorkerContext | None = None
    try:
        while True:
            cohort = parent.recv()
            try:
                if assignment is None:
                    assignment = joblib.load(path, mmap_mode="r")
                    prepared = PreparedFolds(assignment, Path(path).with_name(_TABLE))
                    costs = CostMeter(assignment, prepared.frame)
                parent.send(None)
                n_values = len(assignment.y) * assignment.frame.shape[1]
                with limit_threads(n_values, n_jobs, cohort.blas_threads):
                    answer: list[TrialRecord] | str = evaluate(
                        assignment, prepared, cohort, judge, lambda: False, costs
                    )
            except Exception:
                answer = traceback.format_exc()
            parent.send(answer)
    except (EOFError, OSError):
        return  # nobody is there any more


def _end_with(parent_id: int) -> None:
    """End this process once its parent is gone, whatever it is doing."""
    while os.getppid() == parent_id:
        time.sleep(_WATCH)
    os._exit(1)
