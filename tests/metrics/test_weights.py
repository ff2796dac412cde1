"""Row weights count in scores and reported metrics as in scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import f1_score, get_scorer, log_loss, make_scorer, r2_score, root_mean_squared_error

from automl.metrics import Predictions, Truth, final_metrics, metric_for
from tests.support.predictions import class_predictions

WEIGHT = np.random.default_rng(3).integers(0, 4, 60).astype(float)


def repeated(y, predictions):
    """Return rows repeated as often as their weight says."""
    rows = np.repeat(np.arange(60), WEIGHT.astype(int))
    return y[rows], Predictions(
        predictions.values[rows],
        None if predictions.probabilities is None else predictions.probabilities[rows],
    )


@pytest.mark.parametrize(
    ("scoring", "task"),
    [
        ("roc_auc", "binary"), ("neg_log_loss", "binary"), ("f1", "binary"), ("average_precision", "binary"),
        ("neg_log_loss", "multiclass"), ("f1_macro", "multiclass"), ("accuracy", "multiclass"),
        ("roc_auc_ovr_weighted", "multiclass"),
        ("neg_root_mean_squared_error", "regression"), ("r2", "regression"),
        ("neg_median_absolute_error", "regression"),
    ],
)  # fmt: skip
def test_weight_counts_as_repeated_rows(scoring, task):
    n_classes = {"binary": 2, "multiclass": 3, "regression": 0}[task]
    y, predictions = class_predictions(max(2, n_classes))
    if not n_classes:
        predictions = Predictions(predictions.probabilities[:, 0] * 3)
        y = np.sin(np.arange(60.0))
    metric = metric_for(scoring, task, n_classes)
    expected = metric(*repeated(y, predictions))
    assert metric.weighted
    assert metric(y, predictions, WEIGHT) == pytest.approx(
        expected, abs=0.05 if "median" in scoring else 1e-12
    )
    (report,) = final_metrics(task, Truth(y, n_classes, WEIGHT), [predictions])
    many_y, many = repeated(y, predictions)
    assert report == pytest.approx(final_metrics(task, Truth(many_y, n_classes), [many])[0])


def test_scorer_without_weights_says_so():
    def plain(estimator, X, y):
        return float((estimator.predict(X) == y).mean())

    def weighted(estimator, X, y, sample_weight=None):
        return float(np.average(estimator.predict(X) == y, weights=sample_weight))

    y, predictions = class_predictions(2)
    assert not metric_for(plain, "binary", 2).weighted
    assert metric_for(plain, "binary", 2)(y, predictions, WEIGHT) == metric_for(plain, "binary", 2)(
        y, predictions
    )
    assert metric_for(weighted, "binary", 2).weighted
    expected = np.average(predictions.values == y, weights=WEIGHT)
    assert metric_for(weighted, "binary", 2)(y, predictions, WEIGHT) == expected


LABELS = np.array(["no", "yes"], dtype=object)


@pytest.mark.parametrize(
    ("scoring", "positive", "expected"),
    [
        ("f1", 1, lambda y, v: f1_score(y, v, pos_label="yes")),
        ("f1", 0, lambda y, v: f1_score(y, v, pos_label="no")),
        (make_scorer(f1_score), 1, lambda y, v: f1_score(y, v, pos_label="yes")),
        (make_scorer(f1_score), 0, lambda y, v: f1_score(y, v, pos_label="no")),
        (make_scorer(f1_score, pos_label="yes"), 0, lambda y, v: f1_score(y, v, pos_label="yes")),
        (make_scorer(f1_score, labels=["no", "yes"], average="macro"), 1, lambda y, v: f1_score(y, v, average="macro")),
        (make_scorer(f1_score, average="weighted"), 0, lambda y, v: f1_score(y, v, average="weighted")),
        (lambda e, X, y: float(((y == "yes") & (e.predict(X) == "yes")).sum()), 1,
         lambda y, v: ((y == "yes") & (v == "yes")).sum()),
        (lambda e, X, y: float(list(e.classes_) == ["no", "yes"]), 1, lambda y, v: 1.0),
    ],
)  # fmt: skip
def test_scorers_see_labels(scoring, positive, expected):
    y, predictions = class_predictions(2)
    metric = metric_for(scoring, "binary", 2, labels=LABELS, positive=positive)
    assert metric(y, predictions) == pytest.approx(expected(LABELS[y], LABELS[predictions.values]))


def test_scorers_see_labels_of_several_classes():
    labels = np.array(["a", "b", "c"], dtype=object)
    y, predictions = class_predictions(3)
    scorer = make_scorer(f1_score, labels=["a", "c"], average="macro")
    metric = metric_for(scorer, "multiclass", 3, labels=labels)
    assert metric(y, predictions) == pytest.approx(
        f1_score(labels[y], labels[predictions.values], labels=["a", "c"], average="macro")
    )
    loss = make_scorer(log_loss, greater_is_better=False, response_method="predict_proba")
    metric = metric_for(loss, "multiclass", 3, labels=labels)
    assert metric(y, predictions) == pytest.approx(-log_loss(y, predictions.probabilities))


def test_precision_and_recall_are_of_the_positive_class():
    y, predictions = class_predictions(2)
    (report,) = final_metrics("binary", Truth(y, 2, positive=0), [predictions])
    for name in ("precision", "recall", "f1"):
        expected = metric_for(name, "binary", 2, positive=0)(y, predictions)
        assert report[name] == pytest.approx(expected)


def test_scores_are_computed_in_float64():
    y = 1.7e9 + np.arange(4.0)
    metric = metric_for("r2", "regression")
    assert metric(y, Predictions(y + 0.5)) == pytest.approx(r2_score(y, y + 0.5))
    assert metric_for(None, "regression")(y, Predictions(y + 0.5)) == -root_mean_squared_error(y, y + 0.5)


@pytest.mark.parametrize(
    "name", ["f1", "average_precision", "roc_auc", "neg_log_loss", "accuracy", "neg_brier_score"]
)
def test_named_scorers_equal_scikit_learn_on_labels(name):
    y, predictions = class_predictions(2)
    expected = metric_for(name, "binary", 2)(y, predictions)
    by_labels = metric_for(get_scorer(name), "binary", 2, labels=LABELS)
    assert by_labels(y, predictions) == pytest.approx(expected)
