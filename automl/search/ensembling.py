"""The ensemble at the end of a search: choose its members, fit them in time, keep its limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sklearn.pipeline import Pipeline

from automl.ensemble import EnsembleClassifier, EnsembleRegressor
from automl.records import EnsembleRecord, SearchRecord, TrialRecord
from automl.search.plan import Plan
from automl.search.refit import averages_folds, fold_models, refit
from automl.select import OutOfFold, choose_ensemble, without_members
from automl.workers import model_bytes, sample_rows, seconds_for, violations

__all__ = ["Ensemble", "fit_ensemble"]


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
    best: Pipeline,
    found: OutOfFold,
    plan: Plan,
    facts: SearchRecord,
    *,
    n_jobs: int,
    in_time: Callable[[TrialRecord, int], bool],
) -> Ensemble:
    """Choose an ensemble and fit its members: on all rows, or networks on the training rows of each fold.

    Parameters
    ----------
    best : Pipeline
        The best trial's steps ``prepare`` and ``model``, fitted.
    found : OutOfFold
        The trials with their out-of-fold predictions.
    plan : Plan
        The table.
    facts : SearchRecord
        Facts of the search.
    n_jobs : int
        Workers of the search.
    in_time : callable
        ``in_time(record, n)``: whether there is time to fit a trial n times; asked in the order of weights. Networks
        without time for all folds are fitted on all rows. Members without time for that are left out.
    """
    if facts.several:
        return Ensemble(EnsembleRecord(reason="the search has several objectives"))
    metric = plan.objectives.metric
    chosen = choose_ensemble(found, metric)
    records = {record.number: record for record in found.records}
    fitted: dict[int, list[Pipeline]] = {}
    for number, _ in chosen.members:
        record = records[number]
        models = [best] if number == found.records[0].number else []
        if averages_folds(record, plan) and in_time(record, len(plan.folds)):
            models += fold_models(record, plan, facts, n_jobs)
        elif not models and in_time(record, 1):
            models.append(refit(record, plan, facts, n_jobs))
        if models:
            fitted[number] = models
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
