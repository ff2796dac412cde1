"""Time limits for calls to MLflow stores: a store that hangs or dies holds nothing up."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from automl.errors import StoreError
from automl.time_limit import CallLimit, in_time

__all__ = ["CALL_SECONDS", "TRANSFER_SECONDS", "LimitedClient", "limited_call"]

CALL_SECONDS = 10.0  # for one call
TRANSFER_SECONDS = (
    600.0  # for a call that sends or fetches the files of a model, outside of a search with a timeout
)
_TRANSFER_EXTRA = 2.0  # seconds that sending a model may end after the timeout of a search
_EXTRA = 1.0  # seconds that any other call may
_TRANSFERS = ("log_model_artifacts", "download_artifacts")

# MLflow itself would retry for four minutes. The user's own values are kept.
_REQUEST_SETTINGS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "0",
    "MLFLOW_HTTP_REQUEST_BACKOFF_JITTER": "0.2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}


class LimitedClient:
    """An MLflow client whose calls have a time limit each.

    A call runs on a thread of its own, which is abandoned if it takes too long; further calls then fail at once for
    five seconds.

    Parameters
    ----------
    client : MlflowClient
        The client.
    remaining : callable
        Returns the seconds that the search has left; a call may take no longer, but always one second.
    """

    def __init__(self, client: Any, remaining: Callable[[], float]) -> None:
        self._client, self._calls = client, CallLimit(remaining)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._client, name)
        if not callable(value):
            return value
        limits = (TRANSFER_SECONDS, _TRANSFER_EXTRA) if name in _TRANSFERS else (CALL_SECONDS, _EXTRA)

        def call(*args: Any, **kwargs: Any) -> Any:
            try:
                with _request_settings():
                    return self._calls.run(lambda: value(*args, **kwargs), *limits)
            except TimeoutError as error:
                raise StoreError(str(error)) from None

        return call


def limited_call(call: Callable[[], Any], seconds: float) -> Any:
    """Return the result of a call to a store.

    Parameters
    ----------
    call : callable
        Called on another thread.
    seconds : float
        Its time limit.

    Raises
    ------
    TimeoutError
        If it takes longer; the call continues in the background.
    Exception
        Errors of the call.
    """
    try:
        with _request_settings():
            return in_time(call, seconds)
    except TimeoutError:
        raise TimeoutError(f"it did not answer within {seconds:.0f} s") from None


_lock = threading.Lock()
_running = 0
_ours: list[str] = []  # the variables that are set while calls run


@contextmanager
def _request_settings() -> Iterator[None]:
    """Set MLflow's limits for requests while calls of ours run; MLflow reads them from the environment alone."""
    global _running
    with _lock:
        _running += 1
        if _running == 1:
            _ours[:] = [name for name in _REQUEST_SETTINGS if name not in os.environ]
            os.environ.update({name: _REQUEST_SETTINGS[name] for name in _ours})
    try:
        yield
    finally:
        with _lock:
            _running -= 1
            if not _running:
                for name in _ours:
                    os.environ.pop(name, None)
