"""A search among scikit-learn's own tools: its attributes, and the estimators that take it."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import optuna
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier, StackingRegressor, VotingClassifier, VotingRegressor
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.inspection import PartialDependenceDisplay, permutation_importance
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import ConfusionMatrixDisplay, DetCurveDisplay, PredictionErrorDisplay, RocCurveDisplay
from sklearn.model_selection import TunedThresholdClassifierCV, cross_val_predict

import automl
from tests.support.tables import small

LINEAR = {"space": {"model": {"linear": {"learning_rate": [0.05, 0.1], "max_epochs": 5}}}}


def search(**more):
    settings = {"n_trials": 2, "timeout": None, "cv": 2, "n_jobs": 1, "ensemble": False, "progress": False}
    return automl.Search(LINEAR, **settings | more)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("fitted"))
        yield search().fit(*small())


def test_attributes_are_those_of_scikit_learns_searches(fitted):
    results = fitted.cv_results_
    assert results["params"][fitted.best_index_] == fitted.best_params_
    assert results["mean_test_score"][fitted.best_index_] == fitted.best_score_
    assert results["rank_test_score"][fitted.best_index_] == 1
    folds = [results[f"split{fold}_test_score"] for fold in range(fitted.n_splits_)]
    np.testing.assert_allclose(np.mean(folds, axis=0), results["mean_test_score"])
    assert (results["mean_score_time"] > 0).all()
    assert (results["mean_score_time"] < results["mean_fit_time"]).all()
    assert (results["std_score_time"] >= 0).all()
    assert fitted.n_splits_ == 2
    assert fitted.multimetric_ is False
    assert 0 < fitted.refit_time_ < 60


def test_attributes_are_missing_before_fit():
    unfitted = search()
    for name in ("cv_results_", "best_index_", "n_splits_", "multimetric_", "refit_time_"):
        assert not hasattr(unfitted, name)
    assert hasattr(unfitted, "predict_proba")
    assert not hasattr(search(task="regression"), "predict_proba")
    assert not hasattr(search(refit=False), "predict_proba")
    with pytest.raises(NotFittedError):
        unfitted.predict_proba(small()[0])


def test_log_probabilities_are_those_of_the_model(fitted):
    X, _ = small()
    np.testing.assert_allclose(fitted.predict_log_proba(X), np.log(fitted.predict_proba(X)), rtol=1e-6)
    assert fitted.decision_function(X).shape == (len(X),)


def test_fitted_search_is_a_part_of_other_estimators(fitted):
    X, y = small()
    frozen = FrozenEstimator(fitted)
    soft = VotingClassifier([("a", frozen), ("b", frozen)], voting="soft").fit(X, y)
    np.testing.assert_allclose(soft.predict_proba(X), fitted.predict_proba(X))
    stacked = StackingClassifier([("a", fitted)], LogisticRegression(), cv="prefit").fit(X, y)
    assert stacked.stack_method_ == ["predict_proba"]
    assert stacked.score(X, y) > 0.8
    tuned = TunedThresholdClassifierCV(fitted, scoring="f1", cv="prefit", refit=False).fit(X, y)
    assert 0 < tuned.best_threshold_ < 1
    calibrated = CalibratedClassifierCV(frozen).fit(X, y)
    assert calibrated.predict_proba(X).shape == (len(X), 2)


def test_displays_take_a_fitted_search(fitted):
    X, y = small()
    assert RocCurveDisplay.from_estimator(fitted, X, y).roc_auc > 0.8
    DetCurveDisplay.from_estimator(fitted, X, y)
    assert ConfusionMatrixDisplay.from_estimator(fitted, X, y).confusion_matrix.sum() == len(X)
    shown = PartialDependenceDisplay.from_estimator(fitted, X, ["a", "b"], categorical_features=["b"])
    assert np.ptp(shown.pd_results[0].average) > 0.1
    importances = permutation_importance(fitted, X, y, n_repeats=2, random_state=0).importances_mean
    assert importances[0] > importances[1]
    plt.close("all")


@pytest.mark.slow
def test_unfitted_search_is_a_part_of_other_estimators(folder):
    X, y = small()
    soft = VotingClassifier([("a", search(n_trials=1)), ("b", search(n_trials=1))], voting="soft").fit(X, y)
    assert soft.predict_proba(X).shape == (len(X), 2)
    stacked = StackingClassifier([("a", search(n_trials=1))], LogisticRegression(), cv=2).fit(X, y)
    assert stacked.stack_method_ == ["predict_proba"]
    tuned = TunedThresholdClassifierCV(search(n_trials=1), scoring="f1", cv=2).fit(X, y)
    assert 0 < tuned.best_threshold_ < 1
    calibrated = CalibratedClassifierCV(search(n_trials=1), cv=2).fit(X, y)
    assert calibrated.score(X, y) > 0.7


@pytest.mark.slow
def test_unfitted_regression_is_a_part_of_other_estimators(folder):
    X, _ = small()
    y = (X["a"] * 2 + np.random.default_rng(1).normal(size=len(X))).rename("y")
    one = search(n_trials=1, task="regression")
    assert VotingRegressor([("a", one)]).fit(X, y).predict(X).shape == (len(X),)
    StackingRegressor([("a", one)], LinearRegression(), cv=2).fit(X, y)
    predicted = cross_val_predict(one, X, y, cv=2)
    PredictionErrorDisplay.from_predictions(y, predicted)
    plt.close("all")


@pytest.mark.filterwarnings("ignore")  # experimental parts of Optuna; parameters of one value
@pytest.mark.parametrize("name", ["optimization_history", "slice", "edf", "intermediate_values", "timeline"])
def test_plots_of_optuna_take_the_study(fitted, name):
    assert getattr(optuna.visualization.matplotlib, f"plot_{name}")(fitted.study_) is not None
    plt.close("all")


@pytest.mark.filterwarnings("ignore")
def test_importances_of_optuna_take_the_study(fitted):
    assert set(optuna.importance.get_param_importances(fitted.study_)) <= set(fitted.best_params_)
