"""Trains a cohort from its first rung to its last: on all folds in lockstep, or on one fold after the other."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from automl.families import Trainer, get_family, part_ends, prepared_problem, target_scale
from automl.metrics import Predictions
from automl.records import State, TrialRecord
from automl.workers.cohort import Cohort
from automl.workers.context import WorkerContext
from automl.workers.kept import keep
from automl.workers.measurements import CostMeter, violations
from automl.workers.prepared import PreparedFold, PreparedFolds
from automl.workers.progress import TimeAccount, TrialProgress
from automl.workers.rung import RungPredictions, objective_values, report_metrics, score_trials

__all__ = ["Evaluation", "Report", "evaluate"]

# At a rung: {trial number: score}, seconds in fits so far -> numbers of the trials to prune.
Report = Callable[[int, dict[int, float], float], set[int]]

_LAST_SCORE = 0.5  # seconds that scoring may take between the end of the time and the end of a trial


def evaluate(
    context: WorkerContext,
    prepared: PreparedFolds,
    cohort: Cohort,
    report: Report,
    stop: Callable[[], bool],
    costs: CostMeter | None = None,
    until: int | None = None,
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
        Called once a rung with the scores of all trials in training, and the seconds of all fits so far; returns the
        trials to prune.
    stop : callable
        Called often; training ends as soon as it returns True.
    costs : CostMeter, optional
        Measures trials; one used before in the same context reuses its preparations.
    until : int, optional
        A step at which trials are scored too, besides the rungs.

    Returns
    -------
    list of TrialRecord
        One per trial, in the cohort's order. A trial that raises has a record too. If the cohort as a whole raises,
        each trial that has not ended is trained again alone, so that only the trials at fault fail.
    """
    costs = costs or CostMeter(context)
    evaluation = Evaluation(context, cohort, report, stop, costs, until)
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
                    until,
                )[0]
                for i in unfinished
            }
            return [alone.get(i, record) for i, record in enumerate(evaluation.records())]
    return evaluation.records()


