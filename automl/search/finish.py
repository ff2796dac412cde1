"""The end of a search: select the best trial, warn about limits, refit it, write the model."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from automl.ensemble import CalibratedClassifier
from automl.errors import Fault, NoModelError, SettingError, StoreError
from automl.export import ModelFormat, save_model, save_onnx
from automl.records import EnsembleRecord, SearchRecord, TrialRecord
from automl.search.ensembling import Ensemble, fit_ensemble
from automl.search.evaluating import predictions_of
from automl.search.names import plain_name
from automl.search.plan import Plan
from automl.search.refit import SharedMatrices
from automl.select import Baseline, OutOfFold, best_record, describe_violations
from automl.workers import model_bytes, sample_rows, seconds_for, violations

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from automl.tracking import Tracker

__all__ = ["Winner", "select_best", "warn_of_violations"]

_ADVICE = 'Give the search more time, or a space that trains faster (space="quick").'


@dataclass(frozen=True)
class Winner:
    """The best trial of a search, and the data to make a model of it.

    Parameters
    ----------
    record : TrialRecord
        The trial.
    plan : Plan
        The table and the space.
    facts : SearchRecord
        Facts of the search.
    run_id : str
        MLflow run of the search.
    ensemble : Ensemble
        The ensemble of the search, if it has one.
    baseline : Baseline or None
        Scores of a model that ignores all columns.
    """

    record: TrialRecord
    plan: Plan
    facts: SearchRecord
    run_id: str
    ensemble: Ensemble = Ensemble(EnsembleRecord(reason="the search has refit=False or ensemble=False"))
    baseline: Baseline | None = None

    def with_ensemble(
        self,
        best: Future[Pipeline],
        found: OutOfFold,
        n_jobs: int,
        in_time: Callable[[TrialRecord, int], bool],
        shared: SharedMatrices,
    ) -> Winner:
        """Return the same with the ensemble that `fit_ensemble` makes; without one if that fails."""
        try:
            ensemble = fit_ensemble(
                best, found, self.plan, self.facts, n_jobs=n_jobs, in_time=in_time, shared=shared
            )
        except Exception as error:
            # The best pipeline exists; the search has not failed.
            reason = f"{type(error).__name__}: {error}"
            warnings.warn(f"No ensemble was made: {reason}", stacklevel=5)
            ensemble = Ensemble(EnsembleRecord(reason=reason))
        return replace(self, ensemble=ensemble)

    def score(self, pipeline: Any, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the score of the fitted pipeline on other rows, by the first objective."""
        weight = None if sample_weight is None else np.asarray(sample_weight, dtype=float)
        target = self.plan.target
        return self.plan.objectives.metric(target.encode(y), predictions_of(pipeline, X, target), weight)

    def save(self, model: Any, path: str | Path, format: ModelFormat = "mlflow") -> Path:
        """Write a fitted model as a folder, which must be empty, or as an ONNX file."""
        if format not in get_args(ModelFormat):
            rule = f"must be one of {', '.join(get_args(ModelFormat))}"
            raise SettingError(Fault("format", rule, repr(format)))
        if format == "onnx":
            return save_onnx(model, path, self.plan.example, self._metadata(model))
        return save_model(model, path, self.plan.example, self._metadata(model), trusted=self._trusted(model))

    def log(self, model: Any, tracker: Tracker) -> str | None:
        """Log and register a fitted model and return its URI; warn and return None on failure."""
        try:
            return tracker.log_model(
                model,
                self.plan.example,
                registered_model_name=f"automl-{plain_name(self.facts.target)}",
                metadata=self._metadata(model),
                trusted=self._trusted(model),
            )
        except (StoreError, SettingError) as error:
            # The estimator exists and can be exported; the search has not failed.
            warnings.warn(f"The model was not logged: {error}", stacklevel=4)
        return None

    def _trusted(self, model: Any) -> list[str]:
        """Return the packages of classes that the space named; they were imported, so they are trusted."""
        if _inner(model) is self.ensemble.estimator:
            return list(self.ensemble.packages)
        path = self.record.model.estimator
        return [] if path is None else [path.partition(".")[0]]

    def _metadata(self, model: Any) -> dict[str, Any]:
        classes = self.plan.target.classes
        return {
            "task": self.facts.task,
            "target": self.facts.target,
            "classes": None if classes is None else classes.tolist(),
            "positive_class": self.facts.positive_class or None,
            "scoring": self.facts.scoring,
            "study_name": self.facts.study_name,
            "run_id": self.run_id,
            "trial": self.record.number,
            "score": self.ensemble.record.score
            if _inner(model) is self.ensemble.estimator
            else self.record.score,
            "n_rows": self.facts.n_rows,
            "content": self.facts.content,
            "folds": self.facts.folds,
            **({"members": self.ensemble.weights} if _inner(model) is self.ensemble.estimator else {}),
            **({} if _inner(model) is model else {"slope": model.slope, "threshold": model.threshold}),
        }

    def warn_if_grown(self, pipeline: Pipeline) -> None:
        """Warn if the refitted pipeline exceeds a limit that its trial met; ``fit_seconds`` is of one fold."""
        limits = self.plan.space.constraints
        if self.record.total_violation:
            return
        measured: dict[str, float] = {}
        if "model_bytes" in limits:
            measured["model_bytes"] = model_bytes(pipeline)
        if "predict_seconds" in limits:
            rows, after_typing = sample_rows(self.plan.frame), pipeline[1:]
            measured["predict_seconds"] = seconds_for(lambda: after_typing.predict(rows))
        violation = violations(measured, {name: limits[name] for name in measured})
        if any(share > 0 for share in violation.values()):
            text = describe_violations(violation)
            warnings.warn(f"The winner, trained on all rows, is {text}.", stacklevel=5)


def _inner(model: Any) -> Any:
    """Return the model inside a calibrated one, or the model itself."""
    return model.model_ if isinstance(model, CalibratedClassifier) else model


def select_best(records: Sequence[TrialRecord], facts: SearchRecord, *, interrupted: bool) -> TrialRecord:
    """Return the best trial.

    Raises
    ------
    NoModelError
        If no trial has a score; with the first reason, or with advice if time was short.
    """
    best = best_record(records, facts)
    if best is not None:
        return best
    reasons = [record.reason.strip().splitlines()[-1] for record in records if record.reason]
    first = f"; the first ended with: {reasons[0]}" if reasons else ""
    too_short = not interrupted and all(record.state != "failed" for record in records)
    advice = f". {_ADVICE}" if too_short else "."
    raise NoModelError(f"no trial has a score, of {len(records)}{first}{advice}")


def warn_of_violations(best: TrialRecord, limits: Mapping[str, float]) -> None:
    """Warn if the best trial violates a limit, or was not measured; no trial is better then."""
    if best.total_violation:
        text = describe_violations(best.violation)
        warnings.warn(f"No trial is within the limits; the best is {text}.", stacklevel=4)
    elif len(best.violation) < len(limits):
        warnings.warn("No trial is known to be within the limits: none was measured.", stacklevel=4)
