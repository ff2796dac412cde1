"""`Search` with limits, callbacks and failing trials."""

from __future__ import annotations

import signal
import sys
import time

import optuna
import pytest
from mlflow import MlflowClient

import automl
from automl.cli import main
from tests.support.boards import trial_rows
from tests.support.tables import small

TREE = {"space": {"model": {"choice": {"decision_tree": {"max_depth": {"low": 1, "high": 60}}}}}}
SLOW = """\
import time
from sklearn.tree import DecisionTreeClassifier

class Slow(DecisionTreeClassifier):
    def __init__(self, seconds=0.0):
        super().__init__()
        self.seconds = seconds

    def fit(self, X, y):
        time.sleep(self.seconds)
        return super().fit(X, y)
"""


DEADLY = """\
import os, signal
from sklearn.tree import DecisionTreeClassifier

class Deadly(DecisionTreeClassifier):
    def __init__(self, kills=False):
        super().__init__()
        self.kills = kills

    def fit(self, X, y):
        if self.kills and len(X) < 40:  # not in the smoke test of the space
            os.kill(os.getpid(), signal.SIGKILL)
        return super().fit(X, y)
"""

BROKEN = """\
from sklearn.tree import DecisionTreeClassifier

class Broken(DecisionTreeClassifier):
    def __init__(self, breaks=False):
        super().__init__()
        self.breaks = breaks

    def fit(self, X, y):
        if self.breaks and len(X) < 40:  # not in the smoke test of the space
            raise ValueError("the crop failed") from KeyError("no rain" * 2_000)
        return super().fit(X, y)
"""


def make(space=TREE, **settings):
    settings = {"n_trials": 6, "timeout": None, "n_jobs": 1, "cv": 2, "progress": False, **settings}
    return automl.Search(space, **{"study_name": "s", **settings})


@pytest.mark.slow
@pytest.mark.serial
@pytest.mark.parametrize("n_known", [1, 2])
def test_search_ends_when_every_configuration_is_known(folder, caplog, n_known):
    space = {"space": {"model": {"linear": {"max_epochs": [1, 2][:n_known]}}}}
    search = make(space, n_trials=2000, timeout=8)
    began = time.monotonic()
    search.fit(*small())
    assert time.monotonic() - began < 6
    assert search.leaderboard_.trial.count() == len(search.study_.trials) == n_known
    assert f"every configuration of the space was tried (trials: {n_known})" in caplog.text
    client = MlflowClient(f"sqlite:///{folder}/mlruns/mlflow.db")
    parent = client.get_run(search.run_id_)
    parents = f"tags.`mlflow.parentRunId` = '{search.run_id_}'"
    assert len(client.search_runs([parent.info.experiment_id], parents)) == n_known
    seconds = trial_rows(search.leaderboard_).seconds.sum()
    assert parent.data.metrics["training_seconds"] == pytest.approx(seconds, abs=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_search_prunes_trials_at_trial_timeout(folder, monkeypatch, n_jobs):
    (folder / "slow.py").write_text(SLOW)
    monkeypatch.syspath_prepend(folder)
    space = {"space": {"model": {"choice": {"slow": {"estimator": "slow.Slow", "seconds": [0.0, 600.0]}}}}}
    search = make(space, n_jobs=n_jobs, trial_timeout=2, allow_imports="slow").fit(*small())
    sys.modules.pop("slow")
    board = trial_rows(search.leaderboard(wide=True)).set_index("trial")
    assert len(board) == 2
    hung = board[board["model.slow.seconds"] == 600]
    assert set(hung.state) == {"pruned"}
    assert (hung.seconds < 5).all()
    assert search.best_params_["model.slow.seconds"] == 0
    killed = hung[hung.seconds > 0].run_id.iloc[0]
    run = MlflowClient(f"sqlite:///{folder}/mlruns/mlflow.db").get_run(killed)
    assert run.data.tags["automl.reason"] == "took longer than trial_timeout, 2 s"
    assert run.info.status == "FINISHED"


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="kills its workers")
def test_search_fails_only_the_trial_that_kills_its_worker(folder, monkeypatch):
    (folder / "deadly.py").write_text(DEADLY)
    monkeypatch.syspath_prepend(folder)
    params = {"estimator": "deadly.Deadly", "kills": [False, True]}
    space = {"space": {"model": {"choice": {"deadly": params}}}}
    search = make(space, n_jobs=2, n_trials=4, allow_imports="deadly").fit(*small())
    sys.modules.pop("deadly")
    board = trial_rows(search.leaderboard(wide=True))
    dead = board["model.deadly.kills"].astype(bool)
    assert 0 < dead.sum() < 4
    assert set(board.state[dead]) == {"failed"}
    assert set(board.state[~dead]) == {"complete"}
    run = MlflowClient(f"sqlite:///{folder}/mlruns/mlflow.db").get_run(
        board[dead & (board.seconds > 0)].run_id.item()
    )
    assert run.data.tags["automl.reason"] == "the worker process is gone: killed by SIGKILL"


