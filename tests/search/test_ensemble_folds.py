"""Networks in an ensemble: the fold models are averaged, instead of one model of all rows."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_classification, make_regression

import automl
import automl.search.refit as refit
from automl.export import export_run
from automl.search.ensembling import fit_ensemble
from automl.search.refit import fold_models
from automl.study import read_ensemble, read_records
from automl.workers import kept
from tests.support.ensembles import done

NETWORKS = {
    "space": {
        "preprocess": {"numeric": {"scale": ["standard", "robust"]}},
        "model": {
            "choice": {
                "mlp": {
                    "hidden_layer_sizes": [[8], [16]],
                    "learning_rate": {"low": 0.003, "high": 0.03, "log": True},
                    "max_epochs": 6,
                }
            }
        },
    }
}


def table(task):
    if task == "regression":
        X, y = make_regression(900, 6, noise=50, random_state=0)
        y = np.where(X[:, 0] > 0, y, -y)
    else:
        X, codes = make_classification(900, 8, n_informative=6, flip_y=0.1, n_classes=3, random_state=0)
        y = np.array(["no", "yes", "perhaps"])[codes]
    return pd.DataFrame(X).add_prefix("f"), pd.Series(y, name="answer")


@pytest.fixture(scope="module", params=["regression", "multiclass"])
def found(request, empty_store, tmp_path_factory):
    """Return a search of networks, its table, and a folder to work in."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp(request.param))
        X, y = table(request.param)
        settings = {"n_trials": 8, "timeout": None, "n_jobs": 1, "cv": 3, "progress": False}
        yield automl.Search(NETWORKS, **settings).fit(X, y), X


def members_of(search, number):
    ensemble, trials = search.ensemble_, search._winner.ensemble.trials
    return [(ensemble.members_[i], ensemble.weights_[i]) for i, one in enumerate(trials) if one == number]


def test_fold_models_predict_as_the_trial_did_out_of_fold(found):
    search, X = found
    out, folds = search.out_of_fold_, search._winner.plan.folds
    typed = search.ensemble_.columns_.transform(X)
    for number, weight in read_ensemble(search.study_).members:
        members = members_of(search, number)
        assert sum(one for _, one in members) == pytest.approx(weight)
        assert len({one for _, one in members}) == 1
        models = [model for model, _ in members][-3:]
        stored = out.predictions(number)
        for fold, ((_, valid), model) in enumerate(zip(folds, models, strict=True)):
            rows = out.fold == fold
            if search.task_ == "regression":
                assert np.allclose(model.predict(typed.iloc[valid]), stored.values[rows], rtol=1e-3, atol=0.5)
                continue
            probabilities = model.predict_proba(typed.iloc[valid])
            assert np.allclose(probabilities, stored.probabilities[rows], atol=1e-3)
            assert set(model.predict(typed)) <= set(search.classes_)


def test_the_best_network_is_also_fitted_on_all_rows(found, tmp_path):
    search, X = found
    assert len(members_of(search, search.best_trial_.number)) == 4
    model = automl.load_model(export_run(search.run_id_, tmp_path / "best", what="best"))
    assert np.array_equal(model.predict(X), search.best_estimator_.predict(X))


def test_networks_without_time_for_all_folds_are_fitted_on_all_rows(found):
    search, X = found
    winner, best = search._winner, done(search.best_estimator_)
    made = fit_ensemble(
        best, search.out_of_fold_, winner.plan, winner.facts, n_jobs=1, in_time=lambda record, n: n == 1
    )
    assert len(made.estimator.members_) == len(made.record.members)
    assert made.record == winner.ensemble.record


@pytest.fixture(scope="module")
def timed(empty_store, tmp_path_factory):
    """Return a timed search of networks and forests that keeps all fold models, and its table."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("timed"))
        patch.setattr(kept, "KEPT_FROM_SECONDS", 0.0)
        X, y = table("multiclass")
        forest = {"extra_trees": {"n_estimators": 20, "min_samples_leaf": [5, 9]}}
        space = {"space": {"model": {"choice": NETWORKS["space"]["model"]["choice"] | forest}}}
        loaded = {}

        def stop(study, trial):
            found = [int(path.stem) for path in search._run.out_of_fold.models.glob("*.pickle")]
            loaded.update({number: search._run.out_of_fold.fold_models(number) for number in found})
            if len(loaded) >= 8:
                search.stop()

        search = automl.Search(space, timeout=120, n_jobs=1, cv=3, progress=False, callbacks=[stop])
        yield search.fit(X, y), X, loaded


def test_kept_fold_models_are_those_of_training_again(timed, monkeypatch):
    search, X, loaded = timed
    winner = search._winner
    typed = winner.plan.columns.fixed().transform(X)
    records = {record.number: record for record in read_records(search.study_)}
    assert {records[number].family for number in loaded} == {"mlp", "extra_trees"}
    for number, models in loaded.items():
        again = fold_models(records[number], winner.plan, winner.facts, 1)
        monkeypatch.setattr(refit, "train_folds", None)  # may not be called
        kept = fold_models(records[number], winner.plan, winner.facts, 1, models)
        monkeypatch.undo()
        for one, other in zip(kept, again, strict=True):
            assert np.allclose(one.predict_proba(typed), other.predict_proba(typed), atol=1e-5)


def test_members_without_time_keep_their_fold_models(timed, monkeypatch):
    search, _, loaded = timed
    winner, found = search._winner, search.out_of_fold_
    chosen = winner.ensemble.record
    assert len(chosen.members) > 1
    monkeypatch.setattr(found, "fold_models", loaded.get)
    made = fit_ensemble(
        done(search.best_estimator_),
        found,
        winner.plan,
        winner.facts,
        n_jobs=1,
        in_time=lambda record, n: n == 0,
    )
    assert made.record == chosen
    best = search.best_trial_.number
    for number, _ in chosen.members:
        network = next(one.family for one in found.records if one.number == number) == "mlp"
        assert made.trials.count(number) == (1 if number == best and not network else 3 + (number == best))
