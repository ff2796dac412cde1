"""Cohorts in worker processes of this machine.

A pool of loky runs the cohorts; a socket of `multiprocessing.connection` carries the questions at rungs back to
the parent, which alone speaks to the study.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import tempfile
import threading
from concurrent.futures import Future
from functools import lru_cache
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import Any

import joblib
from loky import get_reusable_executor
from threadpoolctl import threadpool_limits

from automl.records import TrialRecord
from automl.workers.base import Crashed, Finished, JudgeRequest, Workers
from automl.workers.evaluate import Cohort, evaluate
from automl.workers.prepared import Assignment, PreparedFolds

__all__ = ["ProcessWorkers"]


class ProcessWorkers(Workers):
    """As many slots as processes; the cores are shared out among them."""

    def __init__(self, assignment: Assignment, n_jobs: int) -> None:
        super().__init__(slots=n_jobs)
        self._threads = max(1, joblib.cpu_count() // n_jobs)
        self._folder = Path(tempfile.mkdtemp(prefix="automl-"))
        self._assignment = str(self._folder / "assignment.joblib")
        joblib.dump(assignment, self._assignment)
        self._running: dict[int, Cohort] = {}
        self._closed = False
        self._key = secrets.token_bytes(16)
        self._listener = Listener(authkey=self._key)
        threading.Thread(target=self._accept, name="rungs", daemon=True).start()

    def submit(self, cohort: Cohort) -> None:
        """Start a cohort; returns at once."""
        self._running[cohort.id] = cohort
        executor = get_reusable_executor(max_workers=self.slots, timeout=300, initializer=_ignore_interrupt)
        work = (self._assignment, cohort, self._listener.address, self._key, self._threads)
        future = executor.submit(_run, *work)
        future.add_done_callback(lambda done: self._ended(cohort, done))

    def close(self) -> None:
        """Kill whatever still runs; idle workers stay for the next search."""
        self._closed = True
        if self._running:
            get_reusable_executor(max_workers=self.slots).shutdown(wait=True, kill_workers=True)
        self._listener.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _ended(self, cohort: Cohort, future: Future[list[TrialRecord]]) -> None:
        self._running.pop(cohort.id, None)
        if self._closed:
            return
        error = None if future.cancelled() else future.exception()
        if future.cancelled() or error is not None:
            self._events.put(Crashed(cohort, f"the worker process is gone: {error or 'cancelled'}"))
        else:
            self._events.put(Finished(cohort, future.result()))

    def _accept(self) -> None:
        while not self._closed:
            try:
                connection = self._listener.accept()
            except OSError:  # closed, or a worker that died while saying hello
                continue
            threading.Thread(target=self._listen, args=(connection,), daemon=True).start()

    def _listen(self, connection: Connection) -> None:
        with connection:
            while True:
                try:
                    cohort_id, rung, scores = connection.recv()
                except (EOFError, OSError):
                    return
                cohort = self._running.get(cohort_id)
                if cohort is not None and not self._closed:
                    self._events.put(JudgeRequest(cohort, rung, scores, connection.send))


def _ignore_interrupt() -> None:
    # Ctrl-C reaches every process of the terminal; what it means is the parent's to decide.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@lru_cache(maxsize=1)
def _load(path: str) -> tuple[Assignment, PreparedFolds]:
    assignment = joblib.load(path)
    return assignment, PreparedFolds(assignment)


def _run(path: str, cohort: Cohort, address: Any, key: bytes, threads: int) -> list[TrialRecord]:
    assignment, prepared = _load(path)
    with Client(address, authkey=key) as parent, threadpool_limits(threads):

        def judge(rung: int, scores: dict[int, float]) -> set[int]:
            parent.send((cohort.id, rung, scores))
            answer: set[int] = parent.recv()
            return answer

        def orphaned() -> bool:
            return os.getppid() == 1

        return evaluate(assignment, prepared, cohort, judge, orphaned)
