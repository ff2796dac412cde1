from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score, log_loss

import automl
from automl.errors import SettingError
from automl.metrics import metric_for
from automl.search.calibrating import choose_calibration, choose_threshold

SPACE = {"space": {"model": {"choice": {"decision_tree": {"min_samples_leaf": 2, "max_depth": 12}}}}}
FOLD = np.arange(1000) % 5


def truth(seed=0, share=0.5):
    """Return codes, and the probabilities that they were drawn with."""
    rng = np.random.default_rng(seed)
    p = 1 / (1 + np.exp(-rng.normal(scale=1.5, size=1000) - np.log(share / (1 - share))))
    return (rng.random(1000) < p).astype(int), np.stack([1 - p, p], axis=1)


def test_choose_calibration_undoes_overconfidence():
    y, p = truth()
    powers = p**3
    slope, shift = choose_calibration(y, FOLD, powers / powers.sum(axis=1, keepdims=True))
    assert slope == pytest.approx(1 / 3, rel=0.2)
    assert shift == pytest.approx(0, abs=0.3)


def test_choose_calibration_leaves_calibrated_probabilities():
    assert sum(choose_calibration(*[truth(seed)[0], FOLD, truth(seed)[1]]) is None for seed in range(10)) >= 8


def test_choose_threshold_is_for_scores_of_labels():
    y, p = truth(share=0.1)
    limit = choose_threshold(metric_for("f1", "binary", 2), y, FOLD, p, 1)
    assert 0.1 < limit < 0.45
    assert f1_score(y, p[:, 1] >= limit) > f1_score(y, p[:, 1] >= 0.5) + 0.03
    weight = np.where(np.arange(1000) < 500, 1.0, 0.0)
    assert choose_threshold(metric_for("f1", "binary", 2), y, FOLD, p, 1, weight) is not None
    assert choose_threshold(metric_for("roc_auc", "binary", 2), y, FOLD, p, 1) is None
    assert choose_threshold(metric_for("neg_log_loss", "binary", 2), y, FOLD, p, 1) is None
    y, p = truth()  # accuracy of equal classes has no better threshold than one half
    assert choose_threshold(metric_for("accuracy", "binary", 2), y, FOLD, p, 1) is None


def test_search_calibrates_and_tunes_the_threshold(folder):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1600, 4))
    y = np.where(X[:, 0] + X[:, 1] + rng.normal(size=1600) > 1.6, "rare", "usual")
    half = slice(0, 800), slice(800, 1600)
    search = automl.Search(
        SPACE, n_trials=1, timeout=None, n_jobs=1, progress=False, scoring="f1", positive_class="rare", cv=5,
        calibrate="auto", threshold="auto",
    ).fit(X[half[0]], y[half[0]])  # fmt: skip
    plain, tuned = search.best_estimator_, search.calibrated_
    X_new, y_new = X[half[1]], y[half[1]]
    assert tuned.slope < 0.8  # deep trees are overconfident
    assert 0 < tuned.threshold < 0.5
    assert log_loss(y_new, search.predict_proba(X_new)) < log_loss(y_new, plain.predict_proba(X_new)) - 0.1
    scores = [f1_score(y_new, one.predict(X_new), pos_label="rare") for one in (search, plain)]
    assert scores[0] > scores[1]
    assert search.score(X_new, y_new) == pytest.approx(scores[0])
    assert {"best", "calibrated"} <= set(search.evaluate(X_new, y_new).index)
    loaded = automl.load_model(search.export("model"))
    assert loaded.predict(X_new).tolist() == search.predict(X_new).tolist()
    raw = automl.load_model(search.export("raw", what="best"))
    assert raw.predict(X_new).tolist() == plain.predict(X_new).tolist()
    assert automl.load_model(search.model_uri_).predict(X_new).tolist() == search.predict(X_new).tolist()
    with pytest.raises(SettingError, match="calibrate: must be"):
        automl.Search(calibrate=True).fit(X, y)
