"""The state of a search while it runs, as metrics of its parent run: charts of them grow in MLflow."""

from __future__ import annotations

import time
from collections import Counter
from typing import get_args

from automl.records import State, TrialRecord
from automl.tracking.runs import Point

__all__ = ["RunningSummary"]

_INTERVAL = 2.0  # seconds between two points, so that quick trials cost no more


class RunningSummary:
    """Best score and number of trials by state, by number of ended trials.

    Examples
    --------
    >>> record = TrialRecord(number=0, configuration={}, params={}, seed=0, state="complete",
    ...                      family="linear", score=0.5)
    >>> summary = RunningSummary()
    >>> summary.add(record)
    >>> [(point.key, point.value, point.step) for point in summary.points()][:2]
    [('best_score', 0.5, 1), ('n_complete', 1.0, 1)]
    >>> summary.points()
    []
    """

    def __init__(self) -> None:
        self._states: Counter[str] = Counter()
        self._best: TrialRecord | None = None
        self._next = 0.0

    def add(self, record: TrialRecord) -> None:
        """Count a trial that ended."""
        self._states[record.state] += 1
        ahead = self._best is None or record.place() < self._best.place()
        if record.score is not None and ahead:
            self._best = record

    def points(self) -> list[Point]:
        """Return the metrics to write now; empty if the last ones were written a moment ago."""
        if (now := time.monotonic()) < self._next:
            return []
        self._next = now + _INTERVAL
        values = {f"n_{state}": float(self._states[state]) for state in get_args(State)}
        if self._best is not None and self._best.score is not None:
            values = {"best_score": self._best.score, **values}
        stamp, step = round(time.time() * 1000), self._states.total()
        return [Point(name, value, stamp, step) for name, value in values.items()]
