"""Resume a study, and sync it with MLflow."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import pandas as pd
import pytest
from mlflow import MlflowClient
from sklearn.model_selection import KFold

import automl
from automl.cli import main
from automl.records import SearchRecord
from automl.search import sync
from automl.study import load_study, read_records, read_search
from automl.table import Split
from automl.tracking import Tracker
from tests.support import ROOT
from tests.support.boards import trial_rows
from tests.support.kill_and_resume import check_mlflow
from tests.support.tables import penguins, small


def space(high=6.0, rate=(0.01, 1.0), **families):
    tree = {"max_depth": {"low": 1, "high": high}}
    linear = {"learning_rate": {"low": rate[0], "high": rate[1], "log": True}, "max_epochs": 4}
    return {"space": {"model": {"choice": {"decision_tree": tree, "linear": linear, **families}}}}


def make(n_trials=6, of=None, **settings):
    settings = {"study_name": "s", "timeout": None, "n_jobs": 1, "cv": 3, "progress": False, **settings}
    return automl.Search(of or space(), n_trials=n_trials, **settings)


def default():
    return f"sqlite:///{Path.cwd()}/mlruns/mlflow.db"  # MLflow remembers stores by their URI


def children(run_id):
    client = MlflowClient(default())
    experiment = client.get_run(run_id).info.experiment_id
    found = client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{run_id}'")
    return {int(run.data.tags["automl.number"]): run for run in found}


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks its searches")
def test_resume_after_random_kills_loses_no_trial(folder):
    command = [sys.executable, "-m", "tests.support.kill_and_resume", "30", "1", str(folder)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)
    assert ran.returncode == 0, ran.stderr
    lines = ran.stdout.splitlines()  # workers of killed searches print too
    summary = next(line for line in lines if line.startswith("{'kill': 30, "))
    assert "the same 270 trials: {'complete'" in summary


def test_resume_adds_to_the_same_study_and_run(folder):
    X, y = small()
    first = make().fit(X, y)
    with pytest.raises(automl.SettingError, match='must be new.*"s".*leave out resume=False'):
        make(resume=False).fit(X, y)
    second = make(10).fit(X, y)
    boards = (
        trial_rows(search.leaderboard(wide=True)).drop(
            columns=["corrected", "corrected_low", "corrected_high"]
        )
        for search in (first, second)
    )
    old, new = (board.sort_values("trial").reset_index(drop=True) for board in boards)
    pd.testing.assert_frame_equal(old, new.head(6), check_dtype=False)
    assert len(new) == 10
    assert first.run_id_ == second.run_id_
    runs = children(first.run_id_)
    assert sorted(runs) == list(range(10))
    best = [number for number, run in runs.items() if "automl.best" in run.data.tags]
    assert best == [second.best_trial_.number]
    assert MlflowClient(default()).get_run(first.run_id_).info.status == "FINISHED"

    third = make(10).fit(X, y)  # no trials left: only the refit
    assert third.leaderboard_.trial.count() == 10
    assert third.best_score_ == second.best_score_
    assert third.predict(X).tolist() == second.predict(X).tolist()


def test_resume_without_a_study_starts_one(folder):
    assert make(3).fit(*small()).leaderboard_.trial.count() == 3


X, y = small()
UNRELATED = X.a[::-1].set_axis(X.index).rename("up")


@pytest.mark.parametrize(
    ("table", "settings", "messages"),
    [
        ((X.assign(c=X.a * 2, b=X.a), y), {}, ["n_columns: must be 2", "c besides; b as numeric instead of"]),
        ((X.rename(columns={"a": "z"}), y), {}, ["no a; z besides"]),
        ((X.assign(a=X.a * 2), y), {}, ["must hold the values that the study was started on"]),
        ((X, ~y), {}, ["must hold the values that the study was started on"]),
        ((X, UNRELATED), {"scoring": "r2"}, ["task: must be binary", "scoring: must be roc_auc"]),
        ((X, y), {"scoring": "accuracy", "random_state": 3}, ["got accuracy", "random_state: must be 0"]),
        ((X, y.rename("down")), {"cv": 4}, ["target: must be up", "n_folds: must be 3, .* got 4"]),
        ((X, y), {"cv": KFold(3)}, ["cv: must give the folds of the study"]),
        ((X.head(50), y.head(50)), {}, ["n_rows: must be 60"]),
        ((X, y), {"of": space(rate=(2.0, 3.0))}, ["space: must have room for every trial .* without trial"]),
    ],
)  # fmt: skip
def test_resume_rejects_another_search_with_all_differences(unchanged, table, settings, messages):
    with pytest.raises(automl.SettingError) as caught:
        make(**settings).fit(*table)
    assert len(caught.value.faults) >= len(messages)
    for text in messages:
        assert re.search(text, str(caught.value))
    assert len(read_records(load_study("s"))) == 4


@pytest.fixture(scope="module")
def four_trials(empty_store, tmp_path_factory):
    folder = tmp_path_factory.mktemp("four_trials")
    (folder / "mlruns").mkdir()
    (folder / "mlruns" / "mlflow.db").write_bytes(empty_store.read_bytes())
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        make(4).fit(X, y)
    return folder


@pytest.fixture
def unchanged(four_trials, monkeypatch):
    """Work in the folder of a search of four trials; tests must not add any."""
    monkeypatch.chdir(four_trials)


def test_resume_accepts_a_wider_space(folder):
    make(4).fit(X, y)
    wider = make(12, of=space(high=9, rate=(0.001, 1.0))).fit(X, y)
    assert wider.leaderboard_.trial.count() == 12
    of = space(high=9, rate=(0.001, 1.0), decision_tree={"max_depth": [{"low": 1, "high": 9}, None]}, mlp={})
    of["space"]["model"]["choice"]["linear"]["learning_rate"]["log"] = False
    more = trial_rows(make(24, of=of).fit(X, y).leaderboard(wide=True)).set_index("trial")
    assert sorted(more.index) == list(range(24))
    old = trial_rows(wider.leaderboard(wide=True)).set_index("trial")
    assert old.score.equals(more.score.loc[old.index])
    assert "mlp" in set(more.family)
    assert more.loc[12:, "model.decision_tree.max_depth"].isna().any()


def test_resume_accepts_a_study_of_an_older_version(folder):
    study = make(3).fit(X, y).study_
    facts = study.user_attrs["search"]
    study.set_user_attr(
        "search", {name: facts[name] for name in facts.keys() - {"columns", "content", "folds"}}
    )
    assert make(5).fit(X, y).leaderboard_.trial.count() == 5
    assert load_study("s").user_attrs["search"] == facts


def test_resume_rejects_a_foreign_study(folder):
    import optuna

    storage = optuna.storages.InMemoryStorage()
    optuna.create_study(study_name="s", storage=storage, direction="maximize").ask()
    with pytest.raises(automl.SettingError, match="must name a study of automl's own"):
        make(storage=storage).fit(X, y)


def test_sync_writes_missing_runs(folder):
    store = (folder / "mlruns" / "mlflow.db").read_bytes()
    search = make(4, refit=False).fit(X, y)
    client = MlflowClient(default())
    runs = children(search.run_id_)
    client.delete_run(runs[1].info.run_id)
    client.update_run(runs[2].info.run_id, "RUNNING")
    client.update_run(search.run_id_, "RUNNING")
    assert sync("s") == ("s", search.run_id_, 4)
    again = children(search.run_id_)
    assert sorted(again) == [0, 1, 2, 3]
    assert "RUNNING" not in {run.info.status for run in again.values()}
    assert again[1].data.metrics["score"] == runs[1].data.metrics["score"]
    assert again[2].info.run_id == runs[2].info.run_id
    assert client.get_run(search.run_id_).info.status == "KILLED"

    # A lost store is rebuilt from the study.
    (folder / "new.db").write_bytes(store)
    name, run_id, n_trials = sync(tracking_uri=f"sqlite:///{folder}/new.db")
    assert (name, n_trials) == ("s", 4)
    assert run_id != search.run_id_
    parent = MlflowClient(f"sqlite:///{folder}/new.db").get_run(run_id)
    assert parent.data.metrics["best_score"] == search.best_score_


@pytest.mark.parametrize("recovers", [False, True])
def test_search_survives_a_failing_store(folder, monkeypatch, recovers):
    log_batch, calls = MlflowClient.log_batch, []

    def fragile(*args, **kwargs):
        calls.append(1)
        if 3 < len(calls) < (10 if recovers else float("inf")):
            raise OSError("the disk is full")
        log_batch(*args, **kwargs)

    with monkeypatch.context() as patch, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        patch.setattr(MlflowClient, "log_batch", fragile)
        search = make(10).fit(X, y)
    warned = [str(warning.message) for warning in caught]
    assert search.leaderboard_.trial.count() == 10
    assert search.predict(X).shape == y.shape
    assert len(calls) > 10
    if recovers:  # missing runs were written at the end
        assert warned == []
    else:
        assert [text for text in warned if "The MLflow store" in text] == [
            f"The MLflow store {default()} failed during the search: 9 of 10 trials have no complete run "
            "(the disk is full). The study itself is complete. Write what is missing with: automl sync s"
        ]
        assert len(children(search.run_id_)) >= 2  # a complete run, and begun ones that `sync` continues
        assert "tracking_seconds" not in MlflowClient(default()).get_run(search.run_id_).data.metrics
        assert sync("s") == ("s", search.run_id_, 10)
    check_mlflow(search.run_id_, {record.number: record for record in read_records(search.study_)})
    parent = MlflowClient(default()).get_run(search.run_id_)
    assert parent.data.metrics["best_score"] == search.best_score_


def test_tracker_finds_a_run_missing_from_the_study(folder):
    search = make(3).fit(X, y)
    tracker = Tracker()
    facts = SearchRecord.model_validate(search.study_.user_attrs["search"])
    assert tracker.find(facts) is None
    started = tracker.start(facts, {})
    assert tracker.find(facts) == started
    assert tracker.find(facts.model_copy(update={"content": "0"})) is None
    assert tracker.resume("0" * 32, []) is None
    tracker.close("finished")


def test_command_line_resumes_and_syncs(folder, monkeypatch, capsys):
    X.assign(up=y).to_csv("t.csv", index=False)
    (folder / "tree.yaml").write_text(automl.load_space(space()).to_yaml())
    common = ["t.csv", "--target", "up", "--space", "tree.yaml", "--n-jobs", "1", "--no-progress"]

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["automl", *words])
        with pytest.raises(SystemExit) as stop:
            main()
        printed = capsys.readouterr()
        return int(stop.value.code or 0), printed.out + printed.err

    code, printed = run("resume", "s", "--n-trials", "5")
    assert code == 2
    assert "study_name: needs a study to read" in printed
    assert run("search", *common, "--study-name", "s", "--n-trials", "3", "--scoring", "accuracy")[0] == 0
    (folder / "tree.yaml").unlink()  # the study holds its space and settings
    code, printed = run("resume", "s", "--n-trials", "5", "--no-progress")
    assert code == 0
    assert "s: 5 trials" in printed
    assert load_study("s").user_attrs["search"]["scoring"] == "accuracy"
    (folder / "t.csv").rename("moved.csv")
    code, printed = run("resume", "s", "--n-trials", "6")
    assert code == 2
    assert "t.csv: must be a file" in printed
    code, printed = run("resume", "s", "moved.csv", "--n-trials", "6", "--no-progress")
    assert code == 0
    assert "s: 6 trials" in printed
    code, printed = run("sync", "s")
    assert code == 0
    assert "s: 6 trials in run" in printed


def test_command_line_cannot_resume_with_python_objects(folder, monkeypatch, capsys):
    make(2, cv=KFold(2), refit=False).fit(X, y)
    monkeypatch.setattr(sys, "argv", ["automl", "resume", "s"])
    with pytest.raises(SystemExit, match="2"):
        main()
    printed = capsys.readouterr().err
    assert "cv: must be a plain value" in printed
    make(2, study_name="t", refit=False).fit(X, y)
    monkeypatch.setattr(sys, "argv", ["automl", "resume", "t"])
    with pytest.raises(SystemExit, match="2"):
        main()
    assert "FILE: must be given for a table that was made in memory" in capsys.readouterr().err


def test_resume_repeats_no_failed_configuration(folder):
    X, y = penguins()
    branch = {"estimator": "sklearn.linear_model.LogisticRegression", "solver": ["liblinear", "lbfgs"]}
    of = {"space": {"model": {"choice": {"mine": {**branch, "C": {"low": 0.1, "high": 10}}}}}}
    first = make(8, of=of, pruner="none").fit(X, y)  # liblinear fails on three classes
    failed = first.leaderboard_.query("state == 'failed'")
    assert len(failed) == 2
    second = make(14, of=of, pruner="none").fit(X, y)
    assert second.leaderboard_.trial.count() == 14
    assert set(second.leaderboard_.query("trial > @failed.trial.max()")["state"]) == {"complete"}


def test_search_ends_when_every_configuration_failed(folder):
    X, y = penguins()
    branch = {"estimator": "sklearn.neighbors.KNeighborsClassifier", "n_neighbors": [390, 400]}  # of 275 rows
    of = {"space": {"model": {"choice": {"mine": {**branch, "weights": ["uniform", "distance"]}}}}}
    with pytest.raises(automl.NoModelError):
        make(20, of=of).fit(X, y)
    records = read_records(load_study("s"))
    assert {record.state for record in records} == {"failed"}
    assert sum(record.reason.startswith("Traceback") for record in records) == 4


def test_resume_keeps_the_folds_of_an_earlier_rule(folder, monkeypatch):
    old = Split(2, hold_out=0.2)  # as a study of an earlier version has
    with monkeypatch.context() as patch:
        patch.setattr("automl.search.plan.default_split", lambda *size: old)
        before = make(2, cv=None).fit(X, y)
    after = make(4, cv=None).fit(X, y)
    assert after.leaderboard_.trial.count() == 4
    assert read_search(after.study_).n_folds == 2
    assert after.replay(3).same
    assert len(make(2, cv=None, study_name="new").fit(X, y).best_trial_.fold_scores) == 5
    assert len(before.best_trial_.fold_scores) == 2
