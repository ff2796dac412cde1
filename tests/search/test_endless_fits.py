"""Fits that would never end, with a `timeout`: the search ends in time, with a model and one winner."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

import automl
from tests.support.boards import trial_rows

pytestmark = [pytest.mark.slow, pytest.mark.serial]

STUBBORN = """\
import time
from sklearn.tree import DecisionTreeClassifier

class Stubborn(DecisionTreeClassifier):
    def fit(self, X, y):
        while len(X) > 400:  # not in the smoke test of the space
            try:
                time.sleep(600)
            except BaseException:
                pass
        return super().fit(X, y)
"""
ENDLESS: dict[str, dict[str, Any]] = {
    "trees": {"random_forest": {"n_estimators": 10**9}},
    "epochs": {"linear": {"max_epochs": 10**10}},
    "a foreign class": {"stubborn": {"estimator": "stubborn.Stubborn"}},
}


@pytest.mark.parametrize("kind", ENDLESS)
def test_search_of_an_endless_fit_ends_in_time_with_one_winner(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], kind: str
) -> None:
    (folder / "stubborn.py").write_text(STUBBORN)
    monkeypatch.syspath_prepend(folder)
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(1_500, 3)), columns=["a", "b", "c"])
    y = X.sum(axis=1) + 0.1 * rng.normal(size=1_500) > 0
    space = {"space": {"model": {"choice": {"decision_tree": {"max_depth": 1}, **ENDLESS[kind]}}}}
    search = automl.Search(space, timeout=4, n_jobs=1, allow_imports="stubborn", study_name="s")
    began = time.monotonic()
    search.fit(X, y)
    assert time.monotonic() - began < 7
    sys.modules.pop("stubborn", None)
    assert search.predict(X).shape == (1_500,)

    best, (endless, *_) = search.best_trial_, ENDLESS[kind]
    rows = trial_rows(search.leaderboard_)
    assert set(rows.state[rows.family == endless]) == {"stopped"}
    assert best.family == endless or kind != "epochs"
    assert rows.trial.iloc[0] == best.number
    client = MlflowClient(f"sqlite:///{folder}/mlruns/mlflow.db")
    tags = client.get_run(search.run_id_).data.tags
    assert int(tags["automl.best_trial"]) == best.number
    assert client.get_run(tags["automl.best_run_id"]).data.tags["automl.state"] == best.state
    shown = re.findall(r"best (\S+) \(trial (\d+), (\w+)\)", capfd.readouterr().err)[-1]
    assert shown == (f"{best.score:.5g}", str(best.number), best.family)
