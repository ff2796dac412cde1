"""The protocol between a search and its workers: one abstract class and four events."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from automl.records import TrialRecord
from automl.workers.cohort import Cohort

__all__ = ["Crashed", "Event", "Finished", "Killed", "RungReached", "Workers"]


@dataclass(frozen=True)
class RungReached:
    """A cohort waits at a rung until ``reply`` is called with the numbers of the trials to prune.

    ``seconds`` is the time of its fits so far; 0 if unknown.
    """

    cohort: Cohort
    rung: int
    scores: dict[int, float]
    reply: Callable[[set[int]], None]
    seconds: float = 0.0


@dataclass(frozen=True)
class Finished:
    """A cohort has ended; one record per trial."""

    cohort: Cohort
    records: list[TrialRecord]


@dataclass(frozen=True)
class Crashed:
    """The worker of a cohort raised or died."""

    cohort: Cohort
    reason: str


@dataclass(frozen=True)
class Killed:
    """A cohort exceeded a limit and its worker was killed; the same training would exceed it again."""

    cohort: Cohort
    limit: Literal["trial_timeout", "memory_limit"]
    reason: str
    seconds: float  # of training


Event = RungReached | Finished | Crashed | Killed


class Workers(ABC):
    """Run up to ``slots`` cohorts at the same time.

    The workers send events, for each cohort in order; the caller's thread alone reacts to them.

    Parameters
    ----------
    slots : int
        Cohorts that run at the same time; the caller submits no more.
    """

    def __init__(self, slots: int) -> None:
        self.slots = slots

    def memory_per_worker(self) -> float:
        """Return the bytes that each worker may use; infinite without a limit."""
        return float("inf")

    @property
    def n_fits(self) -> int:
        """Fits to all rows at the same time, at the end of a search; they run in the search process."""
        return self.slots

    @property
    def place(self) -> str:
        """Where cohorts run, to be shown with the progress; empty for this machine."""
        return ""

    @abstractmethod
    def submit(self, cohort: Cohort) -> None:
        """Start a cohort; returns at once."""

    @abstractmethod
    def next(self, timeout: float | None = None) -> Event | None:
        """Wait for the next event, at most ``timeout`` seconds; None if there was none."""

    def stop(self) -> bool:
        """Ask all cohorts to end with the scores they have, and return whether `next` will return their results.

        No cohort may be submitted after it, and events `RungReached` need no reply.
        """
        return False

    @abstractmethod
    def close(self) -> None:
        """Stop all cohorts without waiting for their results."""
