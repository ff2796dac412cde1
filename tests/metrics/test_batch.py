import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from automl.metrics import Predictions, Truth, final_metrics, metric_for


def cohort_of(kind, n=90, k=5):
    """Return a target and the predictions of five trials: one not finite, one constant."""
    rng = np.random.default_rng(1)
    if kind == "regression":
        y = rng.normal(size=n)
        predictions = [Predictions(y + rng.normal(size=n)) for _ in range(k - 2)]
        return y, [*predictions, Predictions(np.full(n, np.inf)), Predictions(np.ones(n))]
    n_classes = 2 if kind in ("binary", "decision") else 3
    y = rng.integers(0, n_classes, n)
    if kind == "decision":
        scores = [
            *(rng.normal(size=n).astype(np.float32) for _ in range(k - 2)),
            np.full(n, np.nan),
            np.ones(n),
        ]
        return y, [Predictions((one > 0).astype(int), decision=one) for one in scores]
    predictions = [rng.dirichlet(np.ones(n_classes), n).astype(np.float32) for _ in range(k - 2)]
    predictions += [np.full((n, n_classes), np.nan), np.full((n, n_classes), 1 / n_classes)]
    return y, [Predictions(one.argmax(axis=1), one) for one in predictions]


@pytest.mark.parametrize(
    ("kind", "scoring"),
    [
        ("binary", "roc_auc"), ("binary", "neg_log_loss"), ("binary", "f1"), ("decision", "roc_auc"),
        ("multiclass", "neg_log_loss"), ("multiclass", "f1_macro"),
        ("regression", "neg_root_mean_squared_error"), ("regression", "r2"),
    ],
)  # fmt: skip
def test_batch_scores_equal_single_scores(kind, scoring):
    y, predictions = cohort_of(kind)
    task = "binary" if kind == "decision" else kind
    n_classes = {"binary": 2, "multiclass": 3, "regression": 0}[task]
    metric = metric_for(scoring, task, n_classes)
    together = metric.score_batch(y, predictions)
    np.testing.assert_array_equal(together, [metric(y, one) for one in predictions])
    assert [np.isfinite(score) for score in together] == [True, True, True, False, True]
    assert len(set(together)) == len(predictions)
    reports = final_metrics(task, Truth(y, n_classes), predictions)
    assert reports == [final_metrics(task, Truth(y, n_classes), [one])[0] for one in predictions]
    assert [bool(report) for report in reports] == [True, True, True, False, True]


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("positives", [1, 30, 59])
def test_roc_auc_equals_scikit_learn(ties, positives):
    rng = np.random.default_rng(positives)
    y = rng.permutation(np.arange(60) < positives).astype(int)
    scores = rng.integers(0, 4 if ties else 10**6, (7, 60)).astype(np.float32) / 10**6
    metric = metric_for("roc_auc", "binary", 2)
    predictions = [Predictions((one > 0).astype(int), decision=one) for one in scores]
    assert metric.score_batch(y, predictions) == pytest.approx(
        [roc_auc_score(y, one) for one in scores], rel=1e-12
    )
