"""Writing of results to a study: scores at rungs, constraints, the record and the final state of a trial."""

from __future__ import annotations

from collections.abc import Mapping

import optuna
from optuna.trial import FrozenTrial, TrialState
from optuna.trial import create_trial as make_trial

from automl.metrics import to_score
from automl.records import SearchRecord, TrialRecord
from automl.study.attributes import RECORD
from automl.study.journal import batched_writes
from automl.study.stored import set_score, set_system_attr, set_user_attr
from automl.study.study_overlay import overlay_study

__all__ = ["ResultWriter"]

_STATES = {
    "complete": TrialState.COMPLETE,
    "stopped": TrialState.PRUNED,  # Optuna has no such state; its sampler learns from the last score
    "pruned": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}


class ResultWriter:
    """Writes the results of trials to a study.

    Parameters
    ----------
    study : optuna.Study
        The study.
    search : SearchRecord
        The search; its objectives and their directions.
    """

    def __init__(self, study: optuna.Study, search: SearchRecord) -> None:
        self._study, self._search = study, search
        self._told, _ = overlay_study(study)

    @property
    def sampler_stopped(self) -> bool:
        """Whether the sampler has stopped the study after a result, as Optuna's exhaustive ones do."""
        return self._told.stopped

    def value(self, score: float) -> float:
        """Return a score in the direction of the first objective."""
        return to_score(score, self._search.directions[0])

    def write_scores(self, trials: Mapping[int, FrozenTrial], rung: int, scores: Mapping[int, float]) -> None:
        """Write the scores of trials at a rung."""
        with batched_writes(self._study):
            for number, score in scores.items():
                set_score(self._study, trials[number], rung, self.value(score))

    def write(self, trial: FrozenTrial, record: TrialRecord, *, with_curve: bool = False) -> None:
        """Write the result of a trial, and end it.

        Parameters
        ----------
        trial : FrozenTrial
            The trial, stored and running.
        record : TrialRecord
            Its result.
        with_curve : bool
            Whether to write the scores at rungs too: a duplicate reported none. A trial that ended between its folds
            did not report its last.
        """
        with batched_writes(self._study):
            if (with_curve or record.folds_left) and not self._search.several:
                for rung, score in zip(record.curve.rungs, record.curve.scores, strict=False):
                    set_score(self._study, trial, rung, self.value(score))
            if record.violation:
                # Optuna keeps constraints in system attributes; a trial made with constraints has them.
                template = make_trial(value=0.0, constraints=record.violation)
                for name, value in template.system_attrs.items():
                    set_system_attr(self._study, trial, name, value)
            set_user_attr(self._study, trial, RECORD, record.model_dump(mode="json"))
            self.finish(record)

    def finish(self, record: TrialRecord) -> None:
        """End a trial whose record is written already."""
        values: list[float] | None = None
        if record.outside:  # samplers and pruners would take it for a trial of the space
            self._told.tell(record.number, state=TrialState.FAIL)
            return
        if record.state == "complete" and record.score is not None:
            objectives = self._search.objectives
            several = self._search.several
            values = [record.values[name] for name in objectives] if several else [self.value(record.score)]
        self._told.tell(record.number, values, state=_STATES[record.state])
