from dataclasses import replace

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import f1_score, get_scorer, log_loss, roc_auc_score

from automl.errors import SettingError
from automl.metrics import Predictions, final_metrics, metric_for, objectives_for

RNG = np.random.default_rng(0)


def classes(n_classes, n=60):
    y = np.arange(n) % n_classes
    probabilities = RNG.dirichlet(np.ones(n_classes), size=n)
    return y, Predictions(probabilities.argmax(axis=1), probabilities)


@pytest.mark.parametrize(
    ("scoring", "n_classes", "expected"),
    [
        (None, 2, lambda y, p: roc_auc_score(y, p.probabilities[:, 1])),
        ("neg_log_loss", 3, lambda y, p: -log_loss(y, p.probabilities)),
        ("f1_macro", 3, lambda y, p: f1_score(y, p.values, average="macro")),
    ],
)
def test_score_is_scikit_learns(scoring, n_classes, expected):
    y, predictions = classes(n_classes)
    metric = metric_for(scoring, "binary" if n_classes == 2 else "multiclass", n_classes)
    assert metric(y, predictions) == pytest.approx(expected(y, predictions))


def test_regression_score_is_negative_error():
    metric = metric_for(None, "regression")
    assert metric(np.array([1.0, 3.0]), Predictions(np.array([2.0, 5.0]))) == pytest.approx(-np.sqrt(2.5))


def test_log_loss_is_defined_on_a_fold_without_a_class():
    metric = metric_for("neg_log_loss", "multiclass", 3)
    probabilities = np.array([[0.5, 0.25, 0.25], [0.25, 0.5, 0.25]])
    score = metric(np.array([0, 1]), Predictions(probabilities.argmax(axis=1), probabilities))
    assert score == pytest.approx(np.log(0.5))


@pytest.mark.parametrize(
    ("scoring", "needs"), [("roc_auc", False), ("accuracy", False), ("neg_log_loss", True)]
)
def test_needs_probabilities(scoring, needs):
    assert metric_for(scoring, "binary", 2).needs_probabilities() is needs


def test_unknown_scorer_offers_the_nearest():
    with pytest.raises(SettingError, match=r'scoring: must be a scorer .*"roc_acu".*"roc_auc"'):
        metric_for("roc_acu", "binary", 2)


def test_scorer_that_cannot_score_the_task_is_refused():
    with pytest.raises(SettingError, match='must be able to score a multiclass target; got "f1"'):
        metric_for("f1", "multiclass", 3)


def test_final_metrics_by_task():
    y, predictions = classes(2)
    assert set(final_metrics("binary", 2, y, [predictions])[0]) == {
        "accuracy", "balanced_accuracy", "precision", "recall", "f1", "roc_auc", "log_loss",
    }  # fmt: skip
    y, predictions = classes(4)
    (report,) = final_metrics("multiclass", 4, y, [predictions])
    assert report["log_loss"] == pytest.approx(log_loss(y, predictions.probabilities))
    assert report["f1"] == pytest.approx(f1_score(y, predictions.values, average="macro"))
    (report,) = final_metrics("regression", 0, np.array([1.0, 3.0]), [Predictions(np.array([2.0, 5.0]))])
    assert report == pytest.approx({"rmse": np.sqrt(2.5), "mae": 1.5, "r2": -1.5})


def test_decision_scores_alone_give_no_log_loss():
    y = np.array([0, 1, 0, 1])
    (report,) = final_metrics("binary", 2, y, [Predictions(y, decision=np.array([-1.0, 2.0, -0.5, 0.1]))])
    assert report["roc_auc"] == 1.0
    assert "log_loss" not in report


class Fitted(ClassifierMixin, BaseEstimator):
    """Predictions as an estimator, for scikit-learn's own scorers."""

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
@pytest.mark.parametrize("case", ["all", "never said", "absent", "tied"])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true:UserWarning")
def test_final_metrics_are_scikit_learns(n_classes, case):
    y, predictions = classes(n_classes)
    last = n_classes - 1
    if case == "never said":
        predictions = replace(predictions, values=predictions.probabilities[:, :last].argmax(axis=1))
    if case == "absent":
        y = np.where(y == last, 0, y)
    if case == "tied":
        coarse = np.round(predictions.probabilities[:, 1:] / 2, 1).astype(np.float32)
        coarse = np.column_stack([1 - coarse.sum(axis=1), coarse])
        predictions = Predictions(coarse.argmax(axis=1), coarse)
    (report,) = final_metrics("binary" if n_classes == 2 else "multiclass", n_classes, y, [predictions])
    expected = {
        plain: get_scorer(name)(Fitted(predictions, n_classes), y, y)
        for plain, name in SCORERS[n_classes].items()
        if plain != "roc_auc" or case != "absent"
    }
    expected["log_loss"] = log_loss(y, predictions.probabilities, labels=np.arange(n_classes))
    assert report == pytest.approx(expected)


def test_log_loss_of_a_certain_mistake_is_bounded_as_in_scikit_learn():
    y, certain = np.array([0, 1]), np.array([[0.0, 1.0], [0.0, 1.0]], np.float32)
    score = metric_for("neg_log_loss", "binary", 2)(y, Predictions(certain.argmax(axis=1), certain))
    assert score == pytest.approx(-log_loss(y, certain), rel=1e-5)


