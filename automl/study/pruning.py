"""Reports of scores at rungs, and the pruner's decisions."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field

import optuna
from optuna.trial import FrozenTrial, TrialState

from automl.study.history import History, family_name
from automl.study.results import ResultWriter
from automl.study.study_overlay import overlay_study
from automl.study.trial_copies import as_complete

__all__ = ["CohortView", "RungReports"]

_MIN_COMPLETE = (
    5  # complete trials of a family from which on cohort-mates are not counted; Optuna's startup trials
)


@dataclass
class CohortView:
    """A running cohort as the pruner sees it.

    Parameters
    ----------
    sees : int or None
        Trials with lower numbers are visible to the pruner; None: all.
    trials : dict of int to FrozenTrial
        The trials of the cohort with the scores reported by this process.
    """

    sees: int | None
    trials: dict[int, FrozenTrial] = field(default_factory=dict)


class RungReports:
    """Takes the scores of cohorts at rungs and asks the pruner.

    The pruner sees trials of the same family only: scores of other families after as many steps do not compare. Until
    five trials of the family are complete at the rung, it also counts the cohort-mates at this rung as complete;
    otherwise the first cohort could never be pruned. Later they are too similar: of a good cohort half would be pruned.

    Its decision follows from the proposal of the cohort and the scores since it started. A cohort that was started
    before, by a process that was killed, gets the same decisions.

    Parameters
    ----------
    study : optuna.Study
        The study, with its pruner.
    history : History
        The ended trials.
    results : ResultWriter
        Writes the scores.
    """

    def __init__(self, study: optuna.Study, history: History, results: ResultWriter) -> None:
        self._pruner, self._history, self._results = study.pruner, history, results
        self._study, self._overlay = overlay_study(study)
        self._cohorts: dict[int, CohortView] = {}

    def start(self, cohort: CohortView) -> None:
        """Take in a cohort that starts, or one with more trials."""
        self._cohorts |= dict.fromkeys(cohort.trials, cohort)

    def end(self, number: int) -> None:
        """Forget a trial that has ended."""
        self._cohorts.pop(number, None)

    def sees(self, number: int) -> int | None:
        """Return the number below which trials are compared with the cohort of a running trial; None for all."""
        return self._cohorts[number].sees if number in self._cohorts else None

    def report(self, rung: int, scores: Mapping[int, float]) -> set[int]:
        """Report the scores of a cohort at a rung; return the numbers of the trials to prune."""
        cohort = self._cohorts[next(iter(scores))]
        for number, score in scores.items():
            trial = cohort.trials[number]
            before = {step: value for step, value in trial.intermediate_values.items() if step < rung}
            trial.intermediate_values = {**before, rung: self._results.value(score)}
        self._results.write_scores(cohort.trials, rung, scores)
        few = self._select_visible(cohort, rung) < _MIN_COMPLETE
        pruned = set()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # Wilcoxon's, about trials with other rungs
            for number in scores:
                mates = {n: as_complete(cohort.trials[n], rung) for n in scores if few and n != number}
                self._overlay.overlay = cohort.trials | mates
                if self._pruner.prune(self._study, cohort.trials[number]):
                    pruned.add(number)
                cohort.trials[number] = self._overlay.overlay[number]
        return pruned

    def _select_visible(self, cohort: CohortView, rung: int) -> int:
        """Show the pruner the trials to compare with; return how many are complete and have this rung."""
        family = family_name(next(iter(cohort.trials.values())).params)
        cohorts = self._cohorts.values() if cohort.sees is None else ()
        others = [trial for one in cohorts if one is not cohort for trial in one.trials.values()]
        running = [trial for trial in others if family_name(trial.params) == family]
        visible = [*running, *self._history.for_pruner(family, cohort.sees)]
        self._overlay.subset = visible
        complete = (trial for trial in visible if trial.state == TrialState.COMPLETE)
        return sum(rung in trial.intermediate_values for trial in complete)
