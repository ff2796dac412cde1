"""The user's own use of MLflow in this process: autologging, the active run, the chosen experiment."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Lock
from typing import NamedTuple

from automl.errors import StoreError
from automl.tracking.store import quiet, resolve_uri

__all__ = ["ActiveRun", "active_run", "chosen_experiment", "named_experiment", "no_autologging"]

_lock = Lock()
_fences = 0  # searches that run now, in any thread
_restore = ExitStack()


class ActiveRun(NamedTuple):
    """The run that the user started, and its experiment."""

    run_id: str
    experiment_id: str


@contextmanager
def no_autologging() -> Iterator[None]:
    """Turn MLflow's autologging off for the fits of a search, and on again after the last of them.

    Autologging would write a run and a model for every fit. MLflow's switch is one for the process, so several
    searches in threads share it. Nothing is done where MLflow is not imported: autologging is off then.
    """
    global _fences
    if "mlflow" not in sys.modules:
        yield
        return
    with _lock:
        _fences += 1
        if _fences == 1:
            with quiet():
                from mlflow.utils.autologging_utils import disable_autologging
            _restore.enter_context(disable_autologging())
    try:
        yield
    finally:
        with _lock:
            _fences -= 1
            if not _fences:
                _restore.close()


def active_run(tracking_uri: str) -> ActiveRun | None:
    """Return the user's active run, if it is in this store.

    Parameters
    ----------
    tracking_uri : str
        The store of the search, as `resolve_uri` returns it.
    """
    mlflow = sys.modules.get("mlflow")
    run = mlflow.active_run() if mlflow is not None else None
    if run is None or not _is_users_store(tracking_uri):
        return None
    return ActiveRun(run.info.run_id, run.info.experiment_id)


def chosen_experiment(tracking_uri: str) -> str | None:
    """Return the id of the experiment that ``mlflow.set_experiment`` chose, if it is in this store.

    None while autologging is on: the experiment is then that of the user's own fits, one run each.

    Parameters
    ----------
    tracking_uri : str
        The store of the search, as `resolve_uri` returns it.
    """
    # MLflow writes it there for child processes; a shell may set it as well.
    chosen = os.environ.get("MLFLOW_EXPERIMENT_ID") or None
    return None if chosen is None or _is_autologging() or not _is_users_store(tracking_uri) else chosen


def named_experiment() -> str | None:
    """Return the experiment that the environment variable ``MLFLOW_EXPERIMENT_NAME`` names."""
    return os.environ.get("MLFLOW_EXPERIMENT_NAME") or None


def _is_users_store(tracking_uri: str) -> bool:
    mlflow = sys.modules.get("mlflow")
    ours = os.environ.get("MLFLOW_TRACKING_URI") if mlflow is None else mlflow.get_tracking_uri()
    try:
        return ours is not None and resolve_uri(ours) == tracking_uri
    except StoreError:  # a plain folder
        return False


def _is_autologging() -> bool:
    if "mlflow" not in sys.modules:
        return False
    from mlflow.utils.autologging_utils import AUTOLOGGING_INTEGRATIONS, autologging_is_disabled

    return not all(autologging_is_disabled(name) for name in list(AUTOLOGGING_INTEGRATIONS))
