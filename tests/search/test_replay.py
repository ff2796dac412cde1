"""`Replay`: train a recorded trial again, alone."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from sklearn.model_selection import GroupKFold

import automl
from automl.cli import main
from automl.records import Curve
from automl.search import Replay, replay_run, replay_trial
from tests.support.boards import trial_rows
from tests.support.tables import cancer, small

SPACE = {
    "space": {
        "model": {
            "choice": {
                "linear": {
                    "optimizer": {"choice": {"adam": {}, "momentum": {}}},
                    "learning_rate": {"low": 0.001, "high": 1, "log": True},
                    "max_epochs": 16,
                },
                "mlp": {"hidden_layer_sizes": [[8], [8, 4]], "dropout": [0.0, 0.2], "max_epochs": 8},
                "decision_tree": {"max_depth": {"low": 1, "high": 5}, "max_features": [0.5, 1.0]},
            }
        }
    }
}


NUMBERS = pd.DataFrame(np.random.default_rng(0).normal(size=(90, 3)), columns=["a", "b", "c"])
NOTES = [f"the flight over {'sea' if a > 0 else 'land'} was number {i % 30}" for i, a in enumerate(NUMBERS.a)]
IMPUTED = {"numeric": {"impute": ["mean", "median"]}}
PREPARED = {
    "numeric": {**IMPUTED["numeric"], "scale": ["none", "standard"]},
    "categorical": {"encode": ["onehot", "ordinal"], "max_categories": 8},
    "text": {"encode": ["drop", "tfidf"]},
}


def make(space=SPACE, **settings):
    settings = {"n_trials": 32, "timeout": None, "n_jobs": 1, "cv": 3, "progress": False, **settings}
    return automl.Search(space, refit=False, **settings)


def store():
    return MlflowClient(f"sqlite:///{Path.cwd()}/mlruns/mlflow.db")


def run(monkeypatch, capsys, *words):
    monkeypatch.setattr(sys, "argv", ["automl", *map(str, words)])
    with pytest.raises(SystemExit) as stop:
        main()
    printed = capsys.readouterr()
    return int(stop.value.code or 0), " ".join((printed.out + printed.err).split())


@pytest.mark.slow
@pytest.mark.parametrize("pruner", ["racing", "successive_halving"])
def test_replay_repeats_the_score_of_each_trial(folder, pruner):
    search = make(pruner=pruner).fit(*cancer())
    assert {"complete", "pruned"} <= set(search.leaderboard_.state)
    for number in trial_rows(search.leaderboard_).trial:
        found = search.replay(number)
        assert found.same
        assert found.replayed.score == pytest.approx(found.recorded.score, rel=1e-5)
        assert found.replayed.curve.rungs == found.recorded.curve.rungs
        assert found.replayed.fold_scores == pytest.approx(found.recorded.fold_scores)
        raced = (
            found.recorded.folds_left and found.replayed.state == "complete"
        )  # on the folds that it was trained on
        assert raced or found.replayed.state == found.recorded.state


@pytest.fixture
def searched(folder):
    """Return a search as the command line makes it: table from a file, plain settings."""
    X, y = small(90)
    X.assign(up=y).to_csv("t.csv", index=False)
    return make(n_trials=16).fit(*automl.read_table("t.csv", target="up"))


def test_replay_needs_only_the_run(searched, monkeypatch, capsys):
    for row in trial_rows(searched.leaderboard(wide=True)).groupby("family").head(2).itertuples():
        code, printed = run(monkeypatch, capsys, "replay", row.run_id)
        assert code == 0
        assert f"trial {row.trial}, {row.family}, {row.state} at rung" in printed
        assert printed.endswith("the same within rounding")
    code, printed = run(monkeypatch, capsys, "replay", searched.run_id_)
    assert code == 2
    assert "the run of a search. That of its winner is " + searched.leaderboard_.run_id.iloc[0] in printed
    assert run(monkeypatch, capsys, "replay", "0" * 32)[0] == 2


@pytest.mark.parametrize(
    ("X", "preprocess", "searched"),
    [
        (NUMBERS, PREPARED, ["numeric.scale"]),
        (NUMBERS, IMPUTED, []),
        (NUMBERS.mask(NUMBERS > 1), PREPARED, ["numeric.impute", "numeric.scale"]),
        (NUMBERS.assign(note=NOTES), PREPARED, ["numeric.scale", "text.encode"]),
        (NUMBERS.assign(note=NOTES)[["note"]], PREPARED, ["numeric.scale"]),
    ],
    ids=["numbers", "nothing left", "missing numbers", "free text", "free text alone"],
)
def test_replay_needs_only_the_run_of_a_specialised_space(folder, X, preprocess, searched):
    model = {"choice": {"linear": {"max_epochs": [2, 4]}, "decision_tree": {"max_depth": [2, 3]}}}
    space = {"space": {"preprocess": preprocess, "model": model}}
    y = (NUMBERS.a > 0).rename("up")
    board = trial_rows(make(space, n_trials=12).fit(X, y).leaderboard(wide=True))
    several = {name for name in board if name.startswith("preprocess") and board[name].nunique() > 1}
    assert several == {f"preprocess.{name}" for name in searched}
    assert all(replay_run(run_id, X, y).same for run_id in board.run_id)


def test_replay_with_another_score_exits_with_1(searched, monkeypatch, capsys):
    tree = searched.leaderboard_[searched.leaderboard_.family == "decision_tree"].iloc[0]
    client = store()
    client.set_tag(tree.run_id, "automl.configuration", '{"model": {"decision_tree": {"max_leaf_nodes": 2}}}')
    code, printed = run(monkeypatch, capsys, "replay", tree.run_id)
    assert code == 1
    assert printed.endswith("not the same")
    client.set_tag(tree.run_id, "automl.configuration", '{"model": {"mine": {"estimator": "os.path.Tree"}}}')
    code, printed = run(monkeypatch, capsys, "replay", tree.run_id)
    assert code == 2
    assert "Other packages must be named in allow_imports" in printed
    client.set_tag(tree.run_id, "automl.configuration", '{"model": {"decision_tree": ...')
    code, printed = run(monkeypatch, capsys, "replay", tree.run_id)
    assert code == 2
    assert "whose tags cannot be read" in printed


def test_replay_rejects_another_table(searched, monkeypatch, capsys):
    run_id = searched.leaderboard_.run_id.iloc[0]
    Path("t.csv").rename("moved.csv")
    assert "no such file" in run(monkeypatch, capsys, "replay", run_id)[1]
    assert run(monkeypatch, capsys, "replay", run_id, "moved.csv")[0] == 0
    X, y = small(90)
    X.assign(a=X.a * 2, up=y).to_csv("t.csv", index=False)
    code, printed = run(monkeypatch, capsys, "replay", run_id)
    assert code == 2
    assert "table: must hold the values that the trial was trained on; got others (90 rows" in printed


def test_replay_requires_python_objects_again(folder):
    X, y = small(90)
    groups = np.arange(90) // 5

    def share(estimator, X, y):
        return float(np.mean(estimator.predict(X) == y))

    search = make(n_trials=6, scoring=share, cv=GroupKFold(4)).fit(X, y, groups=groups)
    run_id = search.leaderboard_.run_id.iloc[0]
    with pytest.raises(
        automl.SettingError, match="cv: must be given, because the search had splits or groups as objects"
    ):
        replay_run(run_id, X, y, scoring=share)
    with pytest.raises(automl.SettingError, match="cv: must give the folds that the trial was trained on"):
        replay_run(run_id, X, y, scoring=share, cv=4)
    with pytest.raises(automl.SettingError, match="FILE: must be given for a table that was made in memory"):
        replay_run(run_id)
    found = replay_run(run_id, X, y, scoring=share, cv=GroupKFold(4), groups=groups)
    assert found.same
    assert str(found) == str(search.replay(int(search.leaderboard_.trial.iloc[0])))


def test_replay_repeats_failures_and_rejects_trials_without_score(folder):
    wild = {"space": {"model": {"choice": {"mlp": {"learning_rate": [1e9], "max_epochs": 6}, "linear": {}}}}}
    search = make(wild, n_trials=4).fit(*small(90))
    failed = search.leaderboard_[search.leaderboard_.state == "failed"].trial.iloc[0]
    found = search.replay(failed)
    assert found.same
    assert "recorded failed: diverged" in " ".join(str(found).split())
    replayed = replay_run(search.leaderboard_.set_index("trial").run_id[failed], *small(90))
    assert replayed.same
    with pytest.raises(automl.SettingError, match="number: must be a trial of the study; got 99, of 2"):
        search.replay(99)
    late = search.best_trial_.model_copy(
        update={"score": None, "curve": Curve(), "state": "stopped", "reason": "the time was up"}
    )
    with pytest.raises(automl.SettingError, match="must have a score.*stopped: the time was up"):
        replay_trial(None, late)


def test_replay_compares_scores_within_rounding(folder):
    best = make(n_trials=2).fit(*small(90)).best_trial_
    for difference, same in ((0, True), (1e-6, True), (1e-3, False)):
        assert Replay(best, best.model_copy(update={"score": best.score + difference})).same is same
    nothing = best.model_copy(update={"score": None})
    assert not Replay(best, nothing).same
    assert Replay(nothing, nothing).same
