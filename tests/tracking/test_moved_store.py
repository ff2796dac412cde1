"""An SQLite store that was moved with its artifacts."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from automl.records import SearchRecord
from automl.tracking import Tracker
from automl.tracking.moved_store import relocate
from automl.tracking.store import open_store


@pytest.fixture
def run_id(store: str, search: SearchRecord) -> str:
    """A run of a search with an artifact, and another experiment with artifacts elsewhere."""
    tracker = Tracker(store)
    run_id = tracker.start(search, {})
    client = open_store(store)
    client.log_text(run_id, "a report", "report.txt")
    client.create_experiment("elsewhere", artifact_location="file:///else/where")
    return run_id


@pytest.mark.parametrize("carry", [shutil.move, shutil.copytree])
def test_moved_store_finds_its_artifacts(run_id: str, tmp_path: Path, carry) -> None:
    old, new = tmp_path / "mlruns", tmp_path / "a new place" / "mlruns"
    carry(str(old), str(new))
    before = sorted(old.rglob("*"))
    client = open_store(f"sqlite:///{new}/mlflow.db")
    artifacts = new / "artifacts" / "automl"
    assert client.get_run(run_id).info.artifact_uri == (artifacts / run_id / "artifacts").as_uri()
    assert client.get_experiment_by_name("automl").artifact_location == artifacts.as_uri()
    assert client.get_experiment_by_name("elsewhere").artifact_location == "file:///else/where"
    another = client.create_run(client.get_run(run_id).info.experiment_id).info.run_id
    client.log_text(another, "more", "more.txt")
    client.log_text(run_id, "also", "also.txt")  # MLflow remembers the folders of runs by their id
    assert sorted(path.name for path in artifacts.rglob("*.txt")) == ["also.txt", "more.txt", "report.txt"]
    assert sorted(old.rglob("*")) == before


def test_store_in_its_place_is_not_changed(run_id: str, tmp_path: Path) -> None:
    assert relocate(tmp_path / "mlruns" / "mlflow.db", tmp_path / "mlruns" / "artifacts") == 0


def test_store_behind_a_link_is_not_changed(run_id: str, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "mlruns")
    assert relocate(tmp_path / "link" / "mlflow.db", tmp_path / "link" / "artifacts") == 0
