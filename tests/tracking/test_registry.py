"""Versions in the registry and their aliases."""

from __future__ import annotations

import pytest
from mlflow import MlflowClient

from automl.records import SearchRecord
from automl.tracking import Tracker
from automl.tracking.registry import register


@pytest.fixture
def add(store: str, search: SearchRecord):
    """Return a function that registers a model with a score."""
    tracker = Tracker(store)
    run_id = tracker.start(search, {})
    tracker.close("finished")
    client = MlflowClient(store, store)
    experiment_id = client.get_run(run_id).info.experiment_id

    def add(score: float, **changes: object) -> None:
        facts = {
            "scoring": "roc_auc",
            "content": "c",
            "folds": "f",
            "score": score,
            "trial": 3,
            "target": "late",
        }
        model = client.create_logged_model(experiment_id, name="model", source_run_id=run_id)
        register(client, "automl-late", model, run_id, {**facts, **changes})

    return add


def aliases(store: str) -> dict[str, str]:
    return dict(MlflowClient(store, store).get_registered_model("automl-late").aliases)


def test_new_model_is_champion_and_a_better_one_before_it_challenger(store, add):
    for score, expected in (
        (0.8, {"champion": 1}),
        (0.9, {"champion": 2}),
        (0.85, {"champion": 3, "challenger": 2}),
        (0.87, {"champion": 4, "challenger": 2}),  # version 2 is better still
        (0.95, {"champion": 5}),
    ):
        add(score)
        assert {alias: int(version) for alias, version in aliases(store).items()} == expected


@pytest.mark.parametrize("other", [{"content": "other table"}, {"folds": "others"}, {"scoring": "f1"}])
def test_scores_on_other_data_are_not_compared(store, add, other):
    add(0.9, **other)
    add(0.8)
    assert aliases(store).keys() == {"champion"}


def test_version_has_a_description(store, add):
    add(0.912, n_rows=1200, classes=["no", "yes"], members=[(1, 0.5), (2, 0.5)], study_name="late-1")
    text = MlflowClient(store, store).get_model_version_by_alias("automl-late", "champion").description
    assert text.startswith(
        "Average of 2 models of the search `late-1` for **late**. roc_auc 0.912 over the folds. Trained on 1,200 rows."
    )
    assert 'automl.load_model("models:/automl-late@champion")' in text
    assert "predict_proba" in text


def test_model_without_a_score_is_registered(store, add):
    add(None)
    add(0.5)
    assert {alias: int(version) for alias, version in aliases(store).items()} == {"champion": 2}
