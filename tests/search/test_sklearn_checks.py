"""scikit-learn's checks of estimators, with the exceptions that its own searches and CV estimators have."""

from __future__ import annotations

from unittest import SkipTest

import pytest
from sklearn.model_selection import GridSearchCV
from sklearn.utils._test_common.instance_generator import PER_ESTIMATOR_XFAIL_CHECKS
from sklearn.utils.estimator_checks import check_estimator, estimator_checks_generator

import automl
from automl.tracking import models

EXCEPTIONS = PER_ESTIMATOR_XFAIL_CHECKS[GridSearchCV]
# Weights change the folds' scores and the preprocessing in another way than repeated rows do; GridSearchCV takes none.
WEIGHTS = {f"check_sample_weight_equivalence_on_{kind}_data": "folds" for kind in ("dense", "sparse")}


def search(estimator: str, scoring: str) -> automl.Search:
    model = {"estimator": f"sklearn.linear_model.{estimator}", "preprocess": {"numeric": {"scale": "none"}}}
    return automl.Search(
        {"space": {"model": {"linear_model": model}}}, scoring=scoring, n_trials=1, timeout=None, cv=2, n_jobs=1,
        rare_classes="drop", ensemble=False, progress=False,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def _no_code(monkeypatch):
    """Log models without the code that they carry: hundreds of searches would write it."""
    monkeypatch.setattr(models, "code_archive", bytes)


def failures(checks):
    """Run checks and return those that fail, each with its error."""
    failed = {}
    for estimator, check in checks:
        try:
            check(estimator)
        except SkipTest:
            continue
        except Exception as error:
            failed[check.func.__name__] = repr(error)
    return failed


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_classifier_passes_the_checks_of_scikit_learn(folder):
    expected = {**EXCEPTIONS, **WEIGHTS}
    found = check_estimator(
        search("LogisticRegression", "accuracy"), expected_failed_checks=expected, on_skip=None
    )
    assert len(found) > 50


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_regressor_passes_the_checks_of_regressors(folder):
    checks = [
        (estimator, check)
        for estimator, check in estimator_checks_generator(search("Ridge", "r2"))
        if "regress" in check.func.__name__
    ]
    assert len(checks) > 5
    assert failures(checks) == {}
