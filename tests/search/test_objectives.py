"""Several objectives and constraints: search, MLflow, resume and command line."""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from mlflow import MlflowClient

import automl
from automl.search import sync
from automl.study import load_study, read_records
from automl.workers import model_bytes
from tests.support.boards import trial_rows
from tests.support.tables import cancer, small

MIXED = {
    "space": {
        "model": {
            "choice": {
                "decision_tree": {"max_depth": {"low": 1, "high": 5}},
                "linear": {"learning_rate": {"low": 0.01, "high": 1.0, "log": True}, "max_epochs": 4},
                "random_forest": {"n_estimators": [20, 60]},
            }
        }
    }
}
TWO = ["roc_auc", "model_bytes"]


def make(space=MIXED, **settings):
    settings = {"timeout": None, "n_trials": 16, "n_jobs": 1, "cv": 3, "progress": False, **settings}
    return automl.Search(space, study_name="s", **settings)


def runs(search):
    client = MlflowClient(f"sqlite:///{Path.cwd()}/mlruns/mlflow.db")
    experiment = client.get_run(search.run_id_).info.experiment_id
    found = client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{search.run_id_}'")
    return client.get_run(search.run_id_), {int(run.data.tags["automl.number"]): run for run in found}


def trials_of(search):
    """Return the trials of a study without times."""
    return [
        (trial.number, trial.state.name, trial.values, trial.params, trial.constraints)
        for trial in search.study_.get_trials()
    ]


# Several objectives


@pytest.mark.slow
def test_objectives_reach_study_leaderboard_and_mlflow(folder):
    X, y = cancer()
    search = make(scoring=["roc_auc", "fit_seconds"]).fit(X, y)
    assert [direction.name for direction in search.study_.directions] == ["MAXIMIZE", "MINIMIZE"]
    front = [record.number for record in search.pareto_front_]
    assert sorted(front) == [trial.number for trial in search.study_.best_trials]
    assert front[0] == search.best_trial_.number
    board = trial_rows(search.leaderboard(wide=True))
    assert board.trial.tolist()[: len(front)] == front
    assert board.front.sum() == len(front)
    assert search.best_score_ == board.roc_auc.max() == board.score.iloc[0]
    assert "pruned" not in set(board.state)  # no pruning with several objectives
    for trial in search.study_.get_trials():
        row = board[board.trial == trial.number].iloc[0]
        assert trial.values == [row.roc_auc, row.fit_seconds]
    assert search.score(X, y) > 0.9
    parent, children = runs(search)
    assert parent.data.metrics["n_front"] == len(front)
    assert parent.data.metrics["fit_seconds"] == search.best_trial_.values["fit_seconds"]
    assert parent.data.tags["automl.scoring"] == "roc_auc, fit_seconds"
    assert len(children) == 16
    marked = [number for number, run in children.items() if "automl.front" in run.data.tags]
    assert sorted(marked) == sorted(front)
    for record in search.pareto_front_:
        found = children[record.number].data.metrics
        assert {name: found[name] for name in record.values} == pytest.approx(record.values)


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["tpe", "nsgaii"])
def test_objectives_without_times_repeat_with_two_jobs(folder, sampler):
    X, y = small()
    found = [
        make(scoring=TWO, sampler=sampler, n_jobs=n_jobs, storage=f"{n_jobs}.journal", refit=False).fit(X, y)
        for n_jobs in (1, 2)
    ]
    assert trials_of(found[0]) == trials_of(found[1])
    assert found[0].leaderboard_.trial.dropna().tolist() == found[1].leaderboard_.trial.dropna().tolist()


def test_objectives_can_be_resumed(folder):
    X, y = small()
    before = trials_of(make(scoring=TWO, n_trials=8, refit=False).fit(X, y))
    search = make(scoring=TWO, n_trials=16, refit=False).fit(X, y)
    assert trials_of(search)[:8] == before
    assert search.leaderboard_.trial.count() == 16
    front = {record.number for record in search.pareto_front_}
    assert front == {trial.number for trial in search.study_.best_trials}
    _, children = runs(search)
    assert {number for number, run in children.items() if "automl.front" in run.data.tags} == front
    other = "scoring: must be roc_auc, model_bytes, as in the study; got roc_auc"
    with pytest.raises(automl.SettingError, match=other):
        make(scoring="roc_auc").fit(X, y)
    with pytest.raises(automl.SettingError, match="directions: must be .*'minimize'.* as in the study"):
        make(scoring=TWO, directions=["maximize", "maximize"]).fit(X, y)


