"""Samplers and pruners of Optuna without a memory of their own: what they say follows from the study alone."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import numpy as np
from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState
from typing_extensions import override

__all__ = ["Afresh", "AfreshPruner"]


class Afresh(BaseSampler):
    """A sampler made anew for every trial, from the search's seed and the trial's number.

    So what is proposed does not depend on how often a sampler was asked before, nor by which process: a search that
    was killed goes on with the proposals it would have made.

    Parameters
    ----------
    make : callable
        ``make(seed, trial_seed)``: a sampler; the first seed is the same for all trials.
    seed : int
        The search's seed.
    in_part : bool
        Whether it is to be shown a part of a long study alone: it looks at everything whenever it is asked.
    """

    def __init__(self, make: Callable[[int, int], BaseSampler], seed: int, *, in_part: bool = False) -> None:
        self._make, self._seed, self.in_part = make, seed, in_part
        self.made = self._for(0)

    @override
    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        self.made = self._for(trial.number)
        self.made.before_trial(study, trial)

    @override
    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return self.made.infer_relative_search_space(study, trial)

    @override
    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return self.made.sample_relative(study, trial, search_space)

    @override
    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return self.made.sample_independent(study, trial, param_name, param_distribution)

    @override
    def after_trial(
        self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        self.made.after_trial(study, trial, state, values)

    def _for(self, number: int) -> BaseSampler:
        trial_seed = int(np.random.SeedSequence([self._seed, number]).generate_state(1)[0])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            return self._make(self._seed, trial_seed)


class AfreshPruner(BasePruner):
    """A pruner that is as new whenever it is asked.

    Parameters
    ----------
    pruner : BasePruner
        The pruner, before it was ever asked.
    """

    def __init__(self, pruner: BasePruner) -> None:
        self.made = pruner

    @override
    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        return deepcopy(self.made).prune(study, trial)
