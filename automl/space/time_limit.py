"""Calls with a time limit, for code that is not ours."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from typing import TypeVar

__all__ = ["SECONDS", "in_time"]

SECONDS = 10.0  # a fit to a tiny table takes milliseconds

_Result = TypeVar("_Result")


def in_time(call: Callable[[], _Result]) -> _Result:
    """Return the result of a call, or raise TimeoutError if it takes longer than 10 seconds.

    The call runs on a thread, which cannot be killed: Python code in it is interrupted, compiled code runs on in the
    background.

    Examples
    --------
    >>> in_time(lambda: 1 + 1)
    2
    """
    results: list[_Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, name="time-limit", daemon=True)
    thread.start()
    thread.join(SECONDS)
    if thread.is_alive():
        if thread.ident is not None:
            ctypes.pythonapi.PyThreadState_SetAsyncExc(
                ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit)
            )
        raise TimeoutError(f"took longer than {SECONDS:g} s")
    if errors:
        raise errors[0]
    return results[0]
