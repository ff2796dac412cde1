"""The private names of Optuna: they exist, in the versions that were tested."""

import inspect
import re
import sqlite3
import time

import optuna
import pytest
from optuna.exceptions import StorageInternalError
from optuna.samplers import GridSampler, TPESampler
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend

from automl.study.optuna_private import (
    RUNG_ATTR,
    TESTED_VERSIONS,
    TPE_PARAMS_ATTR,
    Database,
    grid_of,
    journal_backend,
    limited_calls,
    storage_of,
    study_id,
    trial_id,
)


def test_optuna_version_is_tested():
    assert ".".join(optuna.__version__.split(".")[:2]) in TESTED_VERSIONS


def test_study_and_trials_have_their_ids():
    study = optuna.create_study()
    trial = study.ask()
    assert isinstance(storage_of(study), BaseStorage)
    assert storage_of(study).get_study_name_from_id(study_id(study)) == study.study_name
    (frozen,) = study.get_trials()
    assert storage_of(study).get_trial(trial_id(frozen)).number == trial.number
    assert journal_backend(study) is None


def test_journal_has_its_backend(tmp_path):
    backend = JournalFileBackend(str(tmp_path / "s.journal"))
    assert journal_backend(optuna.create_study(storage=JournalStorage(backend))) is backend


def test_grid_sampler_has_its_values():
    assert grid_of(GridSampler({"x": (1, 2)})) == {"x": [1, 2]}


def test_database_overrides_an_existing_method():
    name = "_set_trial_param_without_commit"
    ours, theirs = (inspect.signature(getattr(one, name)) for one in (Database, RDBStorage))
    assert list(ours.parameters) == list(theirs.parameters)


def test_database_accepts_wider_distribution(tmp_path):
    study = optuna.create_study(storage=Database(f"sqlite:///{tmp_path}/s.db"))
    for choices in (["a"], ["a", "b"]):
        study.ask().suggest_categorical("x", choices)
    assert [trial.params for trial in study.trials] == [{"x": "a"}, {"x": study.trials[1].params["x"]}]


def test_database_limits_all_calls_of_the_cache(tmp_path):
    source = inspect.getsource(optuna.storages._CachedStorage)
    without_database = {"get_heartbeat_interval", "get_heartbeat_stale_trial_callback"}  # and not used here
    heartbeats = {"record_heartbeat", "_get_stale_trial_ids"}
    called = set(re.findall(r"self\._backend\.(\w+)\(", source)) - without_database - heartbeats
    assert called
    for name in called | BaseStorage.__abstractmethods__:
        assert getattr(Database, name).__wrapped__ is getattr(RDBStorage, name), name


def test_database_call_ends_with_the_time_of_the_search(tmp_path):
    study = optuna.create_study(storage=Database(f"sqlite:///{tmp_path}/s.db"))
    other = sqlite3.connect(tmp_path / "s.db")
    other.execute("BEGIN EXCLUSIVE")
    began = time.monotonic()
    with limited_calls(study, lambda: -1.5):
        with pytest.raises(StorageInternalError, match="did not answer within 2 s"):
            study.set_user_attr("x", 1)
        with pytest.raises(StorageInternalError, match="did not answer in time"):
            study.set_user_attr("x", 2)
    assert 1.9 < time.monotonic() - began < 4
    other.close()


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_tpe_notes_parameters_of_running_trials():
    study = optuna.create_study(
        sampler=TPESampler(seed=0, multivariate=True, constant_liar=True, n_startup_trials=1)
    )
    for _ in range(3):
        trial = study.ask()
        trial.suggest_float("x", 0, 1)
        noted = [name for name in study.get_trials()[-1].system_attrs if name.startswith(TPE_PARAMS_ATTR)]
        study.tell(trial, 1.0)
    assert noted


def test_successive_halving_notes_rungs():
    study = optuna.create_study(pruner=optuna.pruners.SuccessiveHalvingPruner(min_resource=1))
    trial = study.ask()
    trial.report(1.0, 1)
    trial.should_prune()
    assert [name for name in study.get_trials()[0].system_attrs if name.startswith(RUNG_ATTR)]
