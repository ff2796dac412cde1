"""The settings of a search that are plain values, as data, and their check."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Any

from automl.constraints import Boolean, ListOf, Number, OneOf, Parameter, Text, Union
from automl.errors import Fault, SettingError
from automl.search.callbacks import callback_faults
from automl.table import TargetSettings, is_time
from automl.workers import parse_bytes

__all__ = ["SETTINGS", "check_settings", "target_settings"]

_NONE = OneOf((None,))
_WHOLE = Number(1, integer=True)
_TEXT = Union((Text(), _NONE))
_ENGINE = r"local|ray|ray://[^\s/@]+:\d+"

SETTINGS: dict[str, Parameter] = {
    "n_trials": Parameter(Union((_WHOLE, _NONE)), None, "trials in total"),
    "timeout": Parameter(Union((Number(0, open_low=True), _NONE)), 60, "seconds for the whole search"),
    "trial_timeout": Parameter(Union((Number(0, open_low=True), _NONE)), None, "seconds a trial may train"),
    "memory_limit": Parameter(
        Union((Number(1), Text(), _NONE)), None, "bytes for all processes together, or a text such as 4GB"
    ),
    "patience": Parameter(Union((_WHOLE, _NONE)), None, "trials without a new best score, before the end"),
    "n_jobs": Parameter(
        Union((_WHOLE, OneOf((-1, None)))), None, "cohorts side by side; null or -1: one per core"
    ),
    "engine": Parameter(Text(), "local", "where cohorts train: local, ray or ray://HOST:PORT"),
    "random_state": Parameter(Number(0, 2**32 - 1, integer=True), 0, "the seed of the search"),
    "study_name": Parameter(_TEXT, None, "the name of the study"),
    "task": Parameter(
        Union((OneOf(("binary", "multiclass", "regression")), _NONE)), None, "the kind of the target"
    ),
    "drop_missing_target": Parameter(Boolean(), True, "whether rows without a target are left out"),
    "rare_classes": Parameter(
        OneOf(("error", "merge", "drop")), "error", "the rule for classes with fewer rows than folds"
    ),
    "time_column": Parameter(_TEXT, None, "the column that orders the rows for cv: time"),
    "directions": Parameter(
        Union((ListOf(OneOf(("maximize", "minimize"))), _NONE)), None, "the direction of each objective"
    ),
    "experiment_name": Parameter(_TEXT, None, "the MLflow experiment"),
    "tracking_uri": Parameter(_TEXT, None, "the MLflow store"),
    "encoding": Parameter(_TEXT, None, "the encoding of a text file"),
    "separator": Parameter(_TEXT, None, "the separator of a text file"),
    "refit": Parameter(Boolean(), True, "whether the best trial is trained on all rows"),
    "ensemble": Parameter(Boolean(), True, "whether an ensemble of the best trials is made"),
    "calibrate": Parameter(
        OneOf(("auto", None)), None, "whether probabilities are calibrated where that is better"
    ),
    "threshold": Parameter(
        OneOf(("auto", None)), None, "whether the threshold of two classes is tuned where that is better"
    ),
    "progress": Parameter(Boolean(), True, "whether progress is shown"),
    "resume": Parameter(Boolean(), True, "whether an existing study is continued"),
    "scratch": Parameter(_TEXT, None, "the folder of temporary files"),
    "allow_imports": Parameter(
        Union((Text(), ListOf(Text()))), (), "packages whose classes a space may name"
    ),
    "allow_includes": Parameter(
        Union((Text(), ListOf(Text()))), (), "folders whose files a space may include"
    ),
}


def check_settings(values: dict[str, Any]) -> None:
    """Check the settings of a search.

    Raises
    ------
    SettingError
        With every fault.
    """
    faults = [
        Fault(name, f"must be {rule.constraint.describe()}", repr(values[name]), f"It is {rule.about}.")
        for name, rule in SETTINGS.items()
        if not rule.constraint.accepts(values[name])
    ]
    for name, value in values.items():
        if isinstance(value, str) and name not in ("space", "separator") and not value.isprintable():
            faults.append(Fault(name, "must hold no control characters", ascii(value)[:100]))
    if values["n_trials"] is None and values["timeout"] is None:
        faults.append(Fault("n_trials, timeout", "one of them must be given", "neither", "Give timeout=60."))
    if not re.fullmatch(_ENGINE, str(values["engine"])):
        rule, remedy = "must be local, ray or ray://HOST:PORT", "Ray's port for clients is 10001."
        faults.append(Fault("engine", rule, repr(values["engine"]), remedy))
    if values["time_column"] is not None and not is_time(values["cv"]):
        came = repr(values["time_column"])
        faults.append(Fault("time_column", 'must be left out unless cv is "time"', came, 'Give cv="time".'))
    if not isinstance(values["columns"], dict | None):
        rule, remedy = "must be a dict of column names and types", 'Give e.g. {"zip": "categorical"}.'
        faults.append(Fault("columns", rule, repr(values["columns"]), remedy))
    faults += callback_faults(values["callbacks"] or ())
    try:
        if values["memory_limit"] is not None:
            parse_bytes(values["memory_limit"])
    except SettingError as error:
        faults += error.faults
    if faults:
        raise SettingError(faults)


def target_settings(values: dict[str, Any]) -> TargetSettings:
    """Return the settings that concern the target and its rows."""
    return TargetSettings(**{field.name: values[field.name] for field in fields(TargetSettings)})
