"""Calls to MLflow on another thread, while the search trains."""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TypeVar

__all__ = ["ignore_store_warnings", "in_background", "quiet_warnings"]

_SWITCH_SECONDS = 0.0005  # in which Python's threads take turns meanwhile: an import would slow down training
_MODULES = r"(mlflow|alembic|skops|sqlalchemy|urllib3)(\.|$)"  # and those that they import
_Result = TypeVar("_Result")
_thread = threading.local()


def in_background(call: Callable[[], _Result]) -> Future[_Result]:
    """Start a call on a thread and return its future result; the process may end before it.

    Examples
    --------
    >>> in_background(lambda: 1 + 1).result(timeout=5)
    2
    """
    future: Future[_Result] = Future()

    def run() -> None:
        _thread.in_background = True
        before = sys.getswitchinterval()
        sys.setswitchinterval(min(before, _SWITCH_SECONDS))
        try:
            result = call()
        except BaseException as error:
            future.set_exception(error)
        else:
            future.set_result(result)
        finally:
            sys.setswitchinterval(before)

    threading.Thread(target=run, name="automl-opening", daemon=True).start()
    return future


@contextmanager
def quiet_warnings() -> Iterator[None]:
    """Silence warnings, except on a thread of `in_background`.

    Python has one list of filters for all threads: two threads that change and restore it would leave behind each
    other's filters. The caller of `in_background` uses `ignore_store_warnings`.
    """
    if getattr(_thread, "in_background", False):
        yield
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def ignore_store_warnings() -> None:
    """Ignore the warnings of MLflow's modules until the caller's `warnings.catch_warnings` ends."""
    warnings.filterwarnings("ignore", module=_MODULES)
