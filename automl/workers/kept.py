"""What a worker keeps of a trial for an ensemble: its out-of-fold predictions and its fold models."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from automl.families import Trainer
from automl.metrics import Predictions
from automl.select import KEPT_FROM_SECONDS, pack_predictions, save_fold_models, save_predictions
from automl.workers.context import WorkerContext
from automl.workers.progress import TrialProgress

__all__ = ["keep"]


def keep(
    context: WorkerContext,
    trial: TrialProgress,
    by_fold: Sequence[Predictions],
    trainers: Sequence[Trainer],
    position: int,
) -> None:
    """Save the out-of-fold predictions of a trial, and its fold models if it took long and they can be averaged.

    If the disk is full, the trial will be in no ensemble.

    Parameters
    ----------
    context : WorkerContext
        The folders; without one, nothing is kept.
    trial : TrialProgress
        The trial, complete or stopped.
    by_fold : sequence of Predictions
        Its predictions for the validation rows of each fold.
    trainers : sequence of Trainer
        By fold; empty if its fold models cannot be used.
    position : int
        Position of the trial in its cohort.
    """
    if context.packed is not None:
        context.packed.update(pack_predictions(trial.spec.number, by_fold))
        return
    if context.predictions is None:
        return
    with suppress(OSError):
        save_predictions(context.predictions, trial.spec.number, by_fold)
        if context.models is None or trial.fit_seconds < KEPT_FROM_SECONDS or not trainers:
            return
        scored = trial.state == "complete" or all(one.model_step == trial.rungs[-1] for one in trainers)
        if scored and all(trainer.keeps_model for trainer in trainers):
            models = [trainer.estimator(position) for trainer in trainers]
            n_classes = context.problem.n_classes
            if not n_classes or all(len(model.classes_) == n_classes for model in models):
                save_fold_models(context.models, trial.spec.number, models)
