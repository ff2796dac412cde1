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
from dataclasses import replace
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import cast

import joblib
from loky import wrap_non_picklable_objects
from loky.backend import get_context, resource_tracker
from typing_extensions import override

from automl.records import TrialRecord
from automl.workers.base import Crashed, Event, Finished, JudgeRequest, Workers
from automl.workers.evaluate import Cohort, evaluate
from automl.workers.prepared import Assignment, PreparedFolds

__all__ = ["ProcessWorkers"]

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
_KILL = getattr(signal, "SIGKILL", signal.SIGTERM)  # Windows has no SIGKILL; there SIGTERM is as sure
_WATCH = 1.0  # seconds between two looks whether the parent lives


class ProcessWorkers(Workers):
    """As many slots as processes; the cores are shared out among them.

    Parameters
    ----------
    assignment : Assignment
        What every cohort trains on; written once to a scratch folder, which goes with the last process.
    n_jobs : int
        Processes.
    """

    def __init__(self, assignment: Assignment, n_jobs: int) -> None:
        super().__init__(slots=n_jobs)
        self._threads = max(1, joblib.cpu_count() // n_jobs)
        self._folder = Path(tempfile.mkdtemp(prefix="automl-"))
        # Removed by loky's tracker, a process that outlives this one, should this one be killed.
        resource_tracker.register(str(self._folder), "folder")
        if callable(assignment.scoring):
            scoring = wrap_non_picklable_objects(assignment.scoring, keep_wrapper=False)
            assignment = replace(assignment, scoring=scoring)
        self._assignment = str(self._folder / "assignment.joblib")
        joblib.dump(assignment, self._assignment)
        # Processes take seconds to start: they do so while the stores are opened.
        self._idle = [_Worker(self._assignment, self._threads) for _ in range(n_jobs)]
        self._busy: dict[Connection, tuple[_Worker, Cohort]] = {}

    @override
    def submit(self, cohort: Cohort) -> None:
        worker = self._free()
        self._busy[worker.connection] = worker, cohort
        with suppress(OSError):  # it dies this very moment; `next` finds that out
            worker.connection.send(cohort)

    def _free(self) -> _Worker:
        while self._idle:
            worker = self._idle.pop()
            if worker.alive():
                return worker
            worker.end()
        return _Worker(self._assignment, self._threads)

    @override
    def next(self, timeout: float | None = None) -> Event | None:
        ready = wait(list(self._busy), timeout)
        if not ready:
            return None
        worker, cohort = self._busy[cast(Connection, ready[0])]
        try:
            message = worker.connection.recv()
        except (EOFError, OSError):
            del self._busy[worker.connection]
            return Crashed(cohort, f"the worker process is gone: {worker.end(patience=1.0)}")
        if isinstance(message, tuple):
            rung, scores = message
            return JudgeRequest(cohort, rung, scores, worker.connection.send)
        del self._busy[worker.connection]
        self._idle.append(worker)
        return Crashed(cohort, message) if isinstance(message, str) else Finished(cohort, message)

    @override
    def close(self) -> None:
        for worker in [*self._idle, *(worker for worker, _ in self._busy.values())]:
            worker.end()
        self._idle, self._busy = [], {}
        if self._folder.exists():
            shutil.rmtree(self._folder, ignore_errors=True)
            resource_tracker.unregister(str(self._folder), "folder")


class _Worker:
    """A process, and this side's end of the pipe to it."""

    def __init__(self, assignment: str, threads: int) -> None:
        context = get_context("loky")
        self.connection, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve,
            args=(theirs, assignment, os.getpid()),
            name="automl-worker",
            daemon=True,  # ends with the parent
            # Passive: threads that wait leave the core to the neighbours.
            env={**dict.fromkeys(_THREADS, str(threads)), "OMP_WAIT_POLICY": "PASSIVE"},
        )
        with _uninterruptible():
            self._process.start()
        theirs.close()

    def alive(self) -> bool:
        """Return whether the process is there."""
        return bool(self._process.is_alive())

    def end(self, patience: float = 0.0) -> str:
        """Kill the process unless it ends within ``patience`` seconds, and say what it ended with."""
        self.connection.close()
        self._process.join(patience)
        if self._process.exitcode is None:
            os.kill(self._process.pid, _KILL)
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


def _serve(parent: Connection, path: str, parent_id: int) -> None:
    """Train the cohorts that come through the pipe until it is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent_id,), daemon=True).start()

    def judge(rung: int, scores: dict[int, float]) -> set[int]:
        parent.send((rung, scores))
        pruned: set[int] = parent.recv()
        return pruned

    assignment: Assignment | None = None
    try:
        while True:
            cohort = parent.recv()
            try:
                if assignment is None:
                    assignment = joblib.load(path)
                    prepared = PreparedFolds(assignment)
                answer: list[TrialRecord] | str = evaluate(assignment, prepared, cohort, judge, lambda: False)
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
