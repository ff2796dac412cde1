"""The refit of the best trial while others train."""

import threading
from contextlib import contextmanager

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_info

import automl
from automl.search import admission
from automl.search.admission import Admission
from automl.search.early_refit import EarlyRefit
from automl.search.refit import refit, with_columns
from automl.workers import kept
from tests.support.scripted import Clock, ScriptedSession, ScriptedWorkers, finished, loop, record
from tests.support.tables import cancer


class Limits:
    entered = left = 0

    @contextmanager
    def __call__(self):
        self.entered += 1
        yield
        self.left += 1


@pytest.fixture
def trials():
    session = ScriptedSession()
    return [record(session.proposal()) for _ in range(2)]


def test_refit_runs_beside_its_caller(trials):
    goes, limits = threading.Event(), Limits()

    def fit(trial):
        goes.wait(60)
        return f"pipeline of {trial.number}"

    early = EarlyRefit(fit, limits)
    assert (early.running, early.of(trials[0])) == (False, None)
    found = early.start(trials[0])
    assert early.running
    assert early.of(trials[0]) is found
    assert early.of(trials[1]) is None
    goes.set()
    assert found.result(60) == "pipeline of 0"
    assert not early.running
    assert early.seconds[0] > 0
    early.start(trials[1])
    assert early.of(trials[1]).result(60) == "pipeline of 1"
    assert early.of(trials[0]) is None
    assert (limits.entered, limits.left) == (1, 0)
    early.close()
    assert (limits.entered, limits.left) == (1, 1)


def test_failed_refit_is_tried_again(trials):
    asked = []

    def fit(trial):
        asked.append(trial.number)
        if len(asked) == 1:
            raise ValueError("no memory")
        return "pipeline"

    early = EarlyRefit(fit, Limits())
    assert str(early.start(trials[0]).exception(60)) == "no memory"
    assert early.of(trials[0]) is None
    assert early.start(trials[0]).result(60) == "pipeline"


class Begun:
    """An early refit that never ends by itself."""

    running, records = False, ()

    def start(self, trial):
        self.running, self.records = True, [*self.records, trial.number]

    def of(self, trial):
        return "future" if trial.number in self.records[-1:] else None


def made(**settings):
    session, clock = ScriptedSession("decision_tree"), Clock()
    workers = ScriptedWorkers(finished, slots=2)
    decides = loop(workers, session, timeout=60, clock=clock, refit=True, **settings).admission
    decides.early = Begun()
    return decides, session, clock


def test_long_refit_begins_when_the_search_would_end_for_it():
    decides, session, clock = made()
    decides.ended(record(session.proposal(), seconds=40.0))  # its refit takes 20 s
    left = decides.time_left
    decides.refit_early()
    assert not decides.early.records
    clock.now = left - 0.2
    decides.refit_early()
    assert decides.early.records == [0]
    assert decides.time_left == pytest.approx(20.2)  # for other trials
    assert decides.may_propose(exhausted=False)
    assert not decides.must_wait()
    decides.admit([session.proposal()])
    assert decides.must_wait()  # the refit has the other core
    decides.early.running = False
    assert not decides.must_wait()


def test_short_refit_ends_the_search():
    decides, session, clock = made()
    decides.ended(record(session.proposal(), seconds=0.1))
    clock.now = decides.time_left + 0.01
    decides.refit_early()
    assert not decides.early.records
    assert not decides.may_propose(exhausted=False)


def test_better_trial_needs_a_refit_of_its_own():
    decides, session, clock = made()
    decides.ended(record(session.proposal(), seconds=40.0, score=0.5))
    clock.now = decides.time_left
    decides.refit_early()
    before = decides.time_left
    decides.ended(record(session.proposal(), seconds=10.0, score=0.6))
    assert before - decides.time_left == pytest.approx(5.0)
    clock.now += decides.time_left
    decides.refit_early()
    assert decides.early.records == [0]  # the first one still runs
    decides.early.running = False
    decides.refit_early()
    assert decides.early.records == [0, 1]


@pytest.mark.parametrize(
    ("settings", "slots", "begins"),
    [
        ({}, 2, True),
        ({}, 1, False),  # no other worker
        ({"n_trials": 9}, 2, False),  # the same trials for any speed
        ({"memory_limit": 1e9}, 2, False),
        ({"refit": False}, 2, False),
        ({"shape": (10**6, 50, 3)}, 2, False),
    ],
)
def test_refit_begins_early_where_another_worker_trains_and_memory_is_left(settings, slots, begins):
    settings = {"timeout": 60, "refit": True, **settings}
    assert loop(ScriptedWorkers(finished, slots), **settings).admission.refits_early == begins


