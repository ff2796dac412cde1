"""What a search leaves behind in its process: nothing."""

from __future__ import annotations

import logging
import os
import random
import shutil
import signal
import threading
import warnings

import mlflow
import numpy as np
import optuna
import pytest
from mlflow import MlflowClient
from mlflow.tracking import fluent
from sklearn.tree import DecisionTreeClassifier

import automl
from tests.support.tables import small


def state():
    """Return the global state that other code of the process relies on."""
    levels = {
        name: (logger.level, logger.disabled, logger.propagate)
        for name in ("", "mlflow", "optuna", "alembic", "lightgbm", "sklearn", "matplotlib")
        if (logger := logging.getLogger(name))
    }
    return {
        "environment": dict(os.environ),
        "filters": list(warnings.filters),
        "showwarning": warnings.showwarning,
        "levels": levels,
        "optuna": optuna.logging.get_verbosity(),
        "errors": np.geterr(),
        "numpy": np.random.get_state()[1].tolist(),  # noqa: NPY002 (the user's own generator)
        "random": random.getstate(),
        "folder": os.getcwd(),
        "interrupt": signal.getsignal(signal.SIGINT),
        "hook": threading.excepthook,
    }


def test_fit_leaves_the_process_as_it_was(folder):
    settings = {"n_trials": 2, "timeout": None, "cv": 2, "n_jobs": 1, "progress": False}
    space = {"space": {"model": {"linear": {"max_epochs": 2}}}}
    automl.Search(space, **settings).fit(*small())  # imports everything
    before = state()
    automl.Search(space, **settings).fit(*small())
    after = state()
    assert {name: after[name] for name in after if after[name] != before[name]} == {}


@pytest.fixture
def autologging(folder, empty_store, monkeypatch):
    """Log every fit in this process to a store of the user's own; return the runs and the models in it."""
    shutil.copy(empty_store, folder / "mine.db")
    store = f"sqlite:///{folder}/mine.db"
    monkeypatch.setattr(fluent, "_active_experiment_id", None)  # restored after the test
    mlflow.set_tracking_uri(store)
    mine = mlflow.set_experiment("mine").experiment_id
    mlflow.sklearn.autolog(silent=True)
    client = MlflowClient(store)
    yield lambda: (client.search_runs([mine]), client.search_logged_models([mine]))
    mlflow.sklearn.autolog(disable=True, silent=True)


def fit_of_the_user():
    DecisionTreeClassifier().fit(np.array([[0.0], [1.0]]), [0, 1])


@pytest.mark.slow
def test_autologging_logs_no_fit_of_a_search(folder, autologging):
    settings = {"n_trials": 2, "timeout": None, "cv": 2, "n_jobs": 1, "progress": False}
    space = {"space": {"model": {"decision_tree": {"max_depth": {"low": 1, "high": 6}}}}}
    search = automl.Search(space, tracking_uri=f"sqlite:///{folder}/mlruns/mlflow.db", **settings)
    search.fit(*small())
    assert autologging() == ([], [])
    client = MlflowClient(search.tracking_uri)
    experiment = client.get_run(search.run_id_).info.experiment_id
    runs = client.search_runs([experiment])
    assert len(runs) == 1 + 2  # the search and its trials
    assert {model.source_run_id for model in client.search_logged_models([experiment])} <= {
        run.info.run_id for run in runs
    }
    fit_of_the_user()
    assert list(map(len, autologging())) == [1, 1]


@pytest.mark.slow
def test_autologging_logs_no_fit_after_the_search(folder, request):
    X, y = small()
    settings = {"n_trials": 1, "timeout": None, "cv": 2, "n_jobs": 1, "progress": False}
    search = automl.Search({"space": {"model": {"decision_tree": {"max_depth": 3}}}}, **settings).fit(X, y)
    logged = request.getfixturevalue("autologging")
    search.evaluate(X, y, families=True)
    search.explain(timeout=20)
    search.replay(0)
    assert logged() == ([], [])
    fit_of_the_user()
    assert list(map(len, logged())) == [1, 1]
