"""Recovery of a study: its ended trials, and results that were written by halves."""

from __future__ import annotations

from collections.abc import Sequence

from optuna.trial import FrozenTrial

from automl.records import TrialRecord
from automl.study.duplicates import Duplicates
from automl.study.peers import RemoteTrials
from automl.study.results import ResultWriter

__all__ = ["recover"]


def recover(
    trials: Sequence[FrozenTrial],
    records: Sequence[TrialRecord],
    remote: RemoteTrials,
    duplicates: Duplicates,
    results: ResultWriter,
) -> None:
    """Take in all trials of a study when a session starts.

    Trials with a record have ended: their configurations are known, except those of stopped trials. A trial whose
    process was killed after it wrote the record is ended. The others run, in another process or in one that is dead.
    """
    by_number = {record.number: record for record in records}
    for trial in trials:
        record = by_number.get(trial.number)
        if record is None:
            remote.observe(trials[: trial.number + 1])
            continue
        if remote.is_orphaned(trial):
            results.finish(record)
        if record.lasting:
            duplicates.add(record.configuration, record.number)
        remote.skip(trial.number)
