"""Time and trials: what may still start, and what the end of the search needs."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["Budget"]


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
    """

    def __init__(
        self,
        timeout: float | None = None,
        n_trials: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.timeout, self.n_trials = timeout, n_trials
        self._clock, self._start = clock, clock()
        self._rates: dict[str, float] = {}
        self.proposed = 0

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
        """Trials that may still be proposed; infinite without a limit."""
        return float("inf") if self.n_trials is None else self.n_trials - self.proposed

    def observe(self, family: str, work: float, seconds: float) -> None:
        """Learn what a family's unit of work costs; the dearest of what was seen lately counts."""
        if work > 0:
            rate = seconds / work
            self._rates[family] = max(rate, 0.7 * self._rates.get(family, 0.0))

    def estimate(self, family: str, work: float, guess: float = 0.0) -> float:
        """Return the seconds that ``work`` of a family will take; ``guess`` a unit before any was measured."""
        return self._rates.get(family, guess) * work
