"""The ensemble of a search: predictions, export, logging, repeatability."""

import json
import os

import numpy as np
import optuna
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline

import automl
from automl.errors import NoModelError, SettingError
from automl.export import export_run, model_metadata
from automl.search import run
from automl.search.ensembling import fit_ensemble
from automl.search.finish import Winner
from automl.search.refit import SharedMatrices, refit, with_columns
from automl.study import load_study, read_ensemble
from automl.workers import Workers
from tests.support.ensembles import SPACE, done, table
from tests.support.killed import killed_after
from tests.support.tables import cancer


def search(data=None, space=SPACE, **settings):
    settings = {"n_trials": 10, "timeout": None, "n_jobs": 1, "cv": 3, "progress": False, **settings}
    return automl.Search(space, study_name="s", **settings).fit(*(data or table()))


@pytest.fixture(scope="module", params=["binary", "multiclass", "regression"])
def found(request, empty_store, tmp_path_factory):
    """Return a search with an ensemble, held-out rows, and a folder to work in."""
    folder = tmp_path_factory.mktemp(request.param)
    X, X_test, y, y_test = train_test_split(*table(request.param), random_state=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield search((X, y)), X_test, y_test


def test_search_predicts_with_the_ensemble(found):
    search, X, y = found
    assert len(search.ensemble_.members_) > 1
    assert np.array_equal(search.predict(X), search.ensemble_.predict(X))
    assert not np.array_equal(search.predict(X), search.best_estimator_.predict(X))
    assert isinstance(search.best_estimator_, Pipeline)
    assert search.ensemble_.feature_names_in_.tolist() == list(X.columns)
    if search.task_ == "regression":
        assert search.score(X, y) == pytest.approx(-np.sqrt(np.mean((search.predict(X) - y) ** 2)))
        return
    assert np.array_equal(search.predict_proba(X), search.ensemble_.predict_proba(X))
    assert search.ensemble_.classes_.tolist() == search.classes_.tolist()
    assert search.predict(X).tolist() == search.classes_[search.predict_proba(X).argmax(axis=1)].tolist()


@pytest.mark.parametrize("n_fits", [1, 3])
def test_fits_at_the_end_are_side_by_side_as_this_machine_allows(folder, monkeypatch, n_fits):
    asked, with_ensemble, limit_threads = [], Winner.with_ensemble, run.limit_threads

    def spied_ensemble(winner, best, found, n_jobs, *args):
        asked.append(n_jobs)
        return with_ensemble(winner, best, found, n_jobs, *args)

    def spied_limit(n_values, n_jobs, blas_threads):
        asked.append(n_jobs)
        return limit_threads(n_values, n_jobs, blas_threads)

    monkeypatch.setattr(Winner, "with_ensemble", spied_ensemble)
    monkeypatch.setattr(run, "limit_threads", spied_limit)
    monkeypatch.setattr(Workers, "n_fits", n_fits)
    assert search(n_trials=2).ensemble_ is not None
    assert asked == [n_fits] * 3  # for the refit, the ensemble and the corrected score


def test_ensemble_is_the_average_of_its_trials_fitted_on_all_rows(found):
    search, X, _ = found
    record = read_ensemble(search.study_)
    assert search.ensemble_.weights_.tolist() == pytest.approx([weight for _, weight in record.members])
    best = [number for number, _ in record.members].index(search.best_trial_.number)
    method = "predict" if search.task_ == "regression" else "predict_proba"
    typed = search.ensemble_.columns_.transform(X)
    member = search.ensemble_.members_[best]
    assert np.array_equal(getattr(member, method)(typed), getattr(search.best_estimator_, method)(X))
    again = clone(search.ensemble_).fit(*table(search.task_))
    assert getattr(again, method)(X).shape == getattr(search, method)(X).shape


def test_leaderboard_has_a_row_for_the_ensemble(found):
    search, _, _ = found
    record, board = read_ensemble(search.study_), search.leaderboard_
    row = board.iloc[0]
    assert (row.state, row.family) == ("ensemble", "ensemble")
    assert pd.isna(row.trial)
    assert row.score == record.score > search.best_score_
    assert row.score_std == pytest.approx(np.std(record.fold_scores))
    assert row.parameters.split(", ") == [f"{weight:.2f} x {number}" for number, weight in record.members]
    assert board.trial.iloc[1] == search.best_trial_.number
    assert len(board) == 12  # with the baseline


@pytest.mark.parametrize("what", ["auto", "best", "ensemble"])
def test_export_writes_the_ensemble_or_the_best_pipeline(found, what, tmp_path):
    search, X, _ = found
    model = automl.load_model(search.export(tmp_path / "model", what))
    expected = search.best_estimator_ if what == "best" else search.ensemble_
    assert np.array_equal(model.predict(X), expected.predict(X))
    metadata = model_metadata(tmp_path / "model")
    assert ("members" in metadata) == (what != "best")
    assert metadata["trial"] == search.best_trial_.number


def test_search_logs_and_registers_the_ensemble(found):
    from mlflow import MlflowClient

    search, X, _ = found
    assert np.array_equal(automl.load_model(search.model_uri_).predict(X), search.predict(X))
    client = MlflowClient(search.tracking_uri or f"sqlite:///{os.getcwd()}/mlruns/mlflow.db")
    run = client.get_run(search.run_id_)
    record = read_ensemble(search.study_)
    assert run.data.metrics["ensemble_score"] == record.score
    assert run.data.metrics["best_score"] == search.best_score_
    assert json.loads(run.data.tags["automl.ensemble"]) == {str(n): weight for n, weight in record.members}


@pytest.mark.parametrize("what", ["auto", "best", "ensemble"])
def test_export_run_writes_the_ensemble_or_the_best_pipeline(found, what, tmp_path):
    search, X, _ = found
    model = automl.load_model(export_run(search.run_id_, tmp_path / "model", what=what))
    expected = search.best_estimator_ if what == "best" else search.ensemble_
    assert isinstance(model, type(expected))
    assert np.array_equal(model.predict(X), expected.predict(X))
    assert ("members" in model_metadata(tmp_path / "model")) == (what != "best")


def asked_to_fit(search, in_time):
    """Make the ensemble of a search again where only some trials are fitted in time."""
    winner, asked = search._winner, []

    def ask(record, n_fits):
        assert n_fits == 1
        asked.append(record.number)
        return in_time(len(asked))

    best = done(search.best_estimator_)
    made = fit_ensemble(best, search.out_of_fold_, winner.plan, winner.facts, n_jobs=1, in_time=ask)
    return made, asked


def test_members_without_time_are_left_out(found):
    search, X, _ = found
    members = [number for number, _ in read_ensemble(search.study_).members]
    others = [number for number in members if number != search.best_trial_.number]
    whole, asked = asked_to_fit(search, lambda n: True)
    assert asked == others
    assert np.array_equal(whole.estimator.predict(X), search.predict(X))
    part, _ = asked_to_fit(search, lambda n: n == 1)
    if part.estimator is not None:
        kept = {search.best_trial_.number, others[0]}
        assert {number for number, _ in part.record.members} == kept
        assert sum(part.estimator.weights_) == pytest.approx(1)
        assert whole.record.score >= part.record.score > search.best_score_
    none, _ = asked_to_fit(search, lambda n: False)
    assert none.estimator is None
    assert none.record.reason == "there was no time to fit its members"


def test_best_pipeline_and_members_share_their_matrices(found):
    class Kept(SharedMatrices):
        def __call__(self, preprocess, *rest):
            kept.append(super().__call__(preprocess, *rest))
            return kept[-1]

    search, X, _ = found
    winner, kept, shared, out_of_fold = search._winner, [], Kept(), search.out_of_fold_
    facts = winner.facts
    best = done(with_columns(winner.plan, refit(winner.record, winner.plan, facts, 1, shared)))
    made = winner.with_ensemble(best, out_of_fold, 1, lambda *_: True, shared).ensemble
    assert len(made.record.members) == len(kept) > 1
    assert all(rows is kept[0] for rows in kept)  # the space has one preprocessing
    assert np.array_equal(made.estimator.predict(X), search.predict(X))


def test_search_without_ensemble_has_none(folder):
    found = search(ensemble=False, n_trials=3)
    assert not hasattr(found, "ensemble_")
    assert found.leaderboard_.trial.count() == 3
    assert "ensemble" not in set(found.leaderboard_.state)
    assert found.predict(table()[0]).tolist() == found.best_estimator_.predict(table()[0]).tolist()
    with pytest.raises(NoModelError, match="ensemble=False"):
        found.export("model", what="ensemble")
    with pytest.raises(SettingError, match="auto, best, ensemble"):
        found.export("model", what="second")


def test_search_on_few_rows_has_no_ensemble(folder):
    X, y = cancer()
    found = search((X[:400], y[:400]), n_trials=3)
    assert not hasattr(found, "ensemble_")
    with pytest.raises(NoModelError, match="400 validation rows, fewer than 500"):
        found.export("model", what="ensemble")
    with pytest.raises(NoModelError, match="has no ensemble"):
        export_run(found.run_id_, "model", what="ensemble")
    assert export_run(found.run_id_, "model", what="best").is_dir()


def test_search_with_several_objectives_has_no_ensemble(folder):
    found = search(n_trials=3, scoring=["roc_auc", "model_bytes"])
    assert not hasattr(found, "ensemble_")


def test_ensemble_is_within_the_limits_of_the_space(folder):
    whole = search(storage=optuna.storages.InMemoryStorage())
    size = automl.workers.model_bytes(whole.ensemble_)
    limited = {**SPACE, "constraints": {"model_bytes": size - 1}}
    found = search(space=limited)
    if hasattr(found, "ensemble_"):
        assert len(found.ensemble_.members_) < len(whole.ensemble_.members_)
        assert automl.workers.model_bytes(found.ensemble_) < size
    tight = {
        **SPACE,
        "constraints": {"model_bytes": automl.workers.model_bytes(whole.best_estimator_) * 1.01},
    }
    assert not hasattr(search(space=tight, storage=optuna.storages.InMemoryStorage()), "ensemble_")


def test_ensemble_is_as_fast_as_the_space_demands(folder, monkeypatch):
    measured = []

    def slow(predict):
        predict()
        measured.append(9.0 - 4.0 * len(measured))
        return measured[-1]

    monkeypatch.setattr("automl.search.ensembling.seconds_for", slow)
    found = search(space={**SPACE, "constraints": {"predict_seconds": 6.0}})
    assert measured == [9.0, 5.0]  # the lightest member was dropped
    weights = read_ensemble(found.study_).members
    assert len(weights) == len(found.ensemble_.members_) >= 2


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_ensemble_is_the_same_for_two_jobs_and_after_kill_and_resume(folder):
    X, _ = table()
    first = search(storage="one.journal")
    second = search(storage="two.journal", n_jobs=2)
    killed_after(4, lambda **more: search(storage="three.journal", **more))
    third = search(storage="three.journal")
    records = [read_ensemble(load_study("s", f"{name}.journal")) for name in ("one", "two", "three")]
    assert len(records[0].members) > 1
    assert records[0] == records[1] == records[2]
    assert np.array_equal(first.predict_proba(X), second.predict_proba(X))
    assert np.array_equal(first.predict_proba(X), third.predict_proba(X))
