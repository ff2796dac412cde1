from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
from sklearn.metrics import make_scorer

from automl.errors import SettingError
from automl.metrics import Predictions, metric_for
from automl.select import CorrectedScore, baseline_predictions, corrected_score

FOLDS = 5


def folds_of(n):
    number = np.arange(n) % FOLDS
    return [(np.flatnonzero(number != k), np.flatnonzero(number == k)) for k in range(FOLDS)]


def corrected(scoring, y, trials, n_classes, seed=0, **more):
    """Return the estimate for trials whose best one is first, rows sorted by fold."""
    folds = folds_of(len(y))
    rows = np.concatenate([valid for _, valid in folds])
    fold = np.repeat(np.arange(FOLDS), [len(valid) for _, valid in folds])
    task = {0: "regression", 2: "binary"}.get(n_classes, "multiclass")
    metric = metric_for(scoring, task, n_classes)
    baseline = baseline_predictions(y, folds, n_classes)
    return corrected_score(metric, y[rows], fold, trials, baseline, seed=seed, **more)


def class_noise(rng, n, k):
    y = rng.permutation(np.arange(n) % 2)
    p = rng.random((k, n))
    return y, [Predictions((one > 0.5).astype(int), np.stack([1 - one, one], axis=1)) for one in p]


def number_noise(rng, n, k):
    y = rng.normal(size=n)
    return y, [Predictions(0.1 * rng.normal(size=n)) for _ in range(k)]


def scores_of(metric, y, trials):
    """Return the uncorrected score of each trial: the mean over the folds."""
    parts = [
        metric.score_batch(y[rows], [_part(one, rows) for one in trials]) for _, rows in folds_of(len(y))
    ]
    return np.mean(parts, axis=0)


def _part(one, rows):
    return Predictions(one.values[rows], None if one.probabilities is None else one.probabilities[rows])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scoring", "draw", "n_classes"),
    [("roc_auc", class_noise, 2), ("neg_mean_squared_error", number_noise, 0)],
)
def test_corrected_score_promises_nothing_on_noise(scoring, draw, n_classes):
    metric = metric_for(scoring, "binary" if n_classes else "regression", n_classes)
    found, selected, expected = [], [], []
    for seed in range(50):
        y, trials = draw(np.random.default_rng(seed), 100, 20)
        scores = scores_of(metric, y, trials)
        order = np.argsort(-scores)
        rows = np.concatenate([valid for _, valid in folds_of(100)])
        found.append(corrected(scoring, y, [_part(trials[i], rows) for i in order], n_classes, seed))
        selected.append(scores.max())
        expected.append(scores.mean())  # on noise no trial is better than another
    assert [one.selected for one in found] == pytest.approx(selected)
    bias = np.mean([one.score for one in found]) - np.mean(expected)
    uncorrected = np.mean(selected) - np.mean(expected)
    error = np.std([one.score - truth for one, truth in zip(found, expected, strict=True)]) / np.sqrt(50)
    assert abs(bias) < 3 * error
    assert abs(bias) < 0.15 * uncorrected
    covered = sum(one.low <= truth <= one.high for one, truth in zip(found, expected, strict=True))
    assert covered >= 45


def test_corrected_score_of_a_clear_winner_is_its_score():
    rng = np.random.default_rng(0)
    y = rng.normal(size=500)
    trials = [Predictions(y + scale * rng.normal(size=500)) for scale in (0.1, 0.5, 1.0)]
    rows = np.concatenate([valid for _, valid in folds_of(500)])
    found = corrected("neg_root_mean_squared_error", y, [_part(one, rows) for one in trials], 0)
    assert found.score == pytest.approx(found.selected, abs=0.005)
    assert found.low < -0.1 < found.high
    assert found.beats_baseline == 1
    assert found.baseline == pytest.approx(-1, abs=0.1)
    assert (found.n_trials, found.n_resamples) == (3, 400)


def test_corrected_score_is_repeatable_and_weighted():
    y, trials = class_noise(np.random.default_rng(0), 100, 4)
    assert corrected("accuracy", y, trials, 2) == corrected("accuracy", y, trials, 2)
    weight = np.where(np.arange(100) < 50, 0.0, 1.0)
    found = corrected("accuracy", y, trials, 2, weight=weight)
    rows = np.concatenate([valid for _, valid in folds_of(100)])
    hits = (trials[0].values == y[rows])[weight > 0]
    fold = np.repeat(np.arange(FOLDS), 20)[weight > 0]
    assert found.selected == pytest.approx(np.mean([hits[fold == k].mean() for k in np.unique(fold)]))


def numbers(scales, n=500, seed=0):
    """Return a target and predictions with errors of these sizes, rows sorted by fold."""
    rng = np.random.default_rng(seed)
    y = rng.normal(size=n)
    rows = np.concatenate([valid for _, valid in folds_of(n)])
    return y, [Predictions((y + scale * rng.normal(size=n))[rows]) for scale in scales]


