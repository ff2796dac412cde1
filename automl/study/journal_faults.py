"""The faults of a journal file, as errors that say whether the study has survived."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from automl.errors import StoreError

__all__ = ["broken", "command", "cut", "emptied", "is_log", "removed", "unreadable", "unwritable"]

_OPERATIONS = range(11)  # the codes of Optuna's journal operations
_LOST = "The study in it is lost; the trials that MLflow has remain there. Restore the file from a copy."


def is_log(log: Any) -> bool:
    """Return whether a value looks like a line of Optuna's journal."""
    return isinstance(log, dict) and log.get("op_code") in _OPERATIONS and "worker_id" in log


def command(name: str, file: str | Path) -> str:
    """Return an automl command for the study of a journal file."""
    path = Path(file)
    usual = path.parent.name == "studies" and path.parent.parent.name == "mlruns"
    return shlex.join(["automl", name, path.stem] + ([] if usual else ["--storage", str(path)]))


def removed(file: str) -> StoreError:
    """Return the error for a file that was removed while it was in use."""
    return StoreError(
        f"storage: {file} must stay in place while the study is in use; it was removed. {_LOST}"
    )


def emptied(file: str) -> StoreError:
    """Return the error for a file that holds nothing."""
    return StoreError(f"storage: {file} must hold a study; it is empty. {_LOST}")


def cut(file: str, before: int, after: int) -> StoreError:
    """Return the error for a file that another program made shorter."""
    if not after:
        return emptied(file)
    return StoreError(
        f"storage: {file} must only grow; it was cut from {before:,} to {after:,} bytes. The study has survived up "
        f"to there. Keep its intact lines: {command('repair', file)}"
    )


def broken(file: str, line: int) -> StoreError:
    """Return the error for a line that cannot be read."""
    return StoreError(
        f"{file}:{line}: must be a line of Optuna's journal; got a broken one. The rest of the study is intact. "
        f"Keep the intact lines: {command('repair', file)}"
    )


def unwritable(file: str, error: OSError) -> StoreError:
    """Return the error for a file that cannot be written, e.g. on a full disk."""
    return StoreError(
        f"storage: {file} cannot be written ({error.strerror or error}). The study has survived: the trials recorded "
        f"until now are intact. Remove the cause, and continue it: {command('resume', file)}"
    )


def unreadable(file: str, error: OSError) -> StoreError:
    """Return the error for a file that cannot be read."""
    return StoreError(
        f"storage: {file} cannot be read ({error.strerror or error}). The study is as it was; nothing was written."
    )
