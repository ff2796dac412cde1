from __future__ import annotations

import json
import math
import time
from typing import Any

import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from automl.errors import NoModelError, SettingError, StoreError
from automl.metrics import Predictions, Truth, final_metrics
from automl.records import Curve, SearchRecord, State, TrialRecord
from automl.tracking import Tracker, find_model
from automl.tracking.runs import trial_run

STARTED = 1_700_000_000.0
STATES: tuple[State, ...] = ("complete", "pruned", "failed", "stopped")


def trial(number: int, state: State = "complete", n_epochs: int = 50, **changes: Any) -> TrialRecord:
    rungs = tuple(range(10, n_epochs + 1, 10))
    fields: dict[str, Any] = {
        "number": number,
        "configuration": {"model": {"linear": {"learning_rate": 0.1}}},
        "params": {"model": "linear", "model.linear.learning_rate": 0.1},
        "seed": number + 100,
        "state": state,
        "family": "linear",
        "score": None if state == "failed" else 0.7,
        "fold_scores": (0.6, 0.7, 0.8),
        "metrics": {"accuracy": 0.9},
        "curve": Curve(
            losses=tuple(1 / epoch for epoch in range(1, n_epochs + 1)),
            learning_rates=(0.1,) * n_epochs,
            rungs=rungs,
            scores=tuple(0.5 + rung / 250 for rung in rungs),
        ),
        "started": STARTED,
        "seconds": 5.0,
        "reason": "" if state == "complete" else f"why it was {state}",
    }
    return TrialRecord(**{**fields, **changes})


def written(tracker: Tracker, *records: TrialRecord) -> list[Run]:
    client = MlflowClient(tracker.tracking_uri)
    for record in records:
        tracker.log_trial(record)
    assert tracker.flush(60)
    return [client.get_run(str(tracker.run_id(record.number))) for record in records]


@pytest.fixture
def tracker(store: str, search: SearchRecord) -> Tracker:
    tracker = Tracker(store)
    tracker.start(search, {"n_trials": 20, "timeout": None})
    return tracker


def test_tracker_writes_parent_and_children(store: str, search: SearchRecord) -> None:
    tracker = Tracker(store)
    parent_id = tracker.start(search, {"n_trials": 20, "timeout": None})
    begun = time.perf_counter()
    for number in range(20):
        tracker.log_trial(trial(number, STATES[number % 4]))
    assert time.perf_counter() - begun < 0.5  # 60 batches would take longer
    tracker.log_best(0, {"best_score": 0.7}, tags={"note": "x"})
    tracker.close("finished")

    client = MlflowClient(store)
    experiment = client.get_experiment_by_name("automl")
    parent = client.get_run(parent_id)
    children = client.search_runs([experiment.experiment_id], f"tags.mlflow.parentRunId = '{parent_id}'")
    by_number = {int(run.data.tags["automl.number"]): run for run in children}
    assert sorted(by_number) == list(range(20))
    assert [by_number[i].info.status for i in range(4)] == [*("FINISHED", "FINISHED", "FAILED", "FINISHED")]
    assert [by_number[i].data.tags["automl.state"] for i in range(4)] == [*STATES]
    assert all("fold_score" not in name for run in children for name in run.data.metrics)
    assert all(run.data.tags["automl.fold_scores"] for run in children)
    assert by_number[4].info.run_name == "0004 linear"
    assert tracker.run_id(4) == by_number[4].info.run_id
    assert {run.info.end_time - run.info.start_time for run in children} == {5000}
    assert by_number[0].data.params == {"model": "linear", "model.linear.learning_rate": "0.1"}
    assert json.loads(by_number[0].data.tags["automl.configuration"]) == trial(0).configuration
    assert by_number[2].data.tags["automl.reason"] == "why it was failed"
    assert by_number[0].data.tags["automl.best"] == "true"

    run_id = by_number[0].info.run_id
    losses = client.get_metric_history(run_id, "train_loss")
    assert [(m.step, m.value) for m in losses] == [(epoch, 1 / epoch) for epoch in range(1, 51)]
    assert losses[-1].timestamp == by_number[0].info.end_time
    scores = client.get_metric_history(run_id, "score")
    assert [m.step for m in scores] == [10, 20, 30, 40, 50]
    assert by_number[0].data.metrics["score"] == 0.7
    assert by_number[0].data.metrics["accuracy"] == 0.9

    assert parent.info.run_name == "flights"
    assert parent.info.status == "FINISHED"
    assert parent.data.params == {"n_trials": "20", "timeout": "None"}
    assert parent.data.tags["automl.kind"] == "search"
    assert parent.data.tags["automl.space_digest"] == "3f2a"
    assert parent.data.tags["automl.best_run_id"] == run_id
    assert parent.data.metrics["best_score"] == 0.7
    assert 0 < parent.data.metrics["tracking_seconds"] <= tracker.seconds


