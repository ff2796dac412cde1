"""The metrics of a search that runs."""

from mlflow import MlflowClient

from automl.records import TrialRecord
from automl.tracking import Tracker
from automl.tracking.running import RunningSummary


def record(number, state="complete", score=0.5, **more):
    fields = {"configuration": {}, "params": {}, "seed": 0, "family": "linear", **more}
    return TrialRecord(number=number, state=state, score=score, **fields)


def test_summary_counts_states_and_keeps_the_best_score():
    summary = RunningSummary()
    for number, (state, score) in enumerate(
        [("complete", 0.5), ("pruned", 0.9), ("stopped", 0.6), ("failed", None), ("complete", 0.4)]
    ):
        summary.add(record(number, state, score))
    summary.add(record(5, score=0.99, excess={"model_bytes": 2.0}))
    points = {point.key: (point.value, point.step) for point in summary.points()}
    assert points == {
        "best_score": (0.6, 6),
        "n_complete": (3, 6),
        "n_stopped": (1, 6),
        "n_pruned": (1, 6),
        "n_failed": (1, 6),
    }


def test_parent_run_has_a_chart_while_the_search_runs(store, search, monkeypatch):
    monkeypatch.setattr("automl.tracking.running._INTERVAL", 0.0)
    tracker = Tracker(store)
    run_id = tracker.start(search, {})
    for number, score in enumerate([0.2, 0.6, 0.4]):
        tracker.log_trial(record(number, score=score))
    assert tracker.flush(60)
    history = MlflowClient(store).get_metric_history(run_id, "best_score")
    assert [(point.step, point.value) for point in history] == [(1, 0.2), (2, 0.6), (3, 0.6)]
    tracker.close("finished")
