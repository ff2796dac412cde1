"""Worker processes, and a thread of this process for the first quick trial while they start."""

from __future__ import annotations

import time

from typing_extensions import override

from automl.families import get_family
from automl.workers.cohort import Cohort
from automl.workers.context import WorkerContext
from automl.workers.process_worker import ProcessWorkers
from automl.workers.protocol import Event, RungReached, Workers
from automl.workers.thread_worker import ThreadWorkers

__all__ = ["EarlyStart"]

_MAX_VALUES = 1_000_000  # of the table; a larger one would take memory of this process, and other threads
_POLL = 0.02  # seconds between two looks at the thread


class EarlyStart(Workers):
    """Train a quick first cohort on a thread, since worker processes take seconds to start; others in the processes.

    Parameters
    ----------
    context : WorkerContext
        What every cohort trains on.
    processes : ProcessWorkers
        Where all other cohorts run.
    """

    def __init__(self, context: WorkerContext, processes: ProcessWorkers) -> None:
        super().__init__(processes.slots)
        self._context, self._processes = context, processes
        self._thread: ThreadWorkers | None = None
        self._may_start = context.frame.size < _MAX_VALUES

    @override
    def submit(self, cohort: Cohort) -> None:
        quick = self._may_start and get_family(cohort.trials[0]).quick
        self._may_start = False
        if quick:
            self._thread = ThreadWorkers(self._context)
            self._thread.submit(cohort)
        else:
            self._processes.submit(cohort)

    @override
    def next(self, timeout: float | None = None) -> Event | None:
        end = float("inf") if timeout is None else time.monotonic() + timeout
        while self._thread is not None:
            if (event := self._thread.next(timeout=0)) is not None:
                if not isinstance(event, RungReached):
                    self._thread.close()
                    self._thread = None
                return event
            event = self._processes.next(min(_POLL, max(0.0, end - time.monotonic())))
            if event is not None or time.monotonic() >= end:
                return event
        return self._processes.next(None if timeout is None else max(0.0, end - time.monotonic()))

    @override
    def memory_per_worker(self) -> float:
        return self._processes.memory_per_worker()

    @override
    def stop(self) -> bool:
        for workers in (self._processes, self._thread):
            if workers is not None:
                workers.stop()
        return True

    @override
    def close(self) -> None:
        self._processes.close()
        if self._thread is not None:
            self._thread.close()
