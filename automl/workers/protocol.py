"""The protocol between a search and the places where its cohorts run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from automl.records import TrialRecord
from automl.workers.evaluate import Cohort

__all__ = ["Crashed", "Event", "Finished", "RungReached", "Killed", "Workers"]


@dataclass(frozen=True)
class RungReached:
    """A cohort stands at a rung and waits for ``reply`` to be called with the numbers of trials to prune."""

    cohort: Cohort
    rung: int
    scores: dict[int, float]
    reply: Callable[[set[int]], None]


@dataclass(frozen=True)
class Finished:
    """A cohort has ended, with what became of its trials."""

    cohort: Cohort
    records: list[TrialRecord]


@dataclass(frozen=True)
class Crashed:
    """The place where a cohort ran is gone."""

    cohort: Cohort
    reason: str


@dataclass(frozen=True)
class Killed:
    """A cohort went beyond a limit, and its worker was killed for it; trained the same way again, it would again."""

    cohort: Cohort
    limit: Literal["trial_timeout", "memory_limit"]
    reason: str
    seconds: float  # that it trained


Event = RungReached | Finished | Crashed | Killed


class Workers(ABC):
    """Where cohorts run, side by side up to ``slots``.

    Everything that happens arrives as an event, of each cohort in the order in which it happened; the caller's
    thread alone decides what to do about it.

    Parameters
    ----------
    slots : int
        Cohorts that may run at the same time; the caller submits no more.
    """

    def __init__(self, slots: int) -> None:
        self.slots = slots

    def memory_per_worker(self) -> float:
        """Return the bytes that a cohort's worker may have; infinite without a limit."""
        return float("inf")

    @abstractmethod
    def submit(self, cohort: Cohort) -> None:
        """Start a cohort; returns at once."""

    @abstractmethod
    def next(self, timeout: float | None = None) -> Event | None:
        """Wait for the next event, ``timeout`` seconds at most; None where there was none."""

    @abstractmethod
    def close(self) -> None:
        """Stop whatever still runs, without waiting for its result."""
