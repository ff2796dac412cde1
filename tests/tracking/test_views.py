"""Views of MLflow's user interface."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from automl.errors import SettingError
from automl.records import SearchRecord, TrialRecord
from automl.tracking import Tracker, ui_url
from automl.tracking.views import add_view

TAG = "mlflow.sharedViewState."


def started(store: str, search: SearchRecord) -> str:
    tracker = Tracker(store)
    run_id = tracker.start(search, {})
    tracker.log_inputs(search, {})
    tracker.close("finished")
    return run_id


def views(store: str) -> dict[str, dict[str, Any]]:
    tags = MlflowClient(store, store).get_experiment_by_name("automl").tags
    return {name: json.loads(value) for name, value in tags.items() if name.startswith(TAG)}


def test_search_saves_a_view_of_its_trials(store: str, search: SearchRecord) -> None:
    run_id = started(store, search)
    experiment = MlflowClient(store, store).get_experiment_by_name("automl")
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"
    ((tag, view),) = views(store).items()
    assert view["name"] == "flights"
    state = json.loads(view["state"])
    assert run_id in state["searchFilter"]
    assert (state["orderByKey"], state["orderByAsc"]) == ("metrics.`score`", False)
    assert state["selectedColumns"][:3] == ["metrics.`score`", "tags.`automl.state`", "metrics.`accuracy`"]
    address = ui_url(store, run_id=run_id)
    page = (
        f"http://127.0.0.1:5000/#/experiments/{experiment.experiment_id}/runs?workflowType=machine_learning"
    )
    assert address == f"{page}&viewStateShareKey={tag.removeprefix(TAG)}"


def test_ui_url_opens_the_newest_search(store: str, search: SearchRecord) -> None:
    assert ui_url(store, "never made") == "http://127.0.0.1:5000"
    assert ui_url(store, "made once", address="http://[::1]:1/").endswith(
        ":1/#/experiments/1/runs?workflowType=machine_learning"
    )
    started(store, search)
    newest = started(store, search)
    assert ui_url(store) == ui_url(store, run_id=newest)


def test_ui_url_of_a_trial_is_that_of_its_search(store: str, search: SearchRecord) -> None:
    tracker = Tracker(store)
    run_id = tracker.start(search, {})
    tracker.log_trial(
        TrialRecord(number=0, configuration={}, params={}, seed=0, state="failed", family="linear")
    )
    tracker.close("finished")
    trial = tracker.run_id(0)
    assert trial is not None
    assert ui_url(store, run_id=trial) == ui_url(store, run_id=run_id)
    with pytest.raises(SettingError, match="run_id"):
        ui_url(store, run_id="0" * 32)


def test_add_view_keeps_the_newest_twenty(store: str, search: SearchRecord) -> None:
    client, run_id = MlflowClient(store, store), started(store, search)
    experiment = client.get_experiment_by_name("automl")
    client.set_experiment_tag(experiment.experiment_id, f"{TAG}mine", "{}")
    for number in range(25):
        add_view(client, experiment.experiment_id, f"{number:012d}", f"search {number}", None)
        add_view(client, experiment.experiment_id, f"{number:012d}x", "the same again", None)
    names = {view.get("name") for view in views(store).values()}
    assert len(names) == 21
    assert None in names
    assert "the same again" not in names
    assert run_id[:12] not in " ".join(views(store))


def test_add_view_keeps_the_kind_of_the_user(store: str, search: SearchRecord) -> None:
    client = MlflowClient(store, store)
    experiment_id = client.create_experiment("automl", tags={"mlflow.experimentKind": "genai_development"})
    started(store, search)
    assert client.get_experiment(experiment_id).tags["mlflow.experimentKind"] == "genai_development"


def test_store_without_permission_for_views_is_no_error(
    store: str, search: SearchRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any) -> None:
        raise MlflowException("permission denied")

    monkeypatch.setattr(MlflowClient, "set_experiment_tag", refused)
    assert started(store, search)
    assert not views(store)


def test_ui_url_finds_the_newest_search_of_all_experiments(store: str, search: SearchRecord) -> None:
    started(store, search)
    tracker = Tracker(store, "it's mine")
    newest = tracker.start(search, {})
    tracker.close("finished")
    assert ui_url(store) == ui_url(store, "it's mine") == ui_url(store, run_id=newest)
    assert ui_url(store, "automl") != ui_url(store)
