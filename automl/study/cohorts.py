"""Cohorts in a study: a leader, and trials that share its structure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import optuna
from optuna.trial import FrozenTrial

from automl.records import TrialRecord, TrialSpec
from automl.space import Space
from automl.study.attributes import (
    COHORT,
    INITIAL_POINT,
    cohort_of,
    leader_of,
    proposed_configuration,
    records_of,
)
from automl.study.duplicates import Duplicates
from automl.study.history import History
from automl.study.peers import RemoteTrials
from automl.study.proposer import Proposer
from automl.study.pruning import CohortView, RungReports
from automl.study.stored import set_user_attr
from automl.study.trial_copies import as_proposed, empty_trial

__all__ = ["Cohorts"]


class Cohorts:
    """Starts cohorts, completes them and starts those of crashed processes again.

    Parameters
    ----------
    study, space
        The study and the search space.
    make_spec : callable
        ``make_spec(number, configuration)`` returns the specification of a trial.
    proposer, remote, history, duplicates, reports
        The parts of the session that a cohort starts in.

    Attributes
    ----------
    running : dict of int to FrozenTrial
        The trials of this process that have not ended.
    """

    def __init__(
        self,
        study: optuna.Study,
        space: Space,
        make_spec: Callable[[int, dict[str, Any]], TrialSpec],
        *,
        proposer: Proposer,
        remote: RemoteTrials,
        history: History,
        duplicates: Duplicates,
        reports: RungReports,
    ) -> None:
        self._study, self._space, self._make_spec = study, space, make_spec
        self._proposer, self._remote, self._history = proposer, remote, history
        self._duplicates, self._reports = duplicates, reports
        self.running: dict[int, FrozenTrial] = {}

    def propose(
        self,
        size: Callable[[TrialSpec], int],
        sees: int | None,
        cost: Callable[[TrialSpec], float] | None = None,
    ) -> tuple[TrialSpec, ...]:
        """Propose a cohort; see `Session.propose`."""
        number = self._history.n_known
        drawn = self._proposer.leader(cost and (lambda draw: cost(self._make_spec(number, draw))))
        if drawn is None:
            return ()
        initial_point, (draft, configuration) = drawn
        cohort = {"size": size(self._make_spec(draft.number, configuration)), "sees": sees}
        attributes = {COHORT: cohort, **({INITIAL_POINT: initial_point} if initial_point else {})}
        leader = self._remote.commit(draft, configuration, attributes)
        if leader is None:
            return ()
        view = CohortView(sees, {leader.number: as_proposed(leader)})
        return tuple(self._complete([self._start(leader, configuration)], leader, view))

    def start_outside(self, configuration: dict[str, Any]) -> int | None:
        """Store a trial that is not of the space and return its number; see `Session.start_outside`."""
        draft = empty_trial(self._history.n_known)
        trial = self._remote.commit(draft, configuration, {COHORT: {"size": 1, "sees": None}})
        if trial is None:
            return None
        self.running[trial.number] = trial
        self._duplicates.start(configuration, trial.number)
        return trial.number

    def restart(self, orphans: Iterable[FrozenTrial]) -> list[tuple[TrialSpec, ...]]:
        """Take over the running trials of dead processes, and start their cohorts again.

        A cohort keeps its numbers, seeds and size. Members that ended are trained again with the others, except
        duplicates, but keep their results.
        """
        leaders = set()
        for trial in orphans:
            configuration = self._remote.take_over(trial)
            if configuration is not None:
                self._start(trial, configuration)
                leaders.add(leader_of(trial))
        if not leaders:
            return []
        trials = self._study.get_trials(deepcopy=False)
        records = {record.number: record for record in records_of(trials)}
        return [self._restarted(trials, number, records) for number in sorted(leaders)]

    def _restarted(
        self, trials: Sequence[FrozenTrial], leader: int, records: Mapping[int, TrialRecord]
    ) -> tuple[TrialSpec, ...]:
        members = [
            trial
            for trial in trials
            if leader_of(trial) == leader and (trial.number in self.running or trial.number in records)
        ]
        view = CohortView(
            cohort_of(trials[leader]).get("sees"), {one.number: as_proposed(one) for one in members}
        )
        specs = []
        for trial in members:
            record = records.get(trial.number)
            if trial.number in self.running or record is None or not self._duplicates.is_repeat(record):
                configuration = (
                    proposed_configuration(trial, self._space) if record is None else record.configuration
                )
                specs.append(self._make_spec(trial.number, configuration or {}))
        return tuple(self._complete(specs, trials[leader], view))

    def _complete(self, specs: list[TrialSpec], leader: FrozenTrial, view: CohortView) -> list[TrialSpec]:
        """Propose the trials that a cohort lacks."""
        size = cohort_of(leader).get("size", 1)
        params = self._history.reencoded.get(leader.number, leader).params
        shared = {name: value for name, value in params.items() if self._space.structural(name)}
        while len(view.trials) < size:
            drawn = self._proposer.member(shared)
            trial = drawn and self._remote.commit(*drawn, {COHORT: {"leader": leader.number}})
            if drawn is None or trial is None:
                smaller = {**cohort_of(leader), "size": len(view.trials)}
                set_user_attr(self._study, leader, COHORT, smaller)
                break
            view.trials[trial.number] = as_proposed(trial)
            specs.append(self._start(trial, drawn[1]))
        self._reports.start(view)
        return specs

    def _start(self, trial: FrozenTrial, configuration: dict[str, Any]) -> TrialSpec:
        """Register a trial as one that this process runs."""
        self.running[trial.number] = trial
        self._duplicates.start(configuration, trial.number)
        return self._make_spec(trial.number, configuration)