def test_tracker_keeps_mlflow_limits(tracker: Tracker) -> None:
    params = {f"model.p{i}": i for i in range(150)} | {"long": "x" * 10_000, "odd key!": 1}
    reason = "Traceback\n" + "  in a call\n" * 1_000 + "ValueError: the crop failed\n"
    (run,) = written(tracker, trial(0, n_epochs=1500, params=params, reason=reason))
    assert len(MlflowClient(tracker.tracking_uri).get_metric_history(run.info.run_id, "train_loss")) == 1500
    assert len(run.data.params) == 152
    assert run.data.params["model.p149"] == "149"
    assert len(run.data.params["long"]) == 6_000
    assert run.data.params["odd key_"] == "1"
    for tag in ("automl.reason", "mlflow.note.content"):
        assert len(run.data.tags[tag]) == 8_000
        assert run.data.tags[tag].startswith("Traceback\n  in a call\n")
        assert run.data.tags[tag].endswith("  in a call\nValueError: the crop failed\n")


def test_tracker_drops_infinite_values(tracker: Tracker) -> None:
    curve = Curve(losses=(1.0, 2.0, math.inf, math.nan), rungs=(2, 4), scores=(0.5, -math.inf))
    (run,) = written(tracker, trial(0, "failed", curve=curve, metrics={"log_loss": math.nan, "r2": -1.0}))
    history = MlflowClient(tracker.tracking_uri).get_metric_history(run.info.run_id, "train_loss")
    assert [metric.value for metric in history] == [1.0, 2.0]
    assert run.data.metrics["score"] == 0.5
    assert run.data.metrics["r2"] == -1.0
    assert "log_loss" not in run.data.metrics


def test_tracker_uses_one_scale_of_steps(tracker: Tracker) -> None:
    curve = Curve(
        losses=(0.7, 0.6),
        learning_rates=(0.1, 0.05),
        rungs=(1, 2, 4, 8),
        scores=(0.1, 0.2, 0.3, 0.7),
        epoch_steps=4,
    )
    (run,) = written(tracker, trial(0, curve=curve))
    client = MlflowClient(tracker.tracking_uri)
    steps = {
        key: [(metric.step, metric.value) for metric in client.get_metric_history(run.info.run_id, key)]
        for key in ("train_loss", "learning_rate", "score")
    }
    assert steps == {
        "train_loss": [(4, 0.7), (8, 0.6)],
        "learning_rate": [(4, 0.1), (8, 0.05)],
        "score": [(1, 0.1), (2, 0.2), (4, 0.3), (8, 0.7)],
    }


def test_tracker_logs_a_constant_learning_rate_by_its_ends(tracker: Tracker) -> None:
    rates = (0.1,) * 4 + (0.05,) * 3
    (run,) = written(tracker, trial(0, curve=Curve(losses=(1.0,) * 7, learning_rates=rates)))
    history = MlflowClient(tracker.tracking_uri).get_metric_history(run.info.run_id, "learning_rate")
    assert [(metric.step, metric.value) for metric in history] == [(1, 0.1), (4, 0.1), (5, 0.05), (7, 0.05)]


def test_tracker_logs_trials_without_epochs(tracker: Tracker) -> None:
    (run,) = written(tracker, trial(7, curve=Curve(), family="decision_tree"))
    assert run.info.run_name == "0007 decision_tree"
    assert run.data.metrics["score"] == 0.7
    assert "train_loss" not in run.data.metrics


@pytest.mark.parametrize(
    ("state", "status"), [("finished", "FINISHED"), ("killed", "KILLED"), ("failed", "FAILED")]
)
def test_close_ends_the_parent_run(tracker: Tracker, state: Any, status: str) -> None:
    tracker.close(state)
    tracker.close("finished")  # a second time changes nothing
    assert MlflowClient(tracker.tracking_uri).get_run(str(tracker.parent_run_id)).info.status == status


