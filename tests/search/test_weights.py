"""A search with row weights, class weights, groups and folds in time, from start to replay."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from sklearn.metrics import f1_score, make_scorer
from sklearn.model_selection import cross_val_score

import automl
from automl.cli import main
from automl.search import replay_run
from automl.study import load_study, read_search
from tests.support.tables import small

SPACE = {
    "space": {
        "model": {
            "choice": {
                "linear": {"learning_rate": {"low": 0.01, "high": 1, "log": True}, "max_epochs": 6},
                "decision_tree": {"max_depth": {"low": 1, "high": 5}},
            }
        }
    }
}
X, UP = small(60)
Y = UP.map({True: "yes", False: "no"}).rename("bought")
WEIGHT = np.random.default_rng(5).integers(1, 5, 60).astype(float)


def make(n_trials=6, **settings):
    settings = {"timeout": None, "n_jobs": 1, "cv": 3, "progress": False, **settings}
    return automl.Search(SPACE, n_trials=n_trials, **settings)


def client():
    return MlflowClient(f"sqlite:///{Path.cwd()}/mlruns/mlflow.db")  # MLflow remembers stores by their URI


def board(search):
    return search.leaderboard(wide=True).drop(columns=["seconds", "run_id"]).to_csv()


def test_zero_weight_rows_change_neither_scores_nor_model(folder):
    wrong = np.arange(60) % 3 == 0
    flipped = Y.where(~wrong, Y.map({"yes": "no", "no": "yes"}))
    weighted = make(4, scoring="accuracy").fit(X, flipped, sample_weight=np.where(wrong, 0.0, 2.0))
    plain = make(4, scoring="accuracy").fit(X, flipped)
    assert weighted.best_score_ > plain.best_score_ + 0.15
    assert (weighted.predict(X) == Y).mean() > (plain.predict(X) == Y).mean()
    assert weighted.score(X, flipped, sample_weight=~wrong) > weighted.score(X, flipped) + 0.15
    assert weighted.leaderboard(wide=True).loc[1, "accuracy"] == pytest.approx(weighted.best_score_)


@pytest.mark.slow
def test_weights_give_the_same_leaderboard_for_any_n_jobs(folder):
    found = [
        board(make(8, n_jobs=jobs, class_weight="balanced", refit=False).fit(X, Y, sample_weight=WEIGHT))
        for jobs in (1, 2)
    ]
    assert found[0] == found[1]
    assert found[0] != board(make(8, class_weight="balanced", refit=False).fit(X, Y))


def test_study_is_resumed_with_its_weights_only(folder):
    make(2, study_name="s", class_weight={"yes": 2}).fit(X, Y, sample_weight=WEIGHT)
    facts = read_search(load_study("s"))
    assert (facts.sample_weight, facts.class_weights, facts.positive_class) == ("object", (1.0, 2.0), "yes")
    for settings, weight, says in (
        ({"class_weight": {"yes": 2}}, None, "sample_weight: must be the weights of the study; got others"),
        ({"class_weight": {"yes": 2}}, WEIGHT[::-1], "sample_weight: must be the weights of the study"),
        ({"class_weight": {"yes": 3}}, WEIGHT, "class_weights: must be"),
        ({"class_weight": {"yes": 2}, "positive_class": "no"}, WEIGHT, "positive_class: must be yes"),
        ({"class_weight": {"yes": 2}, "cv": "time:3"}, WEIGHT, "cv: must give the folds of the study"),
    ):
        with pytest.raises(automl.SettingError, match=says):
            make(3, study_name="s", **settings).fit(X, Y, sample_weight=weight)
    resumed = make(3, study_name="s", class_weight={"yes": 2}).fit(X, Y, sample_weight=2 * WEIGHT)
    assert resumed.leaderboard_.trial.count() == 3
    assert all(resumed.replay(number).same for number in range(3))


def test_replay_of_a_run_needs_the_weights(folder):
    search = make(2, positive_class="no", scoring="f1", refit=False, class_weight="balanced")
    search.fit(X, Y, sample_weight=WEIGHT)
    run_id = search.leaderboard_.loc[1, "run_id"]
    with pytest.raises(automl.SettingError, match="sample_weight: must be given"):
        replay_run(run_id, X, Y)
    with pytest.raises(automl.SettingError, match="sample_weight: must be the weights"):
        replay_run(run_id, X, Y, sample_weight=WEIGHT[::-1])
    assert replay_run(run_id, X, Y, sample_weight=WEIGHT).same


def test_positive_class_is_named_everywhere(folder, capsys):
    search = make(2, positive_class="no", scoring="f1", progress=True).fit(X, Y)
    printed = capsys.readouterr().err
    assert "bought (binary, positive: no), f1" in printed
    assert "task binary: 2 labels" in printed
    assert search.positive_class_ == "no"
    assert search.leaderboard_.attrs == {"positive_class": "no"}
    assert search.score(X, Y) == pytest.approx(f1_score(Y, search.predict(X), pos_label="no"))
    run = client().get_run(search.run_id_)
    assert run.data.tags["automl.positive_class"] == "no"
    assert run.data.tags["automl.task_reason"] == "2 labels"
    assert run.data.params["positive_class"] == "no"
    main_board = run_cli(capsys, "leaderboard", search.study_.study_name)
    assert "2 trials, positive class: no" in main_board


def run_cli(capsys, *words):
    """Run a command that succeeds; return its output."""
    before, sys.argv = sys.argv, ["automl", *map(str, words)]
    try:
        with pytest.raises(SystemExit) as stop:
            main()
    finally:
        sys.argv = before
    printed = capsys.readouterr()
    assert not stop.value.code, printed
    return " ".join((printed.out + printed.err).split())


@pytest.mark.slow
def test_shell_searches_resumes_and_replays_with_columns(folder, capsys):
    rng = np.random.default_rng(1)
    table = X.assign(
        bought=Y, importance=WEIGHT, household=rng.integers(0, 12, 60),
        day=pd.date_range("2024-01-01", periods=60)[rng.permutation(60)],
    )  # fmt: skip
    table.to_csv("people.csv", index=False)
    (folder / "space.yaml").write_text(
        "space: {model: {choice: {decision_tree: {max_depth: {low: 1, high: 4}}}}}"
    )
    common = ("search", "people.csv", "--target", "bought", "--space", "space.yaml", "--no-progress")
    shown = run_cli(
        capsys, *common, "--n-trials", 2, "--study-name", "g", "--cv", 3, "--groups", "household", "--weight",
        "importance", "--class-weight", "yes=2", "--positive-class", "no", "--task", "binary", "--n-jobs", 1,
    )  # fmt: skip
    assert "positive class: no" in shown
    facts = read_search(load_study("g"))
    assert (facts.groups, facts.sample_weight, facts.cv) == ("household", "importance", 3)
    assert sorted(facts.columns) == ["a", "b", "day"]
    run_cli(capsys, "resume", "g", "--n-trials", 3, "--no-progress")
    experiment = client().get_experiment_by_name("automl").experiment_id
    trial = client().search_runs([experiment], "tags.`automl.number` = '2'")[0].info.run_id
    assert "the same within rounding" in run_cli(capsys, "replay", trial)
    run_cli(
        capsys,
        *common,
        "--n-trials",
        2,
        "--study-name",
        "t",
        "--cv",
        "time:2",
        "--time-column",
        "day",
        "--n-jobs",
        1,
    )
    facts = read_search(load_study("t"))
    assert (facts.cv, facts.time_column, facts.n_folds) == ("time:2", "day", 2)
    run_cli(capsys, "resume", "t", "--n-trials", 3, "--no-progress")


def test_business_cost_sees_labels(folder):
    def profit(estimator, X, y):
        predicted = estimator.predict(X)
        return float(5 * ((y == "yes") & (predicted == "yes")).sum() - (predicted == "yes").sum())

    search = make(3, scoring=profit, refit=False).fit(X, Y)
    assert search.best_score_ > 10
    with pytest.warns(UserWarning, match="the scorer profit takes no sample_weight"):
        make(1, scoring=profit, refit=False).fit(X, Y, sample_weight=WEIGHT)
    f1 = make(2, scoring=make_scorer(f1_score, pos_label="yes"), refit=False).fit(X, Y)
    named = make(2, scoring="f1", refit=False).fit(X, Y)
    assert f1.best_score_ == named.best_score_ > 0.5


def test_cross_validation_of_a_search_is_stratified(folder):
    order = np.argsort(Y.to_numpy(), kind="stable")
    scores = cross_val_score(make(1), X.iloc[order], Y.iloc[order], cv=2, scoring="accuracy")
    assert scores.min() > 0.6


def test_scaled_target_is_refitted_saved_and_scored(folder):
    y = pd.Series(1.7e9 + X["a"] + np.random.default_rng(2).normal(scale=0.2, size=60), name="seconds")
    search = make(3).fit(X, y, sample_weight=WEIGHT)
    loaded = automl.load_model(search.export("model"))
    error = np.abs(search.predict(X) - y).mean()
    assert error < 0.5 * np.abs(y - y.mean()).mean()
    np.testing.assert_allclose(loaded.predict(X), search.predict(X), rtol=0, atol=1e-6)
    assert search.score(X, y) == pytest.approx(-np.sqrt(((search.predict(X) - y) ** 2).mean()))
