from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import make_scorer

from automl.metrics import QUICK_METRICS, Predictions, metric_for, resampled_scores
from tests.support.predictions import class_predictions

RNG = np.random.default_rng(1)


def numbers(n=60):
    y = RNG.normal(size=n)
    return y, Predictions(y + RNG.normal(size=n))


def task_of(name, n_classes):
    if not n_classes:
        return metric_for(name, "regression")
    return metric_for(name, "binary" if n_classes == 2 else "multiclass", n_classes)


CASES = [
    ("accuracy", 3), ("balanced_accuracy", 3), ("balanced_accuracy", 2), ("neg_log_loss", 3), ("neg_log_loss", 2),
    ("roc_auc", 2), ("f1", 2), ("f1_macro", 3), ("f1_weighted", 3), ("precision", 2), ("recall", 2),
    ("recall_macro", 3), ("matthews_corrcoef", 2), ("r2", 0), ("neg_root_mean_squared_error", 0),
    ("neg_mean_squared_error", 0), ("neg_mean_absolute_error", 0), ("neg_median_absolute_error", 0),
]  # fmt: skip


@pytest.mark.parametrize(("name", "n_classes"), CASES)
def test_resampled_scores_are_those_of_the_drawn_rows(name, n_classes):
    pairs = [class_predictions(n_classes) if n_classes else numbers() for _ in range(3)]
    y = pairs[0][0]
    predictions = [one for _, one in pairs]
    if n_classes == 2:  # with ties
        predictions.append(Predictions(predictions[0].values, np.round(predictions[0].probabilities, 1)))
    metric = task_of(name, n_classes)
    drawn = RNG.integers(0, 60, size=(4, 60))
    weights = np.array([np.bincount(rows, minlength=60) for rows in drawn])
    found = resampled_scores(metric, y, predictions, weights)
    for i, rows in enumerate(drawn):
        for j, one in enumerate(predictions):
            part = Predictions(
                one.values[rows], None if one.probabilities is None else one.probabilities[rows]
            )
            assert found[i, j] == pytest.approx(metric(y[rows], part), abs=1e-6)


def test_every_quick_metric_is_tested():
    assert {name for name, _ in CASES} >= QUICK_METRICS


def test_resampled_scores_use_decision_scores():
    y, one = class_predictions(2)
    decision = Predictions(one.values, decision=np.log(one.probabilities[:, 1]))
    metric = task_of("roc_auc", 2)
    first, second = resampled_scores(metric, y, [one, decision], np.ones((1, 60)))[0]
    assert first == pytest.approx(second)


def test_resampled_scores_of_a_scorer_with_a_common_name_are_its_own():
    def accuracy(y, predicted):
        return 1 - np.mean(y == predicted)

    y, one = class_predictions(2)
    metric = metric_for(make_scorer(accuracy), "binary", 2)
    found = resampled_scores(metric, y, [one], np.ones((1, 60)))
    assert found[0, 0] == pytest.approx(np.mean(y != one.values))


def test_resampled_scores_of_one_class_are_not_defined():
    y, one = class_predictions(2)
    weights = np.where(y == 0, 1, 0)[None]
    assert np.isnan(resampled_scores(task_of("roc_auc", 2), y, [one], weights)).all()


@pytest.mark.parametrize(("name", "n_classes"), [("neg_log_loss", 3), ("matthews_corrcoef", 2), ("r2", 0)])
def test_resampled_scores_of_no_rows_are_not_defined(name, n_classes):
    y, one = class_predictions(n_classes) if n_classes else numbers()
    assert np.isnan(resampled_scores(task_of(name, n_classes), y, [one], np.zeros((2, 60)))).all()
