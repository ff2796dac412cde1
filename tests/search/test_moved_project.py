"""Projects in a moved folder, and targets with unusual names."""

from __future__ import annotations

import shutil

import pytest
from mlflow import MlflowClient

import automl
from automl.export import export_run
from automl.search.names import plain_name
from tests.support.tables import small

SPACE = {"space": {"model": {"decision_tree": {"max_depth": {"low": 1, "high": 9}}}}}
SETTINGS = {"timeout": None, "cv": 2, "n_jobs": 1, "progress": False}


@pytest.mark.slow
def test_moved_project_exports_loads_and_goes_on(folder, empty_store, monkeypatch):
    X, y = small()
    (folder / "old" / "mlruns").mkdir(parents=True)
    shutil.copy(empty_store, folder / "old" / "mlruns" / "mlflow.db")
    monkeypatch.chdir(folder / "old")
    search = automl.Search(SPACE, n_trials=2, study_name="s", **SETTINGS).fit(X, y)
    shutil.move(folder / "old", folder / "new")
    monkeypatch.chdir(folder / "new")
    expected = search.predict(X)
    export_run(search.run_id_, "model")
    for model in ("model", search.model_uri_):
        assert (automl.load_model(model).predict(X) == expected).all()
    again = automl.Search(SPACE, n_trials=4, study_name="s", **SETTINGS).fit(X, y)
    assert again.leaderboard_["trial"].nunique() == 4
    assert (automl.load_model(again.model_uri_).predict(X) == again.predict(X)).all()
    client = MlflowClient(f"sqlite:///{folder}/new/mlruns/mlflow.db")
    assert client.get_run(again.run_id_).info.artifact_uri.startswith((folder / "new").as_uri())
    assert not (folder / "old").exists()


@pytest.mark.slow
def test_targets_of_unusual_names_are_registered_apart(folder):
    X, y = small()
    names = ["x" * 260, "価格"]
    for name in names:
        search = automl.Search(SPACE, n_trials=1, **SETTINGS).fit(X, y.rename(name))
        assert search.model_uri_
    client = MlflowClient(f"sqlite:///{folder}/mlruns/mlflow.db")
    registered = sorted(model.name for model in client.search_registered_models())
    assert registered == sorted(f"automl-{plain_name(name)}" for name in names)
    assert all(
        (automl.load_model(f"models:/{name}/1").predict(X) == search.predict(X)).all() for name in registered
    )
