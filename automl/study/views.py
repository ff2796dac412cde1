"""A study as somebody is to see it: some trials hidden, some shown otherwise than stored, some not there yet."""

from __future__ import annotations

import copy
from collections.abc import Container, Sequence
from datetime import datetime
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage
from optuna.trial import FixedTrial, FrozenTrial, TrialState

from automl.records import TrialRecord
from automl.space import Space

__all__ = ["DRAFT", "View", "as_proposed", "rewritten", "view"]

DRAFT = -1  # the id of a trial that is not stored
_NOTE = "completed_rung_"  # what successive halving notes in a trial whenever it is judged


class View:
    """A storage that is another one, but for some of its trials; those it keeps to itself.

    Parameters
    ----------
    storage : optuna.storages.BaseStorage
        The storage.

    Attributes
    ----------
    shown : dict of int to FrozenTrial
        Trials by number, instead of the stored ones and besides them.
    hidden : container of int
        Numbers of stored trials that are not seen, unless they are shown otherwise.
    """

    def __init__(self, storage: BaseStorage) -> None:
        self._storage = storage
        self.shown: dict[int, FrozenTrial] = {}
        self.hidden: Container[int] = ()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """Begin a trial that is not stored."""
        number = len(self._storage.get_all_trials(study_id, deepcopy=False))
        self.shown[number] = _empty(number)
        return DRAFT

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """Return a trial as it is shown."""
        own = self._own(trial_id)
        return self._storage.get_trial(trial_id) if own is None else own

    def get_trial_system_attrs(self, trial_id: int) -> dict[str, Any]:
        """Return what samplers and pruners have noted in a trial."""
        return self.get_trial(trial_id).system_attrs

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """Return the trials that are seen; one that waits to be asked for is not."""
        stored = self._storage.get_all_trials(study_id, deepcopy=False)
        trials = [
            self.shown.get(trial.number, trial)
            for trial in stored
            if trial.number in self.shown or trial.number not in self.hidden
        ]
        trials += [trial for number, trial in self.shown.items() if number >= len(stored)]
        wanted = [
            trial
            for trial in trials
            if trial.state != TrialState.WAITING and (states is None or trial.state in states)
        ]
        return copy.deepcopy(wanted) if deepcopy else wanted

    def set_trial_param(
        self, trial_id: int, param_name: str, param_value_internal: float, distribution: BaseDistribution
    ) -> None:
        """Keep a value of a trial that is not stored yet."""
        own = self.get_trial(trial_id)
        own.distributions[param_name] = distribution
        own.params[param_name] = distribution.to_external_repr(param_value_internal)

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Note something in a trial: in the one that is shown, and in the stored one if that is at work."""
        own = self._own(trial_id)
        if own is not None:
            changed = self.shown[own.number] = copy.copy(own)  # who has asked before does not see it
            changed.system_attrs = {**own.system_attrs, key: value}
        if trial_id != DRAFT and self._storage.get_trial(trial_id).state == TrialState.RUNNING:
            self._storage.set_trial_system_attr(trial_id, key, value)

    def _own(self, trial_id: int) -> FrozenTrial | None:
        # What is asked for is nearly always the newest.
        return next((trial for trial in reversed(self.shown.values()) if trial._trial_id == trial_id), None)


def view(study: optuna.Study) -> tuple[optuna.Study, View]:
    """Return a study whose trials can be shown otherwise than they are, and what shows them."""
    storage = View(study._storage)
    seen = optuna.Study(study.study_name, storage, study.sampler, study.pruner)  # type: ignore[arg-type]
    return seen, storage


def _empty(number: int) -> FrozenTrial:
    """Return a trial that is not stored and has nothing yet."""
    return FrozenTrial(
        number=number, trial_id=DRAFT, state=TrialState.RUNNING, value=None, values=None,
        datetime_start=datetime.now(), datetime_complete=None, params={}, distributions={}, user_attrs={},
        system_attrs={}, intermediate_values={},
    )  # fmt: skip


def as_proposed(trial: FrozenTrial) -> FrozenTrial:
    """Return a copy of a trial as it was when it was proposed, whatever has become of it."""
    again = copy.copy(trial)
    again.state, again.datetime_complete, again.values = TrialState.RUNNING, None, None
    again.intermediate_values = {}
    again.system_attrs = {
        name: value for name, value in trial.system_attrs.items() if not name.startswith(_NOTE)
    }
    return again


def rewritten(
    trials: Sequence[FrozenTrial], records: Sequence[TrialRecord], space: Space
) -> dict[int, FrozenTrial]:
    """Return by number the trials that this space would not have drawn as they are stored, as it would have drawn them.

    A space that has become wider has other choices, and perhaps other names for them, than it had when old trials were
    drawn; a sampler can learn from those that are still possible once they are written in its terms.
    """
    known: dict[str, BaseDistribution] = {}
    found = {}
    for record in records:
        trial = trials[record.number]
        if all(known.get(name) == now for name, now in trial.distributions.items()):
            continue
        if not space.accepts(record.configuration):
            continue
        probe = FixedTrial(space.to_trial(record.configuration))
        space.suggest(probe)
        known |= probe.distributions
        if probe.distributions != trial.distributions or probe.params != trial.params:
            again = found[record.number] = copy.copy(trial)
            again.params, again.distributions = probe.params, probe.distributions
    return found
