from __future__ import annotations

import sys

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, roc_auc_score

import automl
from automl.cli import main
from automl.errors import SettingError
from automl.search import evaluate_model
from tests.support.tables import diabetes, small

SPACE = {"space": {"model": {"choice": {"linear": {"max_epochs": 20}, "decision_tree": {"max_depth": 3}}}}}
SETTINGS = {"n_trials": 2, "timeout": None, "n_jobs": 1, "progress": False, "cv": 3}


def test_evaluate_gives_all_metrics_of_each_model(folder, monkeypatch, capsys):
    X, y = small(150)
    y = y.map({True: "up", False: "down"}).rename("way")
    search = automl.Search(SPACE, sampler="grid:1", **SETTINGS).fit(X[:100], y[:100])
    found = search.evaluate(X[100:], y[100:], families=True)
    assert {"best", "linear", "decision_tree"} <= set(found.index)
    best = search.best_estimator_
    assert found.loc["best", "roc_auc"] == pytest.approx(
        roc_auc_score(y[100:] == "up", best.predict_proba(X[100:])[:, 1])
    )
    assert found.loc["best", "accuracy"] == accuracy_score(y[100:], best.predict(X[100:]))
    assert found.loc["best"].equals(found.loc[search.best_trial_.family])

    board = search.leaderboard(X[100:], y[100:])
    assert board.columns.tolist()[3:5] == ["score", "test"]
    tested = board.set_index("family")["test"]
    assert tested["linear"] == found.loc["linear", "roc_auc"]
    assert tested["decision_tree"] == found.loc["decision_tree", "roc_auc"]
    assert tested["dummy"] == 0.5
    assert board.set_index("family").loc["dummy", "score"] == pytest.approx(0.5)

    number = search.best_trial_.number
    again = search.pipeline(number).fit(X[:100], y[:100])
    assert not hasattr(search.pipeline(number)["model"], "classes_")
    assert again.predict(X).tolist() == best.predict(X).tolist()
    with pytest.raises(SettingError, match="number: must be a trial of the study; got 99"):
        search.pipeline(99)

    search.export("model", what="best")
    X[100:].assign(way=y[100:]).to_csv("new.csv", index=False)
    monkeypatch.setattr(sys, "argv", ["automl", "evaluate", "model", "new.csv"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert not stop.value.code
    printed = dict(line.split() for line in capsys.readouterr().out.splitlines())
    assert float(printed["roc_auc"]) == pytest.approx(found.loc["best", "roc_auc"], rel=1e-4)
    assert float(printed["accuracy"]) == pytest.approx(found.loc["best", "accuracy"], rel=1e-4)


def test_evaluate_numbers_and_weights(folder):
    X, y = diabetes()
    search = automl.Search({"space": {"model": "linear"}}, **(SETTINGS | {"n_trials": 1})).fit(
        X[:300], y[:300]
    )
    weight = np.r_[np.zeros(100), np.ones(42)]
    found = search.evaluate(X[300:], y[300:], sample_weight=weight)
    part = search.evaluate(X[400:], y[400:])
    assert found.loc["best", "rmse"] == pytest.approx(part.loc["best", "rmse"])
    assert search.score(X[400:], y[400:]) == pytest.approx(-part.loc["best", "rmse"])


def test_evaluate_needs_a_model_of_a_search():
    with pytest.raises(SettingError, match="must be a model of a search"):
        evaluate_model(None, {}, None, None)
