"""Search, export and load LightGBM, XGBoost and CatBoost by their import paths."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest

import automl
from automl.cli import main
from automl.families import Problem, family_of
from automl.study import read_records
from tests.support.boards import trial_rows
from tests.support.tables import diabetes, penguins, small

PACKAGES = {
    "lightgbm.LGBM": {"n_estimators": [5, 10], "num_leaves": {"low": 4, "high": 8}, "min_child_samples": 5},
    "xgboost.XGB": {"n_estimators": [5, 10], "max_depth": {"low": 2, "high": 3}},
    "catboost.CatBoost": {"iterations": [5, 10], "depth": {"low": 2, "high": 3}},
}
LABELS = {
    "text": np.array(["no", "yes"], dtype=object),
    "boolean": np.array([False, True]),
    "from 1": np.array([1, 2]),
}


def space(path, **params):
    return {"space": {"model": {"choice": {"mine": {"estimator": path, **params}}}}}


@pytest.mark.parametrize("start", PACKAGES)
@pytest.mark.parametrize("table", [small, penguins, diabetes], ids=lambda table: table.__name__)
def test_boosting_is_searched_and_exported(folder, capfd, start, table):
    X, y = table()
    path = start + ("Regressor" if table is diabetes else "Classifier")
    search = automl.Search(
        space(path, **PACKAGES[start]),
        n_trials=3,
        timeout=None,
        cv=2,
        n_jobs=1,
        progress=False,
        pruner="none",
    ).fit(X, y)
    assert (trial_rows(search.leaderboard_)["state"] == "complete").all()
    assert not any(reason.startswith("mine") for reason in search.left_out_)
    package = path.partition(".")[0]
    model = automl.load_model(search.export(folder / "model"), trusted=[package])
    predictions = model.predict(X)
    assert predictions.shape == (len(X),)
    np.testing.assert_array_equal(predictions, search.predict(X))
    if table is not diabetes:
        assert set(predictions) == set(y)
        assert (predictions == y).mean() > 0.8
        assert model.predict_proba(X).shape == (len(X), len(set(y)))
    required = (folder / "model" / "requirements.txt").read_text()
    assert any(line.startswith(package) and "==" in line for line in required.splitlines())
    assert {file.name for file in folder.iterdir()} == {"mlruns", "model"}
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("start", PACKAGES)
@pytest.mark.parametrize("labels", LABELS)
def test_boosting_predicts_original_labels(start, labels):
    family, params, _ = family_of({"model": {"mine": {"estimator": f"{start}Classifier"}}})
    X = np.random.default_rng(0).normal(size=(80, 3)).astype(np.float32)
    y = LABELS[labels][(X[:, 0] > 0).astype(int)]
    estimator = family.estimator(params, 0, Problem("binary", 2)).fit(X, y)
    assert (estimator.predict(X) == y).mean() > 0.9
    assert estimator.classes_.tolist() == LABELS[labels].tolist()


@pytest.mark.parametrize("start", PACKAGES)
def test_boosting_has_one_core_and_the_seed(start):
    family, params, _ = family_of({"model": {"mine": {"estimator": f"{start}Regressor"}}})
    own = family.estimator(params, 5, Problem("regression")).get_params()
    assert own.get("n_jobs", own.get("thread_count")) == 1
    assert own["random_state"] == 5


def test_boosting_keeps_the_users_verbosity():
    family, params, _ = family_of(
        {"model": {"mine": {"estimator": "catboost.CatBoostClassifier", "logging_level": "Silent"}}}
    )
    own = family._new(params, 5).get_params()
    assert "verbose" not in own
    assert own["logging_level"] == "Silent"


def test_lightgbm_conflict_fails_only_its_trials(folder):
    conflict = {"boosting_type": ["gbdt", "rf"], "n_estimators": 5}
    X, y = small()
    search = automl.Search(
        space("lightgbm.LGBMClassifier", **conflict), n_trials=4, timeout=None, n_jobs=1, progress=False
    ).fit(X, y)
    states = {
        (record.params["model.mine.boosting_type"], record.state) for record in read_records(search.study_)
    }
    assert ("gbdt", "complete") in states
    assert states <= {("gbdt", "complete"), ("rf", "failed")}


def test_command_line_needs_trust(folder, monkeypatch, capsys):
    X, y = small()
    X.assign(up=y).to_csv("table.csv", index=False)
    (folder / "own_trees.py").write_text(
        "from sklearn.tree import DecisionTreeClassifier\n\n\nclass Own(DecisionTreeClassifier):\n    pass\n"
    )
    monkeypatch.syspath_prepend(folder)
    (folder / "space.yaml").write_text(
        "space: {model: {choice: {mine: {estimator: own_trees.Own, max_depth: [3, 5]}}}}\n"
    )
    for words, code in (
        (["search", "table.csv", "--target", "up", "--space", "space.yaml", "--n-trials", "2"], 0),
        (["predict", "model", "table.csv", "-o", "predictions.csv"], 2),
        (["predict", "model", "table.csv", "-o", "predictions.csv", "--trust", "own_trees"], 0),
    ):
        if words[0] == "search":
            words += ["--n-jobs", "1", "--allow-import", "own_trees", "--no-progress", "--output", "model"]
        monkeypatch.setattr(sys, "argv", ["automl", *words])
        with pytest.raises(SystemExit) as stop:
            main()
        assert (stop.value.code or 0) == code, capsys.readouterr()
    assert len(pd.read_csv("predictions.csv")) == len(X)
