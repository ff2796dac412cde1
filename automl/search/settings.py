"""The settings of a search that are plain values, as data; the others are checked by the rooms they belong to."""

from __future__ import annotations

import re
from datetime import datetime
from multiprocessing import current_process
from typing import TYPE_CHECKING, Any

import joblib

from automl.constraints import Boolean, ListOf, Number, OneOf, Parameter, Text, Union
from automl.errors import Fault, SettingError
from automl.search.callbacks import callback_faults
from automl.workers import (
    MIN_WORKER_MEMORY,
    WorkerContext,
    Workers,
    format_bytes,
    open_workers,
    parse_bytes,
    threads_per_job,
)

if TYPE_CHECKING:
    from automl.space import Space

__all__ = [
    "SETTINGS",
    "blas_threads",
    "check_memory",
    "check_settings",
    "kept_settings",
    "new_name",
    "plain_name",
    "shown_settings",
    "workers_for",
]

_SHOWN = (
    *("n_trials", "timeout", "trial_timeout", "memory_limit", "patience"),
    *("cv", "n_jobs", "sampler", "pruner", "refit"),
)
_NONE = OneOf((None,))
_WHOLE = Number(1, integer=True)
_TEXT = Union((Text(), _NONE))

SETTINGS: dict[str, Parameter] = {
    "n_trials": Parameter(Union((_WHOLE, _NONE)), None, "trials in all"),
    "timeout": Parameter(Union((Number(0, open_low=True), _NONE)), 60, "seconds for everything"),
    "trial_timeout": Parameter(Union((Number(0, open_low=True), _NONE)), None, "seconds a trial may train"),
    "memory_limit": Parameter(
        Union((Number(1), Text(), _NONE)), None, "bytes for all processes together, or a text such as 4GB"
    ),
    "patience": Parameter(Union((_WHOLE, _NONE)), None, "trials without a new best one, before the end"),
    "n_jobs": Parameter(
        Union((_WHOLE, OneOf((-1, None)))),
        None,
        "cohorts side by side; null or -1: one a core",
    ),
    "random_state": Parameter(Number(0, 2**32 - 1, integer=True), 0, "the seed of everything"),
    "study_name": Parameter(_TEXT, None, "the study's name"),
    "directions": Parameter(
        Union((ListOf(OneOf(("maximize", "minimize"))), _NONE)), None, "where each objective should go"
    ),
    "experiment_name": Parameter(_TEXT, None, "MLflow's experiment"),
    "tracking_uri": Parameter(_TEXT, None, "MLflow's store"),
    "refit": Parameter(Boolean(), True, "whether the winner is trained on all rows"),
    "progress": Parameter(Boolean(), True, "whether to show what happens"),
    "resume": Parameter(Boolean(), True, "whether to go on with a study that exists"),
    "allow_imports": Parameter(
        Union((Text(), ListOf(Text()))), (), "packages that a space may name classes of"
    ),
}


def check_settings(values: dict[str, Any]) -> None:
    """Check the settings of a search.

    Raises
    ------
    SettingError
        With everything that is wrong with them.
    """
    faults = [
        Fault(name, f"must be {rule.constraint.describe()}", repr(values[name]), f"It is {rule.about}.")
        for name, rule in SETTINGS.items()
        if not rule.constraint.accepts(values[name])
    ]
    if values["n_trials"] is None and values["timeout"] is None:
        faults.append(Fault("n_trials, timeout", "one of them must be given", "neither", "Give timeout=60."))
    faults += callback_faults(values["callbacks"] or ())
    try:
        _memory(values["memory_limit"])
    except SettingError as error:
        faults += error.faults
    if faults:
        raise SettingError(faults)


def workers_for(context: WorkerContext, values: dict[str, Any]) -> Workers:
    """Return the workers that a search with these settings trains on.

    Raises
    ------
    SettingError
        If ``memory_limit`` says no number of bytes.
    """
    return open_workers(
        context,
        _jobs(values["n_jobs"]),
        memory_limit=_memory(values["memory_limit"]),
        killable=values["trial_timeout"] is not None,
    )


def blas_threads(values: dict[str, Any]) -> int:
    """Return how many threads of the linear algebra a trial may have.

    Where the search can be repeated it is one, for with more the scores would depend on the number of jobs.
    """
    return 1 if values["n_trials"] is not None else threads_per_job(_jobs(values["n_jobs"]))


def _jobs(n_jobs: int | None) -> int:
    if n_jobs is not None and n_jobs != -1:
        return n_jobs
    # Where processes may not have children of their own, as those of multiprocessing's pools, all is done in this one.
    return 1 if current_process().daemon else int(joblib.cpu_count())


def _memory(memory_limit: str | float | None) -> float:
    return float("inf") if memory_limit is None else parse_bytes(memory_limit)


def shown_settings(values: dict[str, Any]) -> dict[str, Any]:
    """Return the settings that the search's run shows as parameters."""
    return {name: values[name] for name in _SHOWN}


def kept_settings(values: dict[str, Any], space: Space) -> dict[str, Any]:
    """Return what another process needs to go on: plain values, and the names of what has none."""
    # Where things are, how they are shown, and who is told: that is each process's own.
    own = ("study_name", "storage", "resume", "progress", "callbacks", "tracking_uri")
    values = {**{name: value for name, value in values.items() if name not in own}, "space": space.to_yaml()}
    objects = [name for name, value in values.items() if not _is_plain(value)]
    return {
        "plain": {name: value for name, value in values.items() if name not in objects},
        "objects": objects,
    }


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, str | int | float)


def check_memory(workers: Workers, memory_limit: str | float | None) -> None:
    """Refuse a limit that leaves workers no room, once this process has loaded all it needs.

    Raises
    ------
    SettingError
        If it does.
    """
    if (share := workers.memory_per_worker()) < MIN_WORKER_MEMORY:
        rule = f"must leave each of {workers.slots} workers at least {format_bytes(MIN_WORKER_MEMORY)}"
        came = f"{format_bytes(_memory(memory_limit))}, of which this process leaves them {format_bytes(share)} each"
        raise SettingError(Fault("memory_limit", rule, came, "Give more, or a smaller n_jobs."))


def plain_name(name: str) -> str:
    """Return a name that files, studies and models may carry."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-.") or "target"


def new_name(target: str) -> str:
    """Return a study's name, made of the target and the time."""
    return f"{plain_name(target)}-{datetime.now():%Y%m%d-%H%M%S-%f}"[:-3]
