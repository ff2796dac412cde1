"""Calls with a time limit, for code that is not ours."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable
from typing import TypeVar

__all__ = ["FIT_SECONDS", "CallLimit", "fit_in_time", "in_time", "without_limit"]

FIT_SECONDS = 3.0  # a fit to a tiny table takes milliseconds
_REST_SECONDS = 5.0  # after a call without an answer, until the next one is tried

_Result = TypeVar("_Result")


def in_time(call: Callable[[], _Result], seconds: float, *, interrupt: bool = False) -> _Result:
    """Return the result of a call; its errors are raised.

    The call runs on a thread, which cannot be killed: after the time limit it continues in the background. The thread
    is a daemon, so the process may end before it.

    Parameters
    ----------
    call : callable
        Called without arguments.
    seconds : float
        The time limit.
    interrupt : bool
        Whether Python code of a late call is interrupted; compiled code is not.

    Raises
    ------
    TimeoutError
        If the call takes longer.

    Examples
    --------
    >>> in_time(lambda: 1 + 1, 5.0)
    2
    """
    results: list[_Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, name="automl-time-limit", daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if results:
        return results[0]
    if interrupt and thread.ident is not None:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit))
    raise TimeoutError(f"took longer than {seconds:g} s")


def fit_in_time(call: Callable[[], _Result]) -> _Result:
    """Return the result of a fit to a tiny table, or raise TimeoutError after 3 seconds."""
    return in_time(call, FIT_SECONDS, interrupt=True)


def without_limit() -> float:
    """Return the seconds left without a timeout."""
    return float("inf")


class CallLimit:
    """The time limit of calls to a store.

    After a call without an answer, further calls fail at once for five seconds.

    Parameters
    ----------
    remaining : callable
        Returns the seconds that the search has left.

    Attributes
    ----------
    remaining : callable
        As the parameter; may be replaced.
    """

    def __init__(self, remaining: Callable[[], float] = without_limit) -> None:
        self.remaining = remaining
        self._resting_until = 0.0

    def run(self, call: Callable[[], _Result], longest: float, extra: float) -> _Result:
        """Return the result of a call; its errors are raised.

        Parameters
        ----------
        call : callable
            Called on another thread, which continues in the background after the limit.
        longest : float
            Seconds that the call may take at most.
        extra : float
            Seconds that it may end after the time of the search is up.

        Raises
        ------
        TimeoutError
            If it takes longer, or an earlier call did.
        """
        if time.monotonic() < self._resting_until:
            raise TimeoutError("it did not answer in time")
        seconds = min(longest, max(0.0, self.remaining()) + extra)
        try:
            return in_time(call, seconds)
        except TimeoutError:
            self._resting_until = time.monotonic() + _REST_SECONDS
            raise TimeoutError(f"it did not answer within {seconds:.0f} s") from None