@pytest.mark.parametrize(("scoring", "n_classes"), [("roc_auc", 2), ("accuracy", 2), ("r2", 0)])
def test_predictions_that_are_not_numbers_score_nan(scoring, n_classes):
    y, said = np.array([0, 1, 1]), np.array([0.0, np.nan, 1.0])
    task = "binary" if n_classes else "regression"
    assert np.isnan(metric_for(scoring, task, n_classes)(y, Predictions(said, decision=said)))
    assert final_metrics(task, n_classes, y, [Predictions(said, decision=said)]) == [{}]


# Objectives


@pytest.mark.parametrize("scoring", ["accuracy", ["accuracy"], ("accuracy",), None])
def test_one_scorer_is_one_objective_that_goes_up(scoring):
    found = objectives_for(scoring, None, "binary", 2)
    assert (found.names, found.directions) == (("accuracy" if scoring else "roc_auc",), ("maximize",))
    assert found.costs == ()


def test_scores_go_up_and_costs_down_unless_said():
    scoring = ["r2", "model_bytes", "neg_mean_absolute_error", "fit_seconds"]
    found = objectives_for(scoring, None, "regression")
    assert found.names == tuple(scoring)
    assert found.directions == ("maximize", "minimize", "maximize", "minimize")
    assert [metric.name for metric in found.metrics] == ["r2", "neg_mean_absolute_error"]
    assert found.costs == ("model_bytes", "fit_seconds")
    said = ["maximize", "maximize", "maximize", "minimize"]
    assert list(objectives_for(scoring, said, "regression").directions) == said


def test_a_loss_becomes_a_score():
    def error(estimator, X, y):
        return float(np.abs(estimator.predict(X) - y).mean())

    metric = objectives_for(error, ["minimize"], "regression").metric
    y, said = np.array([1.0, 3.0]), Predictions(np.array([2.0, 5.0]))
    assert metric(y, said) == -1.5
    assert objectives_for(error, None, "regression").metric(y, said) == 1.5


def test_everything_that_is_wrong_with_objectives_is_said_at_once():
    with pytest.raises(SettingError) as caught:
        objectives_for(["fit_seconds", "r2", "f2", "r2"], ["minimize", "down", None, None], "regression")
    faults = [str(fault) for fault in caught.value.faults]
    assert [fault.split(":")[0] for fault in faults] == ["scoring", "directions", "scoring", "scoring"]
    assert "'down'" in faults[1]
    assert '"f2"' in faults[2]
    assert "r2 twice" in faults[3]


# A whole cohort


def cohort_of(kind, n=90, k=5):
    """Return a target and what five trials say of it: one is not finite, one says everywhere the same."""
    rng = np.random.default_rng(1)
    if kind == "regression":
        y = rng.normal(size=n)
        said = [Predictions(y + rng.normal(size=n)) for _ in range(k - 2)]
        return y, [*said, Predictions(np.full(n, np.inf)), Predictions(np.ones(n))]
    n_classes = 2 if kind in ("binary", "decision") else 3
    y = rng.integers(0, n_classes, n)
    if kind == "decision":
        scores = [
            *(rng.normal(size=n).astype(np.float32) for _ in range(k - 2)),
            np.full(n, np.nan),
            np.ones(n),
        ]
        return y, [Predictions((one > 0).astype(int), decision=one) for one in scores]
    said = [rng.dirichlet(np.ones(n_classes), n).astype(np.float32) for _ in range(k - 2)]
    said += [np.full((n, n_classes), np.nan), np.full((n, n_classes), 1 / n_classes)]
    return y, [Predictions(one.argmax(axis=1), one) for one in said]


@pytest.mark.parametrize(
    ("kind", "scoring"),
    [
        ("binary", "roc_auc"), ("binary", "neg_log_loss"), ("binary", "f1"), ("decision", "roc_auc"),
        ("multiclass", "neg_log_loss"), ("multiclass", "f1_macro"),
        ("regression", "neg_root_mean_squared_error"), ("regression", "r2"),
    ],
)  # fmt: skip
def test_every_trial_of_a_cohort_scores_to_the_bit_what_it_scores_alone(kind, scoring):
    y, said = cohort_of(kind)
    task = "binary" if kind == "decision" else kind
    n_classes = {"binary": 2, "multiclass": 3, "regression": 0}[task]
    metric = metric_for(scoring, task, n_classes)
    together = metric.each(y, said)
    np.testing.assert_array_equal(together, [metric(y, one) for one in said])
    assert [np.isfinite(score) for score in together] == [True, True, True, False, True]
    assert len(set(together)) == len(said)
    reports = final_metrics(task, n_classes, y, said)
    assert reports == [final_metrics(task, n_classes, y, [one])[0] for one in said]
    assert [bool(report) for report in reports] == [True, True, True, False, True]


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("positives", [1, 30, 59])
def test_area_under_the_curve_is_scikit_learns(ties, positives):
    rng = np.random.default_rng(positives)
    y = rng.permutation(np.arange(60) < positives).astype(int)
    scores = rng.integers(0, 4 if ties else 10**6, (7, 60)).astype(np.float32) / 10**6
    metric = metric_for("roc_auc", "binary", 2)
    said = [Predictions((one > 0).astype(int), decision=one) for one in scores]
    assert metric.each(y, said) == pytest.approx([roc_auc_score(y, one) for one in scores], rel=1e-12)
