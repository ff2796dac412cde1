"""What a sampler and a pruner are shown of a study: all of a short one, a well-chosen part of a long one."""

from __future__ import annotations

import hashlib
from bisect import insort
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Any

from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from automl.study.study_overlay import as_proposed, in_terms_of

__all__ = ["COHORT", "FORK", "History", "cohort_of", "family", "leader_of"]

COHORT = "cohort"  # attribute of a trial: of a leader all there is to know of its cohort, of others the leader's number
FORK = "model"  # the parameter that says which family; what else is asked for follows from it

# Of the trials that a sampler is shown, these are the best. TPE takes no more than 25 for good ones (Optuna's default),
# so it has the same good ones as if it saw all, and learns from a sample alone what the others are like.
_BEST = 25
_NEWEST = 75
_SHOWN = 250
_COMPARED = 250  # trials of a family and of each state that a pruner compares with
_ENOUGH = (
    10  # trials of a family, before its own past says more than everybody's: what TPE wants before it begins
)
_STATES = (TrialState.COMPLETE, TrialState.PRUNED)


class History:
    """The trials of a study: those that ended with something to learn from, and those at work.

    What is shown follows from the trials that are known, the seed and nothing else: the best of them, the newest, and a
    sample of the rest, in which a trial's place is drawn by its number once and for all. So proposing and judging take
    the same time however long a study is.

    Parameters
    ----------
    seed : int
        The search's seed.
    directions : sequence of optuna.study.StudyDirection
        The study's.
    rewritten : mapping of int to FrozenTrial
        Trials by number that are to be shown otherwise than they are stored.

    Attributes
    ----------
    known : int
        Trials that were taken in, whatever became of them: the number of the next.
    rewritten : dict of int to FrozenTrial
        Those of the parameter, as they are now.
    """

    def __init__(
        self,
        seed: int,
        directions: Sequence[StudyDirection],
        rewritten: Mapping[int, FrozenTrial] | None = None,
    ) -> None:
        self.known = 0
        self.rewritten = dict(rewritten or {})
        self._at_work: dict[int, FrozenTrial] = {}
        self._seed = seed
        self._signs = [-1.0 if way == StudyDirection.MAXIMIZE else 1.0 for way in directions]
        self._trials: dict[int, FrozenTrial] = {}
        self._all = _Ranking(len(directions))
        self._families: dict[str, _Ranking] = defaultdict(lambda: _Ranking(len(directions)))
        self._drawn: dict[tuple[str, TrialState], list[tuple[int, int]]] = defaultdict(list)

    def take(self, trials: Sequence[FrozenTrial]) -> None:
        """Take in what is new in a study, of all its trials."""
        for number in [*self._at_work, *range(self.known, len(trials))]:
            self.add(trials[number])

    def add(self, trial: FrozenTrial) -> None:
        """Take in a trial as it is now."""
        self.known = max(self.known, trial.number + 1)
        if trial.number in self.rewritten:
            trial = in_terms_of(self.rewritten[trial.number], trial)
            self.rewritten[trial.number] = trial
        if not trial.state.is_finished():
            self._at_work.setdefault(trial.number, as_proposed(trial))
            return
        self._at_work.pop(trial.number, None)
        if trial.state not in _STATES or trial.number in self._trials:
            return
        self._trials[trial.number] = trial
        keys, place = _keys(trial, self._signs), _place(self._seed, trial.number)
        own = family(trial.params)
        for ranking in (self._all, self._families[own]):
            ranking.add(trial.number, keys, place)
        insort(self._drawn[own, trial.state], (place, trial.number))

    def shown(self, family: str = "", leads: bool = False) -> list[FrozenTrial]:
        """Return the trials to propose from; those of one family alone where that has enough of them.

        Those at work are among them, with no more than they were proposed with.

        Parameters
        ----------
        family : str
            Whose trials are wanted most; empty for all.
        leads : bool
            Whether it is a cohort's leader that is to be proposed. To it a cohort counts once, by the
            best of its trials: a structure was tried once, however many trials shared it.
        """
        ranking = self._families[family]
        if not family or len(ranking) < _ENOUGH:
            ranking = self._all
        at_work = self._at_work.values()
        if not leads:
            return [*self._frozen(ranking.part()), *at_work]
        firsts: dict[int, int] = {}
        for _, number in ranking.best:
            firsts.setdefault(leader_of(self._trials[number]), number)
        return [
            *self._frozen(ranking.part(set(firsts.values()))),
            *(trial for trial in at_work if leader_of(trial) == trial.number),
        ]

    def compared(self, family: str = "", below: int | None = None) -> list[FrozenTrial]:
        """Return the ended trials of a family to judge by: some of each state, and the best.

        Only those with numbers below ``below`` are seen, if that is given.
        """
        orders: list[tuple[Sequence[tuple[Any, int]], int]] = [(self._families[family].best, 1)]
        orders += [(self._drawn[family, state], _COMPARED) for state in _STATES]
        numbers: set[int] = set()
        for order, most in orders:
            numbers.update(_first((n for _, n in order if below is None or n < below), most))
        return self._frozen(numbers)

    def _frozen(self, numbers: Iterable[int]) -> list[FrozenTrial]:
        return [self._trials[number] for number in sorted(numbers)]


