"""Copies of Optuna's trials: without results, ended early, or with the parameters of another space."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from datetime import datetime

from optuna.distributions import BaseDistribution
from optuna.trial import FixedTrial, FrozenTrial, TrialState

from automl.space import Space
from automl.study.attributes import CONFIGURATION, RECORD
from automl.study.optuna_private import RUNG_ATTR

__all__ = ["PENDING_ID", "as_complete", "as_proposed", "empty_trial", "reencoded", "reencoded_trials"]

PENDING_ID = -1  # id of a trial that no storage holds


def empty_trial(number: int) -> FrozenTrial:
    """Return a trial that no storage holds, without parameters."""
    return FrozenTrial(
        number=number, trial_id=PENDING_ID, state=TrialState.RUNNING, value=None, values=None,
        datetime_start=datetime.now(), datetime_complete=None, params={}, distributions={}, user_attrs={},
        system_attrs={}, intermediate_values={},
    )  # fmt: skip


def as_proposed(trial: FrozenTrial) -> FrozenTrial:
    """Return a copy of a trial as it was when it was proposed."""
    proposed = copy.copy(trial)
    proposed.state, proposed.datetime_complete, proposed.values = TrialState.RUNNING, None, None
    proposed.intermediate_values = {}
    attributes = trial.system_attrs.items()
    proposed.system_attrs = {name: value for name, value in attributes if not name.startswith(RUNG_ATTR)}
    return proposed


def as_complete(trial: FrozenTrial, rung: int) -> FrozenTrial:
    """Return a copy of a trial that completes at a rung, with its score there."""
    complete = copy.copy(trial)
    complete.state, complete.values = TrialState.COMPLETE, [trial.intermediate_values[rung]]
    complete.datetime_complete = trial.datetime_start
    return complete


def reencoded(trial: FrozenTrial, other: FrozenTrial) -> FrozenTrial:
    """Return a copy of a trial with the parameters and distributions of another."""
    changed = copy.copy(trial)
    changed.params, changed.distributions = other.params, other.distributions
    return changed


def reencoded_trials(trials: Sequence[FrozenTrial], space: Space) -> dict[int, FrozenTrial]:
    """Return copies of the trials whose parameters this space encodes differently, by number.

    A space that has become wider has other choices, and perhaps other names for them. A sampler learns from an old
    trial once its configuration is encoded in the current space; trials outside the space are left out.
    """
    current: dict[str, BaseDistribution] = {}
    changed = {}
    for trial in trials:
        configuration = trial.user_attrs.get(RECORD, trial.user_attrs).get(CONFIGURATION)
        if all(current.get(name) == known for name, known in trial.distributions.items()):
            continue
        if not configuration or not space.accepts(configuration):
            continue
        encoded = FixedTrial(space.to_trial(configuration))
        space.suggest(encoded)
        current |= encoded.distributions
        if encoded.distributions != trial.distributions or encoded.params != trial.params:
            copied = changed[trial.number] = copy.copy(trial)
            copied.params, copied.distributions = encoded.params, encoded.distributions
    return changed
