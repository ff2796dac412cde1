"""One cohort from its first rung to its last, on all folds at once."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from automl.families import Fold, Trainer, family_of, ladder
from automl.metrics import Metric, Predictions, final_metrics, metric_for
from automl.records import Curve, Proposal, State, TrialRecord
from automl.workers.prepared import Assignment, PreparedFold, PreparedFolds

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
    proposals : tuple of Proposal
        The trials.
    deadline : float
        When training must have stopped, seconds since 1970.
    """

    id: int
    proposals: tuple[Proposal, ...]
    deadline: float = float("inf")


@dataclass
class _Trial:
    """What is known of a trial so far."""

    proposal: Proposal
    last_rung: int
    rungs: list[int] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    fold_scores: tuple[float, ...] = ()
    metrics: dict[str, float] = field(default_factory=dict)
    state: State | None = None
    reason: str = ""


def evaluate(
    assignment: Assignment, prepared: PreparedFolds, cohort: Cohort, judge: Judge, stop: Callable[[], bool]
) -> list[TrialRecord]:
    """Train a cohort on every fold in lockstep and return how each trial ended.

    Parameters
    ----------
    assignment : Assignment
        Table, folds, scoring.
    prepared : PreparedFolds
        The folds' matrices.
    cohort : Cohort
        The trials.
    judge : callable
        Asked once a rung for all trials that may go on; says which to prune.
    stop : callable
        Asked often; once it answers True, training ends where it is.

    Returns
    -------
    list of TrialRecord
        One a trial, in the cohort's order. A trial that raises is a record too, and so is a whole cohort that does.
    """
    started, clock = time.time(), time.perf_counter()
    run = _Run(assignment, cohort, judge, lambda: stop() or time.time() >= cohort.deadline)
    try:
        run.train(prepared)
    except Exception:
        run.end(run.open(), "failed", traceback.format_exc())
    return run.records(started, time.perf_counter() - clock)


class _Run:
    def __init__(
        self, assignment: Assignment, cohort: Cohort, judge: Judge, stop: Callable[[], bool]
    ) -> None:
        self.assignment, self.judge, self.stop = assignment, judge, stop
        self.family, _, self.preprocess = family_of(cohort.proposals[0].configuration)
        self.params = [family_of(proposal.configuration)[1] for proposal in cohort.proposals]
        self.trials = [
            _Trial(proposal, self.family.last_rung(params))
            for proposal, params in zip(cohort.proposals, self.params, strict=True)
        ]
        self.trainers: list[Trainer] = []

    def open(self) -> list[int]:
        """Return the positions of the trials that have not ended."""
        return [position for position, trial in enumerate(self.trials) if trial.state is None]

    def end(self, positions: Sequence[int], state: State, reason: str = "") -> None:
        for position in positions:
            self.trials[position].state, self.trials[position].reason = state, reason

    def train(self, prepared: PreparedFolds) -> None:
        assignment = self.assignment
        folds = prepared(self.preprocess)
        metric = metric_for(assignment.scoring, assignment.problem.task, assignment.problem.n_classes)
        seeds = [trial.proposal.seed for trial in self.trials]
        self.trainers = [
            self.family.trainer(
                self.params,
                seeds,
                assignment.problem,
                Fold(fold.X, fold.y, (assignment.random_state, number)),
            )
            for number, fold in enumerate(folds)
        ]
        steps = ladder(max(trial.last_rung for trial in self.trials))
        for rung in sorted({*steps, *(trial.last_rung for trial in self.trials)}):
            if not self.advance(rung):
                reason = f"stopped before rung {rung}: time is up, or the search was interrupted"
                self.end(self.open(), "pruned", reason)
                return
            due = [i for i in self.open() if rung in steps or rung == self.trials[i].last_rung]
            self.at_rung(rung, due, folds, metric)
            if not self.open():
                return
            for trainer in self.trainers:
                trainer.keep(self.open())

    def advance(self, rung: int) -> bool:
        """Train all folds until ``rung``; a trial that fails on one fold is taken off the others."""
        for trainer in self.trainers:
            trainer.keep(self.open())
            if not trainer.advance(rung, self.stop):
                return False
            for position, reason in trainer.failures.items():
                if self.trials[position].state is None:
                    self.end([position], "failed", reason)
        return True

    def at_rung(self, rung: int, due: list[int], folds: list[PreparedFold], metric: Metric) -> None:
        if not due:
            return
        said = self.predictions(due, folds)
        for i in due:
            trial = self.trials[i]
            scores = [metric(fold.y_valid, by[i]) for fold, by in zip(folds, said, strict=True)]
            trial.fold_scores = tuple(scores)
            trial.rungs.append(rung)
            trial.scores.append(float(np.mean(scores)))
            if not np.isfinite(trial.scores[-1]):
                self.end([i], "failed", f"score at rung {rung} is {trial.scores[-1]}")
        judged = {self.trials[i].proposal.number: i for i in due if self.trials[i].state is None}
        pruned = self.judge(rung, {number: self.trials[i].scores[-1] for number, i in judged.items()})
        for number, i in judged.items():
            if rung == self.trials[i].last_rung:
                self.end([i], "complete")
            elif number in pruned:
                self.end([i], "pruned", f"pruned at rung {rung} of {self.trials[i].last_rung}")
            if self.trials[i].state is not None:
                self.trials[i].metrics = self.final([by[i] for by in said], folds)

    def predictions(self, due: list[int], folds: list[PreparedFold]) -> list[dict[int, Predictions]]:
        """Return, for every fold, what each trial says of the validation rows."""
        found = []
        for trainer, fold in zip(self.trainers, folds, strict=True):
            trainer.keep(self.open())
            by = dict(zip(trainer.trials.tolist(), trainer.predict(fold.X_valid), strict=True))
            found.append({i: by[i] for i in due})
        return found

    def final(self, said: list[Predictions], folds: list[PreparedFold]) -> dict[str, float]:
        problem = self.assignment.problem
        reports = [
            final_metrics(problem.task, problem.n_classes, fold.y_valid, predictions)
            for fold, predictions in zip(folds, said, strict=True)
        ]
        return {
            name: float(np.mean([report[name] for report in reports if name in report]))
            for name in reports[0]
        }

    def records(self, started: float, seconds: float) -> list[TrialRecord]:
        histories = [self.history(i) for i in range(len(self.trials))]
        epochs = [max(1, len(losses)) for losses, _ in histories]
        return [
            TrialRecord(
                **trial.proposal.model_dump(),
                state=trial.state or "failed",
                family=self.family.name,
                score=trial.scores[-1] if trial.scores and trial.state != "failed" else None,
                fold_scores=trial.fold_scores,
                metrics=trial.metrics,
                curve=Curve(
                    losses=losses, learning_rates=rates, rungs=tuple(trial.rungs), scores=tuple(trial.scores)
                ),
                started=started,
                seconds=seconds * share / sum(epochs),
                reason=trial.reason,
            )
            for trial, (losses, rates), share in zip(self.trials, histories, epochs, strict=True)
        ]

    def history(self, position: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return losses and rates by epoch, means over the folds as far as all of them came."""
        by_fold = [trainer.history(position) for trainer in self.trainers]
        n = min((len(losses) for losses, _ in by_fold), default=0)
        if not n:
            return (), ()
        losses = np.mean([losses[:n] for losses, _ in by_fold], axis=0)
        return tuple(losses.tolist()), by_fold[0][1][:n]
