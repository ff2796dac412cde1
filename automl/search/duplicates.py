"""Trials with equal configurations: one is trained, the others take over its result."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from automl.records import TrialRecord, TrialSpec
from automl.search.cohort_run import CohortRun
from automl.workers import Cohort

__all__ = ["Duplicates"]


class Duplicates:
    """Trials that wait for the result of a running trial with the same configuration."""

    def __init__(self) -> None:
        self._waiting: dict[int, list[TrialSpec]] = {}  # number of the running trial -> its duplicates

    def sort_out(
        self,
        specs: Sequence[TrialSpec],
        duplicate_of: Callable[[int], int | None],
        ended: Mapping[int, TrialRecord],
    ) -> tuple[list[TrialSpec], list[TrialRecord]]:
        """Return the trials to train, and results of those whose configuration has been trained.

        Parameters
        ----------
        specs : sequence of TrialSpec
            The proposed trials.
        duplicate_of : callable
            Returns the number of an earlier trial with the same configuration, or None.
        ended : mapping of int to TrialRecord
            The trials that have ended, by number.
        """
        new, known = [], []
        for spec in specs:
            first = duplicate_of(spec.number)
            if first is None:
                new.append(spec)
            elif first in ended:
                known.append(ended[first].repeated(spec))
            else:
                self._waiting.setdefault(first, []).append(spec)
        return new, known

    def results_from(self, record: TrialRecord) -> Iterator[TrialRecord]:
        """Yield results for the trials that waited for this one."""
        for spec in self._waiting.pop(record.number, ()):
            yield record.repeated(spec)

    def unresolved(self) -> list[CohortRun]:
        """Return the trials that still wait, because another process trains the first of them."""
        return [CohortRun(Cohort(-1, tuple(specs), time.time())) for specs in self._waiting.values()]
