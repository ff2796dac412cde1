"""The order of proposals and results, which makes a search repeatable."""

from __future__ import annotations

from collections.abc import Mapping

from automl.search.cohort_run import CohortRun
from automl.workers import Workers

__all__ = ["Schedule"]

# Cohorts between a proposal and the last result it knows, in a repeatable search: for one or two slots, and for each
# of more slots, where one cohort trains and one waits for a long one that was first.
_AHEAD, _AHEAD_PER_SLOT = 2, 2


class Schedule:
    """Say when a cohort may be proposed, and whose results are recorded next.

    In a repeatable search a cohort is proposed after the results of the cohort two before it are recorded; with three
    slots or more, two for each of them. Results are recorded in the order of proposals, and a cohort is compared only
    with results that were known when it was proposed. So the number of workers (one or two) and their speed change
    nothing. In another search a cohort is proposed as soon as a slot is free, with all results.

    Parameters
    ----------
    runs : mapping of int to CohortRun
        The cohorts that are proposed and not recorded, in the order of proposals.
    workers : Workers
        Its slots may come and go with the nodes of a cluster; the schedule of a repeatable search does not.
    repeatable : bool
        Whether the search is repeatable.
    """

    def __init__(self, runs: Mapping[int, CohortRun], workers: Workers, repeatable: bool) -> None:
        self._runs, self._workers, self._repeatable = runs, workers, repeatable
        slots = workers.slots
        self._ahead = _AHEAD if slots <= _AHEAD else _AHEAD_PER_SLOT * slots

    @property
    def free(self) -> bool:
        """Whether another cohort may be proposed."""
        return len(self._runs) < (self._ahead if self._repeatable else self._workers.slots)

    def next_to_tell(self) -> CohortRun | None:
        """Return a cohort that has ended and whose results may be recorded."""
        candidates = list(self._runs.values())[: 1 if self._repeatable else None]
        return next((run for run in candidates if run.ended), None)

    def known(self, next_number: int) -> int | None:
        """Return the number below which a new cohort sees results; None for all.

        Parameters
        ----------
        next_number : int
            The number after the last trial that has ended.
        """
        if not self._repeatable:
            return None
        running = (trial.number for run in self._runs.values() for trial in run.cohort.trials)
        return min(running, default=next_number)
