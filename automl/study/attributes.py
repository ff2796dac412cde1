"""The attributes of studies and trials on disk: the search, its settings and run, and the records of trials."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import optuna
from optuna.trial import FixedTrial, FrozenTrial

from automl.records import EnsembleRecord, SearchRecord, TrialRecord
from automl.space import Space

__all__ = [
    "COHORT",
    "CONFIGURATION",
    "FORBIDDEN",
    "INITIAL_POINT",
    "OWNER",
    "RECORD",
    "REFUSALS",
    "SURPLUS",
    "canonical",
    "cohort_of",
    "leader_of",
    "proposed_configuration",
    "read_baseline",
    "read_corrected",
    "read_ensemble",
    "read_records",
    "read_run",
    "read_search",
    "read_settings",
    "records_of",
    "save_baseline",
    "save_corrected",
    "save_ensemble",
    "save_run",
    "save_search",
    "save_settings",
]

# User attributes of a trial.
CONFIGURATION = "configuration"  # the configuration it was proposed with
RECORD = "record"  # how it ended
COHORT = "cohort"  # of a leader: size and state of its cohort; of the others: the number of the leader
INITIAL_POINT = "lead"  # the initial point that it tries
FORBIDDEN = "forbidden"  # the rule that forbids it
REFUSALS = "refusal"  # number of forbidden proposals in a row
OWNER = "owner"  # token of the process that trains it
SURPLUS = "surplus"  # two processes proposed the last trial at once, and another one was first


def read_records(study: optuna.Study) -> list[TrialRecord]:
    """Return the records of the trials that ended, by number."""
    return records_of(study.get_trials(deepcopy=False))


def records_of(trials: Iterable[FrozenTrial]) -> list[TrialRecord]:
    """Return the records of those of these trials that ended."""
    records = (trial.user_attrs.get(RECORD) for trial in trials)
    return [TrialRecord.model_validate(record) for record in records if record is not None]


def read_search(study: optuna.Study) -> SearchRecord | None:
    """Return the search that made a study; None if another program did."""
    saved = study.user_attrs.get("search")
    return None if saved is None else SearchRecord.model_validate(saved)


def save_search(study: optuna.Study, search: SearchRecord) -> None:
    """Save the facts of a search in its study."""
    study.set_user_attr("search", search.model_dump(mode="json"))


def read_run(study: optuna.Study) -> str | None:
    """Return the id of the MLflow run of a study, if it has one."""
    return study.user_attrs.get("run_id")


def save_run(study: optuna.Study, run_id: str) -> None:
    """Save the id of the MLflow run of a study."""
    study.set_user_attr("run_id", run_id)


def read_ensemble(study: optuna.Study) -> EnsembleRecord | None:
    """Return the ensemble of a study's last search; None if it made none."""
    saved = study.user_attrs.get("ensemble")
    return None if saved is None else EnsembleRecord.model_validate(saved)


def read_corrected(study: optuna.Study) -> dict[str, Any] | None:
    """Return the corrected score of a study's best trial as plain values; None if there is none."""
    return study.user_attrs.get("corrected")


def save_corrected(study: optuna.Study, corrected: Mapping[str, Any]) -> None:
    """Save the corrected score of a study's best trial."""
    study.set_user_attr("corrected", dict(corrected))


def read_baseline(study: optuna.Study) -> dict[str, Any] | None:
    """Return the scores of a study's baseline as plain values; None if there are none."""
    return study.user_attrs.get("baseline")


def save_baseline(study: optuna.Study, baseline: Mapping[str, Any]) -> None:
    """Save the scores of a model that ignores all columns."""
    study.set_user_attr("baseline", dict(baseline))


def save_ensemble(study: optuna.Study, ensemble: EnsembleRecord) -> None:
    """Save the ensemble of a search in its study, or the reason why there is none."""
    study.set_user_attr("ensemble", ensemble.model_dump(mode="json"))


def read_settings(study: optuna.Study) -> dict[str, Any]:
    """Return the settings of a study's search that are plain values."""
    return dict(study.user_attrs.get("settings", {}))


def save_settings(study: optuna.Study, settings: Mapping[str, Any]) -> None:
    """Save the settings of a study's search."""
    study.set_user_attr("settings", dict(settings))


def cohort_of(trial: FrozenTrial) -> dict[str, Any]:
    """Return the cohort attribute of a trial; empty in studies of older versions."""
    cohort: dict[str, Any] = trial.user_attrs.get(COHORT, {})
    return cohort


def leader_of(trial: FrozenTrial) -> int:
    """Return the number of the leader of a trial's cohort; its own for a leader or a trial alone."""
    return int(cohort_of(trial).get("leader", trial.number))


def canonical(configuration: Mapping[str, Any]) -> str:
    """Return a text that is the same for equal configurations."""
    return json.dumps(configuration, sort_keys=True, default=str)


def proposed_configuration(trial: FrozenTrial, space: Space) -> dict[str, Any] | None:
    """Return the configuration of a trial that has not ended; None if the space does not allow it."""
    configuration: dict[str, Any] | None = trial.user_attrs.get(CONFIGURATION)
    if configuration is None:  # a trial of an older version, perhaps killed before all was suggested
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                configuration = space.suggest(FixedTrial(trial.params))
        except ValueError:
            return None
    return configuration if space.accepts(configuration) else None