def test_sync_rewrites_the_front(folder):
    X, y = small()
    search = make(scoring=TWO, n_trials=8, refit=False).fit(X, y)
    _, children = runs(search)
    client = MlflowClient(f"sqlite:///{folder}/mlruns/mlflow.db")
    for number, run in children.items():
        client.set_tag(run.info.run_id, "automl.front", "true")
        assert number < 8
    sync("s")
    _, children = runs(search)
    marked = {number for number, run in children.items() if "automl.front" in run.data.tags}
    assert marked == {record.number for record in search.pareto_front_}


def test_last_process_corrects_the_tags(folder):
    X, y = small()
    client = MlflowClient(f"sqlite:///{folder}/mlruns/mlflow.db")
    ends = []

    def one_trial(study, trial):
        study.stop()

    def search_beside(study, trial):
        if ends:
            return
        ends.append(0)
        ends[0] = make(scoring=TWO, n_trials=None, timeout=600, refit=False, callbacks=[one_trial]).fit(X, y)
        parent, children = runs(ends[0])
        assert parent.info.status == "RUNNING"
        assert any("automl.front" in run.data.tags for run in children.values())
        for run in children.values():
            client.set_tag(run.info.run_id, "automl.front", "true")
            client.set_tag(run.info.run_id, "automl.best", "true")

    search = make(scoring=TWO, n_trials=12, refit=False, callbacks=[search_beside]).fit(X, y)
    parent, children = runs(search)
    assert parent.info.status == "FINISHED"
    assert len(children) == 12
    assert ends[0].leaderboard_.trial.count() < 12
    front = {number for number, run in children.items() if "automl.front" in run.data.tags}
    assert front == {record.number for record in search.pareto_front_}
    best = [number for number, run in children.items() if "automl.best" in run.data.tags]
    assert best == [search.best_trial_.number]


def test_custom_loss_is_minimized(folder):
    X, y = small()

    def error(estimator, X, y):
        return 1 - float((estimator.predict(X) == y).mean())

    search = make(scoring=error, directions=["minimize"], sampler="random").fit(X, y)
    assert search.study_.direction.name == "MINIMIZE"
    assert search.best_score_ == -search.study_.best_value <= 0
    assert trial_rows(search.leaderboard_).score.dropna().is_monotonic_decreasing or "pruned" in set(
        search.leaderboard_.state
    )
    board = trial_rows(search.leaderboard_).set_index("trial")
    for trial in search.study_.get_trials():
        # pruners compare reports with values, so both have the same sign
        assert all(value >= 0 for value in trial.intermediate_values.values())
        if trial.value is not None and trial.state.name == "COMPLETE":
            assert trial.value == -board.score[trial.number]


# Constraints


def limited(**limits):
    return {**MIXED, "constraints": limits}


def tree_bytes(X, y):
    """Return a limit that trees and linear models meet, and no forest meets."""
    search = make(n_trials=12, refit=False, storage="before.journal", space=limited(model_bytes=1e9)).fit(
        X, y
    )
    board = trial_rows(search.leaderboard(wide=True))
    largest = board[board.family != "random_forest"].model_bytes.max()
    assert largest < board[board.family == "random_forest"].model_bytes.min()
    return int(largest * 1.05)


@pytest.mark.slow
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_constraint_excludes_forests(folder, n_jobs):
    X, y = small()
    limit = tree_bytes(X, y)
    space = limited(model_bytes=limit)
    search = make(space, n_trials=24, n_jobs=n_jobs).fit(X, y)
    board = trial_rows(search.leaderboard(wide=True))
    forests = board[board.family == "random_forest"]
    others = board[board.family != "random_forest"]
    assert len(forests) > 1
    assert (forests.excess > 0).all()
    assert (others.excess == 0).all()
    assert forests.index.min() > others.index.max()
    assert search.best_trial_.family != "random_forest"
    assert search.best_trial_.number == search.study_.best_trial.number
    assert model_bytes(search.best_estimator_) <= limit
    for trial in search.study_.get_trials():
        row = board[board.trial == trial.number].iloc[0]
        assert trial.constraints == {"model_bytes": row.model_bytes / limit - 1}
    # the sampler proposes fewer forests after the first
    assert (forests.trial >= 12).sum() <= (others.trial >= 12).sum()
    parent, children = runs(search)
    assert parent.data.metrics["n_over_limits"] == len(forests)
    assert json.loads(parent.data.tags["automl.constraints"]) == {"model_bytes": limit}
    for number, run in children.items():
        assert run.data.tags["automl.feasible"] == str(number not in set(forests.trial)).lower()
    with pytest.raises(automl.SettingError, match=r"constraints: must be .*as in the study"):
        make(MIXED).fit(X, y)
    before = trials_of(search)
    assert trials_of(make(space, n_trials=26, refit=False).fit(X, y))[:24] == before


