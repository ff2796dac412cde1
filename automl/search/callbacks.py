"""Trial callbacks, normalised to one signature, and the other observers of a search."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from automl.errors import Fault
from automl.records import TrialRecord
from automl.select import OutOfFold
from automl.study import Session
from automl.tracking import NullProgress, Progress, Tracker

__all__ = ["Observers", "Stoppable", "callback_faults", "normalize_callbacks"]

Callback = Callable[[TrialRecord], None]


class Stoppable(Protocol):
    """A search that callbacks may stop."""

    def stop(self) -> None:
        """Propose no more trials."""


def callback_faults(callbacks: Sequence[Any]) -> list[Fault]:
    """Return the faults of the callbacks of a search."""
    rule = "each must be a function of Optuna's form, or have a method on_trial(record, search)"
    return [
        Fault("callbacks", rule, repr(callback))
        for callback in callbacks
        if not callable(callback) and not hasattr(callback, "on_trial")
    ]


def normalize_callbacks(callbacks: Sequence[Any], session: Session, search: Stoppable) -> list[Callback]:
    """Return callbacks of both forms as functions of a trial's record."""

    def normalized(callback: Any) -> Callback:
        if hasattr(callback, "on_trial"):
            return lambda record: callback.on_trial(record, search)
        return lambda record: search.stop() if session.call(callback, record.number) else None

    return [normalized(callback) for callback in callbacks]


class Observers:
    """Everything that watches a search: tracker, progress display, predictions and callbacks.

    Parameters
    ----------
    tracker : Tracker
        Logs each trial that ends in this process.
    progress : Progress or NullProgress
        Shows every trial that ends.
    callbacks : sequence of callable
        Called with the record of each trial that ends in this process, in order.
    out_of_fold : OutOfFold, optional
        Takes note of every trial that ends.

    Attributes
    ----------
    error : Exception or None
        The error that a callback raised. No callback is called after it.
    """

    def __init__(
        self,
        tracker: Tracker,
        progress: Progress | NullProgress,
        callbacks: Sequence[Callback] = (),
        out_of_fold: OutOfFold | None = None,
    ) -> None:
        self.tracker, self.progress = tracker, progress
        self._out_of_fold = out_of_fold
        self.error: Exception | None = None
        self.callbacks = callbacks

    def note(self, record: TrialRecord) -> None:
        """Show a trial that ended in any process, and keep or delete its predictions."""
        self.progress.trial(record)
        if self._out_of_fold is not None:
            self._out_of_fold.add(record)

    def tell_exhausted(self, n_trials: int) -> None:
        """Say that the search ended because the space has no further configuration; also without progress."""
        text = f"every configuration of the space was tried (trials: {n_trials})"
        if isinstance(self.progress, NullProgress):
            logging.getLogger("automl").warning("The search ended early: %s.", text)
        else:
            self.progress.stage(f"ended: {text}")

    def call(self, record: TrialRecord) -> None:
        """Call the callbacks; keep an error instead of raising it."""
        try:
            for callback in self.callbacks if self.error is None else ():
                callback(record)
        except Exception as error:
            self.error = error
