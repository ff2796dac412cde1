"""Run cohorts in this process, one at a time, on a thread of their own so that the caller can be interrupted."""

from __future__ import annotations

import queue
import threading
import traceback
from contextlib import suppress
from importlib import import_module

from typing_extensions import override

from automl.workers.blas import limit_threads
from automl.workers.cohort import Cohort
from automl.workers.context import WorkerContext
from automl.workers.evaluation import Report, evaluate
from automl.workers.measurements import CostMeter
from automl.workers.prepared import PreparedFolds
from automl.workers.protocol import Crashed, Event, Finished, RungReached, Workers

__all__ = ["ThreadWorkers"]

_CLOSE_SECONDS = 1.0  # that `close` waits for training to stop; a fit of scikit-learn may take longer


class ThreadWorkers(Workers):
    """One slot in this process: no process to start, no table to copy.

    Parameters
    ----------
    context : WorkerContext
        What every cohort trains on.
    prepared : PreparedFolds, optional
        The matrices of the folds; None prepares them here.
    threads : int, optional
        Cores of the slot; None takes those of the machine.
    """

    def __init__(
        self, context: WorkerContext, prepared: PreparedFolds | None = None, threads: int | None = None
    ) -> None:
        super().__init__(slots=1)
        _import_polars()
        self._context, self._threads = context, threads
        self._prepared, self._costs = prepared or PreparedFolds(context), CostMeter(context)
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
    def stop(self) -> bool:
        self._stopped.set()
        self._replies.put(set())  # for a cohort that waits at a rung
        return True

    @override
    def close(self) -> None:
        self.stop()
        if self._thread is not None:
            self._thread.join(_CLOSE_SECONDS)
        self._prepared.clear()

    def _run(self, cohort: Cohort) -> None:
        try:
            n_values = self._context.frame.size
            with limit_threads(n_values, 1, cohort.blas_threads, share=self._threads):
                records = evaluate(
                    self._context,
                    self._prepared,
                    cohort,
                    self._report(cohort),
                    self._stopped.is_set,
                    self._costs,
                )
        except BaseException:
            self._events.put(Crashed(cohort, traceback.format_exc()))
        else:
            self._events.put(Finished(cohort, records))

    def _report(self, cohort: Cohort) -> Report:
        def report(rung: int, scores: dict[int, float], seconds: float) -> set[int]:
            if self._stopped.is_set():
                return set()
            self._events.put(RungReached(cohort, rung, scores, self._replies.put, seconds))
            return self._replies.get()

        return report


def _import_polars() -> None:
    """Import polars, if it is installed, before the thread starts.

    `import mlflow` imports it too, in the search's thread. Meanwhile `sys.modules` has a half of it, which
    scikit-learn would take for the whole in the fits of this worker.
    """
    with suppress(ImportError):
        import_module("polars")
