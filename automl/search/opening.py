"""The MLflow run of a search, opened on a thread while workers train."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import ExitStack

from automl.study import ignore_experimental_warnings
from automl.tracking import ignore_store_warnings, in_background, warm_up

__all__ = ["Opening", "keep_filters"]

_FOREVER = float("inf")
_PATIENCE = 2.0  # seconds for the first trial, before MLflow opens beside it


class Opening:
    """Open MLflow on a thread: its import and a new database take 3 seconds on an idle machine, 16 on a busy one."""

    def __init__(self) -> None:
        self._began = self._seconds = 0.0
        self._open: Callable[[], str] | None = None
        self._run: Future[str] | None = None
        self._warm: Future[None] | None = None

    def start(
        self,
        open_run: Callable[[], str],
        opened: Callable[[str], None],
        *,
        after: Callable[[], bool],
        warms: bool,
    ) -> None:
        """Set what is opened; `take` starts the thread.

        Parameters
        ----------
        open_run : callable
            Opens the store and returns the id of the search's run.
        opened : callable
            Called with the id, on the thread of `take`.
        after : callable
            Whether the first trial has ended. The import of MLflow would slow it down, so the thread starts after it,
            or after two seconds.
        warms : bool
            Whether a model will be logged, so that the parts of MLflow that write models are imported meanwhile too.
        """
        self._began, self._open = time.monotonic(), open_run
        self._opened, self._after, self._warms = opened, after, warms

    @property
    def seconds(self) -> float:
        """Seconds that opening took, or has taken so far."""
        return self._seconds if self._run is None else time.monotonic() - self._began

    def take(self, seconds: float = 0.0) -> None:
        """Take the run once it is open; raise StoreError if it cannot be opened.

        Parameters
        ----------
        seconds : float
            Seconds to wait for it; infinite waits as long as opening takes.
        """
        late = seconds > 0 or time.monotonic() - self._began > _PATIENCE
        if self._open is not None and (late or self._after()):
            self._began = time.monotonic()
            self._run, self._open = in_background(self._open), None
        if self._run is None or not (seconds or self._run.done()):
            return
        run_id, self._run = self._run.result(None if seconds == _FOREVER else seconds), None
        self._seconds = time.monotonic() - self._began
        self._opened(run_id)
        if self._warms:
            self._warm = in_background(warm_up)

    def settle(self, seconds: float = _FOREVER) -> None:
        """Take the run, and wait for the thread to end, at most ``seconds`` each; raise as `take` does."""
        self._warms = False  # logging a model is next
        self.take(seconds)
        if self._warm is not None:
            wait([self._warm], None if seconds == _FOREVER else seconds)


def keep_filters(stack: ExitStack) -> None:
    """Keep the filters of warnings until the stack is closed, after the trials have ended.

    Python has one list of them for all threads. `warnings.catch_warnings` in a fit in a thread, and in the thread of
    the search, would leave behind each other's filters, and hide the warnings of `fit`. They also undo each other's
    filters early, so those that matter are set here for all threads.
    """
    stack.enter_context(warnings.catch_warnings())
    ignore_store_warnings()
    ignore_experimental_warnings()
