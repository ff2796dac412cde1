"""Trains a cohort from its first rung to its last: on all folds in lockstep, or on one fold after the other."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np

from automl.families import Trainer, get_family, prepared_problem, target_scale
from automl.metrics import Predictions
from automl.records import State, TrialRecord, TrialSpec
from automl.select import KEPT_FROM_SECONDS, save_fold_models, save_predictions
from automl.workers.blas import limit_threads
from automl.workers.cohort import Cohort
from automl.workers.context import WorkerContext
from automl.workers.measurements import CostMeter, violations
from automl.workers.prepared import PreparedFold, PreparedFolds
from automl.workers.progress import TimeAccount, TrialProgress
from automl.workers.rung import RungPredictions, objective_values, report_metrics, score_trials

__all__ = ["Report", "evaluate", "train_folds", "train_single"]

# At a rung: {trial number: score} -> numbers of the trials to prune.
Report = Callable[[int, dict[int, float]], set[int]]


def evaluate(
    context: WorkerContext,
    prepared: PreparedFolds,
    cohort: Cohort,
    report: Report,
    stop: Callable[[], bool],
    costs: CostMeter | None = None,
) -> list[TrialRecord]:
    """Train a cohort on every fold and return how each trial ended.

    A cohort with a ``floor`` has one trial, which trains on one fold after the other. Its first fold has all the rungs;
    between two folds it is pruned if its mean score so far is below the floor.

    Parameters
    ----------
    context : WorkerContext
        Table, folds, objectives.
    prepared : PreparedFolds
        The matrices of the folds.
    cohort : Cohort
        The trials.
    report : callable
        Called once a rung with the scores of all trials in training; returns those to prune.
    stop : callable
        Called often; training ends as soon as it returns True.
    costs : CostMeter, optional
        Measures trials; one used before in the same context reuses its preparations.

    Returns
    -------
    list of TrialRecord
        One per trial, in the cohort's order. A trial that raises has a record too. If the cohort as a whole raises,
        each trial that has not ended is trained again alone, so that only the trials at fault fail.
    """
    costs = costs or CostMeter(context)
    evaluation = _Evaluation(context, cohort, report, stop, costs)
    try:
        evaluation.prepare(prepared)
        evaluation.train()
    except Exception:
        unfinished = evaluation.abort(traceback.format_exc())
        if evaluation.folds and len(cohort.trials) > 1:
            alone = {
                i: evaluate(
                    context,
                    prepared,
                    replace(cohort, trials=(cohort.trials[i],)),
                    report,
                    stop,
                    costs,
                )[0]
                for i in unfinished
            }
            return [alone.get(i, record) for i, record in enumerate(evaluation.records())]
    return evaluation.records()


def train_single(
    context: WorkerContext, spec: TrialSpec, last_rung: int | None = None, n_folds: int | None = None
) -> TrialRecord:
    """Train one trial in this process, without neighbours and without limits.

    Parameters
    ----------
    context : WorkerContext
        Table, folds, objectives.
    spec : TrialSpec
        The trial.
    last_rung : int or None
        Rung to stop at; None trains to the trial's own last rung.
    n_folds : int or None
        Train on the first folds only; None trains on all.
    """
    context = replace(context, folds=context.folds[:n_folds])

    def report(rung: int, scores: dict[int, float]) -> set[int]:
        return set(scores) if last_rung is not None and rung >= last_rung else set()

    with limit_threads(context.frame.size, 1, spec.blas_threads):
        (record,) = evaluate(context, PreparedFolds(context), Cohort(0, (spec,)), report, lambda: False)
    return record


def train_folds(context: WorkerContext, record: TrialRecord, n_jobs: int) -> list[Any]:
    """Train a trial again to its last rung, alone, and return the fitted model of each fold.

    Parameters
    ----------
    context : WorkerContext
        Table, folds, objectives.
    record : TrialRecord
        The trial; its last rung is that of its curve.
    n_jobs : int
        Workers that share the cores.
    """
    last, cohort = record.curve.rungs[-1], Cohort(0, (record.spec,))

    def report(rung: int, scores: dict[int, float]) -> set[int]:
        return set(scores) if rung >= last else set()

    with limit_threads(context.frame.size, n_jobs, record.blas_threads):
        evaluation = _Evaluation(context, cohort, report, lambda: False, CostMeter(context))
        evaluation.prepare(PreparedFolds(context))
        evaluation.train()
    return [trainer.estimator(0) for trainer in evaluation.trainers]


class _Evaluation:
    """A cohort in training; trials are known by their positions in it."""

    def __init__(
        self,
        context: WorkerContext,
        cohort: Cohort,
        report: Report,
        stop: Callable[[], bool],
        costs: CostMeter,
    ) -> None:
        self.context, self.cohort = context, cohort
        self.report, self.should_stop, self.costs = report, stop, costs
        self.measured = dict.fromkeys([*context.objectives.costs, *context.constraints])
        self.family, self.preprocess = get_family(cohort.trials[0]), cohort.trials[0].preprocess
        self.params = [spec.family_params for spec in cohort.trials]
        self.trials = [
            TrialProgress(spec, self.family.last_rung(params, context.epoch_steps), len(context.folds))
            for spec, params in zip(cohort.trials, self.params, strict=True)
        ]
        self.time = TimeAccount(self.trials, cohort.trial_timeout)
        self.folds: list[PreparedFold] = []
        self.trainers: list[Trainer] = []
        self.predictions: dict[int, list[Predictions]] = {}  # of the last rung with all validation rows
        self.started = time.time()
        first = cohort.trials[0]
        self.scale = target_scale(self.family, self.params[0], first.model.estimator, context.problem)
        self.in_turn = cohort.floor is not None
        self.earlier: RungPredictions | None = None  # of the folds before the one in training
        self.fold_seconds = 0.0  # that the fold before took
        self.trained = 0.0  # seconds on these folds up to the last rung

    def prepare(self, prepared: PreparedFolds) -> None:
        """Prepare the folds, and measure the preparation if its time counts."""
        folds = prepared(self.preprocess)
        self.costs.prepare(self.measured, self.preprocess)
        self.folds = folds

    def train(self) -> None:
        """Train all trials until each has ended: on all folds in lockstep, or on one after the other."""
        context = self.context
        problem = prepared_problem(self.family, context.problem, self.preprocess, context.column_types)
        n_folds = len(self.folds)
        seeds = [trial.spec.seed for trial in self.trials]
        for folds in [range(n, n + 1) for n in range(n_folds)] if self.in_turn else [range(n_folds)]:
            for n in folds:
                fold = self.folds[n].for_training(self.scale, (context.random_state, n), context.epoch_steps)
                self.trainers.append(self.family.trainer(self.params, seeds, problem, fold))
            self.time.charge(self.open())
            self.train_on(folds)
            if not self.open():
                return

    def train_on(self, folds: range) -> None:
        """Train all trials on these folds from rung to rung; folds after the first have only the last rungs."""
        last_rungs = {trial.last_rung for trial in self.trials}
        family_rungs: set[int] = set()
        if folds.start == 0:
            family_rungs = self.family.rungs(max(last_rungs), self.context.epoch_steps)
        before, self.fold_seconds, self.trained = 0, self.trained, 0.0
        for rung in sorted(family_rungs | last_rungs):
            training = self.open()
            in_time = self.within_time(before, rung) and self.advance(folds, rung)
            self.time.charge(training, fitting=True)
            if not in_time:
                self.end_early(rung)
                return
            trainers = self.trainers[folds.start :]
            updated = set.intersection(*(set(trainer.updated.tolist()) for trainer in trainers))
            due = [
                i
                for i in self.open()
                if i in updated and (rung in family_rungs or rung == self.trials[i].last_rung)
            ]
            if due:
                self.at_rung(folds, rung, due)
            if not self.open():
                return
            before = rung

    def within_time(self, before: int, rung: int) -> bool:
        """Return whether the next rung can be reached in time, if training cannot be interrupted before it."""
        seconds = self.trained * (rung / before - 1) if before else self.fold_seconds
        if self.family.interruptible or not seconds:
            return True
        return time.time() + seconds < self.cohort.deadline

    def advance(self, folds: range, rung: int) -> bool:
        """Train these folds until ``rung``; a trial that fails on one fold leaves the others too."""
        start = time.perf_counter()
        for trainer in self.trainers[folds.start :]:
            trainer.select(self.open())
            if not trainer.advance(rung, self.stop):
                return False
            for position, reason in trainer.failures.items():
                if self.trials[position].is_open:
                    self.trials[position].end("failed", reason)
        self.trained += time.perf_counter() - start
        return True

    def stop(self) -> bool:
        """Return whether training must end now."""
        return self.should_stop() or time.time() >= self.cohort.deadline or self.time.overdue()

    @np.errstate(all="ignore")  # a diverging trial overflows; its predictions or scores show that
    def at_rung(self, folds: range, rung: int, due: list[int]) -> None:
        """Score and report the trials that are due, and end those that are complete or pruned."""
        share = rung / self.context.epoch_steps
        rows = self.folds[folds.start : folds.stop]
        trainers = self.trainers[folds.start :]
        predictions = RungPredictions.make(trainers, rows, share, self.open(), due, self.scale)
        score_trials(self.trials, due, rung, predictions, self.context.objectives.metric, folds.start)
        if self.earlier is not None:
            predictions = self.earlier + predictions
        scored = {self.trials[i].spec.number: i for i in due if self.trials[i].is_open}
        self.time.charge(due)
        if not scored:
            return
        if folds.stop < len(self.folds) and rung == self.trials[0].last_rung:
            self.between_folds(predictions)
            return
        pruned = self.report(rung, {number: self.trials[i].scores[-1] for number, i in scored.items()})
        self.time.skip()  # waiting for the answer is no training
        for number, i in scored.items():
            last_rung = self.trials[i].last_rung
            if rung == last_rung:
                self.trials[i].end("complete")
            elif number in pruned:
                self.trials[i].end("pruned", f"pruned at rung {rung} of {last_rung}")
        ended = [i for i in scored.values() if not self.trials[i].is_open]
        report_metrics(self.trials, ended, predictions, self.context.problem)
        for i in ended:
            self.measure(i, predictions)
        if share >= 1:  # all validation rows
            self.predictions |= {i: predictions.of[i] for i in scored.values()}
            for i in ended:
                self.save_predictions(i)
        self.time.charge(list(scored.values()))

    def between_folds(self, predictions: RungPredictions) -> None:
        """Prune the trial if its mean score so far is below the floor; else keep its predictions."""
        (trial,), floor = self.trials, self.cohort.floor
        self.earlier = predictions
        if floor is not None and trial.scores[-1] < floor:
            folds = f"{len(trial.fold_scores)} of {len(self.folds)} folds"
            trial.end(
                "pruned", f"pruned after {folds}: worse on average than the best trial on its worst fold"
            )
            report_metrics(self.trials, [0], predictions, self.context.problem)
            self.measure(0, predictions)
            self.time.charge([0])

    def save_predictions(self, i: int) -> None:
        """Save the out-of-fold predictions of a trial that has ended, unless it was pruned or failed."""
        folder, trial, by_fold = self.context.predictions, self.trials[i], self.predictions.pop(i, None)
        whole = by_fold is not None and len(by_fold) == len(self.folds)
        if folder is not None and trial.state in ("complete", "stopped") and by_fold and whole:
            with suppress(OSError):  # the disk is full: the trial will be in no ensemble
                save_predictions(folder, trial.spec.number, by_fold)
                self.save_models(i)

    def save_models(self, i: int) -> None:
        """Save the fold models of a complete trial that took long, if an ensemble can average them."""
        folder, trial = self.context.models, self.trials[i]
        long = trial.state == "complete" and trial.fit_seconds >= KEPT_FROM_SECONDS
        if folder is None or not long or not self.scale.is_identity:
            return
        if all(trainer.keeps_model for trainer in self.trainers):
            models = [trainer.estimator(i) for trainer in self.trainers]
            n_classes = self.context.problem.n_classes
            if not n_classes or all(len(model.classes_) == n_classes for model in models):
                save_fold_models(folder, trial.spec.number, models)

    @np.errstate(all="ignore")
    def measure(self, i: int, predictions: RungPredictions | None = None) -> None:
        """Set the objective values and measured costs of a trial, if the search uses any."""
        trial, objectives = self.trials[i], self.context.objectives
        values: dict[str, float] = {}
        try:
            if len(objectives.names) > 1 and predictions is not None:
                values = objective_values(objectives, predictions, i)
            if "fit_seconds" in self.measured:
                seconds = trial.fit_seconds_scored if self.in_turn else trial.fit_seconds
                values["fit_seconds"] = seconds / len(self.scored_trainers())
            if self.costs.needs_model(self.measured):
                values |= self.costs(self.measured, self.trainers[0].estimator(i), self.preprocess)
        except Exception:
            trial.end("failed", traceback.format_exc())
            return
        for name, value in values.items():
            if not np.isfinite(value):
                trial.end("failed", f"{name} is {value}")
                return
        order = dict.fromkeys([*objectives.names, *self.measured])
        trial.values = {name: values[name] for name in order if name in values}
        trial.violation = violations(trial.values, self.context.constraints) if trial.values else {}

    def open(self) -> list[int]:
        """Return the positions of the trials that have not ended."""
        return [i for i, trial in enumerate(self.trials) if trial.is_open]

    def end_early(self, rung: int) -> None:
        """End all trials before ``rung``; those with a score are measured for their constraints."""
        state: State = "stopped"
        folds = f"after {len(self.trainers) - 1} of {len(self.folds)} folds"
        where = folds if self.earlier is not None else f"before rung {rung}"
        reason = f"stopped {where}: time is up, or the search was interrupted"
        if self.time.overdue():
            state, reason = "pruned", self.cohort.timeout_reason
        for i in self.open():
            self.trials[i].end(state, reason)
            self.save_predictions(i)
            if self.context.constraints and self.trials[i].rungs:
                self.measure(i)

    def abort(self, reason: str) -> list[int]:
        """End all open trials as failed, and return their positions."""
        unfinished = self.open()
        self.time.charge(unfinished)
        for i in unfinished:
            self.trials[i].end("failed", reason)
        return unfinished

    def records(self) -> list[TrialRecord]:
        """Return the records of all trials."""
        for i, trial in enumerate(self.trials):
            trial.found_params = self.found_params(i)
        return [
            trial.record(self.family.name, self.started, self.context.epoch_steps, self.history(i))
            for i, trial in enumerate(self.trials)
        ]

    def found_params(self, position: int) -> dict[str, int]:
        """Return the parameters that training found for a trial, means over the folds."""
        by_fold = [trainer.found_params(position) for trainer in self.scored_trainers()]
        names = by_fold[0] if by_fold else {}
        return {name: round(np.mean([found[name] for found in by_fold])) for name in names}

    def history(self, position: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return a trial's losses and learning rates by epoch: means over the folds, for the epochs of all."""
        by_fold = [trainer.history(position) for trainer in self.scored_trainers()]
        n = min((len(losses) for losses, _ in by_fold), default=0)
        if not n:
            return (), ()
        losses: Sequence[float] = np.mean([losses[:n] for losses, _ in by_fold], axis=0).tolist()
        return tuple(losses), by_fold[0][1][:n]

    def scored_trainers(self) -> list[Trainer]:
        """Return the trainers of the folds that the scores count: all in lockstep."""
        n = len(self.trials[0].fold_scores) if self.in_turn else len(self.trainers)
        return self.trainers[: max(1, n)]
