"""State of a Ray actor that trains cohorts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from automl.workers.cohort import Cohort

__all__ = ["RayWorker"]


@dataclass(eq=False)
class RayWorker:
    """An actor, its cohort, and the reference of the message that it sends next."""

    actor: Any
    awaited: Any
    node: str = ""  # empty until it runs
    cohort: Cohort | None = None
    training_since: float = float("inf")

    @property
    def idle(self) -> bool:
        """Whether it waits for a cohort."""
        return bool(self.node) and self.cohort is None

    @property
    def limit(self) -> float:
        """When the cohort must have ended."""
        return float("inf") if self.cohort is None else self.training_since + self.cohort.most_seconds
