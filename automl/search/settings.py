"""The settings of a search that are plain values, as data, and their check."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from numbers import Integral
from typing import TYPE_CHECKING, Any

from automl.constraints import Boolean, ListOf, Number, OneOf, Parameter, Text, Union
from automl.errors import Fault, InputError, SettingError, collected, raise_all
from automl.families import load_space
from automl.metrics import check_objectives
from automl.search.callbacks import callback_faults
from automl.study import check_sampler, make_pruner, predictions_folder
from automl.table import TargetSettings, is_time
from automl.workers import parse_bytes

if TYPE_CHECKING:
    from automl.space import Space

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


def check_settings(values: Mapping[str, Any]) -> Space:
    """Check the settings of a search as far as they do not depend on the table, and return the space.

    Raises
    ------
    InputError
        With every fault of the values, the space, the scorers, the sampler and the pruner.
    """
    faults = _faults(values)
    errors: list[InputError] = [SettingError(faults)] if faults else []
    n_objectives = 1
    with collected(errors):
        if isinstance(values["study_name"], str):
            predictions_folder(values["study_name"], values["storage"])
    with collected(errors):
        n_objectives = check_objectives(values["scoring"], values["directions"])
    with collected(errors):
        check_sampler(values["sampler"], n_objectives)
    with collected(errors):
        make_pruner(values["pruner"], n_objectives)
    allowed = {name: values[name] for name in ("allow_imports", "allow_includes")}
    if all(SETTINGS[name].constraint.accepts(value) for name, value in allowed.items()):
        with collected(errors):
            space = load_space(values["space"], **allowed)
    raise_all(errors)
    return space


def _faults(values: Mapping[str, Any]) -> list[Fault]:
    """Return the faults of the settings that are plain values."""
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
    cv = values["cv"]
    if (isinstance(cv, str) and not is_time(cv)) or (isinstance(cv, Integral) and cv < 2):
        rule = 'must be a number of folds from 2, "time", a scikit-learn splitter or an iterable of'
        faults.append(Fault("cv", f"{rule} (train, validation)", repr(cv)))
    faults += callback_faults(values["callbacks"] or ())
    try:
        if values["memory_limit"] is not None:
            parse_bytes(values["memory_limit"])
    except SettingError as error:
        faults += error.faults
    return faults


def target_settings(values: dict[str, Any]) -> TargetSettings:
    """Return the settings that concern the target and its rows."""
    return TargetSettings(**{field.name: values[field.name] for field in fields(TargetSettings)})
