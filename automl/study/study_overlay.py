"""A study as somebody is to see it: some trials hidden, some shown otherwise than stored, some not there yet."""

from __future__ import annotations

import copy
from collections.abc import Container, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

import optuna
from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage
from optuna.trial import FixedTrial, FrozenTrial, TrialState
from typing_extensions import override

from automl.space import Space

__all__ = [
    "DRAFT", "Seen", "View", "as_complete", "as_proposed", "empty", "in_terms_of", "rewritten", "view",
]  # fmt: skip

DRAFT = -1  # the id of a trial that is not stored
_NAME = "a study"  # what every study is called by its views: hyperband throws its dice by the name
_MEANT = (
    "tpe:relative_params"  # for those who draw while others do; here each is drawn to its end before the next
)
_NOTE = "completed_rung_"  # what successive halving notes in a trial whenever it is judged


class View:
    """A storage that is another one, but for some of its trials; those it keeps to itself.

    Parameters
    ----------
    study : optuna.Study
        The study in the storage.

    Attributes
    ----------
    shown : dict of int to FrozenTrial
        Trials by number, instead of the stored ones and besides them.
    part : sequence of FrozenTrial or None
        The stored trials that are seen; None: all.
    next : int
        The number of a trial that begins.
    """

    def __init__(self, study: optuna.Study) -> None:
        self._storage, self._study_id = study._storage, study._study_id
        self.shown: dict[int, FrozenTrial] = {}
        self.part: Sequence[FrozenTrial] | None = None
        self.next = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    def get_study_id_from_name(self, study_name: str) -> int:
        """Return the study's id, whatever it is called here."""
        return self._study_id

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """Begin a trial that is not stored."""
        self.shown[self.next] = empty(self.next)
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
        if states == (TrialState.WAITING,):  # Optuna looks for these before every trial
            return []
        stored = self._storage.get_all_trials(study_id, deepcopy=False) if self.part is None else self.part
        trials = {trial.number: trial for trial in stored} | self.shown
        wanted = [
            trial
            for trial in trials.values()
            if trial.state != TrialState.WAITING and (states is None or trial.state in states)
        ]
        return copy.deepcopy(wanted) if deepcopy else wanted

    def get_best_trial(self, study_id: int) -> FrozenTrial:
        """Return the best of the trials that are seen."""
        return BaseStorage.get_best_trial(cast(BaseStorage, self), study_id)

    def set_trial_param(
        self, trial_id: int, param_name: str, param_value_internal: float, distribution: BaseDistribution
    ) -> None:
        """Keep a value of a trial that is not stored yet."""
        own = self.get_trial(trial_id)
        own.distributions[param_name] = distribution
        own.params[param_name] = distribution.to_external_repr(param_value_internal)

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Note something in a trial: in the one that is shown, and in the stored one if that is at work."""
        if key.startswith(_MEANT):
            return
        own = self._own(trial_id)
        if own is not None:
            changed = self.shown[own.number] = copy.copy(own)  # who has asked before does not see it
            changed.system_attrs = {**own.system_attrs, key: value}
        if trial_id != DRAFT and self._storage.get_trial(trial_id).state == TrialState.RUNNING:
            self._storage.set_trial_system_attr(trial_id, key, value)

    def _own(self, trial_id: int) -> FrozenTrial | None:
        # What is asked for is nearly always the newest.
        return next((trial for trial in reversed(self.shown.values()) if trial._trial_id == trial_id), None)


class Seen(optuna.Study):
    """A study as its view shows it.

    Attributes
    ----------
    stopped : bool
        Whether the sampler has nothing more to propose.
    """

    stopped = False

    @override
    def stop(self) -> None:
        self.stopped = True  # Optuna's own wants to be called inside `optimize` alone


def view(study: optuna.Study) -> tuple[Seen, View]:
    """Return a study whose trials can be shown otherwise than they are, and what shows them."""
    storage = View(study)
    seen = Seen(_NAME, cast(BaseStorage, storage), study.sampler, study.pruner)
    return seen, storage


def empty(number: int) -> FrozenTrial:
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


def as_complete(trial: FrozenTrial, rung: int) -> FrozenTrial:
    """Return a copy of a trial that ends at a rung, with its score there."""
    ended = copy.copy(trial)
    ended.state, ended.values = TrialState.COMPLETE, [trial.intermediate_values[rung]]
    ended.datetime_complete = trial.datetime_start
    return ended


def rewritten(
    trials: Sequence[FrozenTrial], configurations: Mapping[int, Mapping[str, Any]], space: Space
) -> dict[int, FrozenTrial]:
    """Return by number the trials that this space would not have drawn as they are stored, as it would have drawn them.

    A space that has become wider has other choices, and perhaps other names for them, than it had when old trials were
    drawn; a sampler can learn from those that are still possible once they are written in its terms.
    """
    known: dict[str, BaseDistribution] = {}
    found = {}
    for number, configuration in configurations.items():
        trial = trials[number]
        if all(known.get(name) == now for name, now in trial.distributions.items()):
            continue
        if not space.accepts(configuration):
            continue
        probe = FixedTrial(space.to_trial(configuration))
        space.suggest(probe)
        known |= probe.distributions
        if probe.distributions != trial.distributions or probe.params != trial.params:
            again = found[number] = copy.copy(trial)
            again.params, again.distributions = probe.params, probe.distributions
    return found


def in_terms_of(other: FrozenTrial, trial: FrozenTrial) -> FrozenTrial:
    """Return a trial with the parameters that it has in another copy of it."""
    again = copy.copy(trial)
    again.params, again.distributions = other.params, other.distributions
    return again
