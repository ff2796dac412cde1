"""The trials that samplers and pruners see: all of a short study, a chosen subset of a long one."""

from __future__ import annotations

from bisect import insort
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from automl.space import FAMILY_PARAM
from automl.study.attributes import leader_of
from automl.study.ranking import Ranking, first, random_rank, sort_keys
from automl.study.trial_copies import as_proposed, reencoded

__all__ = ["History", "family_name"]


_MAX_COMPARED = 250  # trials of each family and state that a pruner compares with
_MIN_OWN = 10  # trials of a family from which on it is proposed from its own trials; TPE's startup trials
_INFORMATIVE = (TrialState.COMPLETE, TrialState.PRUNED)


class History:
    """The trials of a study that have ended with a result, and those that run.

    The selection follows from the known trials and the seed alone: the best, the newest, and a sample of the others,
    in which the rank of a trial is drawn once, by its number. So proposing and pruning take the same time in a
    study of any length.

    Parameters
    ----------
    seed : int
        The seed of the search.
    directions : sequence of optuna.study.StudyDirection
        The directions of the study.
    reencoded : mapping of int to FrozenTrial
        Trials by number that are shown with other parameters than the stored ones.

    Attributes
    ----------
    n_known : int
        Number of trials taken in, in any state: the number of the next trial.
    reencoded : dict of int to FrozenTrial
        Those of the parameter, up to date.
    """

    def __init__(
        self,
        seed: int,
        directions: Sequence[StudyDirection],
        reencoded: Mapping[int, FrozenTrial] | None = None,
    ) -> None:
        self.n_known = 0
        self.reencoded = dict(reencoded or {})
        self._running: dict[int, FrozenTrial] = {}
        self._seed = seed
        self._signs = [-1.0 if one == StudyDirection.MAXIMIZE else 1.0 for one in directions]
        self._trials: dict[int, FrozenTrial] = {}
        self._all = Ranking(len(directions))
        self._families: dict[str, Ranking] = defaultdict(lambda: Ranking(len(directions)))
        self._shuffled: dict[tuple[str, TrialState], list[tuple[int, int]]] = defaultdict(list)

    def update(self, trials: Sequence[FrozenTrial]) -> None:
        """Take in the changes of a study, given all its trials."""
        for number in [*self._running, *range(self.n_known, len(trials))]:
            self.add(trials[number])

    def add(self, trial: FrozenTrial) -> None:
        """Take in a trial in its current state."""
        self.n_known = max(self.n_known, trial.number + 1)
        if trial.number in self.reencoded:
            trial = reencoded(trial, self.reencoded[trial.number])
            self.reencoded[trial.number] = trial
        if not trial.state.is_finished():
            self._running.setdefault(trial.number, as_proposed(trial))
            return
        self._running.pop(trial.number, None)
        if trial.state not in _INFORMATIVE or trial.number in self._trials:
            return
        self._trials[trial.number] = trial
        keys, rank = sort_keys(trial, self._signs), random_rank(self._seed, trial.number)
        family = family_name(trial.params)
        for ranking in (self._all, self._families[family]):
            ranking.add(trial.number, keys, rank)
        insort(self._shuffled[family, trial.state], (rank, trial.number))

    def for_sampler(self, family: str = "", leaders: bool = False) -> list[FrozenTrial]:
        """Return the trials to propose from; of one family alone if it has enough.

        Running trials are included, as they were proposed.

        Parameters
        ----------
        family : str
            The family to propose for; empty for all.
        leaders : bool
            Whether the next leader of a cohort is proposed. Each cohort is then represented by its best trial: its
            structure was tried once, however many trials share it.
        """
        ranking = self._families[family]
        if not family or len(ranking) < _MIN_OWN:
            ranking = self._all
        running = self._running.values()
        if not leaders:
            return [*self._sorted(ranking.subset()), *running]
        best_of_cohort: dict[int, int] = {}
        for _, number in ranking.best:
            best_of_cohort.setdefault(leader_of(self._trials[number]), number)
        return [
            *self._sorted(ranking.subset(set(best_of_cohort.values()))),
            *(trial for trial in running if leader_of(trial) == trial.number),
        ]

    def for_pruner(self, family: str = "", below: int | None = None) -> list[FrozenTrial]:
        """Return the ended trials of a family to compare with: a sample of each state, and the best.

        Only trials with numbers below ``below`` are included, if it is given.
        """
        orders: list[tuple[Sequence[tuple[Any, int]], int]] = [(self._families[family].best, 1)]
        orders += [(self._shuffled[family, state], _MAX_COMPARED) for state in _INFORMATIVE]
        numbers: set[int] = set()
        for order, most in orders:
            numbers.update(first((n for _, n in order if below is None or n < below), most))
        return self._sorted(numbers)

    def _sorted(self, numbers: Iterable[int]) -> list[FrozenTrial]:
        return [self._trials[number] for number in sorted(numbers)]


def family_name(params: Mapping[str, Any]) -> str:
    """Return the family of a trial from Optuna's parameters; empty in a space with one family.

    A family with a higher prior probability has several numbered choices.

    Examples
    --------
    >>> family_name({"model": "linear (2)"})
    'linear'
    """
    return str(params.get(FAMILY_PARAM, "")).partition(" (")[0]
