"""The command line."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from rich.console import Console
from sklearn.datasets import load_breast_cancer
from sklearn.dummy import DummyClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import automl
from automl.export import save_model
from automl.search.early_refit import THREAD_NAME
from automl.study import load_study, read_records
from tests.support import ROOT
from tests.support.tables import penguins

WIDE = """
space:
  model:
    choice:
      hist_gradient_boosting:
        learning_rate: {low: 0.01, high: 0.2, log: true}
        max_leaf_nodes: {low: 4, high: 32}
        l2_regularization: {low: 1e-3, high: 1, log: true}
        max_iter: 10
"""
LONG = """
space:
  model:
    choice:
      decision_tree: {max_depth: {low: 1, high: 4}}
      linear: {batch_size: 1, max_epochs: 300, learning_rate: {low: 1e-3, high: 0.1, log: true}}
"""


def test_commands_search_rank_export_and_predict(table, run):
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
    board = pd.read_csv("board.csv")
    assert board.trial.dropna().tolist() == [record.number for record in _ranked("birds")]
    assert board[board.trial.notna()].run_id.nunique() == 4
    assert board.family.tolist().count("dummy") == 1

    code, printed = run("export", run_id, "model")
    assert code == 0
    code, printed = run("predict", "model", "rows.parquet", "-o", "out.csv", "--proba")
    assert code == 0
    assert "344 predictions" in printed
    out = pd.read_csv("out.csv")
    X, y = penguins()
    assert (out.prediction == y).mean() > 0.9
    assert np.array_equal(out.prediction, automl.load_model("model").predict(X))
    names = ["row", "prediction", "probability_Adelie", "probability_Chinstrap", "probability_Gentoo"]
    assert list(out.columns) == names
    assert out.row.tolist() == list(range(1, len(y) + 1))
    code, printed = run("predict", "model", "rows.parquet", "-o", "kept.csv", "--keep", "Individual ID,Sex")
    kept = pd.read_csv("kept.csv")
    assert list(kept.columns) == ["row", "Individual ID", "Sex", "prediction"]
    assert kept["Individual ID"].tolist() == X["Individual ID"].tolist()
    code, printed = run("predict", "model", "rows.parquet", "-o", "kept.csv", "--keep", "Sexx")
    assert (code, 'Did you mean "Sex"' in printed) == (2, True)

    # The training file also holds the target column, which predict ignores.
    for model in ("model", "models:/automl-species/1"):
        code, printed = run("predict", model, "penguins.csv.gz", "-o", "again.parquet")
        assert code == 0, printed
        assert np.array_equal(pd.read_parquet("again.parquet").prediction, out.prediction)
        os.remove("again.parquet")


def test_output_prints_brackets(table, run):
    words = ("--target", "species", "--space", "tree.yaml", "--n-trials", 1, "--n-jobs", 1, "--no-progress")
    code, printed = run("search", "penguins.csv.gz", *words, "--study-name", "x [bold]y", "-o", "out [red]z")
    assert code == 0
    assert "x [bold]y: 1 trials" in printed
    assert "model written to out [red]z\n" in printed
    assert Path("out [red]z/MLmodel").is_file()


def test_search_rejects_a_full_output_folder(table, run, monkeypatch):
    monkeypatch.setattr(automl.Search, "fit", lambda *_: pytest.fail("the search started"))
    Path("full").mkdir()
    Path("full/file").touch()
    code, printed = run("search", "penguins.csv.gz", "--target", "species", "-o", "full")
    assert code == 2
    assert "must be new or empty; got full" in printed


def test_search_prints_its_run_before_the_export(table, run, monkeypatch):
    def full(*_):
        raise automl.StoreError("out cannot be written: No space left on device")

    monkeypatch.setattr(automl.Search, "export", full)
    words = ("--target", "species", "--space", "tree.yaml", "--n-trials", 1, "--n-jobs", 1, "--no-progress")
    code, printed = run("search", "penguins.csv.gz", *words, "-o", "out")
    assert code == 1
    assert "No space left" in printed
    run_id = printed.split("automl export ")[1].split()[0]
    assert run("export", run_id, "out")[0] == 0


def test_search_and_resume_take_an_engine(table, run, monkeypatch):
    words = ("--target", "species", "--space", "tree.yaml", "--n-trials", 1, "--n-jobs", 1, "--no-progress")
    assert run("search", "penguins.csv.gz", *words, "--study-name", "birds")[0] == 0
    code, printed = run("search", "penguins.csv.gz", *words, "--engine", "rays")
    assert (code, "engine: must" in printed) == (2, True)
    engines = []

    def fit(search, *_, **__):
        engines.append(search.engine)
        raise automl.StoreError("no cluster answers")

    monkeypatch.setattr(automl.Search, "fit", fit)
    ray = "ray://head:10001"
    for command in (
        ["search", "penguins.csv.gz", *words],
        ["search", "penguins.csv.gz", *words, "--engine", "ray"],
        ["resume", "birds"],
        ["resume", "birds", "--engine", ray],
    ):
        code, printed = run(*command)
        assert (code, "no cluster answers" in printed) == (1, True)
    assert engines == ["local", "ray", "local", ray]


@pytest.mark.parametrize("width", [80, 60])
def test_leaderboard_truncates_no_number(table, run, monkeypatch, width):
    monkeypatch.setattr("automl.cli.output.console", Console(width=width))
    (table / "wide.yaml").write_text(WIDE)
    code, printed = run(
        "search", "penguins.csv.gz", "--target", "species", "--space", "wide.yaml", "--n-trials", 3, "--n-jobs", 1,
        "--study-name", "birds", "--no-progress",
    )  # fmt: skip
    assert code == 0
    lines = [line for line in printed.splitlines() if " complete " in line]
    assert max(map(len, lines)) <= width
    assert len(lines) == 3  # one line a trial
    assert [line.split()[3] for line in lines] == ["*", *(line.split()[3] for line in lines[1:])]
    assert "* best of its family" in printed
    ranked = _ranked("birds")
    for line, record in zip(lines, ranked, strict=True):
        assert f"{record.seconds:.2f}" in line.split()
        shown = next(float(word) for word in line.split()[3:] if re.fullmatch(r"-?\d+\.\d{4,}", word))
        assert shown == pytest.approx(record.score, rel=1e-3)
    assert (
        len({line.rindex(f"{record.seconds:.2f}"[-3:]) for line, record in zip(lines, ranked, strict=True)})
        == 1
    )
    code, printed = run("leaderboard", "birds", "--family", "mlp")
    assert (code, "--family: must have a trial in the study" in printed) == (2, True)
    assert run("leaderboard", "birds", "--family", "hist_gradient_boosting")[1].count("complete") == 3


def _ranked(study: str):
    return sorted(read_records(load_study(study)), key=lambda record: record.place())


@pytest.mark.parametrize("words", [["predict", "absent", "rows.parquet"], ["leaderboard", "absent"]])
@pytest.mark.parametrize(("output", "message"), [("no/o.csv", "be in a folder"), ("a.csv", "be a file")])
def test_output_file_is_checked_first(table, run, words, output, message):
    (table / "a.csv").mkdir()
    code, printed = run(*words, "-o", output)
    assert code == 2
    assert f"--output: must {message}" in printed


def test_predict_trusts_only_named_packages(table, run):
    X, y = penguins()
    model = make_pipeline(FunctionTransformer(pd.isna, feature_names_out="one-to-one"), DummyClassifier())
    save_model(model.fit(X, y), "model", X, {"target": "species"}, trusted=["pandas"])
    code, printed = run("predict", "model", "rows.parquet", "-o", "out.csv")
    assert code == 2
    assert "isna" in printed
    for trust in ("pandas", "pandas.isna"):
        code, printed = run("predict", "model", "rows.parquet", "-o", "out.csv", "--trust", trust)
        assert code == 0, printed


def test_readme_commands_run(folder, run):
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    X.assign(churn=y == 0).to_csv("customers.csv", index=False)
    text = (ROOT / "README.md").read_text()
    (block,) = re.findall(r"## From a shell\n\n```sh\n(.*?)```", text, flags=re.S)
    brief = block.replace("--timeout 60", "--space quick --n-trials 2 --n-jobs 1 --no-progress")
    run_id = ""
    for line in brief.splitlines():
        words = shlex.split(line.replace("RUN_ID", run_id, 1), comments=True)[1:]
        if words[0] == "ui":
            continue
        code, printed = run(*words)
        assert code == 0, (line, printed)
        run_id = printed.split("automl export ")[1].split()[0] if words[0] == "search" else run_id
    assert set(pd.read_csv("predictions.csv").prediction) == {True, False}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["search", "absent.csv", "--target", "y"], "absent.csv: "),
        (["search", "penguins.csv.gz", "--target", "specis"], '"species"'),
        (
            ["search", "penguins.csv.gz", "--target", "species", "--column", "Sex"],
            "must be NAME=TYPE; got Sex",
        ),
        (["search", "penguins.csv.gz", "--target", "species", "--column", "Sexx=drop"], 'Did you mean "Sex"'),
        (["search", "penguins.csv.gz", "--target", "species", "--space", "tabluar"], '"tabular"'),
        (["search", "penguins.csv.gz", "--target", "species", "--timeout", "-1"], "timeout: must be"),
        (["search", "penguins.csv.gz"], "--target"),
        (["serch"], "search"),
        (["leaderboard", "--top", "0"], "--top"),
        (["leaderboard", "--top", "-1"], "--top"),
        (["leaderboard", "nothing"], "study"),
        (["export", "0123", "model"], "0123"),
        (["predict", "absent", "rows.parquet", "-o", "out.csv"], "absent"),
        (["predict", "absent", "rows.parquet", "-o", "out.xlsx"], ".parquet"),
    ],
)
def test_fault_prints_one_message(table, run, words, message):
    code, printed = run(*words)
    assert code == 2
    assert message in printed
    assert "Traceback" not in printed


def test_help_lists_all_commands(run):
    code, printed = run("--help")
    assert code == 0
    commands = (
        *("search", "resume", "studies", "leaderboard", "report", "compare", "runs", "ui"),
        *("export", "predict", "evaluate", "replay", "sync", "repair", "spaces"),
    )
    assert set(re.findall(r"^│ (\w+) ", printed, flags=re.MULTILINE)) == set(commands)
    for command in commands:
        code, printed = run(command, "--help")
        assert code == 0
        assert "Usage" in printed


def test_version_is_printed(run):
    assert run("--version") == (0, f"{automl.__version__}\n")


def wait_for(done, seconds=60.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if done():
            return
        time.sleep(0.2)
    pytest.fail("the condition was not met in time")


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


@pytest.mark.slow
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_interrupt_ends_the_search_and_keeps_results(table, n_jobs):
    search = start_long_search(table, n_jobs)
    os.killpg(search.pid, signal.SIGINT)
    assert search.wait(timeout=60) == 0, (table / "printed").read_text()
    printed = (table / "printed").read_text()
    assert "Traceback" not in printed
    study = load_study("birds")
    best = min(read_records(study), key=lambda record: record.place())
    assert f"best: trial {best.number}, {best.family}, score {best.score:.5g}" in printed
    for command in ("automl export ", "automl resume birds", "automl ui "):
        assert command in printed
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


def test_second_interrupt_stops_at_once(table):
    search = start_long_search(table, 1)
    os.killpg(search.pid, signal.SIGINT)
    wait_for(lambda: "refitting" in (table / "printed").read_text() or search.poll() is not None)
    with suppress(ProcessLookupError):  # it has ended
        os.killpg(search.pid, signal.SIGINT)
    code, printed = search.wait(timeout=20), (table / "printed").read_text()
    assert code in (0, 130), printed  # 0 if the search ended before the second Ctrl-C
    assert "Traceback" not in printed
    assert "continue the search:" in printed
    assert "automl resume birds" in printed
    assert finished_trials() > 0


def test_interrupt_at_exit_is_ignored(folder):
    late = "atexit.register(os.kill, os.getpid(), signal.SIGINT)"
    program = f"import atexit, os, signal; from automl.cli import main; {late}; main()"
    ended = subprocess.run(
        [sys.executable, "-c", program, "--version"], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, f"{automl.__version__}\n", "")


def test_refit_that_is_not_needed_does_not_hold_up_the_shell(folder):
    thread = f"threading.Thread(target=time.sleep, args=(300,), name={THREAD_NAME!r}).start()"
    program = f"import threading, time; from automl.cli import main; {thread}; main()"
    ended = subprocess.run(
        [sys.executable, "-c", program, "--version"], capture_output=True, text=True, check=False, timeout=100
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, f"{automl.__version__}\n", "")


CLEANING = """
import os, signal, time

class Part:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)

def command(**_):
    part = Part()
    del part
    time.sleep(60)
"""
IMPORTING = """
def command(**_):
    exec("raise KeyboardInterrupt")  # dataclasses run exec, too
"""


@pytest.mark.parametrize("command", [CLEANING, IMPORTING], ids=["cleaning up", "importing"])
def test_interrupt_in_a_destructor_or_import_exits(folder, command):
    program = f"{command}\nfrom automl.cli import app\napp.app = command\napp.main()\n"
    (folder / "interrupted.py").write_text(program)
    ended = subprocess.run(
        [sys.executable, "-m", "interrupted"], capture_output=True, text=True, check=False, timeout=50
    )
    assert (ended.returncode, ended.stderr) == (130, "stopped\n")
