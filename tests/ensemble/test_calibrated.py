from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression

from automl.ensemble import CalibratedClassifier, calibrated


def test_calibrated_probabilities_keep_their_order_and_sum_to_one():
    p = np.random.default_rng(0).dirichlet([1, 1, 1], 20)
    found = calibrated(p, 0.3)
    assert found.sum(axis=1) == pytest.approx(np.ones(20))
    assert found.argmax(axis=1).tolist() == p.argmax(axis=1).tolist()
    assert calibrated(p, 1.0) == pytest.approx(p)
    odds = np.log(calibrated(p[:, :2] / p[:, :2].sum(axis=1, keepdims=True), 1.0, 0.5))
    assert odds[:, 1] - odds[:, 0] == pytest.approx(np.log(p[:, 1] / p[:, 0]) + 0.5)


@pytest.mark.parametrize("positive", [0, 1])
def test_calibrated_classifier_predicts_by_its_threshold(positive):
    X, y = make_classification(200, random_state=0)
    y = np.where(y == 1, "yes", "no")
    frame = pd.DataFrame(X).add_prefix("x")
    model = LogisticRegression().fit(frame, y)
    found = CalibratedClassifier.of_fitted(model, 0.5, 0.2, 0.2, positive)
    p = found.predict_proba(frame)
    assert p == pytest.approx(calibrated(model.predict_proba(frame), 0.5, 0.2))
    chosen = found.predict(frame) == model.classes_[positive]
    assert chosen.tolist() == (p[:, positive] >= 0.2).tolist()
    assert list(found.feature_names_in_) == list(frame)
    again = CalibratedClassifier(LogisticRegression(), 0.5, 0.2, 0.2, positive).fit(frame, y)
    assert again.predict(frame).tolist() == found.predict(frame).tolist()
