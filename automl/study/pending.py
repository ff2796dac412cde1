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
from automl.study.history import FORK, History, family
from automl.study.stateless_sampler import Afresh
from automl.study.study_overlay import DRAFT, View, empty, view

__all__ = ["Drafts"]

_FORKS = 2**32  # added to a trial's number, so that its family is drawn with random numbers of their own


class Drafts:
    """What comes next in a study.

    A trial comes into the study in one piece, with everything it was drawn with. A process that is killed while
    it draws leaves nothing behind, and other processes never see a trial by halves. Nor does Optuna compare what a
    parameter may be with what it could be in trials of long ago, so a space may gain choices.

    A sampler by its name that looks at all there is whenever it is asked (TPE, the Gaussian process) is shown a part
    of a long history. It is asked for the family first, by what is known of all of them, and then for the rest, by what
    is known of that family.

    Parameters
    ----------
    study : optuna.Study
        The study.
    space : Space
        What may be drawn.
    history : History
        What is known of its trials.
    """

    def __init__(self, study: optuna.Study, space: Space, history: History) -> None:
        self._study, self._space, self._history, self._sampler = study, space, history, study.sampler
        self._in_part = isinstance(study.sampler, Afresh) and study.sampler.in_part
        self._forks = self._in_part and len(space.size().dimensions) > 1

    def draw(self, fixed: Mapping[str, Any], *, leads: bool = True) -> tuple[FrozenTrial, dict[str, Any]]:
        """Return what the sampler draws where these values are given: a trial, and its configuration."""
        if self._forks and FORK not in fixed:
            fixed = {**self._fork(), **fixed}
        seen, shown = self._view(family(fixed), leads=leads)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            sampler: BaseSampler = PartialFixedSampler(dict(fixed), self._sampler) if fixed else self._sampler
        seen.sampler = sampler
        configuration = self._space.suggest(seen.ask())
        return shown.get_trial(DRAFT), configuration

    def _view(self, family: str = "", *, leads: bool = True) -> tuple[optuna.Study, View]:
        """Return the study as the sampler is to see it. A new one each time: Optuna's remembers what it has shown."""
        seen, shown = view(self._study)
        shown.next = self._history.known
        if self._in_part:
            shown.part = self._history.shown(family, leads)
        else:
            shown.shown = dict(self._history.rewritten)
        return seen, shown

    def _fork(self) -> dict[str, Any]:
        """Return the family to try next; nothing where it is too early to tell."""
        seen, _ = self._view()
        probe = empty(self._history.known + _FORKS)
        self._sampler.before_trial(seen, probe)
        asked = self._sampler.infer_relative_search_space(seen, probe)
        if FORK not in asked:
            return {}
        return self._sampler.sample_relative(seen, probe, {FORK: asked[FORK]})

    def keep(
        self, draft: FrozenTrial, attributes: Mapping[str, Any], state: TrialState = TrialState.RUNNING
    ) -> FrozenTrial:
        """Write a draft into the study and return the trial it has become."""
        draft.state, draft.datetime_start = state, datetime.now()
        draft.datetime_complete = draft.datetime_start if state.is_finished() else None
        draft.user_attrs = {**draft.user_attrs, **attributes}
        storage = self._study._storage
        kept = storage.get_trial(storage.create_new_trial(self._study._study_id, draft))
        self._history.add(kept)
        return kept