@pytest.mark.parametrize(
    ("scale", "low", "high"), [(0.1, 0.5, 0.5), (0.5, 1, 1), (0.04, 0, 0), (0.103, 0.6, 0.98)]
)
def test_corrected_score_tells_how_often_it_beats_the_default_start(scale, low, high):
    y, (best, *others, default) = numbers([0.1, 0.5, 1.0, scale])
    default = best if scale == 0.1 else default
    found = corrected("neg_root_mean_squared_error", y, [best, *others], 0, default=default)
    assert low <= found.beats_default <= high
    assert corrected("neg_root_mean_squared_error", y, [best], 0).beats_default is None


def test_corrected_score_without_an_error_has_a_width():
    y = np.arange(90) % 3
    rows = np.concatenate([valid for _, valid in folds_of(90)])
    right = Predictions(y[rows], np.eye(3)[y[rows]])
    found = corrected("accuracy", y, [right, right], 3)
    assert (found.selected, found.score, found.high, found.greatest) == (1, 1, 1, 1)
    assert 0.92 < found.low < 0.97  # Clopper and Pearson: 0.96
    low, high = found.interval(90)
    assert high == 1
    assert low == pytest.approx(1 - np.sqrt(2) * (1 - found.low))
    assert found.interval(30)[0] < low < found.interval(10**9)[0] == pytest.approx(found.low)


def test_corrected_score_counts_equally_good_trials_as_one():
    y = np.arange(100) % 2
    rows = np.concatenate([valid for _, valid in folds_of(100)])
    trials = []
    for wrong in np.split(rows, 10):  # ten trials, each wrong for ten other rows
        values = np.where(np.isin(rows, wrong), 1 - y[rows], y[rows])
        trials.append(Predictions(values, np.eye(2)[values]))
    found = corrected("accuracy", y, trials, 2)
    assert found.score <= 0.9  # choosing among them gains nothing


def total_cost(y, predicted):
    return -float(np.abs(y - predicted).sum())


def mean_cost(y, predicted):
    return -float(np.abs(y - predicted).mean())


def test_corrected_score_of_a_sum_is_that_of_a_fold():
    y, trials = numbers([0.5, 0.6, 0.7], n=200)
    total, mean = (corrected(make_scorer(cost), y, trials, 0) for cost in (total_cost, mean_cost))
    assert (total.by_size, mean.by_size) == (True, False)
    for name in ("score", "low", "high", "selected", "baseline"):
        assert getattr(total, name) == pytest.approx(40 * getattr(mean, name))  # rows of a fold
    assert total.beats_baseline == mean.beats_baseline
    with pytest.raises(SettingError, match="a mean over rows"):
        total.interval(50)


def test_corrected_score_of_an_older_study_has_no_interval_of_a_test_set():
    y, trials = numbers([0.5], n=100)
    found = corrected("neg_mean_absolute_error", y, trials, 0)
    assert CorrectedScore(**asdict(found)) == found
    older = {
        name: value for name, value in asdict(found).items() if name not in ("n_rows", "greatest", "by_size")
    }
    with pytest.raises(SettingError, match="an older study"):
        CorrectedScore(**older).interval(50)
    with pytest.raises(SettingError, match="at least 1"):
        found.interval(0)


def test_corrected_score_of_a_scorer_without_a_quick_form():
    y, trials = class_noise(np.random.default_rng(0), 100, 4)
    found = corrected("matthews_corrcoef", y, trials, 2)
    assert found.low < found.score < found.high
    assert "[" in str(found)


def test_corrected_score_without_a_defined_metric():
    y = np.zeros(20, dtype=int)
    y[0] = 1  # most folds have one class
    found = corrected("roc_auc", y, [Predictions(y, np.full((20, 2), 0.5))], 2)
    assert found.n_trials == 1


def test_baseline_predicts_shares_or_means_of_training_rows():
    y = np.array([0, 0, 1, 1, 1, 1])
    folds = [(np.array([0, 1, 2]), np.array([3, 4, 5])), (np.array([3, 4, 5]), np.array([0, 1, 2]))]
    found = baseline_predictions(y, folds, 2)
    assert found.values.tolist() == [0, 0, 0, 1, 1, 1]
    assert found.probabilities[0].tolist() == pytest.approx([2 / 3, 1 / 3])
    assert baseline_predictions(y * 1.0, folds, 0).values.tolist() == pytest.approx([1 / 3] * 3 + [1] * 3)
    weight = np.array([0, 0, 1, 1, 1, 1.0])
    assert baseline_predictions(y, folds, 2, weight).values.tolist() == [1] * 6
