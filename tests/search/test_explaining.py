from __future__ import annotations

import numpy as np
import pytest

import automl
from automl.errors import SettingError
from tests.support.html import Page
from tests.support.tables import diabetes, small

SPACE = {
    "space": {"model": {"choice": {"linear": {"max_epochs": 20}, "decision_tree": {"max_depth": [2, 3]}}}}
}


def search(table, space=SPACE, **settings):
    settings = {"n_trials": 3, "timeout": None, "n_jobs": 1, "progress": False, "cv": 3, **settings}
    return automl.Search(space, **settings).fit(*table)


def test_explain_out_of_fold_finds_the_column_that_matters(folder):
    X, y = small(90)
    found = search((X.set_index(np.arange(100, 190)), y.set_axis(np.arange(100, 190))))
    explanation = found.explain(what="best", top=2)
    assert explanation.importances.index[0] == "a"
    assert explanation.importances.loc["a", "low"] > 0 >= explanation.importances.loc["b", "low"]
    assert list(explanation.effects) == ["a", "b"]
    effect = explanation.effects["a"]
    assert effect.mean[-1, 1] - effect.mean[0, 1] > 0.3
    worst = explanation.worst_rows
    assert set(worst.index) <= set(range(100, 190))
    assert worst["a"].iloc[0] == X["a"].iloc[worst.index[0] - 100]
    assert worst["loss"].is_monotonic_decreasing
    assert "out of fold" in explanation.source
    bars = found.plot.columns().axes[0].patches
    assert [bar.get_width() for bar in bars] == explanation.importances["importance"].tolist()
    assert len(found.plot.effects().axes) == 2
    page = Page(found.report("report.html").read_text())
    assert "Important columns" in page.text
    assert str(worst.index[0]) in page.cells


def test_explain_works_for_an_ensemble_and_new_rows(folder):
    X, y = diabetes()
    space = {"space": {"model": {"choice": {"linear": {"max_epochs": 30}, "lightgbm": {"n_estimators": 20}}}}}
    found = search((X[:380], y[:380]), space, n_trials=2)
    explanation = found.explain(X[380:], y[380:], top=1)
    if hasattr(found, "ensemble_"):
        assert explanation.source == "the ensemble on new rows"
        assert "the ensemble out of fold" in found.explain(top=1).source
    assert {"bmi", "s5"} <= set(explanation.importances.index[:4])
    assert explanation.worst_rows.index.isin(X.index[380:]).all()
    predicted = found.predict(X[380:])[explanation.worst_rows.index - 380]
    assert explanation.worst_rows["predicted"].to_numpy() == pytest.approx(predicted, rel=1e-5)


def test_explain_without_a_refit_explains_the_best_trial(folder):
    found = search(small(), refit=False)
    explanation = found.explain(top=1)
    assert explanation.coefficients is None
    assert explanation.importances.index[0] == "a"


def test_explain_says_what_it_needs(folder):
    found = search(small(), refit=False, n_trials=1)
    with pytest.raises(SettingError, match="X, y: must be given together"):
        found.explain(small()[0])
    with pytest.raises(SettingError, match=r"needs an explanation; got none. Call search.explain\(\) first"):
        found.plot.columns()
