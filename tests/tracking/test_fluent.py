"""The user's autologging, active run and experiment."""

from __future__ import annotations

from threading import Event, Thread

import mlflow
import pytest
from mlflow import MlflowClient
from sklearn.linear_model import LogisticRegression

from automl.records import SearchRecord
from automl.tracking import Tracker, no_autologging


@pytest.fixture
def user_store(store: str, monkeypatch: pytest.MonkeyPatch):
    """Set the user's store and experiment; forget them after the test."""
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_ID", "MLFLOW_EXPERIMENT_NAME"):
        monkeypatch.setenv(name, "")  # so that it is restored after the test
        monkeypatch.delenv(name)
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(store)
    mlflow.set_experiment("mine")
    yield store
    mlflow.set_tracking_uri(before)


def fit() -> None:
    LogisticRegression().fit([[0.0], [1.0]], [0, 1])


def runs(store: str) -> int:
    client = MlflowClient(store)
    return len(client.search_runs([client.get_experiment_by_name("mine").experiment_id]))


@pytest.mark.slow
def test_no_autologging_is_off_inside_and_on_after(user_store: str) -> None:
    mlflow.sklearn.autolog(log_models=False, silent=True)
    try:
        ready, go = Event(), Event()

        def other() -> None:
            with no_autologging():
                ready.set()
                go.wait(10)

        thread = Thread(target=other)
        thread.start()
        ready.wait(10)
        with no_autologging():
            fit()
        fit()  # the other thread's search still runs
        assert runs(user_store) == 0
        go.set()
        thread.join()
        fit()
        assert runs(user_store) == 1
    finally:
        mlflow.sklearn.autolog(disable=True)


def test_search_becomes_a_child_of_the_active_run(user_store: str, search: SearchRecord) -> None:
    client = MlflowClient(user_store)
    with mlflow.start_run() as mine:
        run_id = Tracker(user_store).start(search, {})
        assert mlflow.active_run().info.run_id == mine.info.run_id
    run = client.get_run(run_id)
    assert run.data.tags["mlflow.parentRunId"] == mine.info.run_id
    assert run.info.experiment_id == mine.info.experiment_id
    assert client.get_experiment_by_name("automl") is None
    assert client.get_run(mine.info.run_id).data.params == {}


def test_search_in_another_store_ignores_the_active_run(
    user_store: str, search: SearchRecord, tmp_path
) -> None:
    other = f"sqlite:///{tmp_path}/other.db"
    with mlflow.start_run():
        run_id = Tracker(other).start(search, {})
    assert "mlflow.parentRunId" not in MlflowClient(other).get_run(run_id).data.tags


def test_experiment_of_the_environment(
    store: str, search: SearchRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "theirs")
    client = MlflowClient(store)
    named = [
        client.get_experiment(client.get_run(tracker.start(search, {})).info.experiment_id).name
        for tracker in (Tracker(store), Tracker(store, "given"))
    ]
    assert named == ["theirs", "given"]


def experiment_of(tracker: Tracker, search: SearchRecord) -> str:
    client = MlflowClient(tracker.tracking_uri)
    return client.get_experiment(client.get_run(tracker.start(search, {})).info.experiment_id).name


def test_search_is_in_the_experiment_that_was_set(user_store: str, search: SearchRecord, tmp_path) -> None:
    assert experiment_of(Tracker(user_store), search) == "mine"
    assert experiment_of(Tracker(user_store, "given"), search) == "given"
    assert experiment_of(Tracker(f"sqlite:///{tmp_path}/other.db"), search) == "automl"
    MlflowClient(user_store).delete_experiment(
        MlflowClient(user_store).get_experiment_by_name("mine").experiment_id
    )
    assert experiment_of(Tracker(user_store), search) == "automl"


def test_search_leaves_the_experiment_of_autologging_alone(user_store: str, search: SearchRecord) -> None:
    mlflow.sklearn.autolog(log_models=False, silent=True)
    try:
        assert experiment_of(Tracker(user_store), search) == "automl"
        assert runs(user_store) == 0
    finally:
        mlflow.sklearn.autolog(disable=True)
    assert experiment_of(Tracker(user_store), search) == "mine"
