"""The scores and metrics of trials at a rung."""

from __future__ import annotations

import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from automl.families import Array, Problem, TargetScale, Trainer
from automl.metrics import Metric, Objectives, Predictions, Truth, final_metrics, to_score
from automl.workers.prepared import PreparedFold
from automl.workers.progress import TrialProgress

__all__ = ["RungPredictions", "objective_values", "report_metrics", "score_trials"]

_IDENTITY = TargetScale()


@dataclass(frozen=True)
class RungPredictions:
    """The predictions of trials at a rung, with the targets they are compared with.

    Parameters
    ----------
    of : dict of int to list of Predictions
        By position of the trial: one for each fold.
    targets : list of ndarray
        By fold.
    weights : list of ndarray or None
        Row weights of the scores, by fold.
    seconds : list of float
        Seconds that the predictions of a trial took, by fold.
    """

    of: dict[int, list[Predictions]]
    targets: list[Array]
    weights: list[Array | None]
    seconds: list[float]

    @classmethod
    def make(
        cls,
        trainers: Sequence[Trainer],
        folds: Sequence[PreparedFold],
        share: float,
        training: Sequence[int],
        due: Sequence[int],
        scale: TargetScale = _IDENTITY,
    ) -> RungPredictions:
        """Predict the validation rows that score models of ``share`` of the training rows.

        Parameters
        ----------
        trainers : sequence of Trainer
            By fold.
        folds : sequence of PreparedFold
            By fold.
        share : float
            Share of the training rows that the models have seen.
        training : sequence of int
            Positions of the trials in training.
        due : sequence of int
            Positions of those to predict with.
        scale : TargetScale
            The scale of the target that the trainers have seen.
        """
        samples = [fold.validation_sample(share) for fold in folds]
        of: dict[int, list[Predictions]] = {i: [] for i in due}
        seconds = []
        for trainer, (X, _, _) in zip(trainers, samples, strict=True):
            trainer.select(training)
            start = time.perf_counter()
            found = trainer.predict(X)
            seconds.append((time.perf_counter() - start) / max(1, len(found)))
            for i, predictions in zip(trainer.trials.tolist(), found, strict=True):
                if i in of:
                    of[i].append(scale.undo(predictions))
        return cls(of, [y for _, y, _ in samples], [weight for *_, weight in samples], seconds)

    def __add__(self, other: RungPredictions) -> RungPredictions:
        """Return the predictions for these folds and for further ones, of the same trials."""
        return RungPredictions(
            {i: by_fold + other.of[i] for i, by_fold in self.of.items()},
            self.targets + other.targets,
            self.weights + other.weights,
            self.seconds + other.seconds,
        )

    def by_fold(self, positions: Sequence[int]) -> list[tuple[Array, list[Predictions], Array | None]]:
        """Return for each fold its targets, the predictions of these trials, and the row weights."""
        rows = enumerate(zip(self.targets, self.weights, strict=True))
        return [(y, [self.of[i][fold] for i in positions], weight) for fold, (y, weight) in rows]


def score_trials(
    trials: Sequence[TrialProgress],
    due: Sequence[int],
    rung: int,
    predictions: RungPredictions,
    metric: Metric,
    n_earlier: int = 0,
) -> None:
    """Append the scores of the trials that are due, and set their scoring times; one without a finite score fails.

    ``n_earlier`` folds before those of the predictions have been scored already.
    """
    by_fold, seconds = [], []
    try:
        for fold, predicting in zip(predictions.by_fold(due), predictions.seconds, strict=True):
            start = time.perf_counter()
            by_fold.append(metric.score_batch(*fold))
            seconds.append(predicting + (time.perf_counter() - start) / len(due))
    except Exception:  # a scorer of the user may raise on the predictions of one trial
        if len(due) == 1:
            trials[due[0]].end("failed", traceback.format_exc())
            return
        for i in due:
            score_trials(trials, [i], rung, predictions, metric, n_earlier)
        return
    for i, *scores in zip(due, *by_fold, strict=True):
        trial = trials[i]
        earlier, took = trial.fold_scores[:n_earlier], trial.score_seconds[:n_earlier]
        trial.add_scores(rung, [*earlier, *scores], [*took, *seconds])
        if not np.isfinite(trial.scores[-1]):
            trial.end("failed", f"score at rung {rung} is {trial.scores[-1]}")


def report_metrics(
    trials: Sequence[TrialProgress], ended: Sequence[int], predictions: RungPredictions, problem: Problem
) -> None:
    """Set the final metrics of trials: means over the folds that define them."""
    by_fold = [
        final_metrics(problem.task, Truth(y, problem.n_classes, weight, problem.positive), batch)
        for y, batch, weight in predictions.by_fold(ended)
    ]
    for i, *reports in zip(ended, *by_fold, strict=True):
        names = dict.fromkeys(name for report in reports for name in report)
        trials[i].metrics = {
            name: float(np.mean([report[name] for report in reports if name in report])) for name in names
        }


def objective_values(objectives: Objectives, predictions: RungPredictions, position: int) -> dict[str, float]:
    """Return the values of a trial's scorers, means over the folds."""
    values: dict[str, float] = {}
    for metric in objectives.metrics:
        scores = [metric(y, batch[0], weight) for y, batch, weight in predictions.by_fold([position])]
        values[metric.name] = to_score(float(np.mean(scores)), metric.direction)
    return values