@pytest.mark.slow
def test_search_keeps_the_refit_that_began_early(folder, monkeypatch):
    X, y = cancer()
    fitted, whole = [], automl.search.run.fit_rows
    monkeypatch.setattr(admission, "_ALMOST", float("inf"))  # at once
    monkeypatch.setattr(admission, "_EARLY_REFIT", 0.0)

    def fit_rows(trial, *rest):
        fitted.append((trial.number, len(search._run.records)))
        return whole(trial, *rest)

    monkeypatch.setattr("automl.search.run.fit_rows", fit_rows)
    before = [one["num_threads"] for one in threadpool_info()]
    search = automl.Search("quick", timeout=15, n_jobs=2, ensemble=False, progress=False)

    def stop(study, trial):
        if len(study.trials) >= 30:
            study.stop()

    search.callbacks = [stop]
    search.fit(X, y)
    numbers = [number for number, _ in fitted]
    assert len(numbers) == len(set(numbers))  # none twice
    assert fitted[0][1] < len(search.leaderboard_)
    assert search.best_trial_.number in numbers
    winner = search._winner
    again = with_columns(winner.plan, refit(search.best_trial_, winner.plan, winner.facts, 2))
    assert np.array_equal(again.predict_proba(X), search.best_estimator_.predict_proba(X))
    assert [one["num_threads"] for one in threadpool_info()][: len(before)] == before


@pytest.mark.parametrize(
    ("model", "ensemble"),
    [
        ({"hist_gradient_boosting": {"max_iter": 30, "max_leaf_nodes": [4, 8]}}, False),
        ({"extra_trees": {"n_estimators": [10, 20]}}, True),
        ({"linear": {"max_epochs": [5, 6]}}, True),
    ],
)
def test_holdout_without_time_for_a_refit_gives_the_scored_model(folder, monkeypatch, model, ensemble):
    monkeypatch.setattr(kept, "KEPT_FROM_SECONDS", 0.0)
    monkeypatch.setattr(Admission, "refit_in_time", lambda self, record, n_fits=1: False)
    X, y = cancer()
    train, valid = np.arange(400), np.arange(400, len(y))
    space = {"space": {"model": {"choice": model}}}

    def fit():
        settings = {"cv": [(train, valid)], "n_jobs": 1, "progress": False, "ensemble": ensemble}
        end = [lambda study, trial: trial.number == 1 and search.stop()]
        search = automl.Search(space, timeout=600, callbacks=end, **settings)
        return search.fit(X, y)

    text = rf"{next(iter(model))}\) was fitted to 400 of {len(y)} rows: there was no time"
    with pytest.warns(UserWarning, match=text):
        search = fit()
    assert search.fitted_rows_ == 400
    score = roc_auc_score(
        np.asarray(y)[valid] == search.classes_[1], search.predict_proba(X.iloc[valid])[:, 1]
    )
    assert search.best_score_ == pytest.approx(score, abs=1e-9)
    assert set(search.predict(X)) == {"benign", "malignant"}
    with monkeypatch.context() as patch:
        patch.setattr(kept, "KEPT_FROM_SECONDS", 1e9)  # no model is kept: it is fitted late
        assert fit().fitted_rows_ == len(y)


@pytest.mark.filterwarnings("ignore")
def test_holdout_takes_no_scored_model_of_a_class_that_returns_codes(folder, monkeypatch):
    monkeypatch.setattr(kept, "KEPT_FROM_SECONDS", 0.0)
    monkeypatch.setattr(Admission, "refit_in_time", lambda self, record, n_fits=1: False)
    X, y = cancer()
    network = {"net": {"estimator": "sklearn.neural_network.MLPClassifier", "max_iter": [3, 4]}}
    end = [lambda study, trial: trial.number == 1 and search.stop()]
    cv = [(np.arange(400), np.arange(400, len(y)))]
    settings = {"cv": cv, "n_jobs": 1, "timeout": 600, "progress": False}
    search = automl.Search({"space": {"model": {"choice": network}}}, callbacks=end, **settings)
    search.fit(X, y)
    assert search.fitted_rows_ == len(y)
    assert set(search.predict(X)) <= {"benign", "malignant"}
