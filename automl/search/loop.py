"""The loop of a search: propose, train, judge, tell, record, while there is time."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Any

from automl.families import Family, family_of, params_at_stop
from automl.records import State, TrialRecord, TrialSpec
from automl.search.budget import Budget
from automl.search.cohort_run import CohortRun
from automl.select import best_record
from automl.study import Session
from automl.workers import (
    Cohort,
    Crashed,
    Event,
    Finished,
    Killed,
    RungReached,
    Workers,
    cohort_bytes,
    format_bytes,
)

if TYPE_CHECKING:
    from automl.tracking import NullProgress, Progress, Tracker

__all__ = ["Loop"]

_FINISHING = 1.5  # seconds that the end of a search takes beyond refitting: the model's files, the last runs
_WRITING = 0.3  # the same where there is no model
_GRACE = 0.5  # seconds that a cohort has to stop by itself once its time is up
_WAIT = 0.25  # seconds between two looks at the clock and at Ctrl-C
_BEHIND = (
    0.1  # of the time left: where what waits to be written takes more of it, nothing is proposed for now
)
_BACKLOG = 0.5  # seconds of writing that never hold a search up
_AHEAD = 2  # cohorts between a proposal and the last result it knows of, where the search can be repeated
_PART = 0.3  # of the time left that a cohort should take at most
_KEPT = (
    0.3  # of the whole training of a cohort that is left to do where the worse of it are pruned on the way
)
_PASSED_OVER = 8  # proposals in a row that may be too long, or too large, to start, before the search ends


class Loop:
    """One search at work; everything it needs is handed in.

    Where the number of trials is given the search can be repeated, as far as no time limit cuts it: a cohort is
    proposed when the one two before it has been told, whenever that is; results are told in the order of proposals,
    and a cohort is judged by the results it was proposed with. So nothing depends on which cohort happened to be
    the faster, nor on the number of workers up to two. With a time limit alone a cohort is proposed as soon as
    there is room for it, and knows all results there are.

    Equal configurations are trained once: the later trial is told what came of the first, at once or when it ends.

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
    progress : Progress or NullProgress
        Shows what happens.
    shape : (int, int, int)
        Rows of the table, its columns as far as known, number of folds.
    refit : bool
        Whether time must be left to refit the winner.
    known : sequence of TrialRecord
        Trials that ended before, in an earlier search of the same study; they count as this one's.
    trial_timeout : float or None
        Seconds that a trial may take to train.
    patience : int or None
        Trials that may end without a new best one, before no more are proposed.
    callbacks : sequence of callable
        Called with the record of each trial that ends, in the order in which they are told; one that raises ends the
        search.
    slowness : float
        How many times longer than usual things take here: the time kept for the end of the search.
    epoch_steps : int
        Steps of an epoch: the scale of rungs.
    fidelity : mapping of str to (low, high), optional
        What the space says of how long to train, by path: before ``low`` no trial is pruned.
    measured : bool
        Whether workers measure trials as they end.

    Attributes
    ----------
    records : list of TrialRecord
        The trials that ended, those that were known first.
    interrupted : bool
        Whether the user ended the search.
    """

    def __init__(
        self,
        session: Session,
        workers: Workers,
        budget: Budget,
        tracker: Tracker,
        progress: Progress | NullProgress,
        *,
        shape: tuple[int, int, int],
        refit: bool,
        known: Sequence[TrialRecord] = (),
        trial_timeout: float | None = None,
        patience: int | None = None,
        callbacks: Sequence[Callable[[TrialRecord], None]] = (),
        slowness: float = 1.0,
        epoch_steps: int = 1,
        fidelity: Mapping[str, tuple[float, float]] | None = None,
        measured: bool = False,
    ) -> None:
        self.records = list(known)
        self.interrupted = False
        self._session, self._workers, self._budget = session, workers, budget
        self._tracker, self._progress, self._refit = tracker, progress, refit
        self._measured = measured
        self._n_rows, self._n_columns, self._n_folds = shape
        self._trial_timeout = float("inf") if trial_timeout is None else trial_timeout
        self._slowness = slowness
        self._epoch_steps, self._fidelity = epoch_steps, fidelity or {}
        self._repeatable = budget.n_trials is not None
        self._ahead = max(_AHEAD, workers.slots) if self._repeatable else workers.slots
        self._running: dict[int, CohortRun] = {}  # in the order of their proposals
        self._ended = {record.number: record for record in known}
        self._repeats: dict[int, list[TrialSpec]] = {}  # by the trial at work that has their configuration
        self._cohorts = self._passed_over = 0
        self._best: TrialRecord | None = None
        self._without = 0  # trials since the best one so far
        self._patience = float("inf") if patience is None else patience
        self._callbacks = callbacks
        self._error: Exception | None = None  # what one of them raised
        self._over = False
        budget.proposed |= {record.number for record in known}
        for record in known:
            progress.trial(record)
            self._rank(record)
            if record.seconds:
                self._learn([record])

    def run(self) -> None:
        """Search until time, trials or the user's patience are at an end; the first Ctrl-C is such an end."""
        try:
            with self._first_interrupt_noted():
                self._search()
        except KeyboardInterrupt:
            if self.interrupted:
                raise
            self.interrupted = True
        finally:
            self._workers.close()
        reason = "the search was interrupted" if self.interrupted else "the time was up"
        reason = reason if self._error is None else f"a callback raised {type(self._error).__name__}"
        for running in list(self._running.values()):
            running.abandon("stopped", reason)
            self._tell(running)
        for proposals in list(self._repeats.values()):  # of trials that another process still has at work
            waiting = CohortRun(Cohort(self._cohorts, tuple(proposals), time.time()))
            waiting.abandon("stopped", reason)
            for record in waiting.records:
                self._tell_trial(record)
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """Propose no more; what is proposed is finished, so that with ``n_trials`` it is always the same."""
        self._over = True

    def _search(self) -> None:
        while not self.interrupted and self._error is None:
            self._look_around()
            held_up = self._keep_up() and not self._over
            left = self._time_left() + _GRACE
            awaited = self._budget.trials_left < 1 and self._session.remote_trials
            if not (self._running or awaited or held_up) or left < 0:
                break
            event = self._workers.next(timeout=min(_WAIT, max(0.05, left)))
            if event is not None:
                self._handle(event)
        while (event := self._workers.next(timeout=0)) is not None:
            if not isinstance(event, RungReached):
                self._handle(event)

    @contextmanager
    def _first_interrupt_noted(self) -> Iterator[None]:
        """Let the first Ctrl-C end the search between two events, so that nothing is told by halves."""
        usual = signal.default_int_handler
        ours = threading.current_thread() is threading.main_thread()
        if not ours or signal.getsignal(signal.SIGINT) is not usual:
            yield  # whoever has set a handler of their own means something by it
            return

        def note(signum: int, frame: FrameType | None) -> None:
            signal.signal(signal.SIGINT, usual)
            self.interrupted = True

        signal.signal(signal.SIGINT, note)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, usual)

    def _time_left(self) -> float:
        """Return the seconds left for training, before the winner's refit must start."""
        return self._budget.remaining - self._finishing()

    def _finishing(self) -> float:
        """Return the seconds that the end of the search takes: the winner's refit and what is to be written."""
        backlog = self._tracker.backlog(sum(len(running.cohort.trials) for running in self._running.values()))
        best = self._best
        if not self._refit:
            return self._slowness * _WRITING + backlog
        refit = 0.0
        if best is not None:
            family, _, _ = family_of(best.configuration)
            refit = family.solo_slowdown * self._estimate([params_at_stop(best)], family, share=1.0)
        return self._slowness * _FINISHING + backlog + refit

    def _estimate(self, configurations: Sequence[dict[str, object]], family: Family, share: float) -> float:
        """Return the seconds to train these on ``share`` of the rows."""
        rows = int(self._n_rows * share)
        work = sum(family.cost(params, rows, self._n_columns) for params in configurations)
        return self._budget.estimate(family.name, work, family.unit_seconds)

    def _training_share(self) -> float:
        """Return how many times the table's rows a trial trains on, all folds together."""
        return max(self._n_folds - 1, 0.8)

    def _look_around(self) -> None:
        """See what other processes have come to, and take over what dead ones left behind."""
        news = self._session.poll_remote()
        for record in news.records:
            self._budget.proposed.add(record.number)
            self._note(record)
            self._repeat(record)
        for proposals in news.orphaned:
            self._take(proposals)
        self._budget.elsewhere = self._session.remote_trials

    def _keep_up(self) -> bool:
        """Propose, tell and start as far as the schedule allows; return whether proposals wait for the log."""
        while True:
            room = len(self._running) < self._ahead
            behind = room and self._behind()
            if room and not behind and self._goes_on():
                self._propose()
            elif (ended := self._due()) is not None:
                self._tell(ended)
            else:
                break
        for running in self._running.values():
            at_work = sum(other.at_work is not None for other in self._running.values())
            if running.waiting and at_work < self._workers.slots:
                self._start(running)
        return behind

    def _behind(self) -> bool:
        """Return whether the backlog would take the end of the time; a repeatable search never waits for it."""
        if self._repeatable:
            return False
        return self._tracker.backlog() > max(_BACKLOG, _BEHIND * self._budget.remaining)

    def _goes_on(self) -> bool:
        nothing_new = self._session.exhausted and not self._repeatable
        self._over = self._over or nothing_new or self._budget.trials_left < 1 or self._time_left() <= 0
        self._over = self._over or self._without >= self._patience
        return not self._over

    def _due(self) -> CohortRun | None:
        """Return a cohort to be told now."""
        eligible = list(self._running.values())[: 1 if self._repeatable else None]
        return next((running for running in eligible if running.ended), None)

    def _propose(self) -> None:
        at_work = (proposal for running in self._running.values() for proposal in running.cohort.trials)
        known = min((proposal.number for proposal in at_work), default=1 + max(self._ended, default=-1))
        proposals = self._session.propose(self._size, known if self._repeatable else None)
        self._over = self._over or not proposals
        self._take(proposals)

    def _take(self, proposals: Sequence[TrialSpec]) -> None:
        """Have a cohort trained as soon as there is room for it."""
        proposals = self._new_ones(proposals)
        if not proposals:
            return
        family, params, _ = family_of(proposals[0].configuration)
        span = self._span(family, params, len(proposals))
        cohort = Cohort(self._cohorts, proposals, time.time() + span, self._trial_timeout)
        self._cohorts += 1
        running = self._running[cohort.id] = CohortRun(cohort, self._epoch_steps, self._measured)
        refused = self._refused(cohort, span)
        self._passed_over = self._passed_over + 1 if refused else 0
        self._over = self._over or self._passed_over > _PASSED_OVER
        if refused:
            running.abandon(*refused)

    def _span(self, family: Family, params: dict[str, Any], n: int) -> float:
        """Return the seconds a cohort may take: a part of what is left where that is too little for it to end."""
        left = self._time_left()
        if self._refit and self._best is None:
            # One of it will be the winner as far as is known, and alone takes as long again, or a part of that.
            left /= 1 + min(1.0, family.solo_slowdown / n)
        # The core stops when its time is up, so it may start in vain where there is nothing better to do.
        in_vain = family.interruptible and not (self.records or self._running)
        whole = in_vain or self._estimate([params], family, self._training_share()) <= left
        return left if whole else _PART * left

    def _refused(self, cohort: Cohort, span: float) -> tuple[State, str] | None:
        """Return how trials end that cannot start, for want of memory or time, and why."""
        family, params, preprocess = family_of(cohort.trials[0].configuration)
        needs, has = (
            self._memory([params], family, self._is_prepared(preprocess, cohort)),
            self._workers.memory_per_worker(),
        )
        if needs > has:
            return (
                "failed",
                f"not started: about {format_bytes(needs)} to train, memory_limit leaves {format_bytes(has)}",
            )
        seconds, left = self._estimate([params], family, self._training_share()), self._time_left()
        last = family.last_rung(params, self._epoch_steps)
        first = min(family.rungs(last, self._epoch_steps) | {last}) / last
        idle = not self.records and len(self._running) == 1
        if first * seconds <= span or (family.interruptible and idle):
            return None
        return "stopped", f"not started: about {seconds:.0f} s to train, {max(0.0, left):.0f} s left"

    def _new_ones(self, proposals: Sequence[TrialSpec]) -> tuple[TrialSpec, ...]:
        """Return the proposals that need training; the others have the result of an equal one, once it is there."""
        self._budget.proposed |= {proposal.number for proposal in proposals}
        new = []
        for proposal in proposals:
            first = self._session.duplicate(proposal.number)
            if first is None:
                new.append(proposal)
            elif first in self._ended:
                self._tell_trial(self._ended[first].repeated(proposal))
            else:
                self._repeats.setdefault(first, []).append(proposal)
        return tuple(new) if any(proposal.number not in self._ended for proposal in new) else ()

    def _start(self, running: CohortRun) -> None:
        part = running.start()
        n = len(part.trials)
        family, _, _ = family_of(part.trials[0].configuration)
        self._progress.training(f"{n} x {family.name}" if n > 1 else family.name, n)
        self._workers.submit(part)

    def _size(self, leader: TrialSpec) -> int:
        """Return how many trials train together: what the family allows, but several cohorts to a search."""
        family, params, preprocess = family_of(leader.configuration)
        few = float("inf") if self._budget.n_trials is None else max(1, self._budget.n_trials // 8)
        if not self._repeatable:
            alone = self._estimate([params], family, self._training_share())
            few = min(few, _PART * self._time_left() / (alone * (_KEPT if self._session.prunes else 1.0)))
        most = int(
            max(1, min(family.max_cohort_size(params, self._n_columns), few, self._budget.trials_left))
        )
        share, shared = self._workers.memory_per_worker(), self._is_prepared(preprocess)
        fitting = (n for n in range(most, 1, -1) if self._memory([params] * n, family, shared) <= share)
        return next(fitting, 1)

    def _is_prepared(self, preprocess: dict[str, Any], but: Cohort | None = None) -> bool:
        """Return whether a cohort of another worker needs the same matrices, so that this one adds none."""
        others = [running.cohort for running in self._running.values() if running.cohort is not but]
        alike = (family_of(other.trials[0].configuration)[2] == preprocess for other in others)
        return self._workers.slots > 1 and any(alike)

    def _memory(self, params: Sequence[dict[str, object]], family: Family, shared: bool) -> float:
        """Return about how many bytes a worker needs to train these side by side."""
        return cohort_bytes(family, params, self._n_rows, self._n_columns, self._n_folds, shared=shared)

    def _handle(self, event: Event) -> None:
        running = self._running.get(event.cohort.id)
        if running is None or running.at_work is None:
            return
        match event:
            case RungReached(_, rung, scores, reply):
                pruned = running.judged(rung, scores, partial(self._judge, running))
                with suppress(OSError):  # the worker died since it asked; that is an event of its own
                    reply(pruned)
            case Finished(_, records):
                self._learn(records)
                running.finish(records)
            case Crashed(_, reason):
                running.lost(reason)
            case Killed(_, "memory_limit", reason, seconds):
                running.lost(reason, again=False, seconds=seconds)
            case Killed(_, _, reason, seconds):
                self._learn_least([one.configuration for one in running.at_work.trials], seconds)
                running.give_up("pruned", reason, seconds)

    def _judge(self, running: CohortRun, rung: int, scores: dict[int, float]) -> set[int]:
        """Return which trials of a cohort to prune.

        None is before the least that the space grants it, nor before its scores tell how it will end.
        """
        pruned = self._session.report(rung, scores)
        rows = int(self._n_rows * self._training_share() / self._n_folds)
        kept = set()
        for proposal in running.cohort.trials:
            family, params, _ = family_of(proposal.configuration)
            here = f"model.{family.name}."
            lows = self._fidelity.items()
            low = {path.removeprefix(here): int(least) for path, (least, _) in lows if path.startswith(here)}
            granted = family.last_rung({**params, **low}, self._epoch_steps) if low else 0
            if rung < max(granted, family.min_resource(params, self._epoch_steps, rows)):
                kept.add(proposal.number)
        return pruned - kept

    def _learn(self, records: Sequence[TrialRecord]) -> None:
        """Let the budget see what the cohort's training cost."""
        share, done = self._training_share(), 0.0
        for record in records:
            family, params, _ = family_of(record.configuration)
            part = min(1.0, record.curve.epochs / family.epochs(params))
            done += part * family.cost(params, int(self._n_rows * share), self._n_columns)
        name = records[0].family
        if max(record.curve.epochs for record in records) >= 1 or not self._budget.knows(name):
            # Otherwise it was samples, and more the fixed costs of a training than those of its rows.
            self._budget.observe(name, done, sum(record.seconds for record in records))

    def _learn_least(self, configurations: Sequence[dict[str, Any]], seconds: float) -> None:
        """Let the budget see that a training took so long and had not come to its end."""
        family, _, _ = family_of(configurations[0])
        params = [family_of(configuration)[1] for configuration in configurations]
        if seconds > self._estimate(params, family, self._training_share()):
            rows = int(self._n_rows * self._training_share())
            work = sum(family.cost(one, rows, self._n_columns) for one in params)
            self._budget.observe(family.name, work, seconds)

    def _tell(self, running: CohortRun) -> None:
        """Let everybody know how a cohort ended."""
        del self._running[running.cohort.id]
        for record in running.records:
            if record.number in self._ended:  # told before the process died that trained its cohort
                continue
            self._tell_trial(record)

    def _tell_trial(self, record: TrialRecord) -> None:
        if not self._session.tell(record):  # another process has taken it over, and will have news of it
            return
        self._tracker.log_trial(record)
        self._note(record)
        try:
            for callback in self._callbacks if self._error is None else ():
                callback(record)
        except KeyboardInterrupt:
            if self.interrupted:
                raise
            self.interrupted = True
        except Exception as error:
            self._error = error
        self._repeat(record)

    def _note(self, record: TrialRecord) -> None:
        """Know how a trial ended, here or elsewhere."""
        self._progress.trial(record)
        self.records.append(record)
        self._ended[record.number] = record
        self._rank(record)

    def _repeat(self, record: TrialRecord) -> None:
        """Tell the trials that wait for the result of an equal one."""
        for proposal in self._repeats.pop(record.number, ()):
            self._tell_trial(record.repeated(proposal))

    def _rank(self, record: TrialRecord) -> None:
        """See whether a trial is the best so far."""
        best = best_record([record] if self._best is None else [self._best, record])
        self._without = 0 if best is record else self._without + 1
        self._best = best
