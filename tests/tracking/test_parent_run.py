"""Table, files, tables and description of a search's run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Run

from automl.records import SearchRecord
from automl.tracking import Description, Tracker
from automl.version import __version__


def artifact(run: Run, name: str) -> Path:
    return Path(run.info.artifact_uri.removeprefix("file://")) / name


def written(store: str, tracker: Tracker) -> Run:
    assert tracker.flush(30)
    return MlflowClient(store, store).get_run(str(tracker.parent_run_id))


def test_run_has_table_space_and_surroundings(store: str, search: SearchRecord) -> None:
    facts = search.model_copy(
        update={
            "columns": {"day": "datetime", "plan": "categorical"},
            "content": "c" * 40,
            "file": "/data/flights.csv",
        }
    )
    tracker = Tracker(store)
    tracker.start(facts, {})
    tracker.log_inputs(facts, {"space.yaml": "space: {model: linear}\n"})
    tracker.log_inputs(facts, {"space.yaml": "space: {model: mlp}\n"})  # resumed with another space
    run = written(store, tracker)
    (found,) = run.inputs.dataset_inputs
    assert (found.dataset.name, found.dataset.digest) == ("flights.csv", "c" * 36)
    assert json.loads(found.dataset.profile)["num_rows"] == 1000
    columns = json.loads(found.dataset.schema)["mlflow_colspec"]
    assert [(column["name"], column["type"]) for column in columns] == [
        ("day", "datetime"),
        ("plan", "string"),
        ("late", "string"),
    ]
    assert artifact(run, "space.yaml").read_text() == "space: {model: mlp}\n"
    assert run.data.tags["automl.version"] == __version__
    assert "scikit-learn" in json.loads(run.data.tags["automl.packages"])
    assert "CPUs" in run.data.tags["automl.machine"]
    tracker.close("finished")


def test_results_are_replaced_when_a_search_is_resumed(store: str, search: SearchRecord) -> None:
    tracker = Tracker(store)
    run_id = tracker.start(search, {})
    for scores in ([0.5], [0.5, 0.7]):
        board = pd.DataFrame({"score": scores, "note": "=1+1"})
        tracker.log_results(
            Description(search, ()), {"leaderboard.csv": board.to_csv()}, {"leaderboard.json": board}
        )
    run = written(store, tracker)
    table: dict[str, Any] = json.loads(artifact(run, "leaderboard.json").read_text())
    assert table == {"columns": ["score", "note"], "data": [[0.5, "=1+1"], [0.7, "=1+1"]]}
    assert json.loads(run.data.tags["mlflow.loggedArtifacts"]) == [
        {"path": "leaderboard.json", "type": "table"}
    ]
    assert len(pd.read_csv(artifact(run, "leaderboard.csv"))) == 2
    assert f"viewStateShareKey=automl-{run_id[:12]}" in run.data.tags["mlflow.note.content"]
    tracker.close("finished")
