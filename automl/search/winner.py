"""The winner of a search: chosen, trained on all rows, scored on others, written as a model."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.errors import NoModelError, SettingError, StoreError
from automl.export import save_model
from automl.families import family_of, params_at_stop
from automl.metrics import Predictions
from automl.records import SearchRecord, TrialRecord
from automl.search.limits import warn_of_refitted
from automl.search.plan import Plan
from automl.search.settings import plain_name
from automl.select import best_record
from automl.workers import limit_threads

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from automl.tracking import Tracker

__all__ = ["Winner", "best_of"]

_ADVICE = 'Give the search more time, or a space that trains faster (space="quick").'


@dataclass(frozen=True)
class Winner:
    """A search's best trial, and what it takes to make a model of it.

    Parameters
    ----------
    record : TrialRecord
        The trial.
    plan : Plan
        What the search trained on.
    about : SearchRecord
        What it is about.
    run_id : str
        MLflow's run of the search.
    """

    record: TrialRecord
    plan: Plan
    about: SearchRecord
    run_id: str

    def fitted(self, X: Any, n_jobs: int) -> Pipeline:
        """Return the winner's pipeline trained on all rows, with the threads that each of ``n_jobs`` workers had."""
        plan = self.plan
        family, _, preprocess = family_of(self.record.configuration)
        # Where nothing came to its end, what was reached is what the score speaks of.
        model = family.estimator(params_at_stop(self.record), self.record.seed, plan.problem)
        pipeline = plan.pipeline(preprocess, model, self.about.random_state)
        # As many threads as a trial had: what its training took tells what this will take.
        with limit_threads(plan.frame.size, n_jobs, self.record.blas_threads):
            pipeline.fit(X, plan.target.decode(plan.target.values))
            warn_of_refitted(pipeline, plan.frame, plan.space.constraints, self.record)
        return pipeline

    def score(self, pipeline: Any, X: Any, y: Any) -> float:
        """Return the score of the fitted pipeline on other rows, by the search's first objective."""
        metric, target = self.plan.objectives.metric, self.plan.target
        codes = target.encode(y)
        if target.task == "regression":
            return metric(codes, Predictions(pipeline.predict(X)))
        probabilities = pipeline.predict_proba(X) if hasattr(pipeline, "predict_proba") else None
        decision = pipeline.decision_function(X) if probabilities is None else None
        return metric(codes, Predictions(target.encode(pipeline.predict(X)), probabilities, decision))

    def save(self, pipeline: Any, path: str | Path) -> Path:
        """Write the fitted pipeline as a model folder; SettingError if the folder holds something already."""
        return save_model(pipeline, path, self.plan.example, self._metadata(), trusted=self._trusted())

    def log(self, pipeline: Any, tracker: Tracker) -> str | None:
        """Log and register the fitted pipeline and return its URI; warn and return None where that is impossible."""
        try:
            return tracker.log_model(
                pipeline,
                self.plan.example,
                registered_model_name=f"automl-{plain_name(self.about.target)}",
                metadata=self._metadata(),
                trusted=self._trusted(),
            )
        except (StoreError, SettingError) as error:
            # The search is worth more than its mirror: the estimator is there, and can be exported.
            warnings.warn(f"The model was not logged: {error}", stacklevel=3)
        return None

    def _trusted(self) -> list[str]:
        """Return the package of the winner's class, if its space named one: it was imported, so it is trusted."""
        path = self.record.params.get(f"model.{self.record.family}.estimator")
        return [] if path is None else [path.partition(".")[0]]

    def _metadata(self) -> dict[str, Any]:
        classes = self.plan.target.classes
        return {
            "task": self.about.task,
            "target": self.about.target,
            "classes": None if classes is None else classes.tolist(),
            "scoring": self.about.scoring,
            "study_name": self.about.study_name,
            "run_id": self.run_id,
            "trial": self.record.number,
        }


def best_of(records: Sequence[TrialRecord], about: SearchRecord, *, interrupted: bool) -> TrialRecord:
    """Return the best trial.

    Raises
    ------
    NoModelError
        If none came to a score; with the reason of the first, or what to do where it was for want of time.
    """
    best = best_record(records, about)
    if best is not None:
        return best
    reasons = [record.reason.strip().splitlines()[-1] for record in records if record.reason]
    first = f"; the first ended with: {reasons[0]}" if reasons else ""
    for_time = not interrupted and all(record.state != "failed" for record in records)
    raise NoModelError(
        f"no trial came to a score, of {len(records)}{first}" + (f". {_ADVICE}" if for_time else ".")
    )
