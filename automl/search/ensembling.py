"""The ensemble at the end of a search: choose its members, fit them in time, keep its limits."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sklearn.pipeline import Pipeline

from automl.ensemble import EnsembleClassifier, EnsembleRegressor
from automl.records import EnsembleRecord, SearchRecord, TrialRecord
from automl.search.plan import Plan
from automl.search.refit import SharedMatrices, averages_folds, fold_models, refit
from automl.select import OutOfFold, choose_ensemble, without_members
from automl.workers import limit_threads, model_bytes, sample_rows, seconds_for, violations

__all__ = ["Ensemble", "fit_ensemble", "fit_pool"]


@dataclass(frozen=True)
class Ensemble:
    """The ensemble of a search.

    Parameters
    ----------
    record : EnsembleRecord
        Members and score, or the reason why there is no ensemble.
    estimator : EnsembleClassifier, EnsembleRegressor or None
        The fitted ensemble; None if there is none.
    trials : tuple of int
        Number of the trial of each member of the estimator. A trial has several if its fold models are averaged; the
        first of the best trial is trained on all rows.
    packages : tuple of str
        Packages of classes that the space names, of all members.
    """

    record: EnsembleRecord
    estimator: Any = None
    trials: tuple[int, ...] = ()
    packages: tuple[str, ...] = ()

    @property
    def weights(self) -> list[tuple[int, float]]:
        """Number of the trial and weight of each member of the estimator."""
        return list(zip(self.trials, self.estimator.weights_.tolist(), strict=True))


def fit_ensemble(
    best: Future[Pipeline],
    found: OutOfFold,
    plan: Plan,
    facts: SearchRecord,
    *,
    n_jobs: int,
    in_time: Callable[[TrialRecord, int], bool],
    shared: SharedMatrices | None = None,
) -> Ensemble:
    """Choose an ensemble and fit its members: on all rows, or networks on the training rows of each fold.

    Parameters
    ----------
    best : Future of Pipeline
        The best trial's steps, fitted on all rows; the members are fitted beside it.
    found : OutOfFold
        The trials with their out-of-fold predictions.
    plan : Plan
        The table.
    facts : SearchRecord
        Facts of the search.
    n_jobs : int
        Workers of the search; as many members are fitted at a time, on threads.
    in_time : callable
        ``in_time(record, n)``: whether there is time to fit a trial n times; asked in the order of weights. Networks
        without time for all folds are fitted on all rows. Members without time for that keep the fold models of
        their trial; without those, which boosting never has, they are left out.
    shared : SharedMatrices, optional
        Prepared matrices, which fits at the same time share.
    """
    if facts.several:
        return Ensemble(EnsembleRecord(reason="the search has several objectives"))
    metric = plan.objectives.metric
    chosen = choose_ensemble(found, metric)
    records = {record.number: record for record in found.records}
    fits: dict[int, Future[list[Pipeline]]] = {}
    shared = shared or SharedMatrices()
    # Fits that overlap restore the thread limit that they found, so they must all find the same one.
    with limit_threads(plan.frame.size, n_jobs, facts.blas_threads), fit_pool(n_jobs) as pool:
        for number, _ in chosen.members:
            _wait_for_thread([best, *fits.values()], n_jobs)
            record, is_best = records[number], number == found.records[0].number
            kept = found.fold_models(number)
            if averages_folds(record, plan) and in_time(record, 0 if kept else len(plan.folds)):
                fits[number] = pool.submit(fold_models, record, plan, facts, n_jobs, kept)
            elif not is_best and in_time(record, 1):
                fits[number] = pool.submit(lambda one: [refit(one, plan, facts, n_jobs, shared)], record)
            elif not is_best and kept and in_time(record, 0):
                fits[number] = pool.submit(fold_models, record, plan, facts, n_jobs, kept)
        fitted = {number: fit.result() for number, fit in fits.items()}
    if found.records and (first := found.records[0].number) in dict(chosen.members):
        fitted[first] = [best.result()[1:], *fitted.get(first, [])]
    late = [number for number, _ in chosen.members if number not in fitted]
    chosen = without_members(found, metric, chosen, late, "there was no time to fit its members")
    while chosen.members and not _within_limits(chosen, fitted, plan):
        lightest = [number for number, _ in chosen.members if number != found.records[0].number][-1]
        chosen = without_members(
            found, metric, chosen, [lightest], "it is not within the limits of the space"
        )
    if not chosen.members:
        return Ensemble(chosen)
    packages = {records[number].model.estimator for number, _ in chosen.members} - {None}
    return Ensemble(
        chosen,
        _estimator(chosen, fitted, plan),
        tuple(number for number, _ in chosen.members for _ in fitted[number]),
        tuple(sorted({str(path).partition(".")[0] for path in packages})),
    )


@contextmanager
def fit_pool(n_threads: int) -> Iterator[ThreadPoolExecutor]:
    """Return threads that an error or Ctrl-C does not wait for."""
    pool = ThreadPoolExecutor(n_threads, thread_name_prefix="automl-ensemble")
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _wait_for_thread(fits: Collection[Future[Any]], n_threads: int) -> None:
    """Wait until one of the threads is free, so that the time left is known when a fit starts."""
    while sum(not fit.done() for fit in fits) >= n_threads:
        wait([fit for fit in fits if not fit.done()], return_when=FIRST_COMPLETED)


def _estimator(
    chosen: EnsembleRecord, fitted: Mapping[int, list[Pipeline]], plan: Plan
) -> EnsembleClassifier | EnsembleRegressor:
    make = EnsembleRegressor if plan.target.classes is None else EnsembleClassifier
    models = [
        (model, weight / len(fitted[number])) for number, weight in chosen.members for model in fitted[number]
    ]
    return make.of_fitted(
        plan.columns.fixed(), [model for model, _ in models], [weight for _, weight in models]
    )


def _within_limits(chosen: EnsembleRecord, fitted: Mapping[int, list[Pipeline]], plan: Plan) -> bool:
    """Return whether the ensemble meets the limits on its size and its speed."""
    limits, ensemble = plan.space.constraints, _estimator(chosen, fitted, plan)
    measured: dict[str, float] = {}
    if "model_bytes" in limits:
        measured["model_bytes"] = model_bytes(ensemble)
    if "predict_seconds" in limits:
        rows = sample_rows(plan.frame)
        measured["predict_seconds"] = seconds_for(lambda: [one.predict(rows) for one in ensemble.members_])
    return all(
        share <= 0 for share in violations(measured, {name: limits[name] for name in measured}).values()
    )
