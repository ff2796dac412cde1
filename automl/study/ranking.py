"""Orders of trial numbers, and the subset of a long study that a sampler sees."""

from __future__ import annotations

import hashlib
from bisect import insort
from collections.abc import Container, Iterable, Iterator, Sequence

from optuna.trial import FrozenTrial, TrialState

__all__ = ["Ranking", "first", "random_rank", "sort_keys"]

# TPE takes at most 25 trials as good ones (Optuna's default), so with the 25 best in the subset it has the same good
# trials as with all, and estimates the density of the others from a sample.
_N_BEST = 25
_N_NEWEST = 75
_SUBSET = 250


class Ranking:
    """Trial numbers in three orders: best first, oldest first, and shuffled.

    Parameters
    ----------
    n_objectives : int
        Number of objectives; each has an order of its own.
    """

    def __init__(self, n_objectives: int) -> None:
        self._by_objective: list[list[tuple[tuple[float, ...], int]]] = [[] for _ in range(n_objectives)]
        self._numbers: list[int] = []
        self._shuffled: list[tuple[int, int]] = []

    def __len__(self) -> int:
        return len(self._numbers)

    def add(self, number: int, keys: Sequence[tuple[float, ...]], rank: int) -> None:
        """Insert a trial, with its sort key for each objective and its random rank."""
        for order, key in zip(self._by_objective, keys, strict=True):
            insort(order, (key, number))
        insort(self._numbers, number)
        insort(self._shuffled, (rank, number))

    @property
    def best(self) -> list[tuple[tuple[float, ...], int]]:
        """Sort keys and numbers, best first by the first objective."""
        return self._by_objective[0]

    def subset(self, among: Container[int] | None = None) -> set[int]:
        """Return the best by each objective, the newest, and a sample of the others, up to 250 trials.

        With ``among`` only these numbers are taken.
        """

        def taken(numbers: Iterable[int]) -> Iterator[int]:
            return (number for number in numbers if among is None or number in among)

        share = _N_BEST // len(self._by_objective)
        orders = self._by_objective
        chosen = {n for order in orders for n in first(taken(number for _, number in order), share)}
        chosen.update(first(taken(reversed(self._numbers)), _N_NEWEST))
        others = taken(number for _, number in self._shuffled if number not in chosen)
        return chosen.union(first(others, _SUBSET - len(chosen)))


def first(numbers: Iterator[int], n: int) -> list[int]:
    """Return the first ``n`` numbers."""
    return [number for number, _ in zip(numbers, range(n), strict=False)]


def sort_keys(trial: FrozenTrial, signs: Sequence[float]) -> list[tuple[float, ...]]:
    """Return a sort key for each objective; the order is that in which TPE selects good trials.

    Trials within all constraints come first, the complete ones by value, then the pruned ones by their last step and
    the value there; trials beyond a constraint come last, by the total violation.
    """
    violation = sum(excess for excess in trial.constraints.values() if excess > 0)
    if violation:
        return [(2.0, violation)] * len(signs)
    if trial.state == TrialState.COMPLETE:
        return [(0.0, sign * value) for sign, value in zip(signs, trial.values, strict=True)]
    if not trial.intermediate_values:
        return [(1.0, 1.0, 0.0)] * len(signs)
    step, value = max(trial.intermediate_values.items())
    value = float("inf") if value != value else signs[0] * value
    return [(1.0, -float(step), value)] * len(signs)


def random_rank(seed: int, number: int) -> int:
    """Return the rank of a trial in the shuffled order."""
    return int.from_bytes(hashlib.blake2b(f"{seed} {number}".encode(), digest_size=8).digest(), "big")
