"""Reading and writing of single trials in a study's storage."""

from __future__ import annotations

from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from automl.study.optuna_private import storage_of, study_id, trial_id

__all__ = ["create_trial", "set_score", "set_system_attr", "set_user_attr", "stored_trial"]


def stored_trial(study: optuna.Study, trial: FrozenTrial) -> FrozenTrial:
    """Return a trial as it is stored now."""
    return storage_of(study).get_trial(trial_id(trial))


def create_trial(study: optuna.Study, draft: FrozenTrial) -> FrozenTrial:
    """Store a new trial in one write and return it with its number."""
    storage = storage_of(study)
    return storage.get_trial(storage.create_new_trial(study_id(study), draft))


def set_user_attr(study: optuna.Study, trial: FrozenTrial, name: str, value: Any) -> None:
    """Set a user attribute of a stored trial."""
    storage_of(study).set_trial_user_attr(trial_id(trial), name, value)


def set_system_attr(study: optuna.Study, trial: FrozenTrial, name: str, value: Any) -> None:
    """Set a system attribute of a stored trial."""
    storage_of(study).set_trial_system_attr(trial_id(trial), name, value)


def set_score(study: optuna.Study, trial: FrozenTrial, rung: int, value: float) -> None:
    """Set the intermediate value of a stored trial at a rung, unless it has ended or has one."""
    stored = stored_trial(study, trial)
    if stored.state == TrialState.RUNNING and rung not in stored.intermediate_values:
        storage_of(study).set_trial_intermediate_value(trial_id(trial), rung, value)
