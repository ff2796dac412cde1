"""Calls with a time limit, for code that is not ours."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from typing import TypeVar

__all__ = ["FIT_SECONDS", "fit_in_time", "in_time"]

FIT_SECONDS = 10.0  # a fit to a tiny table takes milliseconds

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
    """Return the result of a fit to a tiny table, or raise TimeoutError after 10 seconds."""
    return in_time(call, FIT_SECONDS, interrupt=True)
