"""Trials that are not yet in the study: a sampler draws one to its end, and only then the study gets it, whole."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import optuna
from optuna.samplers import BaseSampler, PartialFixedSampler
from optuna.trial import FrozenTrial, TrialState

from automl.space import Space
from automl.study.views import DRAFT, view

__all__ = ["Drafts"]


class Drafts:
    """What comes next in a study.

    A trial comes into the study in one piece, with everything it was drawn with. A process that is killed while
    it draws leaves nothing behind, and other processes never see a trial by halves. Nor does Optuna compare what a
    parameter may be with what it could be in trials of long ago, so a space may gain choices.

    Parameters
    ----------
    study : optuna.Study
        The study.
    space : Space
        What may be drawn.
    old : mapping of int to FrozenTrial
        Trials of an older space, as this one would have drawn them.
    """

    def __init__(self, study: optuna.Study, space: Space, old: Mapping[int, FrozenTrial]) -> None:
        self._study, self._space, self._old, self._sampler = study, space, old, study.sampler
        self._seen, self._view = view(study)

    def draw(self, fixed: Mapping[str, Any]) -> tuple[FrozenTrial, dict[str, Any]]:
        """Return what the sampler draws where these values are given: a trial, and its configuration."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            sampler: BaseSampler = PartialFixedSampler(dict(fixed), self._sampler) if fixed else self._sampler
        self._seen.sampler = sampler
        self._view.shown = dict(self._old)
        configuration = self._space.suggest(self._seen.ask())
        return self._view.get_trial(DRAFT), configuration

    def keep(
        self, draft: FrozenTrial, attributes: Mapping[str, Any], state: TrialState = TrialState.RUNNING
    ) -> FrozenTrial:
        """Write a draft into the study and return the trial it has become."""
        draft.state, draft.datetime_start = state, datetime.now()
        draft.datetime_complete = draft.datetime_start if state.is_finished() else None
        draft.user_attrs = {**draft.user_attrs, **attributes}
        storage = self._study._storage
        return storage.get_trial(storage.create_new_trial(self._study._study_id, draft))
