"""Stop the running trials of a search and keep their results."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from automl.families import get_family
from automl.records import TrialRecord
from automl.search.callbacks import Observers
from automl.search.cohort_run import CohortRun
from automl.search.interrupts import Interrupt
from automl.workers import Event, Finished, RungReached, Workers

__all__ = ["Ending"]

_STOP_SECONDS = 1.0  # that trials in training have to end


class Ending:
    """End the trials that are not finished when a search ends.

    Parameters
    ----------
    workers : Workers
        Where cohorts train.
    observers : Observers
        An error of a callback, which ends the search.
    interrupt : Interrupt
        Whether Ctrl-C ended the search.
    """

    def __init__(self, workers: Workers, observers: Observers, interrupt: Interrupt) -> None:
        self._workers, self._observers, self._interrupt = workers, observers, interrupt

    @property
    def reason(self) -> str:
        """Why the search ends before its trials."""
        if (error := self._observers.error) is not None:
            return f"a callback raised {type(error).__name__}"
        return "the search was interrupted" if self._interrupt.seen else "the time was up"

    def take_last_results(self, runs: Mapping[int, CohortRun], react: Callable[[Event], None]) -> None:
        """Stop what is in training, and take its results: a trial that is killed leaves no predictions.

        Parameters
        ----------
        runs : mapping of int to CohortRun
            The cohorts that have not ended.
        react : callable
            Called with each event but those at rungs.
        """
        training = [run.training for run in runs.values() if run.training is not None]
        waits = (
            any(get_family(cohort.trials[0]).interruptible for cohort in training) and self._workers.stop()
        )
        end = time.monotonic() + (_STOP_SECONDS if waits else 0.0)
        while (event := self._workers.next(timeout=max(0.0, end - time.monotonic()))) is not None:
            if isinstance(event, Finished):
                event = replace(event, records=[self._with_reason(record) for record in event.records])
            if not isinstance(event, RungReached):
                react(event)
            if not any(run.training for run in runs.values()):
                end = 0.0

    def _with_reason(self, record: TrialRecord) -> TrialRecord:
        return record.model_copy(update={"reason": self.reason}) if record.state == "stopped" else record
