"""The time and the trials that a search may use."""

from __future__ import annotations

import time
from collections.abc import Callable, Set

__all__ = ["Budget"]


class Budget:
    """Count the remaining time and trials.

    Parameters
    ----------
    timeout : float or None
        Seconds for the whole search, from now.
    n_trials : int or None
        Trials in total.
    clock : callable
        Returns seconds that only grow; tests pass their own.

    Attributes
    ----------
    proposed : set of int
        Numbers of the trials that this process has running, or whose results it has.
    elsewhere : set of int
        Numbers of the trials that other processes have running.
    """

    def __init__(
        self,
        timeout: float | None = None,
        n_trials: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.timeout, self.n_trials = timeout, n_trials
        self._clock, self._start = clock, clock()
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
        """Trials that any process may still propose; infinite without ``n_trials``."""
        if self.n_trials is None:
            return float("inf")
        return self.n_trials - len(self.proposed) - len(self.elsewhere - self.proposed)
