"""The loop of a search: propose, train, judge, tell, record, while there is time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from automl.families import FAMILIES, Problem, family_of
from automl.records import Curve, Proposal, State, TrialRecord
from automl.select import best_record
from automl.study import Budget, Session
from automl.workers import Cohort, Crashed, Event, Finished, JudgeRequest, Workers

if TYPE_CHECKING:
    from automl.tracking import Progress, Silent, Tracker

__all__ = ["Loop"]

_FINISHING = 1.5  # seconds that the end of a search takes beyond refitting: the model's files, the last runs
_A_RUN = 0.03  # seconds to write a trial's run
_GRACE = 0.5  # seconds that a cohort has to stop by itself once its time is up
_PASSED_OVER = 30  # proposals in a row that may be too long for the time left, before the search ends


@dataclass
class _Running:
    """A cohort at work, and what it has told at rungs so far."""

    cohort: Cohort
    started: float
    rungs: dict[int, list[tuple[int, float]]] = field(default_factory=dict)
    pruned: dict[int, int] = field(default_factory=dict)


class Loop:
    """One search at work; everything it needs is handed in.

    Parameters
    ----------
    session : Session
        Proposes, judges, is told.
    workers : Workers
        Where cohorts run.
    budget : Budget
        Time and trials.
    tracker : Tracker
        Writes the runs.
    progress : Progress or Silent
        Shows what happens.
    problem : Problem
        Task and classes.
    shape : (int, int, int)
        Rows of the table, its columns as far as known, number of folds.
    refit : bool
        Whether time must be left to refit the winner.

    Attributes
    ----------
    records : list of TrialRecord
        The trials that ended.
    interrupted : bool
        Whether the user ended the search.
    """

    def __init__(
        self,
        session: Session,
        workers: Workers,
        budget: Budget,
        tracker: Tracker,
        progress: Progress | Silent,
        *,
        problem: Problem,
        shape: tuple[int, int, int],
        refit: bool,
    ) -> None:
        self.records: list[TrialRecord] = []
        self.interrupted = False
        self._session, self._workers, self._budget = session, workers, budget
        self._tracker, self._progress, self._refit = tracker, progress, refit
        self._n_rows, self._n_columns, self._n_folds = shape
        self._problem = problem
        self._running: dict[int, _Running] = {}
        self._cohorts = self._passed_over = 0
        self._over = False

    def run(self) -> None:
        """Search until time, trials or the user's patience are at an end; KeyboardInterrupt is such an end."""
        try:
            while True:
                self._fill()
                if not self._running:
                    break
                event = self._workers.next(timeout=min(1.0, max(0.05, self._time_left() + _GRACE)))
                if event is not None:
                    self._handle(event)
                elif self._time_left() < -_GRACE:
                    break
        except KeyboardInterrupt:
            self.interrupted = True
        reason = "the search was interrupted" if self.interrupted else "the time was up"
        self._workers.close()
        for running in list(self._running.values()):
            self._end(running, self._abandoned(running, "pruned", reason))

    def _time_left(self) -> float:
        """Return the seconds left for training, before the winner's refit must start."""
        return self._budget.remaining - self._finishing()

    def _finishing(self) -> float:
        backlog = sum(len(running.cohort.proposals) for running in self._running.values()) * _A_RUN
        best = best_record(self.records)
        if not self._refit:
            return 0.3 + backlog
        refit = 0.0
        if best is not None:
            family, params, _ = family_of(best.configuration)
            refit = family.alone * self._estimate([params], family.name, share=1.0)
        return _FINISHING + backlog + refit

    def _estimate(self, configurations: Sequence[dict[str, object]], name: str, share: float) -> float:
        """Return the seconds to train these on ``share`` of the rows."""
        family = FAMILIES[name]
        rows = int(self._n_rows * share)
        work = sum(family.work(params, rows, self._n_columns) for params in configurations)
        return self._budget.estimate(name, work, family.unit_seconds)

    def _training_share(self) -> float:
        """Return how many times the table's rows a trial trains on, all folds together."""
        return max(self._n_folds - 1, 0.8)

    def _fill(self) -> None:
        while not self._over and len(self._running) < self._workers.slots:
            if self._budget.trials_left < 1 or self._time_left() <= 0:
                self._over = True
                return
            self._start_cohort()

    def _start_cohort(self) -> None:
        proposals = self._session.propose(self._size)
        self._budget.proposed += len(proposals)
        family, _, _ = family_of(proposals[0].configuration)
        params = [family_of(proposal.configuration)[1] for proposal in proposals]
        cohort = Cohort(self._cohorts, proposals, time.time() + self._time_left())
        running = _Running(cohort, time.time())
        self._cohorts += 1
        # The core stops when its time is up; a fit of scikit-learn cannot, so it must not start in vain.
        seconds = self._estimate(params, family.name, self._training_share())
        if family.cohort_limit == 1 and seconds > self._time_left():
            self._passed_over += 1
            self._over = self._passed_over > _PASSED_OVER
            left = max(0.0, self._time_left())
            reason = f"not started: about {seconds:.0f} s to train, {left:.0f} s left"
            self._end(running, self._abandoned(running, "pruned", reason))
            return
        self._passed_over = 0
        self._running[cohort.id] = running
        what = f"{len(proposals)} x {family.name}" if len(proposals) > 1 else family.name
        self._progress.training(what, len(proposals))
        self._workers.submit(cohort)

    def _size(self, leader: Proposal) -> int:
        """Return how many trials train together: what the family allows, but several cohorts to a search."""
        family, _, _ = family_of(leader.configuration)
        few = float("inf") if self._budget.n_trials is None else max(1, self._budget.n_trials // 8)
        return int(max(1, min(family.cohort_limit, few, self._budget.trials_left)))

    def _handle(self, event: Event) -> None:
        running = self._running.get(event.cohort.id)
        if running is None:
            return
        match event:
            case JudgeRequest(_, rung, scores, reply):
                pruned = self._session.judge(rung, scores)
                for number, score in scores.items():
                    running.rungs.setdefault(number, []).append((rung, score))
                running.pruned |= dict.fromkeys(pruned, rung)
                try:
                    reply(pruned)
                except OSError:
                    return  # the worker died since it asked; that is an event of its own
            case Finished(_, records):
                self._learn(records)
                self._end(running, records)
            case Crashed(_, reason):
                self._end(running, self._abandoned(running, "failed", reason))

    def _learn(self, records: Sequence[TrialRecord]) -> None:
        """Let the budget see what the cohort's training cost."""
        share, done = self._training_share(), 0.0
        for record in records:
            family, params, _ = family_of(record.configuration)
            rung = max((*record.curve.rungs, len(record.curve.losses)), default=0)
            part = min(1.0, rung / family.last_rung(params))
            done += part * family.work(params, int(self._n_rows * share), self._n_columns)
        self._budget.observe(records[0].family, done, sum(record.seconds for record in records))

    def _end(self, running: _Running, records: Sequence[TrialRecord]) -> None:
        self._running.pop(running.cohort.id, None)
        for record in records:
            self._session.tell(record)
            self._tracker.log_trial(record)
            self._progress.trial(record)
            self.records.append(record)

    def _abandoned(self, running: _Running, state: State, reason: str) -> list[TrialRecord]:
        """Return the records of a cohort that no worker will give, from what it told at rungs."""
        family, _, _ = family_of(running.cohort.proposals[0].configuration)
        seconds = (time.time() - running.started) / len(running.cohort.proposals)
        records = []
        for proposal in running.cohort.proposals:
            told = running.rungs.get(proposal.number, [])
            rung = running.pruned.get(proposal.number)
            records.append(
                TrialRecord(
                    **proposal.model_dump(),
                    state=state if rung is None else "pruned",
                    family=family.name,
                    score=told[-1][1] if told and (state == "pruned" or rung is not None) else None,
                    fold_scores=(),
                    curve=Curve(
                        rungs=tuple(step for step, _ in told), scores=tuple(score for _, score in told)
                    ),
                    started=running.started,
                    seconds=seconds,
                    reason=reason if rung is None else f"pruned at rung {rung}",
                )
            )
        return records
