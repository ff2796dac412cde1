"""What a study keeps of a search: what it is about, its run, what trials were proposed with and how they ended."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import optuna
from optuna.trial import FixedTrial, FrozenTrial

from automl.records import SearchRecord, TrialRecord
from automl.space import Space

__all__ = [
    "CONFIGURATION",
    "save_run",
    "save_search",
    "save_settings",
    "key",
    "proposed_with",
    "read_records",
    "read_run",
    "read_search",
    "read_settings",
    "records_of",
]

CONFIGURATION = (
    "configuration"  # attribute of a trial: what it was proposed with, whatever spaces call that later
)


def read_records(study: optuna.Study) -> list[TrialRecord]:
    """Return the record of every trial that ended, by number."""
    return records_of(study.get_trials(deepcopy=False))


def records_of(trials: Iterable[FrozenTrial]) -> list[TrialRecord]:
    """Return the record of each of these trials that ended."""
    kept = (trial.user_attrs.get("record") for trial in trials)
    return [TrialRecord.model_validate(record) for record in kept if record is not None]


def read_search(study: optuna.Study) -> SearchRecord | None:
    """Return what a study is about; None if no search of ours made it."""
    kept = study.user_attrs.get("search")
    return None if kept is None else SearchRecord.model_validate(kept)


def save_search(study: optuna.Study, search: SearchRecord) -> None:
    """Keep what a study is about."""
    study.set_user_attr("search", search.model_dump(mode="json"))


def read_run(study: optuna.Study) -> str | None:
    """Return MLflow's run of a study's search, if it is known."""
    return study.user_attrs.get("run_id")


def save_run(study: optuna.Study, run_id: str) -> None:
    """Keep which run of MLflow belongs to a study."""
    study.set_user_attr("run_id", run_id)


def read_settings(study: optuna.Study) -> dict[str, Any]:
    """Return the settings that a study's search was started with, as far as they are plain values."""
    return dict(study.user_attrs.get("settings", {}))


def save_settings(study: optuna.Study, settings: Mapping[str, Any]) -> None:
    """Keep the settings that a study's search was started with."""
    study.set_user_attr("settings", dict(settings))


def key(configuration: Mapping[str, Any]) -> str:
    """Return a text that equal configurations share."""
    return json.dumps(configuration, sort_keys=True, default=str)


def proposed_with(trial: FrozenTrial, space: Space) -> dict[str, Any] | None:
    """Return the configuration of a trial that has not ended; None where it has none that the space allows."""
    configuration: dict[str, Any] | None = trial.user_attrs.get(CONFIGURATION)
    if configuration is None:  # of an older version, perhaps killed before all was suggested
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                configuration = space.suggest(FixedTrial(trial.params))
        except ValueError:
            return None
    return configuration if space.accepts(configuration) else None
