"""All faults of settings, space, scorer, sampler, pruner and table are reported at once."""

from __future__ import annotations

import pytest

import automl
from automl.search.settings import check_settings
from tests.support.tables import small

X, y = small()
SPACE = {"space": {"model": {"choice": {"decision_tree": {"max_dept": [1, 2]}}}}}
FAULTY = {
    "timeout": -1,
    "space": SPACE,
    "scoring": ["accuracyy", "fit_seconds"],
    "directions": ["maximize"],
    "sampler": "tpee",
    "pruner": "medan",
    "cv": "timee",
    "study_name": "a/b",
}
FIRST_WORDS = ["timeout", "cv", "study_name", "directions", "scoring", "sampler", "pruner"]


def test_fit_reports_all_faults_at_once():
    with pytest.raises(automl.InputError) as raised:
        automl.Search(**FAULTY, columns={"aa": "numeric"}).fit(X, y)
    where = [fault.where for fault in raised.value.faults]
    assert where[:7] == FIRST_WORDS
    assert where[7].endswith("max_dept")
    assert where[8:] == ["columns"]
    assert type(raised.value) is automl.InputError


def test_faults_of_one_kind_keep_their_class():
    settings = automl.Search(timeout=-1, sampler="tpee").get_params(deep=False)
    with pytest.raises(automl.SettingError) as raised:
        check_settings(settings)
    assert [fault.where for fault in raised.value.faults] == ["timeout", "sampler"]
    with pytest.raises(automl.SpaceError):
        check_settings(automl.Search(SPACE).get_params(deep=False))


def test_missing_target_is_reported_with_the_settings():
    with pytest.raises(automl.InputError) as raised:
        automl.Search(timeout=-1).fit(X, "upp")
    assert [fault.where for fault in raised.value.faults] == ["timeout", "y"]


def test_check_settings_returns_the_space():
    assert check_settings(automl.Search("quick").get_params(deep=False)).name == "quick"


@pytest.mark.parametrize("target", [y, y.map({True: "yes", False: "no"})], ids=["booleans", "texts"])
def test_scorer_for_numbers_is_refused_for_two_labels(target, monkeypatch):
    monkeypatch.setattr("automl.search.estimator.open_search", lambda *_: pytest.fail("the search started"))
    with pytest.raises(automl.SettingError, match='must be able to score a binary target; got "r2"'):
        automl.Search(scoring="r2").fit(X, target)