class Evaluation:
    """A cohort in training; trials are known by their positions in it."""

    def __init__(
        self,
        context: WorkerContext,
        cohort: Cohort,
        report: Report,
        stop: Callable[[], bool],
        costs: CostMeter,
        until: int | None = None,
    ) -> None:
        self.context, self.cohort, self.until = context, cohort, set[int]() if until is None else {until}
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
        self.fitting = 0.0  # seconds in all fits so far
        self.scoring = 0.0  # that the last scores of trainers that rewind took

    def prepare(self, prepared: PreparedFolds) -> None:
        """Prepare the folds, and measure the preparation if its time counts."""
        folds = prepared(self.preprocess)
        self.time.charge(self.open())
        for (
            trial
        ) in self.trials:  # waiting for others is part of its time, and says nothing about later preparations
            trial.prepare_seconds = max(0.0, trial.prepare_seconds - prepared.waited / len(self.trials))
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
            family_rungs = self.family.rungs(max(last_rungs), self.context.epoch_steps) | self.until
        before, self.fold_seconds, self.trained = 0, self.trained, 0.0
        for rung in sorted(family_rungs | last_rungs):
            training = self.open()
            in_time = self.within_time(before, rung) and self.advance(folds, before, rung)
            self.time.charge(training, fitting=True)
            if not in_time:
                self.end_early(folds, before, rung)
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

    def advance(self, folds: range, before: int, rung: int) -> bool:
        """Train these folds from one rung to the next; a trial that fails on one fold leaves the others too."""
        start = time.perf_counter()
        trainers = self.trainers[folds.start :]
        for step in part_ends(before, rung, trainers[0].parts, self.context.epoch_steps):
            for trainer in trainers:
                trainer.select(self.open())
                if not trainer.advance(step, self.stop):
                    return False
                for position, reason in trainer.failures.items():
                    if self.trials[position].is_open:
                        self.trials[position].end("failed", reason)
        seconds = time.perf_counter() - start
        self.trained, self.fitting = self.trained + seconds, self.fitting + seconds
        return True

    def stop(self) -> bool:
        """Return whether training must end now."""
        ahead = self.scoring if self.scoring <= _LAST_SCORE else 0.0
        return self.should_stop() or time.time() + ahead >= self.cohort.deadline or self.time.overdue()

    @np.errstate(all="ignore")  # a diverging trial overflows; its predictions or scores show that
    def score(self, folds: range, rung: int, due: list[int]) -> tuple[RungPredictions, list[int]]:
        """Score the trials that are due; return their predictions, and those whose score is finite."""
        start, trainers = time.perf_counter(), self.trainers[folds.start :]
        share, rows = rung / self.context.epoch_steps, self.folds[folds.start : folds.stop]
        predictions = RungPredictions.make(trainers, rows, share, self.open(), due, self.scale)
        score_trials(self.trials, due, rung, predictions, self.context.objectives.metric, folds.start)
        if self.earlier is not None:
            predictions = self.earlier + predictions
        self.time.charge(due)
        self.scoring = (time.perf_counter() - start) if trainers[0].reached else 0.0
        scored = [i for i in due if self.trials[i].is_open]
        if share >= 1 and folds.stop == len(self.folds):  # all validation rows
            self.predictions |= {i: predictions.of[i] for i in scored}
        return predictions, scored

    @np.errstate(all="ignore")
    def at_rung(self, folds: range, rung: int, due: list[int]) -> None:
        """Score and report the trials that are due, and end those that are complete or pruned."""
        predictions, scored = self.score(folds, rung, due)
        if not scored:
            return
        if folds.stop < len(self.folds) and rung == self.trials[0].last_rung:
            self.between_folds(predictions)
            return
        numbers = {self.trials[i].spec.number: i for i in scored}
        scores = {number: self.trials[i].scores[-1] for number, i in numbers.items()}
        pruned = self.report(rung, scores, self.fitting)
        self.time.skip()  # waiting for the answer is no training
        for number, i in numbers.items():
            last_rung = self.trials[i].last_rung
            if rung == last_rung:
                self.trials[i].end("complete")
            elif number in pruned:
                self.trials[i].end("pruned", f"pruned at rung {rung} of {last_rung}")
        ended = [i for i in scored if not self.trials[i].is_open]
        self.describe(ended, predictions)
        for i in ended:
            self.save(i)
        self.time.charge(scored)

    def describe(self, positions: list[int], predictions: RungPredictions) -> None:
        """Set the metrics of trials and what is measured of them."""
        report_metrics(self.trials, positions, predictions, self.context.problem)
        for i in positions:
            self.measure(i, predictions)

    def between_folds(self, predictions: RungPredictions) -> None:
        """Prune the trial if its mean score so far is below the floor; else keep its predictions."""
        (trial,), floor = self.trials, self.cohort.floor
        self.earlier = predictions
        if floor is not None and trial.scores[-1] < floor:
            folds = f"{len(trial.fold_scores)} of {len(self.folds)} folds"
            trial.end(
                "pruned", f"pruned after {folds}: worse on average than the best trial on its worst fold"
            )
            self.describe([0], predictions)
            self.time.charge([0])

    def save(self, i: int) -> None:
        """Save what an ensemble may need of an ended trial."""
        trial, by_fold = self.trials[i], self.predictions.pop(i, None)
        if trial.state in ("complete", "stopped") and by_fold is not None:
            keep(self.context, trial, by_fold, self.trainers if self.scale.is_identity else [], i)

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

    def end_early(self, folds: range, before: int, rung: int) -> None:
        """End all trials between two rungs, with what they have reached; measure those with a score."""
        state: State = "stopped"
        after = f"after {len(self.trainers) - 1} of {len(self.folds)} folds"
        where = after if self.earlier is not None else f"before rung {rung}"
        reason = f"stopped {where}: time is up, or the search was interrupted"
        if self.time.overdue():
            state, reason = "pruned", self.cohort.timeout_reason
        else:
            self.score_reached(folds, before, rung)
        for i in self.open():
            self.trials[i].end(state, reason)
            self.save(i)
            if self.context.constraints and self.trials[i].rungs:
                self.measure(i)

    @np.errstate(all="ignore")
    def score_reached(self, folds: range, before: int, rung: int) -> None:
        """Go back to what all folds have reached, and score that unless it takes long."""
        trainers = self.trainers[folds.start :]
        reached = min(rung, *(trainer.reached for trainer in trainers))
        if self.earlier is not None or not reached:
            return
        in_time = self.scoring <= _LAST_SCORE
        for trainer in trainers:
            trainer.rewind(reached if in_time else before)
        if in_time and reached > before:
            predictions, scored = self.score(folds, reached, self.open())
            self.describe(scored, predictions)

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
