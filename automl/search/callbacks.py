"""Whoever is told of each trial that ends: functions of Optuna's form, or objects with ``on_trial``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from automl.errors import Fault
from automl.records import TrialRecord
from automl.study import Session

if TYPE_CHECKING:
    from automl.search import Search

__all__ = ["callback_faults", "one_form"]


def callback_faults(callbacks: Sequence[Any]) -> list[Fault]:
    """Return what is wrong with the callbacks of a search."""
    rule = "each must be a function of Optuna's form, or have a method on_trial(record, search)"
    return [
        Fault("callbacks", rule, repr(callback))
        for callback in callbacks
        if not callable(callback) and not hasattr(callback, "on_trial")
    ]


def one_form(
    callbacks: Sequence[Any], session: Session, search: Search
) -> list[Callable[[TrialRecord], None]]:
    """Return callbacks that take the record of a trial alone."""

    def formed(callback: Any) -> Callable[[TrialRecord], None]:
        if hasattr(callback, "on_trial"):
            return lambda record: callback.on_trial(record, search)
        return lambda record: search.stop() if session.call(callback, record.number) else None

    return [formed(callback) for callback in callbacks]
