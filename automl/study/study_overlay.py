"""A read overlay on an Optuna study: hides trials, replaces them, or adds one that is not stored yet."""

from __future__ import annotations

import copy
from collections.abc import Container, Sequence
from typing import Any, cast

import optuna
from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState
from typing_extensions import override

from automl.study.optuna_private import TPE_PARAMS_ATTR, storage_of, study_id, trial_id
from automl.study.trial_copies import PENDING_ID, empty_trial

__all__ = ["OverlayStorage", "OverlayStudy", "overlay_study"]

_NAME = "a study"  # Hyperband chooses a bracket by the name of the study; it is the same for all


class OverlayStorage:
    """A storage that shows another one with some trials changed; it keeps the changes to itself.

    Parameters
    ----------
    study : optuna.Study
        The study in the storage.

    Attributes
    ----------
    overlay : dict of int to FrozenTrial
        Trials by number, shown in place of the stored ones or beside them.
    subset : sequence of FrozenTrial or None
        The stored trials that are shown; None: all.
    next_number : int
        The number of the next new trial.
    """

    def __init__(self, study: optuna.Study) -> None:
        self._inner, self._id = storage_of(study), study_id(study)
        self.overlay: dict[int, FrozenTrial] = {}
        self.subset: Sequence[FrozenTrial] | None = None
        self.next_number = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def get_study_id_from_name(self, study_name: str) -> int:
        """Return the id of the study, under any name."""
        return self._id

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """Begin a trial that is not stored."""
        self.overlay[self.next_number] = empty_trial(self.next_number)
        return PENDING_ID

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """Return a trial as it is shown."""
        changed = self._in_overlay(trial_id)
        return self._inner.get_trial(trial_id) if changed is None else changed

    def get_trial_system_attrs(self, trial_id: int) -> dict[str, Any]:
        """Return the system attributes of a trial as it is shown."""
        return self.get_trial(trial_id).system_attrs

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """Return the trials that are shown; none that waits for a worker."""
        if states == (TrialState.WAITING,):  # Optuna asks for these before every trial
            return []
        stored = self._inner.get_all_trials(study_id, deepcopy=False) if self.subset is None else self.subset
        trials = {trial.number: trial for trial in stored} | self.overlay
        wanted = [
            trial
            for trial in trials.values()
            if trial.state != TrialState.WAITING and (states is None or trial.state in states)
        ]
        return copy.deepcopy(wanted) if deepcopy else wanted

    def get_best_trial(self, study_id: int) -> FrozenTrial:
        """Return the best of the trials that are shown."""
        return BaseStorage.get_best_trial(cast(BaseStorage, self), study_id)

    def set_trial_param(
        self, trial_id: int, param_name: str, param_value_internal: float, distribution: BaseDistribution
    ) -> None:
        """Set a parameter of the trial that is not stored."""
        trial = self.get_trial(trial_id)
        trial.distributions[param_name] = distribution
        trial.params[param_name] = distribution.to_external_repr(param_value_internal)

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Set a system attribute of a trial in the overlay, and of the stored trial while it runs."""
        if key.startswith(TPE_PARAMS_ATTR):  # serves trials drawn in parallel; here one is drawn at a time
            return
        trial = self._in_overlay(trial_id)
        if trial is not None:
            changed = self.overlay[trial.number] = copy.copy(trial)  # earlier readers keep their copy
            changed.system_attrs = {**trial.system_attrs, key: value}
        if trial_id != PENDING_ID and self._inner.get_trial(trial_id).state == TrialState.RUNNING:
            self._inner.set_trial_system_attr(trial_id, key, value)

    def _in_overlay(self, wanted: int) -> FrozenTrial | None:
        # The newest trial is nearly always the one that is asked for.
        return next((trial for trial in reversed(self.overlay.values()) if trial_id(trial) == wanted), None)


class OverlayStudy(optuna.Study):
    """A study read through an overlay.

    Attributes
    ----------
    stopped : bool
        Whether the sampler has no more trials to propose.
    """

    stopped = False

    @override
    def stop(self) -> None:
        self.stopped = True  # Optuna's own works inside `optimize` alone


def overlay_study(study: optuna.Study) -> tuple[OverlayStudy, OverlayStorage]:
    """Return a study with an overlay, and the overlay."""
    storage = OverlayStorage(study)
    return OverlayStudy(_NAME, cast(BaseStorage, storage), study.sampler, study.pruner), storage
