"""The same search, written by hand with Optuna and, on request, MLflow, as their documentation shows.

It is the peer of ``benchmarks/search.py``. The core, the folds, the prepared matrices and their cache, rungs and
metrics are the project's; the rest is code that a user would write.
"""

from __future__ import annotations

import time
import warnings
from contextlib import nullcontext
from pathlib import Path

import mlflow
import optuna
import pandas as pd

from automl.records import TrialRecord, TrialSpec
from automl.search import Search, make_plan, make_spec
from automl.workers import Cohort, PreparedFolds, evaluate, limit_threads, threads_per_job

__all__ = ["Steps", "by_hand"]

Steps = list[tuple[float, float]]  # seconds since the start, best score of a search that ends then


def by_hand(
    X: pd.DataFrame, y: pd.Series, folder: Path, *, space: str, timeout: float, seed: int, tracked: bool
) -> tuple[Steps, int]:
    """Return the times and values of the best scores of ``study.optimize``, and the number of trials.

    Sampler and pruner are TPE and median, the storage is a journal in ``folder``. With ``tracked``, every trial is a
    nested run of MLflow's, with its parameters, its loss and rate by epoch, its scores and its metrics.
    """
    plan = make_plan(X, y, space=space, scoring=None, cv=None, groups=None, random_state=seed)
    cores = threads_per_job(1)
    settings = Search(space, random_state=seed).get_params(deep=False)
    context = plan.worker_context(make_spec(settings, plan).facts)
    prepared = PreparedFolds(context)
    steps: Steps = []
    scores: dict[int, float] = {}
    if tracked:
        mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
        mlflow.set_experiment("by hand")

    def objective(trial: optuna.Trial) -> float:
        configuration = plan.space.suggest(trial)
        if plan.space.forbidden(configuration):
            raise optuna.TrialPruned

        def judge(rung: int, said: dict[int, float]) -> set[int]:
            trial.report(said[trial.number], rung)
            scores[trial.number] = said[trial.number]
            pruned = trial.should_prune()
            steps.append((time.perf_counter(), max(scores.values())))
            if pruned:
                del scores[trial.number]
            return {trial.number} if pruned else set()

        params = plan.space.params(configuration)
        proposal = TrialSpec(
            number=trial.number, configuration=configuration, params=params, seed=trial.number
        )
        with mlflow.start_run(nested=True) if tracked else nullcontext():
            stop = start + timeout
            (record,) = evaluate(
                context, prepared, Cohort(0, (proposal,)), judge, lambda: time.perf_counter() > stop
            )
            if tracked:
                log(record)
        if record.state == "pruned":
            raise optuna.TrialPruned
        if record.score is None:
            raise RuntimeError(record.reason)
        return record.score

    backend = optuna.storages.journal.JournalFileBackend(str(folder / "by_hand.journal"))
    study = optuna.create_study(
        direction="maximize",
        storage=optuna.storages.JournalStorage(backend),
        sampler=optuna.samplers.TPESampler(seed=seed),
        pruner=optuna.pruners.MedianPruner(),
    )
    for point in plan.space.initial_params:
        study.enqueue_trial(point)
    with warnings.catch_warnings(), limit_threads(plan.frame.size, 1, cores):
        warnings.simplefilter("ignore")
        with mlflow.start_run() if tracked else nullcontext():
            start = time.perf_counter()
            study.optimize(objective, timeout=timeout, catch=RuntimeError)
    return [(when - start, score) for when, score in steps], len(study.trials)


def log(record: TrialRecord) -> None:
    """Write a trial to the active run, one call a value."""
    curve = record.curve
    mlflow.log_params(record.params)
    for epoch, (loss, rate) in enumerate(zip(curve.losses, curve.learning_rates, strict=True), start=1):
        mlflow.log_metric("train_loss", loss, step=epoch)
        mlflow.log_metric("learning_rate", rate, step=epoch)
    for rung, score in zip(curve.rungs, curve.scores, strict=True):
        mlflow.log_metric("score", score, step=rung)
    mlflow.log_metrics(record.metrics)
