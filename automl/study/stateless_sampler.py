"""Samplers and pruners without a state of their own: their answers follow from the study alone."""

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

__all__ = ["StatelessPruner", "StatelessSampler"]


class StatelessSampler(BaseSampler):
    """A sampler that is made for each trial from the seed of the search and the number of the trial.

    Proposals do not depend on earlier calls nor on the process, so a search that was killed resumes with the same
    proposals.

    Parameters
    ----------
    make : callable
        ``make(seed, trial_seed)`` returns a sampler; the first seed is the same for all trials.
    seed : int
        The seed of the search.
    uses_subset : bool
        Whether to show the sampler a subset of a long study, since it reads all trials at each call.
    """

    def __init__(
        self, make: Callable[[int, int], BaseSampler], seed: int, *, uses_subset: bool = False
    ) -> None:
        self._make, self._seed, self.uses_subset = make, seed, uses_subset
        self.inner = self._for(0)

    @override
    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        self.inner = self._for(trial.number)
        self.inner.before_trial(study, trial)

    @override
    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return self.inner.infer_relative_search_space(study, trial)

    @override
    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return self.inner.sample_relative(study, trial, search_space)

    @override
    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return self.inner.sample_independent(study, trial, param_name, param_distribution)

    @override
    def after_trial(
        self, study: Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        self.inner.after_trial(study, trial, state, values)

    def _for(self, number: int) -> BaseSampler:
        trial_seed = int(np.random.SeedSequence([self._seed, number]).generate_state(1)[0])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            return self._make(self._seed, trial_seed)


class StatelessPruner(BasePruner):
    """A pruner that decides each time as if it was called first.

    Parameters
    ----------
    pruner : BasePruner
        The pruner, not called yet.
    """

    def __init__(self, pruner: BasePruner) -> None:
        self.inner = pruner

    @override
    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        return deepcopy(self.inner).prune(study, trial)
