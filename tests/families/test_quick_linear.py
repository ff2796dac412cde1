"""A linear model on a sample of rows and columns."""

import time

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from automl.families.quick_linear import QuickLinearClassifier, QuickLinearRegressor


@pytest.mark.parametrize(("n_rows", "n_columns"), [(300, 6_000), (200_000, 20)])
def test_quick_linear_takes_a_second_on_any_table(n_rows, n_columns):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, n_columns)).astype(np.float32)
    signal = X[:, 1] - X[:, n_columns - 1]
    start = time.process_time()
    classifier = QuickLinearClassifier().fit(X, np.where(signal > 0, "high", "low"))
    regressor = QuickLinearRegressor().fit(X, signal)
    assert time.process_time() - start < 3
    assert classifier.classes_.tolist() == ["high", "low"]
    assert {1, n_columns - 1} <= set(classifier.columns_.tolist()) & set(regressor.columns_.tolist())
    assert len(classifier.columns_) == min(1_000, n_columns)
    assert regressor.score(X, signal) > 0.9


def test_quick_linear_sample_holds_every_class():
    rng = np.random.default_rng(0)
    y = np.r_[np.zeros(50_000, int), np.arange(40)]
    X = rng.normal(size=(len(y), 200)).astype(np.float32)
    classifier = QuickLinearClassifier().fit(X, y)
    assert classifier.predict_proba(X[:5]).shape == (5, 40)


def test_quick_linear_handles_constant_and_huge_columns():
    X = np.zeros((50, 1_200), np.float32)
    X[:, 7], X[:, 9] = np.arange(50), 3e38
    regressor = QuickLinearRegressor().fit(X, np.arange(50.0))
    assert regressor.score(X, np.arange(50.0)) > 0.9


def test_quick_linear_keeps_the_scale_of_categories():
    rng = np.random.default_rng(0)
    numbers, kinds = rng.normal(size=(2, 400, 30))
    rare = (rng.random((400, 60)) < 0.03).astype(float)
    y = (numbers[:, 0] + 0.5 * kinds[:, 0] > 0).astype(int)
    X = np.hstack([numbers, kinds, rare])
    model = QuickLinearClassifier().fit(X[:200], y[:200])
    plain = LogisticRegression(max_iter=200).fit(X[:200], y[:200])
    assert model.score(X[200:], y[200:]) >= plain.score(X[200:], y[200:]) - 0.02
    scaled = make_pipeline(StandardScaler(), LogisticRegression()).fit(X[:200], y[:200])
    assert roc_auc_score(y[200:], model.predict_proba(X[200:])[:, 1]) > roc_auc_score(
        y[200:], scaled.predict_proba(X[200:])[:, 1]
    )
