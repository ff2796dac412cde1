"""The results of a search: recorded in the study, logged, shown, and copied to duplicates."""

from __future__ import annotations

from collections.abc import Sequence

from automl.records import TrialRecord, TrialSpec
from automl.search.admission import Admission
from automl.search.callbacks import Observers
from automl.search.cohort_run import CohortRun
from automl.search.duplicates import Duplicates
from automl.search.interrupts import Interrupt
from automl.study import Session

__all__ = ["Results"]


class Results:
    """Collect the trials that end.

    Parameters
    ----------
    session : Session
        Records the results in the study. Its ``records`` are the trials that ended earlier.
    admission : Admission
        Learns costs and the best score from them.
    observers : Observers
        Log, show and receive each trial that ends.
    interrupt : Interrupt
        Notes a Ctrl-C in a callback.

    Attributes
    ----------
    records : list of TrialRecord
        The trials that have ended, earlier ones first.
    seconds : float
        Training time of those that ended here.
    """

    def __init__(
        self, session: Session, admission: Admission, observers: Observers, interrupt: Interrupt
    ) -> None:
        self.records: list[TrialRecord] = []
        self.seconds = 0.0
        self._session, self._admission = session, admission
        self._observers, self._interrupt = observers, interrupt
        self._by_number: dict[int, TrialRecord] = {}
        self._duplicates = Duplicates()
        for record in session.records:
            self._note(record)
            if record.seconds:
                admission.costs.learn([record])

    @property
    def next_number(self) -> int:
        """The number after the last trial that has ended."""
        return 1 + max(self._by_number, default=-1)

    def sort_out(self, trials: Sequence[TrialSpec]) -> list[TrialSpec]:
        """Return the trials to train; duplicates take over the result of the first trial."""
        self._admission.budget.proposed |= {trial.number for trial in trials}
        new, known = self._duplicates.sort_out(trials, self._session.duplicate, self._by_number)
        for record in known:
            self.tell_one(record)
        # Trials that ended before their process died are trained again if others of their cohort have not.
        return new if any(trial.number not in self._by_number for trial in new) else []

    def tell(self, run: CohortRun) -> None:
        """Tell how the trials of a cohort ended."""
        for record in run.records:
            if record.number not in self._by_number:  # recorded before its process died
                self.tell_one(record)

    def add_remote(self, record: TrialRecord) -> None:
        """Add a trial that ended in another process."""
        self._note(record)
        self._resolve_duplicates(record)

    def end_duplicates(self, reason: str) -> None:
        """End the duplicates of trials that another process still trains."""
        for run in self._duplicates.unresolved():
            run.end("stopped", reason)
            self.tell(run)

    def tell_one(self, record: TrialRecord) -> None:
        """Write the result of a trial of this process, and inform the observers."""
        if not self._session.tell(record):  # another process has taken the trial over
            return
        self.seconds += record.seconds
        self._observers.tracker.log_trial(record)
        self._note(record)
        try:
            self._observers.call(record)
        except KeyboardInterrupt:
            self._interrupt.note()
        self._resolve_duplicates(record)

    def _note(self, record: TrialRecord) -> None:
        self._admission.budget.proposed.add(record.number)
        self._observers.note(record)
        self.records.append(record)
        self._by_number[record.number] = record
        self._admission.ended(record)

    def _resolve_duplicates(self, record: TrialRecord) -> None:
        for result in self._duplicates.results_from(record):
            self.tell_one(result)
