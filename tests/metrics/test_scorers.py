import numpy as np
import pytest
from sklearn.metrics import f1_score, log_loss, roc_auc_score

from automl.errors import SettingError
from automl.metrics import Predictions, Truth, final_metrics, metric_for
from tests.support.predictions import class_predictions


@pytest.mark.parametrize(
    ("scoring", "n_classes", "expected"),
    [
        (None, 2, lambda y, p: roc_auc_score(y, p.probabilities[:, 1])),
        ("neg_log_loss", 3, lambda y, p: -log_loss(y, p.probabilities)),
        ("f1_macro", 3, lambda y, p: f1_score(y, p.values, average="macro")),
    ],
)
def test_metric_equals_scikit_learn(scoring, n_classes, expected):
    y, predictions = class_predictions(n_classes)
    metric = metric_for(scoring, "binary" if n_classes == 2 else "multiclass", n_classes)
    assert metric(y, predictions) == pytest.approx(expected(y, predictions))


def test_metric_of_regression_is_a_negative_error():
    metric = metric_for(None, "regression")
    assert metric(np.array([1.0, 3.0]), Predictions(np.array([2.0, 5.0]))) == pytest.approx(-np.sqrt(2.5))


def test_log_loss_accepts_a_fold_without_a_class():
    metric = metric_for("neg_log_loss", "multiclass", 3)
    probabilities = np.array([[0.5, 0.25, 0.25], [0.25, 0.5, 0.25]])
    score = metric(np.array([0, 1]), Predictions(probabilities.argmax(axis=1), probabilities))
    assert score == pytest.approx(np.log(0.5))


@pytest.mark.parametrize(
    ("scoring", "needs"), [("roc_auc", False), ("accuracy", False), ("neg_log_loss", True)]
)
def test_needs_probabilities_of_scorers(scoring, needs):
    assert metric_for(scoring, "binary", 2).needs_probabilities() is needs


def test_metric_for_suggests_the_nearest_name():
    with pytest.raises(SettingError, match=r'scoring: must be a scorer .*"roc_acu".*"roc_auc"'):
        metric_for("roc_acu", "binary", 2)


def test_metric_for_refuses_a_scorer_of_another_task():
    with pytest.raises(SettingError, match='must be able to score a multiclass target; got "f1"'):
        metric_for("f1", "multiclass", 3)


def test_log_loss_is_clipped_as_in_scikit_learn():
    y, certain = np.array([0, 1]), np.array([[0.0, 1.0], [0.0, 1.0]], np.float32)
    score = metric_for("neg_log_loss", "binary", 2)(y, Predictions(certain.argmax(axis=1), certain))
    assert score == pytest.approx(-log_loss(y, certain), rel=1e-5)


@pytest.mark.parametrize(("scoring", "n_classes"), [("roc_auc", 2), ("accuracy", 2), ("r2", 0)])
def test_predictions_with_nan_score_nan(scoring, n_classes):
    y, predictions = np.array([0, 1, 1]), np.array([0.0, np.nan, 1.0])
    task = "binary" if n_classes else "regression"
    assert np.isnan(metric_for(scoring, task, n_classes)(y, Predictions(predictions, decision=predictions)))
    assert final_metrics(task, Truth(y, n_classes), [Predictions(predictions, decision=predictions)]) == [{}]