def test_constraint_met_by_no_trial_warns(folder):
    X, y = small()
    with pytest.warns(
        UserWarning, match=r"No trial is within the limits; the best is \d+% over model_bytes\."
    ):
        search = make(limited(model_bytes=1000), n_trials=6, refit=False).fit(X, y)
    assert search.best_trial_.total_violation == search.leaderboard_.excess.min() > 0
    assert search.pareto_front_ == ()


def test_constraint_on_time_is_measured(folder):
    X, y = small()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # on a busy machine no trial may meet it
        search = make(limited(predict_seconds=0.05), n_trials=6, refit=False).fit(X, y)
    board = trial_rows(search.leaderboard(wide=True))
    assert board.predict_seconds.between(1e-5, 10).all()
    assert ((board.predict_seconds > 0.05) == (board.excess > 0)).all()


def test_constraint_violated_by_the_refit_warns(folder):
    X, y = small()
    rng = np.random.default_rng(0)
    y = rng.permutation(y)  # a tree of noise grows with its rows
    space = {"space": {"model": {"choice": {"decision_tree": {"min_samples_leaf": 1}}}}}
    found = make({**space, "constraints": {"model_bytes": 1e9}}, n_trials=1, cv=2, storage="a.journal").fit(
        X, y
    )
    limit = found.best_trial_.values["model_bytes"]
    assert model_bytes(found.best_estimator_) > limit
    with pytest.warns(UserWarning, match=r"The winner, trained on all rows, is \d+% over model_bytes\."):
        make({**space, "constraints": {"model_bytes": limit}}, n_trials=1, cv=2, storage="b.journal").fit(
            X, y
        )


def test_constraints_apply_with_several_objectives(folder):
    X, y = small()
    limit = tree_bytes(X, y)
    search = make(limited(model_bytes=limit), scoring=["roc_auc", "accuracy"], refit=False).fit(X, y)
    front = {record.number for record in search.pareto_front_}
    assert front == {trial.number for trial in search.study_.best_trials}
    assert all(record.total_violation == 0 for record in search.pareto_front_)
    columns = search.leaderboard_.columns[3:8].tolist()
    assert columns == ["front", "score", "excess", "roc_auc", "accuracy"]


# The command line


@pytest.mark.filterwarnings("always:No trial is within:UserWarning")
@pytest.mark.parametrize("words", [["roc_auc,model_bytes"], ["roc_auc", "--scoring", "model_bytes"]])
def test_command_line_accepts_and_prints_objectives(folder, run, words, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    X, y = small()
    X.assign(label=y).to_csv("table.csv", index=False)
    (folder / "space.yaml").write_text(
        "space: {model: {choice: {decision_tree: {max_depth: {low: 1, high: 9}}, random_forest: {n_estimators: 30}}}}\n"
        "constraints: {model_bytes: 1_000, predict_seconds: 100}\n"
    )
    options = ["--space", "space.yaml", "--n-trials", 6, "--n-jobs", 1, "--study-name", "s", "--no-progress"]
    search = ("search", "table.csv", "--target", "label", "--scoring", *words)
    code, printed = run(*search, *options)
    assert code == 0, printed
    assert "No trial is within the limits" in printed
    code, printed = run("leaderboard", "s")
    assert code == 0
    assert re.search(
        r"rank +trial +state +family +score +excess +model_bytes +predict_seconds +seconds", printed
    )
    assert re.search(r"\+[\d,]+%", printed)
    assert len(read_records(load_study("s"))) == 6
    code, printed = run("resume", "s", "--n-trials", 8, "--no-progress")
    assert code == 0, printed
    assert len(read_records(load_study("s"))) == 8
    (folder / "space.yaml").write_text((folder / "space.yaml").read_text().split("constraints")[0])
    options[-2] = "other"
    code, printed = run(*search, *options)
    assert code == 0, printed
    assert "1 +" in printed
    assert "+ on the Pareto front" in printed


def test_replay_repeats_a_trial_of_several_objectives(folder, run):
    X, y = small()
    X.assign(label=y).to_csv("table.csv", index=False)
    space = {**MIXED, "constraints": {"model_bytes": 1e9}}
    X, y = automl.read_table("table.csv", target="label")
    search = make(space, scoring=["accuracy", "model_bytes"], n_trials=6, refit=False).fit(X, y)
    for number in (0, 3):
        assert search.replay(number).same
        code, printed = run("replay", trial_rows(search.leaderboard_).set_index("trial").run_id[number])
        assert (code, "the same within rounding" in printed) == (0, True), printed
