"""Callbacks with Optuna's signature, ``callback(study, trial)``."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy, deepcopy

import optuna
from optuna.trial import FrozenTrial

__all__ = ["call_back"]


def call_back(
    study: optuna.Study, callback: Callable[[optuna.Study, FrozenTrial], None], number: int
) -> bool:
    """Call a callback for a trial that has ended; return whether it called ``study.stop()``."""
    stops: list[bool] = []
    shown = copy(study)
    # Optuna's own `stop` works inside `optimize` alone.
    shown.stop = lambda: stops.append(True)  # type: ignore[method-assign]
    callback(shown, deepcopy(study.get_trials(deepcopy=False)[number]))
    return bool(stops)
