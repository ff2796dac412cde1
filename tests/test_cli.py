"""The command line, as a person uses it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

import automl
from automl.cli import main
from automl.study import load_study, read_records
from tests.tables import penguins

TREE = "space: {model: {choice: {decision_tree: {max_depth: {low: 1, high: 4}}}}}\n"
LONG = """
space:
  model:
    choice:
      decision_tree: {max_depth: {low: 1, high: 4}}
      linear: {batch_size: 1, max_epochs: 300, learning_rate: {low: 1e-3, high: 0.1, log: true}}
"""


@pytest.fixture
def run(monkeypatch, capsys):
    """Run a command line; return its exit code and what it printed."""

    def run(*words: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["automl", *map(str, words)])
        with pytest.raises(SystemExit) as stop:
            main()
        printed = capsys.readouterr()
        return int(stop.value.code or 0), printed.out + printed.err

    return run


@pytest.fixture
def table(folder):
    X, y = penguins()
    X.assign(species=y).to_csv(folder / "penguins.csv.gz", index=False)
    X.to_parquet(folder / "rows.parquet")
    (folder / "tree.yaml").write_text(TREE)
    return folder


def test_search_leaderboard_export_predict(table, run):
    code, printed = run(
        "search", "penguins.csv.gz", "--target", "species", "--space", "tree.yaml", "--n-trials", 4, "--n-jobs", 1,
        "--study-name", "birds", "--no-progress",
    )  # fmt: skip
    assert code == 0
    assert "birds: 4 trials" in printed
    run_id = printed.split("automl export ")[1].split()[0]

    code, printed = run("leaderboard")
    assert code == 0
    assert "decision_tree" in printed
    code, _ = run("leaderboard", "birds", "-o", "board.csv")
    assert len(pd.read_csv("board.csv")) == 4

    code, printed = run("export", run_id, "model")
    assert code == 0
    code, printed = run("predict", "model", "rows.parquet", "-o", "out.csv", "--proba")
    assert code == 0
    assert "344 predictions" in printed
    out = pd.read_csv("out.csv")
    X, y = penguins()
    assert (out.prediction == y).mean() > 0.9
    assert np.array_equal(out.prediction, automl.load_model("model").predict(X))
    assert list(out.columns[1:]) == ["probability_Adelie", "probability_Chinstrap", "probability_Gentoo"]

    # The file it learned from holds the target too, which is no reason to refuse it.
    code, _ = run("predict", "model", "penguins.csv.gz", "-o", "again.parquet")
    assert code == 0
    assert np.array_equal(pd.read_parquet("again.parquet").prediction, out.prediction)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["search", "absent.csv", "--target", "y"], "absent.csv: "),
        (["search", "penguins.csv.gz", "--target", "specis"], '"species"'),
        (["search", "penguins.csv.gz", "--target", "species", "--space", "tabluar"], '"tabular"'),
        (["search", "penguins.csv.gz", "--target", "species", "--timeout", "-1"], "timeout: must be"),
        (["search", "penguins.csv.gz"], "--target"),
        (["serch"], "search"),
        (["leaderboard", "nothing"], "study"),
        (["export", "0123", "model"], "0123"),
        (["predict", "absent", "rows.parquet", "-o", "out.csv"], "absent"),
        (["predict", "absent", "rows.parquet", "-o", "out.xlsx"], ".parquet"),
    ],
)
def test_a_fault_is_one_message_and_no_traceback(table, run, words, message):
    code, printed = run(*words)
    assert code == 2
    assert message in printed
    assert "Traceback" not in printed


def test_help_tells_every_command(run):
    code, printed = run("--help")
    assert code == 0
    for command in ("search", "leaderboard", "export", "predict", "ui"):
        assert command in printed
    for command in ("search", "leaderboard", "export", "predict", "ui"):
        code, printed = run(command, "--help")
        assert code == 0
        assert "Usage" in printed


def test_version(run):
    assert run("--version") == (0, f"{automl.__version__}\n")


def test_ui_starts_mlflow_on_the_store_of_the_folder(folder, run, monkeypatch):
    started = []
    monkeypatch.setattr(subprocess, "call", lambda command: started.append(command) or 0)
    code, printed = run("ui", "--port", 5001)
    assert code == 0
    assert ":5001" in printed
    (command,) = started
    assert any(f"{folder}/mlruns/mlflow.db" in word for word in command)


def wait_for(done, seconds=60.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if done():
            return
        time.sleep(0.2)
    pytest.fail("it did not come to that in time")


def finished_trials():
    try:
        return len(read_records(load_study("birds")))
    except (automl.InputError, automl.StoreError, KeyError):
        return 0


def start_long_search(folder, n_jobs):
    (folder / "long.yaml").write_text(LONG)
    words = ["search", "penguins.csv.gz", "--target", "species", "--space", "long.yaml", "--timeout", "120"]
    words += ["--study-name", "birds", "--n-jobs", str(n_jobs)]
    with open(folder / "printed", "w") as printed:
        search = subprocess.Popen(
            [sys.executable, "-m", "automl.cli", *words],
            stdout=printed,
            stderr=printed,
            start_new_session=True,
        )
    wait_for(lambda: finished_trials() > 0 or search.poll() is not None)
    return search


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_ctrl_c_ends_a_search_in_order(table, n_jobs):
    search = start_long_search(table, n_jobs)
    os.killpg(search.pid, signal.SIGINT)
    assert search.wait(timeout=60) == 0, (table / "printed").read_text()
    printed = (table / "printed").read_text()
    assert "Traceback" not in printed
    assert "automl export" in printed
    study = load_study("birds")
    states = {trial.state.name for trial in study.get_trials()}
    assert states <= {"COMPLETE", "PRUNED"}
    client = MlflowClient(f"sqlite:///{table}/mlruns/mlflow.db")
    run_id = printed.split("automl export ")[1].split()[0]
    parent = client.get_run(run_id)
    assert parent.info.status == "KILLED"
    children = client.search_runs([parent.info.experiment_id], f"tags.`mlflow.parentRunId` = '{run_id}'")
    assert len(children) == len(study.get_trials())
    assert {child.info.status for child in children} <= {"FINISHED", "KILLED"}
    assert len(client.search_registered_models()) == 1


def test_a_second_ctrl_c_stops_at_once(table):
    search = start_long_search(table, 1)
    os.killpg(search.pid, signal.SIGINT)
    wait_for(lambda: "refitting" in (table / "printed").read_text() or search.poll() is not None)
    os.killpg(search.pid, signal.SIGINT)
    assert search.wait(timeout=20) in (0, 130)  # 0 where the search was quicker than the second Ctrl-C
    assert "Traceback" not in (table / "printed").read_text()
    assert finished_trials() > 0
