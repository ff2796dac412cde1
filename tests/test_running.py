"""Searches within limits, watched and stopped by their callers."""

from __future__ import annotations

import sys

import pytest
from mlflow import MlflowClient

import automl
from automl.cli import main
from tests.tables import small

TREE = {"space": {"model": {"choice": {"decision_tree": {"max_depth": {"low": 1, "high": 6}}}}}}
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


def make(space=TREE, **settings):
    settings = {"n_trials": 6, "timeout": None, "n_jobs": 1, "cv": 2, "progress": False, **settings}
    return automl.Search(space, study_name="s", **settings)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_trial_that_hangs_costs_no_more_than_its_time(folder, monkeypatch, n_jobs):
    (folder / "slow.py").write_text(SLOW)
    monkeypatch.syspath_prepend(folder)
    space = {"space": {"model": {"choice": {"slow": {"estimator": "slow.Slow", "seconds": [0.0, 600.0]}}}}}
    search = make(space, n_jobs=n_jobs, trial_timeout=2, allow_imports="slow").fit(*small())
    sys.modules.pop("slow")
    board = search.leaderboard_.set_index("trial")
    assert len(board) == 6
    hung = board[board["model.slow.seconds"] == 600]
    assert set(hung.state) == {"pruned"}
    assert (hung.seconds < 5).all()
    assert search.best_params_["model.slow.seconds"] == 0
    killed = hung[hung.seconds > 0].run_id.iloc[0]
    run = MlflowClient(f"sqlite:///{folder}/mlruns/mlflow.db").get_run(killed)
    assert run.data.tags["automl.reason"] == "took longer than trial_timeout, 2 s"
    assert run.info.status == "KILLED"


@pytest.mark.skipif(sys.platform != "linux", reason="memory is looked up in /proc")
def test_a_limit_without_room_for_workers_is_refused_before_anything_trains(folder):
    with pytest.raises(
        automl.SettingError, match="memory_limit: must leave each of 2 workers at least 150 MB"
    ):
        make(memory_limit="300MB", n_jobs=2).fit(*small())
    with pytest.raises(automl.SettingError, match="memory_limit: must be a number of bytes"):
        make(memory_limit="plenty").fit(*small())


def test_the_command_line_knows_the_limits(folder, monkeypatch, capsys):
    X, y = small()
    X.assign(up=y).to_csv("t.csv", index=False)
    (folder / "tree.yaml").write_text(automl.load_space(TREE).to_yaml())
    words = ["search", "t.csv", "--target", "up", "--space", "tree.yaml", "--n-trials", "3", "--no-progress"]
    for more, expected in (
        (["--trial-timeout", "20", "--memory-limit", "64GB"], 0),
        (["--trial-timeout", "0"], 2),
    ):
        monkeypatch.setattr(sys, "argv", ["automl", *words, *more])
        with pytest.raises(SystemExit) as stop:
            main()
        printed = capsys.readouterr()
        assert int(stop.value.code or 0) == expected, printed
    assert "trial_timeout: must be" in printed.err
