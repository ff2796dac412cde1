"""One cohort from its first rung to its last, on all folds at once."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from automl.families import Array, Fold, Trainer, get_family
from automl.metrics import Metric, Predictions, final_metrics, objectives_for, to_score
from automl.records import Curve, State, TrialRecord, TrialSpec
from automl.workers.measurements import CostMeter, excess
from automl.workers.prepared import PreparedFold, PreparedFolds, WorkerContext

__all__ = ["Cohort", "Judge", "evaluate"]

# At a rung: {trial number: score} -> numbers of the trials to prune.
Judge = Callable[[int, dict[int, float]], set[int]]


@dataclass(frozen=True)
class Cohort:
    """Trials of equal structure, to be trained together.

    Parameters
    ----------
    id : int
        Its number in the search, from 0.
    trials : tuple of TrialSpec
        The trials.
    deadline : float
        When training must have stopped, seconds since 1970.
    trial_timeout : float
        Seconds that each trial may take: its shares of the cohort's time, the preparation of the folds included.
    """

    id: int
    trials: tuple[TrialSpec, ...]
    deadline: float = float("inf")
    trial_timeout: float = float("inf")

    @property
    def blas_threads(self) -> int:
        """Threads of the linear algebra that its trials may have."""
        return self.trials[0].blas_threads

    @property
    def too_long(self) -> str:
        """Why a trial is given up that took longer."""
        return f"took longer than trial_timeout, {self.trial_timeout:g} s"


@dataclass
class _Trial:
    """What is known of a trial so far."""

    proposal: TrialSpec
    last_rung: int
    rungs: list[int] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    fold_scores: tuple[float, ...] = ()
    metrics: dict[str, float] = field(default_factory=dict)
    values: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    fit_seconds: float = 0.0
    state: State | None = None
    reason: str = ""

    def end(self, state: State, reason: str = "") -> None:
        self.state, self.reason = state, reason


def evaluate(
    assignment: WorkerContext,
    prepared: PreparedFolds,
    cohort: Cohort,
    judge: Judge,
    stop: Callable[[], bool],
    costs: CostMeter | None = None,
) -> list[TrialRecord]:
    """Train a cohort on every fold in lockstep and return how each trial ended.

    Parameters
    ----------
    assignment : WorkerContext
        Table, folds, scoring.
    prepared : PreparedFolds
        The folds' matrices.
    cohort : Cohort
        The trials.
    judge : callable
        Asked once a rung for all trials that may go on; says which to prune.
    stop : callable
        Asked often; once it answers True, training ends where it is.
    costs : CostMeter, optional
        Measures trials; one that has measured others of the assignment knows their preparations.

    Returns
    -------
    list of TrialRecord
        One a trial, in the cohort's order. A trial that raises is a record too. Where training together raises, what
        had not ended trains once more, each trial alone, so that only those fail that raise.
    """
    costs = costs or CostMeter(assignment)
    run = _Run(assignment, cohort, judge, stop, costs)
    try:
        run.prepare(prepared)
        run.train()
    except Exception:
        run.charge(run.open())
        raised = run.open()
        run.end(raised, "failed", traceback.format_exc())
        if run.folds and len(cohort.trials) > 1:
            single = {i: replace(cohort, trials=(cohort.trials[i],)) for i in raised}
            again = {
                i: evaluate(assignment, prepared, one, judge, stop, costs)[0] for i, one in single.items()
            }
            return [again.get(i, record) for i, record in enumerate(run.records())]
    return run.records()


class _Run:
    """A cohort at work; trials are spoken of by their positions in it."""

    def __init__(
        self,
        assignment: WorkerContext,
        cohort: Cohort,
        judge: Judge,
        stop: Callable[[], bool],
        costs: CostMeter,
    ) -> None:
        self.assignment, self.cohort, self.judge, self.costs = assignment, cohort, judge, costs
        problem = assignment.problem
        self.objectives = objectives_for(
            assignment.scoring, assignment.directions, problem.task, problem.n_classes
        )
        self.asked = dict.fromkeys([*self.objectives.costs, *assignment.constraints])
        self.family, self.preprocess = get_family(cohort.trials[0]), cohort.trials[0].preprocess
        self.params = [spec.family_params for spec in cohort.trials]
        self.epoch_steps = assignment.epoch_steps
        self.trials = [
            _Trial(proposal, self.family.last_rung(params, self.epoch_steps))
            for proposal, params in zip(cohort.trials, self.params, strict=True)
        ]
        self.folds: list[PreparedFold] = []
        self.trainers: list[Trainer] = []
        self.until = float("inf")
        self.started, self.clock = time.time(), time.perf_counter()
        self.should_stop = stop
        self.trained = 0.0  # seconds up to the last rung

    def open(self) -> list[int]:
        """Return the positions of the trials that have not ended."""
        return [position for position, trial in enumerate(self.trials) if trial.state is None]

    def end(self, positions: Sequence[int], state: State, reason: str = "") -> None:
        for position in positions:
            self.trials[position].end(state, reason)

    def end_early(self, state: State, reason: str) -> None:
        """End all trials between two rungs; what has a score is measured under the limits all the same."""
        for i in self.open():
            self.end([i], state, reason)
            if self.assignment.constraints and self.trials[i].rungs:
                self.measure(i)

    def charge(self, positions: Sequence[int], *, fitting: bool = False) -> None:
        """Share the time since the clock was last read among these trials."""
        before, self.clock = self.clock, time.perf_counter()
        for position in positions:
            share = (self.clock - before) / len(positions)
            self.trials[position].seconds += share
            self.trials[position].fit_seconds += share if fitting else 0.0
        at_work = self.open()
        most = max((self.trials[position].seconds for position in at_work), default=0.0)
        self.until = self.clock + (self.cohort.trial_timeout - most) * len(at_work)

    def stop(self) -> bool:
        """Return whether training must end where it is."""
        return self.should_stop() or time.time() >= self.cohort.deadline or self.overdue()

    def overdue(self) -> bool:
        """Return whether the trials at work have taken all the time that a trial may take."""
        return time.perf_counter() >= self.until

    def prepare(self, prepared: PreparedFolds) -> None:
        folds = prepared(self.preprocess)
        self.costs.prepare(self.asked, self.preprocess)
        self.folds = folds

    def train(self) -> None:
        assignment = self.assignment
        seeds = [trial.proposal.seed for trial in self.trials]
        self.trainers = [
            self.family.trainer(
                self.params,
                seeds,
                assignment.problem,
                Fold(fold.X, fold.y, (assignment.random_state, number), self.epoch_steps, fold.order),
            )
            for number, fold in enumerate(self.folds)
        ]
        self.charge(self.open())
        rungs = self.family.rungs(max(trial.last_rung for trial in self.trials), self.epoch_steps)
        before = 0
        for rung in sorted({*rungs, *(trial.last_rung for trial in self.trials)}):
            training = self.open()
            in_time = self.within_time(before, rung) and self.advance(rung)
            before = rung
            self.charge(training, fitting=True)
            if not in_time and self.overdue():
                self.end_early("pruned", self.cohort.too_long)
                return
            if not in_time:
                reason = f"stopped before rung {rung}: time is up, or the search was interrupted"
                self.end_early("stopped", reason)
                return
            begun = set.intersection(*(set(trainer.updated.tolist()) for trainer in self.trainers))
            due = [
                i for i in self.open() if i in begun and (rung in rungs or rung == self.trials[i].last_rung)
            ]
            if due:
                self.at_rung(rung, due)
            if not self.open():
                return

    def within_time(self, before: int, rung: int) -> bool:
        """Return whether there is time to come to the next rung, where training cannot be stopped on the way."""
        if self.family.interruptible or not before:
            return True
        return time.time() + self.trained * (rung / before - 1) < self.cohort.deadline

    def advance(self, rung: int) -> bool:
        """Train all folds until ``rung``; a trial that fails on one fold is taken off the others."""
        start = time.perf_counter()
        for trainer in self.trainers:
            trainer.select(self.open())
            if not trainer.advance(rung, self.stop):
                return False
            for position, reason in trainer.failures.items():
                if self.trials[position].state is None:
                    self.end([position], "failed", reason)
        self.trained += time.perf_counter() - start
        return True

    def at_rung(self, rung: int, due: list[int]) -> None:
        """Score the trials that are due, let them be judged, and end those that are complete or pruned."""
        judges = [fold.validation_sample(rung / self.epoch_steps) for fold in self.folds]
        said = self.predictions(due, [X for X, _ in judges])
        truth = [y for _, y in judges]
        self.score(due, rung, said, truth)
        judged = {self.trials[i].proposal.number: i for i in due if self.trials[i].state is None}
        self.charge(due)
        if not judged:
            return
        pruned = self.judge(rung, {number: self.trials[i].scores[-1] for number, i in judged.items()})
        self.clock = time.perf_counter()  # waiting for the answer is nobody's training
        for number, i in judged.items():
            if rung == self.trials[i].last_rung:
                self.end([i], "complete")
            elif number in pruned:
                self.end([i], "pruned", f"pruned at rung {rung} of {self.trials[i].last_rung}")
        ended = [i for i in judged.values() if self.trials[i].state is not None]
        self.report(ended, said, truth)
        for i in ended:
            self.measure(i, said[i], truth)
        self.charge(list(judged.values()))

    def score(
        self, due: Sequence[int], rung: int, said: dict[int, list[Predictions]], truth: list[Array]
    ) -> None:
        """Note the scores of trials at a rung."""
        metric = self.objectives.metric
        try:
            by_fold = [metric.score_batch(y, [said[i][fold] for i in due]) for fold, y in enumerate(truth)]
        except Exception:  # a scorer of the user's own may not bear what one of them predicts
            for i in due if len(due) > 1 else ():
                self.score([i], rung, said, truth)
            if len(due) == 1:
                self.end(due, "failed", traceback.format_exc())
            return
        for i, *scores in zip(due, *by_fold, strict=True):
            trial = self.trials[i]
            trial.fold_scores = tuple(scores)
            trial.rungs.append(rung)
            trial.scores.append(float(np.mean(scores)))
            if not np.isfinite(trial.scores[-1]):
                trial.end("failed", f"score at rung {rung} is {trial.scores[-1]}")

    def measure(self, i: int, said: Sequence[Predictions] = (), truth: Sequence[Array] = ()) -> None:
        """Find the values of a trial's objectives and what its limits are about, where there are such."""
        trial, objectives = self.trials[i], self.objectives
        found: dict[str, float] = {}
        try:
            if len(objectives.names) > 1 and said:
                found = {
                    metric.name: to_score(float(np.mean(_by_fold(metric, said, truth))), metric.direction)
                    for metric in objectives.metrics
                }
            if "fit_seconds" in self.asked:
                found["fit_seconds"] = trial.fit_seconds / len(self.trainers)
            if self.costs.apart(self.asked):
                found |= self.costs(self.asked, self.trainers[0].estimator(i), self.preprocess)
        except Exception:
            trial.end("failed", traceback.format_exc())
            return
        wrong = next((name for name, value in found.items() if not np.isfinite(value)), None)
        if wrong is not None:
            trial.end("failed", f"{wrong} is {found[wrong]}")
            return
        order = dict.fromkeys([*objectives.names, *self.asked])
        trial.values = {name: found[name] for name in order if name in found}

    def predictions(self, due: list[int], judges: list[Array]) -> dict[int, list[Predictions]]:
        """Return what each trial that is due says of every fold's rows that judge it."""
        said: dict[int, list[Predictions]] = {i: [] for i in due}
        for trainer, X in zip(self.trainers, judges, strict=True):
            trainer.select(self.open())
            for i, predictions in zip(trainer.trials.tolist(), trainer.predict(X), strict=True):
                if i in said:
                    said[i].append(predictions)
        return said

    def report(self, ended: Sequence[int], said: dict[int, list[Predictions]], truth: list[Array]) -> None:
        """Note the final metrics of trials, means over the folds that have them."""
        problem = self.assignment.problem
        by_fold = [
            final_metrics(problem.task, problem.n_classes, y, [said[i][fold] for i in ended])
            for fold, y in enumerate(truth)
        ]
        for i, *reports in zip(ended, *by_fold, strict=True):
            names = dict.fromkeys(name for report in reports for name in report)
            self.trials[i].metrics = {
                name: float(np.mean([report[name] for report in reports if name in report])) for name in names
            }

    def records(self) -> list[TrialRecord]:
        return [self.record(position, trial) for position, trial in enumerate(self.trials)]

    def record(self, position: int, trial: _Trial) -> TrialRecord:
        losses, rates = self.history(position)
        return TrialRecord(
            **trial.proposal.model_dump(),
            state=trial.state or "failed",
            family=self.family.name,
            score=trial.scores[-1] if trial.scores and trial.state != "failed" else None,
            fold_scores=trial.fold_scores,
            metrics=trial.metrics,
            values=trial.values,
            excess=excess(trial.values, self.assignment.constraints) if trial.values else {},
            curve=Curve(
                losses=losses,
                learning_rates=rates,
                rungs=tuple(trial.rungs),
                scores=tuple(trial.scores),
                epoch_steps=self.epoch_steps,
            ),
            started=self.started,
            seconds=trial.seconds,
            reason=trial.reason,
        )

    def history(self, position: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return losses and rates by epoch, means over the folds as far as all of them came."""
        by_fold = [trainer.history(position) for trainer in self.trainers]
        n = min((len(losses) for losses, _ in by_fold), default=0)
        if not n:
            return (), ()
        losses = np.mean([losses[:n] for losses, _ in by_fold], axis=0)
        return tuple(losses.tolist()), by_fold[0][1][:n]


def _by_fold(metric: Metric, said: Sequence[Predictions], truth: Sequence[Array]) -> list[float]:
    return [metric(y, by_fold) for y, by_fold in zip(truth, said, strict=True)]