def test_tracker_retries_failed_writes(tracker: Tracker, monkeypatch: pytest.MonkeyPatch) -> None:
    log_batch, failures = MlflowClient.log_batch, iter([OSError("locked"), OSError("locked")])

    def fragile(*args: Any, **kwargs: Any) -> None:
        if failure := next(failures, None):
            raise failure
        log_batch(*args, **kwargs)

    monkeypatch.setattr(MlflowClient, "log_batch", fragile)
    written(tracker, trial(0), trial(1))
    tracker.close("finished")
    client = MlflowClient(tracker.tracking_uri)
    experiment = client.get_experiment_by_name("automl")
    assert len(client.search_runs([experiment.experiment_id])) == 3


def test_tracker_reports_dead_stores_once(tracker: Tracker, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tracker, trial(0))

    def dead(*args: Any, **kwargs: Any) -> None:
        raise OSError("disk full")

    for method in ("create_run", "log_batch", "set_terminated"):
        monkeypatch.setattr(MlflowClient, method, dead)
    for number in range(1, 50):
        tracker.log_trial(trial(number))
    begun = time.perf_counter()
    with pytest.warns(UserWarning, match=r"49 of 50 trials have no complete run \(disk full\)") as caught:
        tracker.close("finished")
    assert len(caught) == 1
    assert time.perf_counter() - begun < 10  # only the first failure waits for the store to come back
    assert tracker.run_id(3) is None


def test_close_does_not_wait_for_hanging_stores(tracker: Tracker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MlflowClient, "create_run", lambda *args, **kwargs: time.sleep(3))
    tracker.log_trial(trial(0))
    with pytest.warns(UserWarning, match="1 of 1 trials .* in time"):
        tracker.close("killed", timeout=0.2)


def test_tracker_refuses_deleted_experiments(tracker: Tracker) -> None:
    client = MlflowClient(tracker.tracking_uri)
    client.delete_experiment(client.get_experiment_by_name("automl").experiment_id)
    with pytest.raises(StoreError, match="experiment_name: the experiment 'automl' was deleted"):
        Tracker(tracker.tracking_uri)


def test_find_model_explains_missing_models(tracker: Tracker) -> None:
    winner, other = written(tracker, trial(0), trial(1))
    uri, parent_id = tracker.tracking_uri, str(tracker.parent_run_id)
    with pytest.raises(NoModelError, match=f"Run {parent_id} .*running.* holds no model"):
        find_model(parent_id, uri)
    tracker.log_best(0, {})
    tracker.close("finished")
    with pytest.raises(
        NoModelError, match=f"'0001 linear'.* search is {parent_id}.* winning .*{winner.info.run_id}"
    ):
        find_model(other.info.run_id, uri)
    with pytest.raises(NoModelError, match=f"Run {parent_id} .*finished.* holds no model"):
        find_model(winner.info.run_id, uri)
    with pytest.raises(SettingError, match="run_id: must be a run of sqlite"):
        find_model("f" * 32, uri)
    with pytest.raises(StoreError, match="there is no MLflow store at"):
        find_model(parent_id, f"{uri}.other")


def test_backlog_estimates_the_queue(tracker: Tracker, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tracker.backlog() == 0
    assert tracker.backlog(more=10) == pytest.approx(0.3)
    monkeypatch.setattr(tracker, "_write_trial", lambda record: time.sleep(0.05))
    for number in range(4):
        tracker.log_trial(trial(number))
    assert tracker.backlog() > 0
    assert tracker.flush()
    assert tracker.backlog() == 0
    assert tracker.backlog(more=10) >= 0.5


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_trials_have_at_most_15_metric_names(task: str) -> None:
    n_classes = {"binary": 2, "multiclass": 3, "regression": 0}[task]
    y = np.arange(30) % n_classes if n_classes else np.linspace(0, 1, 30)
    probabilities = np.full((30, n_classes), 1 / n_classes) if n_classes else None
    (metrics,) = final_metrics(task, Truth(y, n_classes), [Predictions(y, probabilities=probabilities)])
    content = trial_run(trial(0, metrics=metrics, fold_scores=(0.1, 0.2)), "parent")
    names = {point.key for point in content.points}
    assert {"score", "score_std", "train_loss", "learning_rate", "seconds"} < names
    assert len(names) <= 15
