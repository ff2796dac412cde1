"""A background thread that writes to a store, with retries."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from automl.errors import StoreError

__all__ = ["Writer"]

_PAUSES = (0.1, 0.4, 1.5)
_REST_SECONDS = 3.0  # after a failed job, in which further jobs are given up without an attempt
_STALLED_SECONDS = 3.0  # that a job takes before the store counts as one that does not answer


class Writer:
    """Run jobs in order on a background thread, once it is started.

    A job that raises is retried after 0.1, 0.4 and 1.5 seconds. After a job has failed, jobs are given up for three
    seconds, and then tried once until one succeeds, so that a dead store does not delay the end of a search.

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
    >>> writer.start()
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
        self._failed_at = self._begun = 0.0
        self._changed = threading.Condition()
        # A daemon: a second Ctrl-C must not wait for a store.
        self._thread = threading.Thread(target=self._work, name="automl-tracking", daemon=True)

    def start(self) -> None:
        """Start with the jobs; a second call changes nothing."""
        if self._thread.ident is None:
            self._thread.start()

    @property
    def pending(self) -> int:
        """Number of unfinished jobs."""
        with self._changed:
            return len(self._jobs) + self._busy

    @property
    def answers(self) -> bool:
        """Whether the last job succeeded and the current one takes no longer than expected."""
        return self._healthy and not (self._busy and time.monotonic() - self._begun > _STALLED_SECONDS)

    def submit(self, job: Callable[[], None]) -> None:
        """Queue a job and return at once."""
        with self._changed:
            self._jobs.append(job)
            self._changed.notify_all()

    def renew(self, *, once: bool = False) -> None:
        """Try the next job at once, ``once`` or with retries, unless the store last failed to answer in time."""
        if not isinstance(self.error, StoreError):
            self._failed_at = float("-inf")
            self._healthy = self._healthy or not once

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
                self._busy, self._begun = True, time.monotonic()
            try:
                self._attempt(job)
            finally:
                with self._changed:
                    self.done += 1
                    self._busy = False
                    self._changed.notify_all()

    def _attempt(self, job: Callable[[], None]) -> None:
        if not self._healthy and time.monotonic() - self._failed_at < _REST_SECONDS:
            return
        failure: Exception | None = None
        for pause in (*_PAUSES, None) if self._healthy else (None,):
            started = time.perf_counter()
            try:
                job()
            except StoreError as error:  # it did not answer in time; another attempt would take as long
                failure, pause = error, None
            except Exception as error:  # stores and drivers raise errors of any type
                failure = error
            else:
                self._healthy = True
                return
            finally:
                self.seconds += time.perf_counter() - started
            if pause is None:
                break
            time.sleep(pause)
        self.error = failure
        self._healthy, self._failed_at = False, time.monotonic()
