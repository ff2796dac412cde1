"""A background thread that writes to a store, with retries."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

__all__ = ["Writer"]

_PAUSES = (0.1, 0.5, 2.0)


class Writer:
    """Run jobs in order on a background thread.

    A job that raises is retried after 0.1, 0.5 and 2 seconds. After a job has failed, the next jobs are tried
    once until one succeeds, so that a dead store does not delay the end of a search.

    Attributes
    ----------
    seconds : float
        Time spent in jobs, without pauses.
    done : int
        Finished jobs, failed ones included.
    error : Exception or None
        The exception of the last failed job.

    Examples
    --------
    >>> writer, seen = Writer(), []
    >>> writer.submit(lambda: seen.append(1))
    >>> writer.flush(), seen
    (True, [1])
    >>> writer.close()
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self.done = 0
        self.error: Exception | None = None
        self._jobs: deque[Callable[[], None]] = deque()
        self._busy = False
        self._open = True
        self._healthy = True
        self._changed = threading.Condition()
        # A daemon: a second Ctrl-C must not wait for a store.
        self._thread = threading.Thread(target=self._work, name="automl-tracking", daemon=True)
        self._thread.start()

    @property
    def pending(self) -> int:
        """Number of unfinished jobs."""
        with self._changed:
            return len(self._jobs) + self._busy

    def submit(self, job: Callable[[], None]) -> None:
        """Queue a job and return at once."""
        with self._changed:
            self._jobs.append(job)
            self._changed.notify_all()

    def flush(self, timeout: float | None = None) -> bool:
        """Wait for all jobs; return whether they finished within ``timeout`` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._jobs and not self._busy, timeout)

    def close(self) -> None:
        """End the thread once the queue is empty; return at once."""
        with self._changed:
            self._open = False
            self._changed.notify_all()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._jobs) or not self._open)
                if not self._jobs:
                    return
                job = self._jobs.popleft()
                self._busy = True
            try:
                self._attempt(job)
            finally:
                with self._changed:
                    self.done += 1
                    self._busy = False
                    self._changed.notify_all()

    def _attempt(self, job: Callable[[], None]) -> None:
        for pause in (*_PAUSES, None) if self._healthy else (None,):
            started = time.perf_counter()
            try:
                job()
            except Exception as error:  # stores and drivers raise errors of any type
                failure = error
            else:
                self._healthy = True
                return
            finally:
                self.seconds += time.perf_counter() - started
            if pause is not None:
                time.sleep(pause)
        self.error = failure
        self._healthy = False
