import numpy as np
import pytest

from automl.errors import SettingError
from automl.metrics import Predictions, objectives_for


@pytest.mark.parametrize("scoring", ["accuracy", ["accuracy"], ("accuracy",), None])
def test_objectives_of_one_scorer(scoring):
    found = objectives_for(scoring, None, "binary", 2)
    assert (found.names, found.directions) == (("accuracy" if scoring else "roc_auc",), ("maximize",))
    assert found.costs == ()


def test_objectives_maximise_scores_and_minimise_costs():
    scoring = ["r2", "model_bytes", "neg_mean_absolute_error", "fit_seconds"]
    found = objectives_for(scoring, None, "regression")
    assert found.names == tuple(scoring)
    assert found.directions == ("maximize", "minimize", "maximize", "minimize")
    assert [metric.name for metric in found.metrics] == ["r2", "neg_mean_absolute_error"]
    assert found.costs == ("model_bytes", "fit_seconds")
    directions = ["maximize", "maximize", "maximize", "minimize"]
    assert list(objectives_for(scoring, directions, "regression").directions) == directions


def test_to_minimise_negates_the_score():
    def error(estimator, X, y):
        return float(np.abs(estimator.predict(X) - y).mean())

    metric = objectives_for(error, ["minimize"], "regression").metric
    y, predictions = np.array([1.0, 3.0]), Predictions(np.array([2.0, 5.0]))
    assert metric(y, predictions) == -1.5
    assert objectives_for(error, None, "regression").metric(y, predictions) == 1.5


def test_objectives_report_all_faults():
    with pytest.raises(SettingError) as caught:
        objectives_for(["fit_seconds", "r2", "f2", "r2"], ["minimize", "down", None, None], "regression")
    faults = [str(fault) for fault in caught.value.faults]
    assert [fault.split(":")[0] for fault in faults] == ["scoring", "directions", "scoring", "scoring"]
    assert "'down'" in faults[1]
    assert '"f2"' in faults[2]
    assert "r2 twice" in faults[3]
