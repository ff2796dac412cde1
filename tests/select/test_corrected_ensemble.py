"""The corrected score of an ensemble."""

from __future__ import annotations

import numpy as np
import pytest

from automl.metrics import Predictions, metric_for
from automl.records import TrialRecord
from automl.select import (
    OutOfFold,
    baseline_predictions,
    choose_ensemble,
    corrected_score,
    save_predictions,
    with_ensemble_score,
)

N, N_TEST, N_TRIALS = 510, 20_000, 15


def test_corrected_score_of_an_ensemble_is_that_of_other_rows(tmp_path):
    rng = np.random.default_rng(0)
    y = rng.permutation(np.arange(N + N_TEST) % 2)
    odds = 0.3 * (2 * y - 1) + rng.normal(size=(N_TRIALS, N + N_TEST))
    shares = np.stack([1 / (1 + np.exp(odds)), 1 / (1 + np.exp(-odds))], axis=-1)
    number = np.arange(N) % 3
    folds = [(np.flatnonzero(number != k), np.flatnonzero(number == k)) for k in range(3)]
    metric = metric_for("roc_auc", "binary", 2)
    found = OutOfFold(tmp_path, y[:N], folds)
    for trial, one in enumerate(shares):
        parts = [Predictions(one[rows].argmax(axis=1), one[rows]) for _, rows in folds]
        save_predictions(tmp_path, trial, parts)
        score = np.mean([metric(y[rows], part) for part, (_, rows) in zip(parts, folds, strict=True)])
        more = {"configuration": {}, "params": {}, "seed": 0, "state": "complete"}
        found.add(TrialRecord(number=trial, family="abc"[trial % 3], score=float(score), **more))
    ensemble, baseline = choose_ensemble(found, metric), baseline_predictions(y[:N], folds, 2)
    trials = [found.predictions(record.number) for record in found.records]
    alone = corrected_score(metric, found.y, found.fold, trials, baseline)
    corrected = with_ensemble_score(alone, metric, found, ensemble, baseline)
    average = sum(weight * shares[trial, N:] for trial, weight in ensemble.members)
    true = metric(y[N:], Predictions(average.argmax(axis=1), average))
    assert ensemble.score > corrected.ensemble_score + 0.01  # what the selection owes to chance
    assert corrected.ensemble_low < true < corrected.ensemble_high
    assert corrected.ensemble_score == pytest.approx(true, abs=0.03)
    assert corrected.metrics["corrected_ensemble_score"] == corrected.ensemble_score
    slow = metric_for("matthews_corrcoef", "binary", 2)
    assert with_ensemble_score(alone, slow, found, ensemble, baseline) is alone
    assert "corrected_ensemble_score" not in alone.metrics
