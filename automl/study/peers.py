"""The trials of other processes that search the same study, and takeover of those whose process crashed."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from automl.records import TrialRecord, TrialSpec
from automl.space import Space
from automl.study.attributes import (
    CONFIGURATION,
    OWNER,
    RECORD,
    SURPLUS,
    proposed_configuration,
    records_of,
)
from automl.study.duplicates import Duplicates
from automl.study.history import History
from automl.study.lease import ProcessLease
from automl.study.pending import PendingTrials
from automl.study.results import ResultWriter
from automl.study.stored import set_user_attr, stored_trial

__all__ = ["RemoteTrials", "RemoteUpdates"]

_POLL = 1.0  # seconds between two looks at the trials of other processes


@dataclass(frozen=True)
class RemoteUpdates:
    """Changes of a study by other processes.

    Parameters
    ----------
    records : tuple of TrialRecord
        Trials of other processes that have ended.
    orphaned : tuple of tuple of TrialSpec
        Cohorts that were running when their process died, to be trained here. They include the trials of the cohort
        that had ended, so that the others train with the same neighbours.
    """

    records: tuple[TrialRecord, ...] = ()
    orphaned: tuple[tuple[TrialSpec, ...], ...] = ()


class RemoteTrials:
    """The running trials of other processes.

    Parameters
    ----------
    study : optuna.Study
        The study.
    space : Space
        The search space.
    lease : ProcessLease or None
        The lease of this process; None: it is the only one.
    n_trials : int or None
        Number of trials of all processes together.
    history, duplicates, pending, results
        What this process knows of the study, and its ways to write to it.
    """

    def __init__(
        self,
        study: optuna.Study,
        space: Space,
        lease: ProcessLease | None,
        n_trials: int | None,
        *,
        history: History,
        duplicates: Duplicates,
        pending: PendingTrials,
        results: ResultWriter,
    ) -> None:
        self._study, self._space, self._lease, self._n_trials = study, space, lease, n_trials
        self._history, self._duplicates, self._pending = history, duplicates, pending
        self._results = results
        self.configurations: dict[int, dict[str, Any] | None] = {}
        self._n_seen = 0  # trials of the study that are known to be of this process or of another
        self._active = False  # whether live processes have proposed since this one started
        self._polled = float("-inf")

    def owns(self, trial: FrozenTrial) -> bool:
        """Return whether a trial still belongs to this process."""
        owner = stored_trial(self._study, trial).user_attrs.get(OWNER)
        return self._lease is None or owner == self._lease.token

    def is_orphaned(self, trial: FrozenTrial) -> bool:
        """Return whether a trial runs and its process is dead."""
        return not trial.state.is_finished() and not self._is_alive(trial.user_attrs.get(OWNER))

    def observe(self, trials: Sequence[FrozenTrial]) -> None:
        """Take in the new trials of a study, given all its trials; they belong to other processes."""
        for trial in trials[self._n_seen :]:
            if trial.state.is_finished() and RECORD not in trial.user_attrs:
                continue
            configuration = proposed_configuration(trial, self._space)
            self.add(trial.number, configuration)
            self._active = self._active or self._is_alive(trial.user_attrs.get(OWNER))
            if configuration is not None:
                self._duplicates.add(configuration, trial.number)
        self._n_seen = max(self._n_seen, len(trials))

    def skip(self, number: int) -> None:
        """Note that a trial, the last one so far, belongs to this process or has ended."""
        self._n_seen = number + 1

    def add(self, number: int, configuration: dict[str, Any] | None) -> None:
        """Note that another process trains a trial; None is a configuration outside the space."""
        self.configurations[number] = configuration

    def commit(
        self, draft: FrozenTrial, configuration: Mapping[str, Any], attributes: Mapping[str, Any]
    ) -> FrozenTrial | None:
        """Write a drafted trial to the study as one of this process.

        Returns
        -------
        FrozenTrial or None
            The stored trial; None if other processes have proposed the last of ``n_trials`` meanwhile.
        """
        owner = {} if self._lease is None else {OWNER: self._lease.token}
        trial = self._pending.commit(draft, {CONFIGURATION: configuration, **attributes, **owner})
        if self._active or trial.number > self._n_seen:
            before = self._study.get_trials(deepcopy=False)[: trial.number]
            for other in before[self._n_seen :]:
                self._history.add(other)
            self.observe(before)
            counted = sum(one.state != TrialState.FAIL or RECORD in one.user_attrs for one in before)
            if self._n_trials is not None and counted >= self._n_trials:
                set_user_attr(self._study, trial, SURPLUS, True)
                self._study.tell(trial.number, state=TrialState.FAIL)
                self._history.add(stored_trial(self._study, trial))
                return None
        self.skip(trial.number)
        return trial

    def poll(self) -> tuple[list[TrialRecord], list[FrozenTrial]]:
        """Return the records of trials that have ended, and the trials of dead processes; at most once a second."""
        if time.monotonic() - self._polled < _POLL:
            return [], []
        self._polled = time.monotonic()
        if self._lease is not None:
            self._lease.heartbeat()
        trials = self._study.get_trials(deepcopy=False)
        self.observe(trials)
        takes_over = self._lease is None or (bool(self.configurations) and self._lease.is_first())
        running = [trials[number] for number in sorted(self.configurations)]
        dead = {trial.number for trial in running if takes_over and self.is_orphaned(trial)}
        if dead:  # read their last writes
            trials = self._study.get_trials(deepcopy=False)
        records = []
        for number in sorted(self.configurations):
            trial = trials[number]
            if trial.state.is_finished() or (number in dead and RECORD in trial.user_attrs):
                records += self._ended(trial)
        orphans = [trials[number] for number in sorted(dead & self.configurations.keys())]
        if self.configurations or records:
            self._history.update(trials)
        return records, orphans

    def take_over(self, trial: FrozenTrial) -> dict[str, Any] | None:
        """Make a trial this process's own and return its configuration; None if the space does not allow it."""
        configuration = self.configurations.pop(trial.number)
        if configuration is None:
            self._study.tell(trial.number, state=TrialState.FAIL)
        elif self._lease is not None:
            set_user_attr(self._study, trial, OWNER, self._lease.token)
        return configuration

    def _ended(self, trial: FrozenTrial) -> list[TrialRecord]:
        configuration = self.configurations.pop(trial.number)
        records = records_of([trial])
        if not trial.state.is_finished():  # its process was killed after it wrote the record
            self._results.finish(records[0])
        if configuration is not None and not any(record.lasting for record in records):
            self._duplicates.forget(configuration, trial.number)
        return records

    def _is_alive(self, owner: str | None) -> bool:
        return self._lease is not None and owner is not None and self._lease.is_alive(owner)
