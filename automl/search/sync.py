"""`sync`: bring MLflow up to date with a study."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from automl.errors import Fault, SettingError
from automl.search.resume import foreign_study
from automl.select import best_record, pareto_front
from automl.study import load_study, open_lease, read_ensemble, read_records, read_run, read_search, save_run
from automl.tracking import Tracker, open_run, summarize

__all__ = ["sync"]

_CLOSED: dict[str, Literal["finished", "failed"]] = {"FINISHED": "finished", "FAILED": "failed"}


def sync(
    study_name: str | None = None,
    storage: str | Path | None = None,
    tracking_uri: str | None = None,
    experiment_name: str | None = None,
) -> tuple[str, str, int]:
    """Write the runs that MLflow lacks of a study, and end unfinished ones.

    Returns
    -------
    study_name, run_id, n_trials : str, str and int
        The study, its run, and the number of its trials.

    Raises
    ------
    SettingError
        If there is no such study, another program made it, or a process is searching it.
    StoreError
        If a store cannot be written.
    """
    study = load_study(study_name, storage)
    with open_lease(study.study_name, storage) as lease:
        lease.observe(study)
        if lease.others():
            rule = "must not be searched by another process at the same time"
            raise SettingError(
                Fault("study_name", rule, f'"{study.study_name}", which is', "Wait for it, or stop it.")
            )
        facts, records = read_search(study), read_records(study)
        if facts is None:
            raise SettingError(foreign_study(study.study_name))
        tracker = Tracker(tracking_uri, experiment_name)
        run_id, status = open_run(tracker, read_run(study), facts, records, {}, existing=True, files={})
        save_run(study, run_id)
        best, front = best_record(records, facts), pareto_front(records, facts)
        summarize(tracker, facts, records, best, front, read_ensemble(study))
        tracker.close(_CLOSED.get(status, "killed"))
    return study.study_name, run_id, len(records)
