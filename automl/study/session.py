"""A search's view of its study: propose cohorts, report scores, tell results."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Set
from typing import Any

import numpy as np
import optuna
from optuna.pruners import NopPruner
from optuna.trial import FrozenTrial

from automl.records import SearchRecord, TrialRecord, TrialSpec
from automl.space import FAMILY_PARAM, Conflicts, Space
from automl.study.attributes import records_of, save_search
from automl.study.callbacks import call_back
from automl.study.cohorts import Cohorts
from automl.study.duplicates import Duplicates
from automl.study.grid_sampler import FixedPointSampler
from automl.study.history import History
from automl.study.lease import ProcessLease
from automl.study.peers import RemoteTrials, RemoteUpdates
from automl.study.pending import PendingTrials
from automl.study.proposer import Proposer
from automl.study.pruners import RacingPruner
from automl.study.pruning import RungReports
from automl.study.racing import FoldRace
from automl.study.recovery import recover
from automl.study.results import ResultWriter
from automl.study.stored import stored_trial
from automl.study.trial_copies import reencoded_trials
from automl.table import is_time

__all__ = ["Session"]


class Session:
    """Reads and writes the study while a search runs; nothing else does.

    A study with trials is resumed: ended trials are known, and trials that ran when their process died are trained
    again with the same number, seed and cohort. The study holds all state, so a search may be killed at any time
    and gives the same result.

    Parameters
    ----------
    study : optuna.Study
        The study.
    space : Space
        The search space.
    search : SearchRecord
        The facts of the search; saved in the study.
    lease : ProcessLease or None
        The lease of this process; None if no other process searches the study.
    n_trials : int or None
        Number of trials of all processes together.

    Attributes
    ----------
    records : list of TrialRecord
        The trials that had ended at the start.
    prunes : bool
        Whether trials may be pruned.
    proposing_seconds : float
        Time spent in `propose`.
    """

    def __init__(
        self,
        study: optuna.Study,
        space: Space,
        search: SearchRecord,
        lease: ProcessLease | None = None,
        n_trials: int | None = None,
    ) -> None:
        self.study, self._space, self._search = study, space, search
        self.proposing_seconds = 0.0
        trials = study.get_trials(deepcopy=False)
        self.records = records_of(trials)
        self._conflicts, self._race = Conflicts(space), FoldRace(search)
        self._learn(self.records)
        self.prunes = not (search.several or isinstance(study.pruner, NopPruner))
        # Folds of a split by time, or of the user, may differ in difficulty.
        alike = search.cv != "object" and not is_time(search.cv)
        self._races = self.prunes and alike and isinstance(study.pruner, RacingPruner)
        self._duplicates = Duplicates()
        self._history = History(search.random_state, study.directions, reencoded_trials(trials, space))
        self._results = ResultWriter(study, search)
        self._reports = RungReports(study, self._history, self._results)
        pending = PendingTrials(study, space, self._history)
        self._remote = RemoteTrials(
            study,
            space,
            lease,
            n_trials,
            history=self._history,
            duplicates=self._duplicates,
            pending=pending,
            results=self._results,
        )
        self._proposer = Proposer(
            space,
            search.random_state,
            grid=study.sampler if isinstance(study.sampler, FixedPointSampler) else None,
            pending=pending,
            history=self._history,
            duplicates=self._duplicates,
            conflicts=self._conflicts,
        )
        self._cohorts = Cohorts(
            study,
            space,
            self._make_spec,
            proposer=self._proposer,
            remote=self._remote,
            history=self._history,
            duplicates=self._duplicates,
            reports=self._reports,
        )
        self._proposer.resume(trials)
        recover(trials, self.records, self._remote, self._duplicates, self._results)
        self._history.update(study.get_trials(deepcopy=False))
        save_search(study, search)

    @property
    def exhausted(self) -> bool:
        """Whether every configuration of the space is known, as far as random draws show."""
        return self._proposer.exhausted

    @property
    def remote_trials(self) -> Set[int]:
        """Numbers of the trials that other processes run."""
        return self._remote.configurations.keys()

    def poll_remote(self) -> RemoteUpdates:
        """Return the changes by other processes, at most once a second, and take over the trials of dead ones."""
        records, orphans = self._remote.poll()
        self._learn(records)
        return RemoteUpdates(tuple(records), tuple(self._cohorts.restart(orphans)))

    def propose(
        self,
        size: Callable[[TrialSpec], int],
        sees: int | None = None,
        cost: Callable[[TrialSpec], float] | None = None,
    ) -> tuple[TrialSpec, ...]:
        """Propose the next cohort: a leader, and trials that share its structure.

        Parameters
        ----------
        size : callable
            ``size(leader)`` returns the number of trials. The cohort has fewer where the sampler proposes forbidden
            configurations only, or known ones.
        sees : int or None
            The pruner compares the cohort with trials of lower numbers; None: with all.
        cost : callable or None
            ``cost(trial)``: the share of the remaining time that a trial takes, while no trial has a score. An
            expensive leader is replaced by a cheap one then.

        Returns
        -------
        tuple of TrialSpec
            The cohort; empty if the grid or the space has no other configuration, or if other processes have proposed
            the last trial.
        """
        started = time.perf_counter()
        trials = self.study.get_trials(deepcopy=False)
        self._history.update(trials)
        self._remote.observe(trials)
        cohort = () if self._results.sampler_stopped else self._cohorts.propose(size, sees, cost)
        self.proposing_seconds += time.perf_counter() - started
        return cohort

    def start_outside(self, configuration: dict[str, Any]) -> TrialSpec | None:
        """Store a running trial that is not of the space, and return it; None if it would be one too many."""
        self._history.update(self.study.get_trials(deepcopy=False))
        number = self._cohorts.start_outside(configuration)
        return None if number is None else self._new_spec(number, configuration, _flat(configuration))

    def duplicate(self, number: int) -> int | None:
        """Return the earlier trial with the same configuration, whose result this one takes, if any."""
        return self._duplicates.first(number)

    def report(self, rung: int, scores: Mapping[int, float]) -> set[int]:
        """Report the scores of a cohort at a rung; return the numbers of the trials to prune.

        With several objectives Optuna has neither intermediate values nor pruning, so nothing happens.

        Parameters
        ----------
        rung : int
            The rung.
        scores : mapping of int to float
            Score by trial number; greater is better.
        """
        return set() if self._search.several else self._reports.report(rung, scores)

    def floor(self, number: int) -> float | None:
        """Return the score below which a running trial is pruned between its folds; None: it never is.

        It follows from the results that the trial's cohort is compared with.
        """
        return self._race.floor(self._reports.sees(number)) if self._races else None

    def call(self, callback: Callable[[optuna.Study, FrozenTrial], None], number: int) -> bool:
        """Call a callback of Optuna's signature for a trial; return whether it stopped the study."""
        return call_back(self.study, callback, number)

    def tell(self, record: TrialRecord) -> bool:
        """Write the result of a trial; return False if another process has taken the trial over."""
        trial = self._cohorts.running.pop(record.number)
        self._reports.end(record.number)
        repeated = self._duplicates.end(record.number)
        if not self._remote.owns(trial):
            self._remote.add(record.number, record.configuration)
            return False
        if not repeated and not record.lasting:
            self._duplicates.forget(record.configuration, record.number)
        self._results.write(trial, record, with_curve=repeated)
        self._history.add(stored_trial(self.study, trial))
        self._learn([record])
        return True

    def _learn(self, records: Iterable[TrialRecord]) -> None:
        """Learn from results which values fail together, and what is the best trial."""
        for record in records:
            self._race.add(record)
            if not record.outside and (record.state == "failed" or record.score is not None):
                self._conflicts.add(record.configuration, record.reason if record.state == "failed" else "")

    def _make_spec(self, number: int, configuration: dict[str, Any]) -> TrialSpec:
        return self._new_spec(number, configuration, self._space.params(configuration))

    def _new_spec(self, number: int, configuration: dict[str, Any], params: dict[str, Any]) -> TrialSpec:
        return TrialSpec(
            number=number,
            configuration=configuration,
            params=params,
            seed=int(np.random.SeedSequence([self._search.random_state, number]).generate_state(1)[0]),
            blas_threads=self._search.blas_threads,
        )


def _flat(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Return a configuration of one family flat: every value by its dotted path."""
    found: dict[str, Any] = {}

    def walk(value: Any, path: str) -> None:
        if not isinstance(value, Mapping):
            found[path] = value
        for name, inner in value.items() if isinstance(value, Mapping) else ():
            walk(inner, f"{path}.{name}" if path else name)

    walk(configuration, "")
    return {FAMILY_PARAM: next(iter(configuration[FAMILY_PARAM])), **found}
