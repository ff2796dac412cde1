"""Train the best trial on all rows while workers still train others, so that a long refit leaves no core idle."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager, ExitStack

from sklearn.pipeline import Pipeline

from automl.records import TrialRecord

__all__ = ["THREAD_NAME", "EarlyRefit"]

THREAD_NAME = "automl-refit"


class EarlyRefit:
    """Refits on threads of the search, of which the last one that began is kept.

    Parameters
    ----------
    fit : callable
        Returns the pipeline of a trial, fitted to all rows.
    limits : callable
        Returns the context that limits the threads of a fit. The first refit enters it, and `close` leaves it: fits
        that overlap must find the same limit.

    Attributes
    ----------
    core_seconds : float
        Seconds of the cores in all refits that have ended.
    seconds : dict of int to float
        Seconds of each of them, by the number of the trial.
    """

    def __init__(
        self, fit: Callable[[TrialRecord], Pipeline], limits: Callable[[], AbstractContextManager[object]]
    ) -> None:
        self._fit, self._limits, self._stack = fit, limits, ExitStack()
        self._number: int | None = None
        self._found: Future[Pipeline] = Future()
        self.core_seconds, self.seconds = 0.0, dict[int, float]()

    @property
    def running(self) -> bool:
        """Whether the last refit that began has not ended."""
        return self._number is not None and not self._found.done()

    def start(self, record: TrialRecord) -> Future[Pipeline]:
        """Begin the refit of a trial, in place of an earlier one."""
        if self._number is None:
            self._stack.enter_context(self._limits())
        self._number, self._found = record.number, Future()
        # Not a daemon: CatBoost crashes a process that ends in the middle of its fit.
        threading.Thread(target=self._run, args=(record, self._found), name=THREAD_NAME).start()
        return self._found

    def of(self, record: TrialRecord) -> Future[Pipeline] | None:
        """Return the refit of a trial; None if it has not begun or has failed."""
        failed = self._found.done() and self._found.exception() is not None
        return None if self._number != record.number or failed else self._found

    def close(self) -> None:
        """Leave the limit of threads."""
        self._stack.close()

    def _run(self, record: TrialRecord, found: Future[Pipeline]) -> None:
        began, used = time.perf_counter(), time.thread_time()
        try:
            pipeline = self._fit(record)
        except BaseException as error:  # the refit at the end of the search raises it again
            found.set_exception(error)
            return
        self.seconds[record.number] = time.perf_counter() - began
        self.core_seconds += time.thread_time() - used
        found.set_result(pipeline)