@pytest.mark.slow
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_search_logs_the_error_of_a_failed_trial(folder, monkeypatch, n_jobs):
    (folder / "broken.py").write_text(BROKEN)
    monkeypatch.syspath_prepend(folder)
    params = {"estimator": "broken.Broken", "breaks": [False, True]}
    space = {"space": {"model": {"choice": {"broken": params}}}}
    search = make(space, n_jobs=n_jobs, n_trials=4, allow_imports="broken").fit(*small())
    sys.modules.pop("broken")
    board = trial_rows(search.leaderboard(wide=True))
    broke = board["model.broken.breaks"].astype(bool)
    assert set(board.state[broke]) == {"failed"}
    assert set(board.state[~broke]) == {"complete"}
    run_id = board[broke & (board.seconds > 0)].run_id.item()
    tags = MlflowClient(f"sqlite:///{folder}/mlruns/mlflow.db").get_run(run_id).data.tags
    assert tags["automl.reason"].startswith("KeyError: 'no rain")
    assert tags["automl.reason"].rstrip().endswith("ValueError: the crop failed")
    assert tags["automl.state"] == "failed"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_search_rejects_a_memory_limit_too_low(folder):
    with pytest.raises(
        automl.SettingError, match="memory_limit: must leave each of 2 workers at least 180 MB"
    ):
        make(memory_limit="300MB", n_jobs=2).fit(*small())
    with pytest.raises(automl.SettingError, match="memory_limit: must be a number of bytes"):
        make(memory_limit="plenty").fit(*small())


class Watcher:
    def __init__(self, last=None):
        self.seen, self.last = [], last

    def on_trial(self, record, search):
        self.seen.append((record.number, record.state, search.study_.study_name))
        if record.number == self.last:
            search.stop()


def test_callbacks_of_both_forms_can_end_the_search(folder):
    watcher, seen = Watcher(), []

    def callback(study, trial):
        seen.append((trial.number, trial.state.name.lower(), study.study_name))
        assert study.trials[trial.number].value == trial.value

    limit = optuna.study.MaxTrialsCallback(3, states=None)  # calls study.stop()
    search = make(n_trials=50, callbacks=[watcher, callback, limit]).fit(*small())
    board = trial_rows(search.leaderboard(wide=True))
    assert 3 <= len(board) < 10
    assert seen == watcher.seen
    assert sorted(seen) == [(i, state, "s") for i, state in enumerate(board.sort_values("trial").state)]
    run = MlflowClient(f"sqlite:///{folder}/mlruns/mlflow.db").get_run(search.run_id_)
    assert run.info.status == "FINISHED"

    again = make(n_trials=50, callbacks=[later := Watcher(last=12)]).fit(*small())
    assert len(later.seen) == again.leaderboard_.trial.count() - len(board)
    assert 13 <= again.leaderboard_.trial.count() < 20
    again.stop()  # no effect after the end


def test_callback_error_keeps_all_results(folder):
    def callback(study, trial):
        if trial.number == 4:
            raise ZeroDivisionError("mine")

    search = make(n_trials=50, callbacks=[callback])
    with pytest.raises(ZeroDivisionError, match="mine"):
        search.fit(*small())
    trials = search.study_.get_trials()
    assert len(trials) >= 5
    assert not any(trial.state.name == "RUNNING" for trial in trials)
    client = MlflowClient(f"sqlite:///{folder}/mlruns/mlflow.db")
    assert client.get_run(search.run_id_).info.status == "FAILED"
    experiment = client.get_run(search.run_id_).info.experiment_id
    runs = client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{search.run_id_}'")
    assert len(runs) == len(trials)
    assert make(n_trials=10).fit(*small()).leaderboard_.trial.count() == 10


@pytest.mark.parametrize("wrong", [[5], ["patient"], [print, None]])
def test_callbacks_must_be_callable(wrong):
    with pytest.raises(
        automl.SettingError, match="callbacks: each must be a function of Optuna's form, or have"
    ):
        make(callbacks=wrong).fit(*small())


@pytest.mark.slow
def test_patience_ends_the_search(folder):
    boards = [
        trial_rows(
            make(n_trials=200, patience=5, n_jobs=n_jobs, study_name=f"{n_jobs}").fit(*small()).leaderboard_
        )
        for n_jobs in (1, 2)
    ]
    assert len(boards[0]) < 30
    assert boards[0].trial.tolist() == boards[1].trial.tolist()
    assert boards[0].trial.max() - boards[0].trial.iloc[0] >= 5
    with pytest.raises(automl.SettingError, match="patience: must be"):
        make(patience=0).fit(*small())


@pytest.mark.slow
def test_command_line_passes_the_limits(folder, monkeypatch, capsys):
    X, y = small()
    X.assign(up=y).to_csv("t.csv", index=False)
    (folder / "tree.yaml").write_text(automl.load_space(TREE).to_yaml())
    words = ["search", "t.csv", "--target", "up", "--space", "tree.yaml", "--n-trials", "3", "--no-progress"]
    for more, expected in (
        (["--trial-timeout", "20", "--memory-limit", "64GB", "--patience", "9"], 0),
        (["--trial-timeout", "0"], 2),
    ):
        monkeypatch.setattr(sys, "argv", ["automl", *words, *more])
        with pytest.raises(SystemExit) as stop:
            main()
        printed = capsys.readouterr()
        assert int(stop.value.code or 0) == expected, printed
    assert "trial_timeout: must be" in printed.err
