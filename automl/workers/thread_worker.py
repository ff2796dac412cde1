"""Cohorts in this process, one at a time: on a thread of its own, so that the caller can be interrupted."""

from __future__ import annotations

import queue
import threading
import traceback

from typing_extensions import override

from automl.workers.blas import limit_threads
from automl.workers.evaluate import Cohort, Judge, evaluate
from automl.workers.measurements import CostMeter
from automl.workers.prepared import PreparedFolds, WorkerContext
from automl.workers.protocol import Crashed, Event, Finished, RungReached, Workers

__all__ = ["ThreadWorkers"]

_PATIENCE = 1.0  # seconds that `close` waits for the core to notice; a fit of scikit-learn may take longer


class ThreadWorkers(Workers):
    """One slot, nothing to start and nothing to copy.

    Parameters
    ----------
    assignment : WorkerContext
        What every cohort trains on.
    """

    def __init__(self, assignment: WorkerContext) -> None:
        super().__init__(slots=1)
        self._assignment = assignment
        self._prepared, self._costs = PreparedFolds(assignment), CostMeter(assignment)
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._replies: queue.SimpleQueue[set[int]] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    @override
    def submit(self, cohort: Cohort) -> None:
        self._thread = threading.Thread(
            target=self._run, args=(cohort,), name=f"cohort-{cohort.id}", daemon=True
        )
        self._thread.start()

    @override
    def next(self, timeout: float | None = None) -> Event | None:
        try:
            return self._events.get(timeout=timeout)
        except queue.Empty:
            return None

    @override
    def close(self) -> None:
        self._stopped.set()
        self._replies.put(set())  # for a cohort that waits at a rung
        if self._thread is not None:
            self._thread.join(_PATIENCE)
        self._prepared.clear()

    def _run(self, cohort: Cohort) -> None:
        try:
            with limit_threads(self._assignment.frame.size, 1, cohort.blas_threads):
                records = evaluate(
                    self._assignment,
                    self._prepared,
                    cohort,
                    self._judge(cohort),
                    self._stopped.is_set,
                    self._costs,
                )
        except BaseException:
            self._events.put(Crashed(cohort, traceback.format_exc()))
        else:
            self._events.put(Finished(cohort, records))

    def _judge(self, cohort: Cohort) -> Judge:
        def judge(rung: int, scores: dict[int, float]) -> set[int]:
            if self._stopped.is_set():
                return set()
            self._events.put(RungReached(cohort, rung, scores, self._replies.put))
            return self._replies.get()

        return judge
