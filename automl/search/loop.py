"""The search loop: ask for trials, submit cohorts, react to workers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from automl.records import TrialRecord, TrialSpec
from automl.search.admission import Admission
from automl.search.callbacks import Callback, Observers
from automl.search.cohort_run import CohortRun
from automl.search.ending import Ending
from automl.search.interrupts import Interrupt
from automl.search.pruning import protected
from automl.search.reacting import react
from automl.search.results import Results
from automl.search.schedule import Schedule
from automl.search.spec import SearchSpec
from automl.study import Session
from automl.workers import Event, Workers

__all__ = ["Loop"]

_GRACE = 0.5  # seconds that a cohort has to stop by itself after the time is up
_POLL = 0.25  # seconds between two looks at the clock and at Ctrl-C


class Loop:
    """Propose, train, report and tell trials until the search ends.

    With ``n_trials`` a search is repeatable, unless a time limit cuts it short: see `Schedule`.

    Events of workers come first: a free worker gets the next cohort before another result is recorded.

    Parameters
    ----------
    spec : SearchSpec
        The search.
    session : Session
        Proposes trials, prunes them, records their results. Its ``records`` are the trials that ended earlier.
    workers : Workers
        Where cohorts run.
    admission : Admission
        Decides what may still start.
    observers : Observers
        Log, show and receive each trial that ends.
    watch : callable
        Called several times a second; its errors end the search.
    """

    def __init__(
        self,
        spec: SearchSpec,
        session: Session,
        workers: Workers,
        admission: Admission,
        observers: Observers,
        watch: Callable[[], None] = lambda: None,
    ) -> None:
        self._spec, self._session, self._workers = spec, session, workers
        self._admission, self._observers, self._watch = admission, observers, watch
        self._interrupt = Interrupt()
        self.results = Results(session, admission, observers, self._interrupt)
        self._ending = Ending(workers, observers, self._interrupt)
        self._runs = admission.runs
        self._schedule = Schedule(self._runs, workers, spec.repeatable)

    @property
    def records(self) -> list[TrialRecord]:
        """The trials that have ended, earlier ones first."""
        return self.results.records

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C ended the search."""
        return self._interrupt.seen

    def start(self) -> None:
        """Submit the first cohorts of a new study: workers start while the caller opens MLflow."""
        while self._schedule.free and not self._admission.must_wait():
            if not self._admission.may_propose(self._session.exhausted):
                break
            self._propose()
        self._start_waiting()

    def run(self, callbacks: Sequence[Callback] = ()) -> None:
        """Search until time, trials or patience run out; the first Ctrl-C ends the search in order.

        Parameters
        ----------
        callbacks : sequence of callable
            Called with the record of each trial that ends in this process.
        """
        self._observers.callbacks = callbacks or self._observers.callbacks
        try:
            with self._interrupt.deferred():
                self._search()
        except KeyboardInterrupt:
            self._interrupt.note()
        finally:
            self._workers.close()
        self._end_all()
        if self._session.exhausted and not self.interrupted:
            self._observers.tell_exhausted(len(self.records))
        if self._observers.error is not None:
            raise self._observers.error

    def stop(self) -> None:
        """Propose no more trials; those already proposed are finished."""
        self._admission.closed = True

    def _search(self) -> None:
        while not self.interrupted and self._observers.error is None:
            self._watch()
            self._poll_remote()
            did = self._propose_or_tell()
            paused = did == "paused" and not self._admission.closed
            self._start_waiting()
            left = self._admission.wait_left + _GRACE
            awaited = self._admission.budget.trials_left < 1 and self._session.remote_trials
            if not (self._runs or awaited or paused or did == "step") or left < 0:
                break
            self._react_to_all(0.0 if did == "step" else min(_POLL, max(0.05, left)))
        self._ending.take_last_results(self._runs, self._react)

    def _react_to_all(self, timeout: float) -> None:
        """React to the events that are there, at most one for each slot; wait for the first one."""
        for _ in range(self._workers.slots):
            if (event := self._workers.next(timeout)) is None:
                return
            self._react(event)
            self._start_waiting()
            timeout = 0.0

    def _poll_remote(self) -> None:
        """Take note of results of other processes, and take over the trials of crashed ones."""
        updates = self._session.poll_remote()
        for record in updates.records:
            self.results.add_remote(record)
        for trials in updates.orphaned:
            self._take(trials)
        self._admission.budget.elsewhere = self._session.remote_trials

    def _propose_or_tell(self) -> Literal["step", "paused", "nothing"]:
        """Propose a cohort, or else tell the results of one, if the schedule allows; say if it must wait."""
        free = self._schedule.free
        paused = free and self._admission.must_wait()
        if free and not paused and self._admission.may_propose(self._session.exhausted):
            self._propose()
        elif (run := self._schedule.next_to_tell()) is not None:
            self._tell(run)
        else:
            return "paused" if paused else "nothing"
        return "step"

    def _propose(self) -> None:
        known = self._schedule.known(self.results.next_number)
        trials = self._session.propose(self._cohort_size, known, self._admission.first_cost())
        self._admission.closed = self._admission.closed or not trials
        self._take(trials)

    def _cohort_size(self, leader: TrialSpec) -> int:
        return self._admission.cohort_size(leader, prunes=self._session.prunes)

    def _take(self, trials: Sequence[TrialSpec]) -> None:
        """Schedule the trials that need training as a cohort."""
        if new := self.results.sort_out(trials):
            self._admission.admit(new, self._session.floor(new[0].number))

    def _start_waiting(self) -> None:
        for run in self._runs.values():
            n_training = sum(other.training is not None for other in self._runs.values())
            if run.waiting and n_training < self._workers.slots:
                part = run.start()
                n, family = len(part.trials), part.trials[0].family
                place = f" on {self._workers.place}" if self._workers.place else ""
                self._observers.progress.training(f"{f'{n} x ' if n > 1 else ''}{family}{place}", n)
                self._workers.submit(part)

    def _react(self, event: Event) -> None:
        if (run := self._runs.get(event.cohort.id)) is not None:
            trials = run.cohort.trials
            react(run, event, self._admission.costs, lambda rung, scores: self._prune(trials, rung, scores))

    def _prune(self, trials: Sequence[TrialSpec], rung: int, scores: dict[int, float]) -> set[int]:
        return self._session.report(rung, scores) - protected(trials, rung, self._spec)

    def _tell(self, run: CohortRun) -> None:
        del self._runs[run.cohort.id]
        self.results.tell(run)

    def _end_all(self) -> None:
        """End the trials that are still running."""
        reason = self._ending.reason
        for run in list(self._runs.values()):
            run.end("stopped", reason)
            self._tell(run)
        self.results.end_duplicates(reason)