def family(params: Mapping[str, Any]) -> str:
    """Return the family that a trial is of; empty in a space that has but one.

    One that is more likely than others stands under several names for Optuna.

    Examples
    --------
    >>> family({"model": "linear (2)"})
    'linear'
    """
    return str(params.get(FORK, "")).partition(" (")[0]


def cohort_of(trial: FrozenTrial) -> dict[str, Any]:
    """Return what a trial knows of its cohort; nothing in studies of older versions."""
    known: dict[str, Any] = trial.user_attrs.get(COHORT, {})
    return known


def leader_of(trial: FrozenTrial) -> int:
    """Return the number of the trial that leads a trial's cohort; its own if it leads, or trains alone."""
    return int(cohort_of(trial).get("leader", trial.number))


class _Ranking:
    """Numbers of trials in three orders: from the best, from the oldest, and as they are drawn."""

    def __init__(self, n_objectives: int) -> None:
        self._bests: list[list[tuple[tuple[float, ...], int]]] = [[] for _ in range(n_objectives)]
        self._numbers: list[int] = []
        self._drawn: list[tuple[int, int]] = []

    def __len__(self) -> int:
        return len(self._numbers)

    def add(self, number: int, keys: Sequence[tuple[float, ...]], place: int) -> None:
        for best, key in zip(self._bests, keys, strict=True):
            insort(best, (key, number))
        insort(self._numbers, number)
        insort(self._drawn, (place, number))

    @property
    def best(self) -> list[tuple[tuple[float, ...], int]]:
        """Their numbers, best first by the first objective."""
        return self._bests[0]

    def part(self, of: Container[int] | None = None) -> set[int]:
        """Return the best by each objective, the newest, and as many others as there is room for; of some or of all."""

        def those(numbers: Iterable[int]) -> Iterator[int]:
            return (number for number in numbers if of is None or number in of)

        share = _BEST // len(self._bests)
        chosen = {n for best in self._bests for n in _first(those(number for _, number in best), share)}
        chosen.update(_first(those(reversed(self._numbers)), _NEWEST))
        others = those(number for _, number in self._drawn if number not in chosen)
        return chosen.union(_first(others, _SHOWN - len(chosen)))


def _first(numbers: Iterator[int], n: int) -> list[int]:
    return [number for number, _ in zip(numbers, range(n), strict=False)]


def _keys(trial: FrozenTrial, signs: Sequence[float]) -> list[tuple[float, ...]]:
    """Return a key for each objective by which trials stand in the order in which TPE calls them good.

    Those within all constraints first; complete ones by their value, then pruned ones: who came further, then by value.
    """
    broken = sum(excess for excess in trial.constraints.values() if excess > 0)
    if broken:
        return [(2.0, broken)] * len(signs)
    if trial.state == TrialState.COMPLETE:
        return [(0.0, sign * value) for sign, value in zip(signs, trial.values, strict=True)]
    if not trial.intermediate_values:
        return [(1.0, 1.0, 0.0)] * len(signs)
    step, value = max(trial.intermediate_values.items())
    value = float("inf") if value != value else signs[0] * value
    return [(1.0, -float(step), value)] * len(signs)


def _place(seed: int, number: int) -> int:
    """Return where a trial stands in the order in which trials are drawn."""
    return int.from_bytes(hashlib.blake2b(f"{seed} {number}".encode(), digest_size=8).digest(), "big")
