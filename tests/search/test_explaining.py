from __future__ import annotations

import numpy as np
import pytest

import automl
from automl.errors import SettingError
from tests.support.ensembles import SPACE as ENSEMBLE_SPACE
from tests.support.ensembles import table
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


@pytest.fixture(scope="module")
def averaged(empty_store, tmp_path_factory):
    """Return a search with an ensemble, and rows it did not see."""
    X, y = table()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("averaged"))
        yield search((X[:700], y[:700]), ENSEMBLE_SPACE, n_trials=10), X[700:], y[700:]


def test_explain_works_for_an_ensemble_and_new_rows(averaged):
    found, X, y = averaged
    assert len(found.ensemble_.members_) > 1
    explanation = found.explain(X, y, top=1)
    assert explanation.source == "the ensemble on new rows"
    assert explanation.worst_rows.index.isin(X.index).all()
    predicted = found.predict(X)[explanation.worst_rows.index - 700]
    assert explanation.worst_rows["predicted"].tolist() == predicted.tolist()
    inside = found.explain(top=1)
    assert inside.source == "the ensemble out of fold"
    assert inside.importances["importance"].iloc[0] > 0


@pytest.mark.slow
@pytest.mark.parametrize("what", ["auto", "best"])
def test_explain_row_sums_to_the_prediction(averaged, what):
    pytest.importorskip("shap")
    found, X, _ = averaged
    model = found.ensemble_ if what == "auto" else found.best_estimator_
    row = found.explain_row(X.iloc[[3]], what=what, n_background=10)
    assert set(row.index) == set(X.columns)
    total = row.attrs["mean"] + row["contribution"].sum()
    assert total == pytest.approx(model.predict_proba(X.iloc[[3]])[0, 1], rel=1e-4)


def test_explain_shows_the_parameters_of_the_best_pipeline(folder):
    X, y = diabetes()
    trees = search((X, y), {"space": {"model": {"lightgbm": {"n_estimators": 20}}}}, n_trials=1)
    page = Page(trees.report("trees.html").read_text())  # without an explanation
    assert "Importances of the trees" in page.text
    shares = trees.explain(top=1, timeout=1).tree_importances
    gains = trees.best_estimator_["model"].feature_importances_
    assert trees.explanation_.coefficients is None
    assert page.cells[page.cells.index(shares.index[0]) + 1] == f"{shares.iloc[0]:.1%}"
    assert shares.sum() == pytest.approx(1)
    assert shares.index[0] in ("bmi", "s5")
    assert shares.iloc[0] == pytest.approx(gains.max() / gains.sum())
    linear = search((X, y), {"space": {"model": {"ridge": {"use": "sklearn.ridge"}}}}, n_trials=1)
    assert "Largest coefficients" in Page(linear.report("linear.html").read_text()).text
    table = linear.explain(top=1, timeout=1).coefficients
    assert linear.explanation_.tree_importances is None
    fitted = np.ravel(linear.best_estimator_["model"].coef_)
    assert sorted(table["coefficient"]) == pytest.approx(sorted(fitted))
    assert set(table["column"].head(4)) & {"bmi", "s5", "s1"}


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
