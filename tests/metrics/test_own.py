"""Scorers by path."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import automl
from automl.metrics import Predictions, check_objectives, import_scorers, metric_for, scorer_kind

MODULE = """
from sklearn.metrics import fbeta_score, make_scorer, r2_score

def hits(estimator, X, y):
    return float((estimator.predict(X) == y).sum())

def of_labels(y_true, y_pred):
    return 1.0

f2 = make_scorer(fbeta_score, beta=2)
fit = make_scorer(r2_score)
number = 5
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """The name of a module with scorers that is not imported yet."""
    name = f"own_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    yield name
    sys.modules.pop(name, None)


def test_scorer_by_path_scores_after_its_import(module):
    with pytest.raises(automl.SettingError, match="whose module is not imported"):
        metric_for(f"{module}:hits", "binary", 2)
    assert check_objectives([f"{module}:hits", "fit_seconds"]) == 2
    metric = metric_for(f"{module}:hits", "binary", 2, labels=np.array(["no", "yes"], dtype=object))
    assert metric.name == f"{module}:hits"
    assert metric(np.array([0, 1, 1]), Predictions(np.array([0, 1, 0]))) == 2.0


def test_scorer_by_path_has_the_kind_and_positive_class_of_make_scorer(module):
    import_scorers([f"{module}:f2"])
    assert scorer_kind(f"{module}:f2") == "classification"
    assert scorer_kind(f"{module}:fit") == "regression"
    assert scorer_kind(f"{module}:hits") == ""
    metric = metric_for(f"{module}:f2", "binary", 2, labels=np.array(["no", "yes"], dtype=object), positive=0)
    assert metric(np.array([0, 0, 1]), Predictions(np.array([0, 0, 0]))) > 0.9


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("hit", r'"\w+:hit", which \w+ does not have. Did you mean "hits"'),
        ("number", "which .* does not have"),
    ],
)
def test_wrong_path_is_a_fault(module, name, message):
    with pytest.raises(automl.SettingError, match=message):
        check_objectives(f"{module}:{name}")


def test_faults_of_several_paths_are_raised_at_once(module):
    with pytest.raises(automl.SettingError) as raised:
        check_objectives([f"{module}:hit", "no_such_module_here:f", "accuracyy"])
    assert len(raised.value.faults) == 3
    assert "ModuleNotFoundError" in str(raised.value)


def test_function_of_true_and_predicted_labels_names_make_scorer(module):
    import_scorers(f"{module}:of_labels")
    with pytest.raises(automl.SettingError, match="make_scorer makes one of a metric"):
        metric_for(f"{module}:of_labels", "binary", 2)


def test_only_allowed_packages_are_imported(module):
    import_scorers(f"{module}:hits", allowed=())
    assert module not in sys.modules
    import_scorers(f"{module}:hits", allowed=[module])
    assert module in sys.modules
