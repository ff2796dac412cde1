from dataclasses import replace

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import f1_score, get_scorer, log_loss

from automl.metrics import Predictions, Truth, final_metrics
from automl.metrics.report import REPORTED
from tests.support.predictions import class_predictions


def test_final_metrics_by_task():
    y, predictions = class_predictions(2)
    assert set(final_metrics("binary", Truth(y, 2), [predictions])[0]) == {
        "accuracy", "balanced_accuracy", "precision", "recall", "f1", "roc_auc", "log_loss",
    }  # fmt: skip
    y, predictions = class_predictions(4)
    (report,) = final_metrics("multiclass", Truth(y, 4), [predictions])
    assert report["log_loss"] == pytest.approx(log_loss(y, predictions.probabilities))
    assert report["f1"] == pytest.approx(f1_score(y, predictions.values, average="macro"))
    (report,) = final_metrics("regression", Truth(np.array([1.0, 3.0])), [Predictions(np.array([2.0, 5.0]))])
    assert report == pytest.approx({"rmse": np.sqrt(2.5), "mae": 1.5, "r2": -1.5})


def test_final_metrics_of_decision_scores_lack_log_loss():
    y = np.array([0, 1, 0, 1])
    (report,) = final_metrics(
        "binary", Truth(y, 2), [Predictions(y, decision=np.array([-1.0, 2.0, -0.5, 0.1]))]
    )
    assert report["roc_auc"] == 1.0
    assert "log_loss" not in report


class Fitted(ClassifierMixin, BaseEstimator):
    """Predictions as an estimator, as input of scikit-learn's scorers."""

    def __init__(self, predictions, n_classes):
        self.predictions, self.classes_ = predictions, np.arange(n_classes)

    def predict(self, X):
        return self.predictions.values

    def predict_proba(self, X):
        return self.predictions.probabilities


SCORERS = {
    2: {name: name for name in ("accuracy", "balanced_accuracy", "precision", "recall", "f1", "roc_auc")},
    4: {
        "accuracy": "accuracy",
        "balanced_accuracy": "balanced_accuracy",
        "precision": "precision_macro",
        "recall": "recall_macro",
        "f1": "f1_macro",
        "roc_auc": "roc_auc_ovr",
    },
}


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("case", ["all", "never predicted", "absent", "tied"])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true:UserWarning")
def test_final_metrics_equal_scikit_learn(n_classes, case):
    y, predictions = class_predictions(n_classes)
    last = n_classes - 1
    if case == "never predicted":
        predictions = replace(predictions, values=predictions.probabilities[:, :last].argmax(axis=1))
    if case == "absent":
        y = np.where(y == last, 0, y)
    if case == "tied":
        coarse = np.round(predictions.probabilities[:, 1:] / 2, 1).astype(np.float32)
        coarse = np.column_stack([1 - coarse.sum(axis=1), coarse])
        predictions = Predictions(coarse.argmax(axis=1), coarse)
    (report,) = final_metrics(
        "binary" if n_classes == 2 else "multiclass", Truth(y, n_classes), [predictions]
    )
    expected = {
        plain: get_scorer(name)(Fitted(predictions, n_classes), y, y)
        for plain, name in SCORERS[n_classes].items()
        if plain != "roc_auc" or case != "absent"
    }
    expected["log_loss"] = log_loss(y, predictions.probabilities, labels=np.arange(n_classes))
    assert report == pytest.approx(expected)


def test_reported_metric_is_one_function_in_a_row(monkeypatch):
    def largest_errors(truth, predictions):
        return {"max_error": [np.abs(truth.y - one.values).max() for one in predictions]}

    monkeypatch.setitem(REPORTED, "regression", (*REPORTED["regression"], largest_errors))
    (report,) = final_metrics("regression", Truth(np.array([1.0, 3.0])), [Predictions(np.array([2.0, 5.0]))])
    assert list(report) == ["rmse", "mae", "r2", "max_error"]
    assert report["max_error"] == 2.0
