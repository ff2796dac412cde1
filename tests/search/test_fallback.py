"""The model of last resort where no trial of the space has a score in time."""

import sys
import time
from types import SimpleNamespace

import pandas as pd
import pytest
from mlflow import MlflowClient

import automl
from automl.records import OUTSIDE
from automl.search.fallback import may_fall_back
from automl.search.plan import make_plan
from automl.study import read_records
from tests.support.tables import small
from tests.support.trials import trial_record

ENDLESS = """
import time
from sklearn.base import BaseEstimator, ClassifierMixin

class Endless(ClassifierMixin, BaseEstimator):
    def __init__(self, seconds=600.0):
        self.seconds = seconds

    def fit(self, X, y, sample_weight=None):
        if len(X) > 60:
            time.sleep(self.seconds)
        self.classes_ = sorted(set(y))
        return self

    def predict(self, X):
        return [self.classes_[0]] * len(X)
"""
SPACE = {"model": {"choice": {"mine": {"estimator": "endless.Endless", "seconds": [600.0, 0.0]}}}}


def search(seconds, timeout, **settings):
    space = {"space": SPACE, "enqueue": [{"model": "mine", "seconds": seconds}]}
    return automl.Search(
        space,
        timeout=timeout,
        n_jobs=2,
        allow_imports="endless",
        progress=False,
        study_name="s",
        scoring="accuracy",
        **settings,
    )


@pytest.mark.slow
@pytest.mark.serial
def test_search_falls_back_to_a_quick_model_outside_of_the_space(folder, monkeypatch):
    (folder / "endless.py").write_text(ENDLESS)
    monkeypatch.syspath_prepend(folder)
    X, y = small(200)
    began = time.monotonic()
    with pytest.warns(
        UserWarning, match="logistic regression that is not of the space .trial 1, quick_linear"
    ):
        first = search(600.0, 4).fit(X, y)
    assert time.monotonic() - began < 40  # on a busy machine; the fits would take 600 s
    best = first.best_trial_
    assert best.family == "quick_linear"
    assert best.reason.startswith(OUTSIDE)
    row = first.leaderboard_.set_index("trial").loc[best.number]
    assert (row.reason, row.state) == (best.reason, "complete")
    assert len(first.predict(X)) == len(X)
    run = MlflowClient(f"sqlite:///{folder}/mlruns/mlflow.db").get_run(first.run_id_)
    assert run.data.metrics["best_score"] == first.best_score_
    assert run.data.metrics["refit_core_seconds"] > 0
    assert first.study_.trials[best.number].values is None  # samplers do not learn from it

    second = search(0.0, 15, callbacks=[lambda study, trial: study.stop()]).fit(X, y)  # continues the study
    sys.modules.pop("endless", None)
    assert second.best_trial_.family == "mine"
    assert (
        second.best_score_ < first.best_score_
    )  # a trial of the space ranks before a better one that is not
    assert sum(record.outside for record in read_records(second.study_)) == 1


def test_search_by_n_trials_never_falls_back(folder, monkeypatch):
    monkeypatch.setattr("automl.search.loop.Loop.run", lambda *_: None)
    with pytest.raises(automl.NoModelError, match="no trial has a score"):
        automl.Search("quick", n_trials=2, timeout=None, n_jobs=1, progress=False).fit(*small())


def test_search_falls_back_where_nothing_was_trained(folder, monkeypatch):
    monkeypatch.setattr("automl.search.loop.Loop.run", lambda *_: None)
    X, y = small()
    amount = pd.Series(range(len(X)), name="amount") * 1.5
    space = {"space": {"model": {"linear": {"max_epochs": 1}}}}
    with pytest.warns(UserWarning, match="The model is a ridge regression"):
        found = automl.Search(space, timeout=20, n_jobs=1, progress=False).fit(X, amount)
    assert found.best_trial_.family == "quick_linear"


def test_trial_that_failed_does_not_keep_others_without_time_from_a_model():
    X, y = small()
    settings = {"space": "quick", "scoring": None, "cv": None, "groups": None, "random_state": 0}
    plan, spec = make_plan(X, y, **settings), SimpleNamespace(timeout=20)
    failed, stopped = (
        trial_record(0, score=None, state="failed"),
        trial_record(1, score=None, state="stopped"),
    )
    assert may_fall_back(plan, spec, [failed, stopped])
    assert not may_fall_back(plan, spec, [failed])
    assert not may_fall_back(plan, spec, [stopped, trial_record(2)])
