"""Admission: decide which trials may still start, from time, memory and what training costs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from automl.families import get_family
from automl.records import State, TrialRecord, TrialSpec
from automl.search.budget import Budget
from automl.search.cohort_run import CohortRun
from automl.search.costs import CostModel
from automl.search.early_refit import EarlyRefit
from automl.search.publish import report_seconds
from automl.search.spec import SearchSpec
from automl.select import MIN_ROWS, best_record, rank
from automl.tracking import Tracker
from automl.workers import Cohort, Workers, format_bytes

__all__ = ["Admission"]

_END_WITH_MODEL = 1.5  # seconds that the end of a search takes beside the refit: model files, last runs
_END_WITHOUT_MODEL = 0.3
_END_OF_COLUMN = 8e-4  # seconds more for each column, most of them for the model's file
_PREPARING = 2e-3  # seconds for a column, before the first trial trains
_BACKLOG_SHARE = 0.1  # proposals pause while logging the backlog takes more of the remaining time
_BACKLOG_SECONDS = 0.5  # a backlog below this never pauses proposals
_COHORT_SHARE = 0.3  # of the remaining time that a cohort may take
_AFTER_PRUNING = 0.3  # of a cohort's training that remains if the pruner drops its worse trials
_MIN_COHORTS = 8  # cohorts that a search by n_trials has at least
_FIRST_SECONDS = 2.0  # that the first trial has, even if the time of the search is up
_STARTING = 4.0  # seconds more for a first trial that starts with its worker
_PATIENCE = 60.0  # seconds for a quick one: a busy machine gives a late model rather than none
_FIRST_ATTEMPTS = 3  # cohorts that start in any case while no trial has a score
_ENSEMBLE_SHARE = 0.1  # of the timeout that is reserved for refits of members besides the best trial
_BESIDE_VALUES = 20_000_000  # of a table, above which the best trial is fitted before the ensemble
_MEMBERS = 2  # such members whose refits are reserved; most ensembles of large tables have no more
_ALL_ROWS_SHARE = 0.4  # of the timeout that is reserved for the fit of all rows of a table larger than memory
_REFIT_MARGIN = 1.3  # factor on the estimate of a refit that must not end late
_SELECTION_SECONDS = 0.6  # that the selection of an ensemble takes with this number of rows or more
_SELECTION_ROWS = 30_000
_KILLABLE_SHARE = 0.5  # of the time left, above which an uninterruptible training must be killable
_IN_TURN = 2.0  # times its estimated seconds that a trial needs to train on one fold after the other
_EARLY_REFIT = 1.0  # seconds of a refit that is worth a thread while other trials train
_ALMOST = 1.0  # seconds left when it begins, and when a trial that needs more is the last one proposed
_MAX_REFUSED = 8  # cohorts in a row that are too long or too large, before the search ends


class Admission:
    """Decide what may still be proposed, how large a cohort is, and whether it may start.

    Parameters
    ----------
    spec : SearchSpec
        The search.
    budget : Budget
        Time and trials.
    workers : Workers
        Where cohorts run.
    tracker : Tracker
        Logs trials; its backlog takes time too.
    slowness : float
        Factor on the seconds reserved for the end of the search, for a slow machine.

    Attributes
    ----------
    costs : CostModel
        Estimates of seconds and bytes.
    slowness : float
        As the parameter.
    runs : dict of int to CohortRun
        The cohorts whose results are not recorded, in the order of their proposals.
    closed : bool
        Whether no more trials are proposed.
    falls_back : bool
        Whether a quick model is trained if no trial has a score, so that the first trial must not be late.
    early : EarlyRefit or None
        Refits the best trial before the search ends; None where it may not.
    """

    def __init__(
        self, spec: SearchSpec, budget: Budget, workers: Workers, tracker: Tracker, slowness: float = 1.0
    ) -> None:
        self.budget, self.costs = budget, CostModel(spec.facts)
        self.runs: dict[int, CohortRun] = {}
        self.closed = self.falls_back = False
        self.early: EarlyRefit | None = None
        self._spec, self._workers, self._tracker = spec, workers, tracker
        self.slowness, self._beside_training = slowness, 0.0
        self._best_of: dict[str, TrialRecord] = {}
        self._best: TrialRecord | None = None
        self._ended = self._without_improvement = self._refused = self._cohorts = 0
        self._first_until = 0.0  # when the first trial must have ended, in seconds since the start

    @property
    def time_left(self) -> float:
        """Seconds left for training, before the refit must start."""
        return self.budget.remaining - self._reserved()

    @property
    def wait_left(self) -> float:
        """Seconds left to wait for trials; a search without a score waits for its first trial."""
        if self._best is None and self.runs:
            return max(self.time_left, self._first_until - self.budget.elapsed)
        return self.time_left

    @property
    def _is_first(self) -> bool:
        """Whether the next cohort is to give the search its first score, and so starts in any case."""
        attempts = _FIRST_ATTEMPTS if self.budget.remaining > 0 else 1
        return self._best is None and not self.runs and self._cohorts < attempts

    def first_cost(self) -> Callable[[TrialSpec], float] | None:
        """Return the cost of a first trial as a share of the time left; None where time does not decide.

        A repeatable search does not depend on time.
        """
        if self._spec.repeatable or self._spec.timeout is None or not self._is_first:
            return None
        left = max(_FIRST_SECONDS, self.time_left)
        return lambda trial: self.costs.trial_seconds([trial]) / left

    def _reserved(self, refit: float | None = None) -> float:
        """Return the seconds for the end of the search: refit (None: of the best trial), model files, last runs."""
        backlog = self._tracker.backlog(sum(len(run.cohort.trials) for run in self.runs.values()))
        if not self._spec.refit:
            return self.slowness * _END_WITHOUT_MODEL + backlog
        if refit is None:
            refit = 0.0 if self._best is None or self._begun else self.costs.refit_seconds(self._best)
        if self._spec.facts.sample_rows:
            refit = max(refit, _ALL_ROWS_SHARE * (self.budget.timeout or 0.0))
        return self._end_seconds() + backlog + refit + self._ensemble_seconds(refit)

    @property
    def _begun(self) -> bool:
        """Whether the refit of the best trial has begun."""
        return self.early is not None and self._best is not None and self.early.of(self._best) is not None

    def refit_early(self) -> None:
        """Begin the refit of the best trial when the search would end for it; the other workers train on beside it.

        One job has no other worker. A table whose ensemble is not fitted beside the best trial, or a limit on memory,
        leaves no memory for it.
        """
        if self.early is None or self._best is None or self.closed or self._begun or self.early.running:
            return
        if self.time_left <= _ALMOST and self.costs.refit_seconds(self._best) >= _EARLY_REFIT:
            self.early.start(self._best)

    def _end_seconds(self) -> float:
        """Return the seconds for model files, last runs, report and figures."""
        seconds = _END_WITH_MODEL + _END_OF_COLUMN * self._spec.facts.n_columns
        return self.slowness * seconds + report_seconds(self.budget.timeout, self.slowness)

    def _ensemble_seconds(self, refit: float) -> float:
        """Return the seconds for an ensemble of the best two of other families, beside or after a ``refit``."""
        n_rows = self._spec.facts.n_rows
        if not self._spec.ensemble or n_rows < MIN_ROWS or self.budget.timeout is None:
            return 0.0
        others = [record for record in self._best_of.values() if record is not self._best]
        members = [self.costs.refit_seconds(one) for one in rank(others, self._spec.facts)[:_MEMBERS]]
        n_fits, longest = self._workers.n_fits, max(members, default=0.0)
        selection = _SELECTION_SECONDS * min(1.0, n_rows / _SELECTION_ROWS)
        seconds = selection + max(longest, sum(members) / n_fits)
        if self.fits_beside:  # the members are selected beside the refit, too
            seconds = max(selection + longest, (refit + selection + sum(members)) / n_fits) - refit
        return min(max(0.0, seconds), selection + _ENSEMBLE_SHARE * self.budget.timeout)

    @property
    def fits_beside(self) -> bool:
        """Whether members of an ensemble are fitted beside the best trial: with cores and memory for that."""
        return self._spec.ensemble and self._workers.n_fits > 1 and self._small

    @property
    def refits_early(self) -> bool:
        """Whether the best trial may be fitted while others train."""
        limited = self._spec.repeatable or self._spec.memory_limit < float("inf")
        return self._spec.refit and self._workers.n_fits > 1 and self._small and not limited

    @property
    def _small(self) -> bool:
        """Whether there is memory to fit two models at the same time."""
        facts = self._spec.facts
        return facts.n_rows * facts.n_columns <= _BESIDE_VALUES and not facts.sample_rows

    @contextmanager
    def refitting(self, record: TrialRecord) -> Iterator[None]:
        """Learn from a refit how much longer one takes than its training: the preparation of the rows."""
        end = self.budget.elapsed + self.costs.refit_seconds(record)
        yield
        self._beside_training = max(0.0, self.budget.elapsed - end)

    def seconds_for_refit(self) -> float:
        """Return the seconds left for a refit, before the model must be logged."""
        return self.budget.remaining - self._end_seconds() - self._tracker.backlog()

    def refit_in_time(self, record: TrialRecord, n_fits: int = 1) -> bool:
        """Return whether a trial can be trained on all rows, ``n_fits`` times, before the model must be logged."""
        seconds = _REFIT_MARGIN * self.costs.refit_seconds(record) + self._beside_training
        return n_fits * seconds < self.seconds_for_refit()

    def must_wait(self) -> bool:
        """Return whether nothing may be proposed yet; a repeatable search must not depend on time.

        Proposals wait while logging lags behind, while other trials would make the first one late, and while a refit
        has the core of a worker.
        """
        if self._spec.repeatable:
            return False
        if self.early is not None and self.early.running and len(self.runs) >= self._workers.slots - 1:
            return True
        first = _STARTING + 2 * _PREPARING * self._spec.facts.n_columns
        if self._best is None and self.runs and self.time_left < self.slowness * first:
            return True
        return self._tracker.backlog() > max(_BACKLOG_SECONDS, _BACKLOG_SHARE * self.budget.remaining)

    def may_propose(self, exhausted: bool) -> bool:
        """Return whether another cohort may be proposed; once it may not, it never may again.

        ``exhausted`` says that the space has no new configuration.
        """
        self.closed = (
            self.closed
            or exhausted
            or self.budget.trials_left < 1
            or (self.time_left <= 0 and not self._is_first)
            or self._without_improvement >= self._spec.patience
        )
        return not self.closed

    def ended(self, record: TrialRecord) -> None:
        """Take note of a trial that has ended, in this process or another."""
        if record.outside:
            return
        self._ended += 1
        best = best_record([record] if self._best is None else [self._best, record], self._spec.facts)
        self._without_improvement = 0 if best is record else self._without_improvement + 1
        self._best = best
        same = self._best_of.get(record.family)
        of_family = best_record([record] if same is None else [same, record])
        if of_family is not None:
            self._best_of[record.family] = of_family

    def cohort_size(self, leader: TrialSpec, *, prunes: bool) -> int:
        """Return the number of trials that train together.

        Limits are the family's maximum, several cohorts to a search, the remaining time and the memory.
        """
        limit = float("inf")
        if self.budget.n_trials is not None:
            limit = max(1, self.budget.n_trials // _MIN_COHORTS)
        if not self._spec.repeatable:
            seconds = self.costs.trial_seconds([leader]) * (_AFTER_PRUNING if prunes else 1.0)
            limit = min(limit, _COHORT_SHARE * self.time_left / seconds)
        limit = min(limit, self.costs.max_cohort_size(leader), self.budget.trials_left)
        memory, shared = self._workers.memory_per_worker(), self._shares_matrices(leader)
        for n in range(int(max(1, limit)), 1, -1):
            if self.costs.memory(leader, n, shared=shared) <= memory:
                return n
        return 1

    def admit(self, trials: Sequence[TrialSpec], floor: float | None = None) -> CohortRun:
        """Return the run of a new cohort; it has ended already if the cohort may not start.

        Parameters
        ----------
        trials : sequence of TrialSpec
            The cohort.
        floor : float or None
            Score below which a trial is pruned between its folds, if it is trained on one after the other.
        """
        seconds, first = self._cohort_seconds(trials), self._is_first
        if first:
            seconds = max(seconds, self._first_seconds(trials[0]))
            self._first_until = self.budget.elapsed + seconds
            if self.falls_back:
                self._first_until = min(self._first_until, self.budget.timeout or seconds)
        cohort = Cohort(
            self._cohorts,
            tuple(trials),
            time.time() + seconds,
            self._spec.trial_timeout,
            self._may_be_late(trials[0]),
            floor if self._folds_in_turn(trials, seconds) else None,
        )
        self._cohorts += 1
        run = CohortRun(cohort, self._spec.facts.epoch_steps, self._spec.measured, self._spec.facts.n_folds)
        self.runs[cohort.id] = run
        refusal = self._refusal(cohort, seconds, first=first)
        self._refused = 0 if refusal is None else self._refused + 1
        self.closed = (
            self.closed or self._refused > _MAX_REFUSED or (self._refused > 0 and self.time_left < _ALMOST)
        )
        if refusal is not None:
            run.end(*refusal)
        return run

    def _cohort_seconds(self, trials: Sequence[TrialSpec]) -> float:
        """Return the seconds that a cohort may take: all that is left, or a share if it cannot end in time."""
        left, family = self.time_left, get_family(trials[0])
        if self._spec.refit and self._best is None:
            # Before the first score, time for one refit is reserved.
            left /= 1 + min(1.0, family.solo_slowdown / len(trials))
        elif self._spec.refit and not self._spec.facts.sample_rows:
            # A trial that trains longer could be the best, but not be trained on all rows.
            own = self.budget.remaining - self._reserved(refit=0.0)
            left = min(left, own / (1 + self.costs.refit_share(trials)))
        # An interruptible training may start without a chance to end if there is nothing better to do.
        first = family.interruptible and not (self._ended or self.runs)
        in_time = first or self._least_seconds(trials[0]) <= left
        return left if in_time else _COHORT_SHARE * left

    def _folds_in_turn(self, trials: Sequence[TrialSpec], seconds: float) -> bool:
        """Return whether a cohort is trained on one fold after the other: one trial that will end in time.

        A training that is cut short needs all folds for its score.
        """
        if not get_family(trials[0]).folds_in_turn or self._spec.facts.n_folds < 2:
            return False
        certain = self.costs.is_measured(trials[0])
        return self._spec.repeatable or (certain and _IN_TURN * self.costs.trial_seconds(trials) <= seconds)

    def _may_be_late(self, trial: TrialSpec) -> bool:
        """Return whether a training that cannot be interrupted may take longer than the time left."""
        family, left = get_family(trial), self.time_left
        if family.interruptible or family.quick or left == float("inf"):
            return False
        if not self.costs.is_measured(trial) and trial.model.estimator is not None:
            return True  # a class of any package
        return self.costs.trial_seconds([trial]) > _KILLABLE_SHARE * left

    def _first_seconds(self, trial: TrialSpec) -> float:
        """Return the seconds that the first trial has at least."""
        if get_family(trial).quick:
            return _PATIENCE
        return _FIRST_SECONDS * self.slowness + (0.0 if self._cohorts else _STARTING)

    def _least_seconds(self, trial: TrialSpec) -> float:
        """Return the seconds that a trial takes at least; a guess counts less than a measurement."""
        return self.costs.trial_seconds([trial]) / self.costs.doubt(trial)

    def _refusal(self, cohort: Cohort, available: float, *, first: bool) -> tuple[State, str] | None:
        """Return the state and reason of trials that cannot start, for lack of memory or time."""
        leader = cohort.trials[0]
        needed = self.costs.memory(leader, shared=self._shares_matrices(leader, cohort))
        memory = self._workers.memory_per_worker()
        if needed > memory:
            needs, has = format_bytes(needed), format_bytes(memory)
            return "failed", f"not started: about {needs} to train, memory_limit leaves {has}"
        family, epoch_steps = get_family(leader), self._spec.facts.epoch_steps
        seconds, left = self._least_seconds(leader), self.time_left
        last = family.last_rung(leader.family_params, epoch_steps)
        first_rung = min(family.rungs(last, epoch_steps) | {last}) / last
        idle = not self._ended and len(self.runs) == 1
        if first or first_rung * seconds <= available or (family.interruptible and idle):
            return None
        return "stopped", f"not started: about {seconds:.0f} s to train, {max(0.0, left):.0f} s left"

    def _shares_matrices(self, trial: TrialSpec, but: Cohort | None = None) -> bool:
        """Return whether a cohort of another worker has the same preprocessing, and so the same matrices."""
        others = (run.cohort for run in self.runs.values() if run.cohort is not but)
        same = (other.trials[0].preprocess == trial.preprocess for other in others)
        return self._workers.slots > 1 and any(same)
