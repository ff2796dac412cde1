"""Results of a search in MLflow: when report and figures are written, and the content of the run."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from mlflow import MlflowClient

import automl
import automl.search.publish as publish
from automl.search.budget import Budget
from automl.search.publish import next_commands, report_note, report_seconds, shell_options
from automl.study import read_records
from tests.support.tables import penguins
from tests.support.trials import search_record


@pytest.mark.parametrize(
    ("timeout", "slowness", "seconds"), [(60, 1, 3), (60, 2, 0), (None, 1, 0), (10, 1, 0)]
)
def test_report_is_reserved_a_twentieth_of_the_time(timeout, slowness, seconds):
    assert report_seconds(timeout, slowness) == seconds


@pytest.mark.parametrize(
    ("timeout", "elapsed", "reason"),
    [
        (100, 96, ""),
        (60, 50, ""),  # as reserved, though the search ended a little early
        (60, 20, "the search was short"),
        (100, 98, "the time was up"),
        (None, 600, ""),
        (None, 5, "the search was short"),
    ],
)
def test_report_note_tells_why_there_is_none(timeout, elapsed, reason):
    clock = iter([0.0])
    budget = Budget(timeout, clock=lambda: next(clock, elapsed))
    note = report_note(search_record(study_name="a b"), budget, 1.0, " --storage x")
    expected = f"No report was written, because {reason}. Write it with `automl report 'a b' --storage x`."
    assert note == (reason and expected)


def test_commands_name_the_stores_without_passwords():
    uri = "postgresql://me:s3cret@db/x"
    options = shell_options({"storage": uri, "tracking_uri": None})
    commands = next_commands(search_record(file="a.csv"), "models:/m-1", uri, options)
    assert "s3cret" not in str(commands)
    assert "--storage" in commands["Continue the search in a shell"]
    assert shell_options({"storage": object(), "tracking_uri": None}) is None


@pytest.mark.slow
def test_run_of_a_search_has_the_results(folder, monkeypatch):
    monkeypatch.setattr(publish, "_REPORT_SECONDS", 0.0)
    X, y = penguins()
    space = {"space": {"model": {"choice": {"decision_tree": {"max_depth": {"low": 1, "high": 9}}}}}}
    search = automl.Search(space, n_trials=3, timeout=None, n_jobs=1, cv=2, progress=False).fit(X, y)
    run = MlflowClient(f"sqlite:///{folder}/mlruns/mlflow.db").get_run(search.run_id_)
    files = Path(run.info.artifact_uri.removeprefix("file://"))
    assert {file.name for file in files.iterdir()} == {
        "space.yaml", "leaderboard.csv", "leaderboard.json", "report.html", "figures",
    }  # fmt: skip
    assert {file.stem for file in (files / "figures").iterdir()} == {
        "history", "families", "curves", "parameters", "importances", "confusion", "roc", "calibration",
    }  # fmt: skip
    assert len(pd.read_csv(files / "leaderboard.csv")) == len(search.leaderboard_)
    assert "Importances of the trees" in (files / "report.html").read_text()
    assert "max_depth" in (files / "space.yaml").read_text()
    description = run.data.tags["mlflow.note.content"]
    assert f"| best trial | {search.best_score_:.5g} |" in description
    assert search.model_uri_ in description
    assert "No report" not in description
    assert run.data.params["sampler"] == "tpe"
    assert run.data.params["cv"] == "2: 2 folds"
    assert "None" not in run.data.params.values()
    shares = {name: value for name, value in run.data.metrics.items() if name.endswith("_share")}
    assert {"training_share", "proposing_share", "refitting_share", "logging_share"} <= shares.keys()
    assert all(0 <= share <= 2 for share in shares.values())


def test_training_share_of_a_resumed_search_counts_its_own_trials(folder):
    X, y = penguins()
    for n_trials in (3, 4):
        search = automl.Search(
            "quick", n_trials=n_trials, timeout=None, n_jobs=1, refit=False, study_name="s", progress=False
        )
        search.fit(X, y)
    metrics = MlflowClient(f"sqlite:///{folder}/mlruns/mlflow.db").get_run(search.run_id_).data.metrics
    last = read_records(search.study_)[-1]
    assert metrics["training_share"] * metrics["seconds"] == pytest.approx(last.seconds)
    assert metrics["training_seconds"] > last.seconds
