"""Time and trials: what may still start, and what the end of the search needs."""

from __future__ import annotations

import time
from collections.abc import Callable, Set

__all__ = ["Budget"]

_MEMORY = 0.8  # how much an observation counts once another has come


class Budget:
    """What is left of a search's time and trials, and what things cost.

    Parameters
    ----------
    timeout : float or None
        Seconds for everything, from now.
    n_trials : int or None
        Trials in all.
    clock : callable
        Seconds, growing; tests hand in their own.

    Attributes
    ----------
    proposed, elsewhere : set of int
        Numbers of the trials that this process knows the end of or has at work, and of those that others have.
    """

    def __init__(
        self,
        timeout: float | None = None,
        n_trials: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.timeout, self.n_trials = timeout, n_trials
        self._clock, self._start = clock, clock()
        self._spent: dict[str, tuple[float, float]] = {}
        self.proposed: set[int] = set()
        self.elsewhere: Set[int] = frozenset()

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._start

    @property
    def remaining(self) -> float:
        """Seconds left; infinite without a timeout."""
        return float("inf") if self.timeout is None else self.timeout - self.elapsed

    @property
    def trials_left(self) -> float:
        """Trials that may still be proposed, here or by other processes; infinite without a limit."""
        if self.n_trials is None:
            return float("inf")
        return self.n_trials - len(self.proposed) - len(self.elsewhere - self.proposed)

    def observe(self, family: str, work: float, seconds: float) -> None:
        """Learn what a family's unit of work costs: large pieces of work count for more, and late ones."""
        if work > 0:
            before, took = self._spent.get(family, (0.0, 0.0))
            self._spent[family] = work + _MEMORY * before, seconds + _MEMORY * took

    def knows(self, family: str) -> bool:
        """Return whether anything of a family was measured."""
        return family in self._spent

    def estimate(self, family: str, work: float, guess: float = 0.0) -> float:
        """Return the seconds that ``work`` of a family will take; ``guess`` a unit before any was measured."""
        done, took = self._spent.get(family, (1.0, guess))
        return took / done * work
