"""Fold models of trials that took long to train, kept so that an ensemble need not train them again."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["KEPT_FROM_SECONDS", "delete_fold_models", "load_fold_models", "save_fold_models"]

KEPT_FROM_SECONDS = 1.0  # training of a trial; shorter ones are soon trained again
_MAX_BYTES = 1 << 25  # of a file


def save_fold_models(folder: Path, number: int, models: Sequence[Any]) -> None:
    """Write the fitted models of a trial, one for each fold, if their file has at most 32 MB.

    Parameters
    ----------
    folder : Path
        A folder that no other user can write: the file is a pickle.
    number : int
        Number of the trial.
    models : sequence of estimator
        The models.

    Raises
    ------
    OSError
        If the folder cannot be written.
    """
    unfinished = folder / f"{number}.unfinished"
    try:
        with unfinished.open("wb") as file:
            pickle.dump(list(models), _Limited(file), protocol=pickle.HIGHEST_PROTOCOL)
        unfinished.replace(_file(folder, number))
    except _TooLargeError:
        pass
    finally:
        unfinished.unlink(missing_ok=True)


def load_fold_models(folder: Path, number: int) -> list[Any] | None:
    """Return the models that `save_fold_models` wrote; None if there are none."""
    try:
        with _file(folder, number).open("rb") as file:
            return list(pickle.load(file))
    except OSError:
        return None


def delete_fold_models(folder: Path, number: int) -> None:
    """Delete the models of a trial, if there are any."""
    _file(folder, number).unlink(missing_ok=True)


class _TooLargeError(Exception):
    """The file has reached its limit."""


class _Limited:
    """A file that refuses to grow above the limit."""

    def __init__(self, file: Any) -> None:
        self._file, self._left = file, _MAX_BYTES

    def write(self, data: Any) -> int:
        self._left -= memoryview(data).nbytes
        if self._left < 0:
            raise _TooLargeError
        return int(self._file.write(data))


def _file(folder: Path, number: int) -> Path:
    return folder / f"{number}.pickle"
