"""One thread that writes, so that nobody waits for a store; what fails is tried again, then counted."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

__all__ = ["Writer"]

_PAUSES = (0.1, 0.5, 2.0)


class Writer:
    """Run jobs in their order on one thread of its own.

    A job that raises is tried again after 0.1, 0.5 and 2 seconds. Once one is given up, the next ones are
    tried only once until the store answers again, so that a dead store does not hold up the end of a search.

    Attributes
    ----------
    seconds : float
        Time spent in jobs, their pauses left out.
    done : int
        Jobs ended, given up or not.
    error : Exception or None
        What the last one to be given up raised.

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
        """Jobs not finished yet."""
        with self._changed:
            return len(self._jobs) + self._busy

    def submit(self, job: Callable[[], None]) -> None:
        """Queue a job and return at once."""
        with self._changed:
            self._jobs.append(job)
            self._changed.notify_all()

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until every job is done; return whether it was within ``timeout`` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._jobs and not self._busy, timeout)

    def close(self) -> None:
        """End the thread once the queue is empty; does not wait for it."""
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
            except Exception as error:  # whatever a store or its driver raises must not end the thread
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
