"""Going on with a study: whether it is the same search, and MLflow brought level with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from automl.errors import Fault, SettingError, SpaceError, StoreError
from automl.records import SearchRecord, State, TrialRecord
from automl.select import best_record, pareto_front
from automl.study import (
    load_study,
    open_lease,
    read_records,
    read_run,
    read_search,
    read_settings,
    save_run,
)
from automl.tracking import Tracker

if TYPE_CHECKING:
    import optuna

    from automl.space import Space

__all__ = ["PATIENCE", "check_same", "finish", "mirror", "settings_of", "sync"]

PATIENCE = 60.0  # seconds that MLflow's store may take to write what is left, before it counts as dead

_ALIKE = (
    "task",
    "target",
    "scoring",
    "directions",
    "constraints",
    "random_state",
    "n_rows",
    "n_columns",
    "n_folds",
)
_CLOSED: dict[str, Literal["finished", "failed"]] = {"FINISHED": "finished", "FAILED": "failed"}


def check_same(study: optuna.Study, new: SearchRecord, space: Space) -> bool:
    """Check that a search may go on with a study, and return whether there is anything to go on with.

    Raises
    ------
    SettingError
        With everything in which they differ, if the study is about another table, target, metric or split,
        or has trials that the space has no room for.
    """
    old = read_search(study)
    if old is None:
        if study.get_trials(deepcopy=False):
            raise SettingError(_foreign(study.study_name))
        return False
    faults = [
        Fault(name, f"must be {getattr(old, name)}, as in the study", str(getattr(new, name)))
        for name in _ALIKE
        if getattr(old, name) != getattr(new, name)
    ]
    if changed := _changed_columns(old.columns, new.columns):
        faults.append(Fault("table", "must have the columns of the study", changed))
    if not faults and old.content and old.content != new.content:
        faults.append(Fault("table", "must hold the values that the study was started on", "others"))
    elif not faults and old.folds and old.folds != new.folds:
        faults.append(Fault("cv", "must give the folds of the study", "others"))
    if old.space_digest != new.space_digest:
        faults += _space_faults(study, space)
    if faults:
        raise SettingError(faults)
    return True


def _foreign(study_name: str) -> Fault:
    return Fault("study_name", "must name a study of automl's own", f'"{study_name}" of another program')


def _changed_columns(old: Mapping[str, str], new: Mapping[str, str]) -> str:
    if not old:  # a study of an older version
        return ""
    gone, came = sorted(old.keys() - new.keys()), sorted(new.keys() - old.keys())
    parts = [f"no {', '.join(gone)}"] if gone else []
    parts += [f"{', '.join(came)} besides"] if came else []
    kinds = [name for name in old if name in new and old[name] != new[name]]
    parts += [f"{name} as {new[name]} instead of {old[name]}" for name in kinds]
    return "; ".join(parts)


def _space_faults(study: optuna.Study, space: Space) -> list[Fault]:
    """Return why a study cannot be gone on with in a space that has changed: it may be wider, not narrower."""
    faults = []
    for record in read_records(study):
        if record.state == "failed":  # the space may forbid since what does not train
            continue
        try:
            space.validate(record.configuration)
        except SpaceError as error:
            first = error.faults[0]
            came = f"one without trial {record.number} ({first.where}: {first.rule}; it has {first.came})"
            faults.append(Fault("space", "must have room for every trial of the study", came))
            break
    return faults


def settings_of(study: optuna.Study) -> tuple[SearchRecord, dict[str, Any]]:
    """Return what a study is about, and the settings that a search needs to go on with it.

    Raises
    ------
    SettingError
        If the study is not ours, or one of its settings was an object that only a program can hand in.
    """
    about, kept = read_search(study), read_settings(study)
    if about is None or not kept:
        raise SettingError(_foreign(study.study_name))
    advice = f'Go on from Python: Search(study_name="{study.study_name}", ...).'
    rule = "must be a plain value where a search goes on from a shell"
    faults = [Fault(name, rule, "an object that a program handed in", advice) for name in kept["objects"]]
    if faults:
        raise SettingError(faults)
    return about, dict(kept["plain"])


def mirror(
    tracker: Tracker,
    study: optuna.Study,
    about: SearchRecord,
    records: Sequence[TrialRecord],
    params: Mapping[str, Any],
    *,
    again: bool,
    company: bool = False,
) -> tuple[str, str]:
    """Open the run of a study, a new one where it has none, and queue what the run lacks.

    Parameters
    ----------
    tracker : Tracker
        Writes the runs.
    study, about, records
        The study, what it is about, and its trials that ended.
    params : mapping
        The search's settings, for a new run.
    again : bool
        Whether another process may have opened a run of this study.
    company : bool
        Whether other processes are writing to it now; what it lacks is theirs to write.

    Returns
    -------
    run_id, status : str
        The run, and MLflow's status of it before.
    """
    run_id = read_run(study) or (tracker.find(about) if again else None)
    status = None if run_id is None else tracker.resume(run_id, None if company else records)
    if run_id is None or status is None:
        run_id, status = tracker.start(about, params), "RUNNING"
        for record in records:
            tracker.log_trial(record)
    save_run(study, run_id)
    return run_id, status


def finish(
    tracker: Tracker,
    study: optuna.Study,
    about: SearchRecord,
    records: Sequence[TrialRecord],
    best: TrialRecord,
    seconds: float,
    *,
    last: bool,
) -> None:
    """Have the runs of a search written, and in its own what it has come to, with the winner that is its model.

    Where other processes have searched too, who leaves ``last`` speaks of all their trials, and writes the runs that
    the dead of them have left out.
    """
    answers = tracker.flush(PATIENCE)
    if last:
        with suppress(Exception):  # a storage that is gone: what is known here is better than nothing
            trials = study.get_trials(deepcopy=False)
            if sum("record" in trial.user_attrs for trial in trials) > len(records):
                records = read_records(study)
    if answers and any(tracker.run_id(record.number) is None for record in records):
        with suppress(StoreError):
            tracker.reconcile(records if last else None)
    _conclude(tracker, about, records, best, {"seconds": seconds})
    tracker.flush(PATIENCE if answers else 0)


def _conclude(
    tracker: Tracker,
    about: SearchRecord,
    records: Sequence[TrialRecord],
    best: TrialRecord | None,
    more: Mapping[str, float],
) -> None:
    """Queue what a search's own run shows of its trials: the winner's score, values and metrics, trials by state."""
    states = Counter(record.state for record in records)
    metrics = {**more, **{f"n_{state}": float(states[state]) for state in get_args(State)}}
    front = [record.number for record in pareto_front(records, about)] if about.several else []
    if about.several:
        metrics["n_front"] = float(len(front))
    if about.constraints:
        metrics["n_over_limits"] = float(sum(record.total_violation > 0 for record in records))
    if best is not None and best.score is not None:
        metrics = {"best_score": best.score, **best.metrics, **best.values, **metrics}
    tracker.log_best(None if best is None else best.number, metrics, front=front)


def sync(
    study_name: str | None = None,
    storage: str | Path | None = None,
    tracking_uri: str | None = None,
    experiment_name: str | None = None,
) -> tuple[str, str, int]:
    """Bring MLflow level with a study: missing runs are written, unfinished ones ended.

    Returns
    -------
    study_name, run_id, n_trials : str, str and int
        The study, its run, and how many trials the run has now.

    Raises
    ------
    SettingError
        If there is no such study, it is not ours, or is being searched right now.
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
        about, records = read_search(study), read_records(study)
        if about is None:
            raise SettingError(_foreign(study.study_name))
        tracker = Tracker(tracking_uri, experiment_name)
        run_id, status = mirror(tracker, study, about, records, {}, again=True)
        _conclude(tracker, about, records, best_record(records, about), {})
        tracker.close(_CLOSED.get(status, "killed"))
    return study.study_name, run_id, len(records)
