"""Drafts of trials: a sampler draws all parameters before the study gets the trial."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import optuna
from optuna.samplers import BaseSampler, PartialFixedSampler
from optuna.trial import FrozenTrial, TrialState

from automl.space import FAMILY_PARAM, Space
from automl.study.history import History, family_name
from automl.study.stateless_sampler import StatelessSampler
from automl.study.stored import create_trial
from automl.study.study_overlay import OverlayStorage, OverlayStudy, overlay_study
from automl.study.trial_copies import PENDING_ID, empty_trial

__all__ = ["PendingTrials"]

_FAMILY_DRAW = 2**32  # added to the number of a trial, so that its family has random numbers of its own
_ATTEMPT = 2**33  # the same for each further attempt to draw a trial


class PendingTrials:
    """Draws trials, and stores each in one write.

    A process that is killed while it draws leaves nothing behind, and other processes never see half a trial. Optuna
    does not compare the distributions with those of old trials, so a space may gain choices.

    A sampler that reads all trials at each call (TPE, the Gaussian process) sees a subset of a long study. It draws the
    family first, from trials of all families, then the rest, from trials of that family.

    Parameters
    ----------
    study : optuna.Study
        The study.
    space : Space
        The search space.
    history : History
        The trials that the sampler sees.
    """

    def __init__(self, study: optuna.Study, space: Space, history: History) -> None:
        self._study, self._space, self._history, self._sampler = study, space, history, study.sampler
        self._uses_subset = isinstance(study.sampler, StatelessSampler) and study.sampler.uses_subset
        self._family_first = self._uses_subset and len(space.size().dimensions) > 1

    def draw(
        self, fixed: Mapping[str, Any], *, leader: bool = True, attempt: int = 0
    ) -> tuple[FrozenTrial, dict[str, Any]]:
        """Return a draft with some parameters fixed and the others drawn, and its configuration.

        Each ``attempt`` at the same trial has other random numbers.
        """
        number = self._history.n_known + attempt * _ATTEMPT
        if self._family_first and FAMILY_PARAM not in fixed:
            fixed = {**self._drawn_family(number), **fixed}
        study, storage = self._overlay(number, family_name(fixed), leaders=leader)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            sampler: BaseSampler = PartialFixedSampler(dict(fixed), self._sampler) if fixed else self._sampler
        study.sampler = sampler
        configuration = self._space.suggest(study.ask())
        draft = storage.get_trial(PENDING_ID)
        draft.number = self._history.n_known
        return draft, configuration

    def _overlay(
        self, number: int, family: str = "", *, leaders: bool = True
    ) -> tuple[OverlayStudy, OverlayStorage]:
        """Return the study as the sampler sees it; a new one each time, since Optuna caches its trials."""
        study, storage = overlay_study(self._study)
        storage.next_number = number
        if self._uses_subset:
            storage.subset = self._history.for_sampler(family, leaders)
        else:
            storage.overlay = dict(self._history.reencoded)
        return study, storage

    def _drawn_family(self, number: int) -> dict[str, Any]:
        """Return the family that the sampler draws; empty while it has too few trials to choose by."""
        study, _ = self._overlay(number)
        trial = empty_trial(number + _FAMILY_DRAW)
        self._sampler.before_trial(study, trial)
        distributions = self._sampler.infer_relative_search_space(study, trial)
        if FAMILY_PARAM not in distributions:
            return {}
        return self._sampler.sample_relative(study, trial, {FAMILY_PARAM: distributions[FAMILY_PARAM]})

    def commit(
        self, draft: FrozenTrial, attributes: Mapping[str, Any], state: TrialState = TrialState.RUNNING
    ) -> FrozenTrial:
        """Store a draft with its attributes, and return the stored trial."""
        draft.state, draft.datetime_start = state, datetime.now()
        draft.datetime_complete = draft.datetime_start if state.is_finished() else None
        draft.user_attrs = {**draft.user_attrs, **attributes}
        trial = create_trial(self._study, draft)
        self._history.add(trial)
        return trial
