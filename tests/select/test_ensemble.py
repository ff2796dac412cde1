from itertools import product

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score, root_mean_squared_error

from automl.metrics import Predictions, metric_for
from automl.records import TrialRecord
from automl.select import OutOfFold, choose_ensemble, save_predictions
from automl.select.ensemble import FoldScores, gain_error, greedy_selection

METRICS = {
    "neg_root_mean_squared_error": (0, lambda y, p: -root_mean_squared_error(y, p)),
    "roc_auc": (2, lambda y, p: roc_auc_score(y, p[:, 1])),
    "accuracy": (3, lambda y, p: accuracy_score(y, p.argmax(axis=1))),
    "neg_log_loss": (3, lambda y, p: -log_loss(y, p, labels=[0, 1, 2])),
}
TASKS = {0: "regression", 2: "binary", 3: "multiclass"}


def problem(n_classes, seed, k=4, m=90):
    """Return targets, folds and k noisy predictions."""
    rng = np.random.default_rng(seed)
    fold = np.repeat([0, 1, 2], m // 3)
    if not n_classes:
        y = rng.normal(size=m)
        return y, fold, y + rng.normal(scale=rng.uniform(0.5, 1.5, (k, 1)), size=(k, m))
    y = rng.permutation(np.arange(m) % n_classes)
    noise = rng.dirichlet(np.ones(n_classes), size=(k, m))
    return y, fold, 0.2 * np.eye(n_classes)[y] + 0.8 * noise


def by_hand(y, fold, score, predictions, steps):
    """Greedy selection the slow way: every candidate at every step, each fold scored by scikit-learn."""

    def mean_score(average):
        return np.mean([score(y[fold == number], average[fold == number]) for number in np.unique(fold)])

    singles = [mean_score(one) for one in predictions]
    scale = abs(max(singles)) or 1.0
    chosen, path = [], []
    for _ in range(steps):
        values = [mean_score(np.mean([*predictions[chosen], one], axis=0)) for one in predictions]
        rounded = [round(value / scale, 6) for value in values]
        ties = [i for i, value in enumerate(rounded) if value == max(rounded)]
        chosen.append(next((i for i in ties if i in chosen), ties[0]))
        path.append((max(rounded), values[chosen[-1]]))
    length = [value for value, _ in path].index(max(value for value, _ in path)) + 1
    weights = [chosen[:length].count(i) / length for i in range(len(predictions))]
    return weights, path[length - 1][1]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", METRICS)
def test_greedy_selection_equals_the_slow_reference(name, seed):
    n_classes, score = METRICS[name]
    y, fold, predictions = problem(n_classes, seed)
    metric = metric_for(name, TASKS[n_classes], n_classes)
    weights, value = greedy_selection(predictions, FoldScores(y, fold, metric), max_steps=8)
    expected, best = by_hand(y, fold, score, predictions, steps=8)
    assert weights.tolist() == pytest.approx(expected)
    assert value == pytest.approx(best)


@pytest.mark.parametrize("seed", range(3))
def test_greedy_selection_is_near_the_best_of_all_combinations(seed):
    y, fold, predictions = problem(0, seed, k=3)
    score = FoldScores(y, fold, metric_for(None, "regression"))
    _, value = greedy_selection(predictions, score, max_steps=6)
    counts = np.array([one for one in product(range(7), repeat=3) if 0 < sum(one) <= 6])
    averages = np.tensordot(counts / counts.sum(axis=1, keepdims=True), predictions, axes=1)
    every = score(averages)
    assert every.max() >= value > np.quantile(every, 0.9)


def test_greedy_selection_prefers_a_member_over_an_equal_candidate():
    y = np.array([0.0, 1.0, 2.0, 3.0])
    copies = np.array([y + 1, y + 1, y - 1, y - 1])
    weights, value = greedy_selection(copies, lambda averages: -abs(averages - y).mean(axis=1))
    assert weights.tolist() == [0.5, 0, 0.5, 0]
    assert value == 0


def test_greedy_selection_takes_the_shortest_beginning_with_the_best_score():
    y = np.arange(4.0)
    weights, _ = greedy_selection(np.array([y, y + 5]), lambda averages: -abs(averages - y).mean(axis=1))
    assert weights.tolist() == [1, 0]


def test_greedy_selection_takes_at_most_25_steps():
    steps = []

    def score(averages):
        steps.append(len(averages))
        return np.linspace(0, 1, len(averages)) + len(steps)

    greedy_selection(np.zeros((3, 5)), score)
    assert steps == [3] * 25


def test_greedy_selection_survives_scores_that_are_not_defined():
    y, fold, predictions = problem(2, 0)
    y[fold == 1] = 0  # one class: no area
    score = FoldScores(y, fold, metric_for("roc_auc", "binary", 2))
    weights, value = greedy_selection(predictions, score)
    assert weights.sum() == 1
    assert value == -np.inf
    assert gain_error(predictions[0], predictions[1], score, 0) == (0.0, np.inf)


def test_gain_error_is_that_of_the_mean_for_a_mean():
    # The mean squared error is a mean over rows, so the standard error of a gain is known.
    y, _, predictions = problem(0, 0, m=3000)
    score = FoldScores(y, np.zeros(3000, int), metric_for("neg_mean_squared_error", "regression"))
    gain, error = gain_error(predictions[0], predictions[1], score, 0)
    by_row = (predictions[0] - y) ** 2 - (predictions[1] - y) ** 2
    assert gain == pytest.approx(by_row.mean())
    assert error == pytest.approx(by_row.std() / np.sqrt(3000), rel=0.4)


def out_of_fold(folder, y, fold, predictions, families=None, **more):
    """Return kept predictions of trials 0, 1, ..., with their mean scores over the folds."""
    folds = [(np.flatnonzero(fold != number), np.flatnonzero(fold == number)) for number in np.unique(fold)]
    found = OutOfFold(folder, y, folds)
    n_classes = predictions.shape[2] if predictions.ndim == 3 else 0
    metric = metric_for(None, TASKS[n_classes], n_classes)
    scores = FoldScores(y, fold, metric)(predictions)
    for number, one in enumerate(predictions):
        kind = Predictions(one.argmax(1), one) if n_classes else Predictions(one)
        save_predictions(folder, number, [kind])
        family = families[number] if families else "linear"
        found.add(
            TrialRecord(
                number=number, configuration={}, params={}, seed=0, state="complete", family=family,
                score=float(scores[number]), **more.get(family, {}),
            )
        )  # fmt: skip
    return found, metric


@pytest.mark.parametrize("n_classes", [0, 2, 3])
def test_choose_ensemble_averages_trials_that_err_apart(tmp_path, n_classes):
    found, metric = out_of_fold(tmp_path, *problem(n_classes, 0, m=1500))
    chosen = choose_ensemble(found, metric)
    assert not chosen.reason
    assert len(chosen.members) > 1
    assert sum(weight for _, weight in chosen.members) == pytest.approx(1)
    weights = [weight for _, weight in chosen.members]
    assert weights == sorted(weights, reverse=True)
    assert chosen.score == pytest.approx(np.mean(chosen.fold_scores))
    assert chosen.gain == pytest.approx(chosen.score - found.records[0].score, abs=1e-6)
    assert chosen.gain > chosen.gain_error > 0


def test_choose_ensemble_is_the_best_trial_on_few_rows(tmp_path):
    found, metric = out_of_fold(tmp_path, *problem(0, 0, m=480))
    assert choose_ensemble(found, metric).reason == "there are 480 validation rows, fewer than 500"


def test_choose_ensemble_is_the_best_trial_where_nothing_adds_to_it(tmp_path):
    y, fold, predictions = problem(0, 0, m=900)
    found, metric = out_of_fold(tmp_path, y, fold, np.stack([predictions[0], predictions[0] + 3]))
    assert "no second trial" in choose_ensemble(found, metric).reason


def test_choose_ensemble_is_the_best_trial_where_the_gain_is_noise(tmp_path):
    rng = np.random.default_rng(1)
    y, fold, _ = problem(0, 0, m=900)
    one = y + rng.normal(size=900)
    found, metric = out_of_fold(tmp_path, y, fold, one + 0.02 * rng.normal(size=(4, 900)))
    chosen = choose_ensemble(found, metric)
    assert "within the noise" in chosen.reason
    assert chosen.members == ()


def test_choose_ensemble_considers_five_trials_and_the_best_of_each_family(tmp_path):
    y, fold, predictions = problem(0, 0, k=9, m=900)
    # The rest has errors that cancel out, but is worse alone.
    predictions[5:] = y + np.array([[4.0], [-4.0], [4.5], [-4.5]])
    families = ["linear"] * 7 + ["mlp", "mlp"]
    found, metric = out_of_fold(tmp_path, y, fold, predictions, families)
    ranked = [record.number for record in found.records]
    assert set(ranked[:5]) == set(range(5))
    members = {number for number, _ in choose_ensemble(found, metric).members}
    assert members <= {*range(5), 7}


def test_choose_ensemble_leaves_out_trials_that_exceed_a_limit(tmp_path):
    y, fold, predictions = problem(0, 0, m=900)
    families = ["linear", "linear", "mlp", "mlp"]
    found, metric = out_of_fold(
        tmp_path, y, fold, predictions, families, mlp={"violation": {"model_bytes": 0.5}}
    )
    assert {number for number, _ in choose_ensemble(found, metric).members} <= {0, 1}


def test_choose_ensemble_without_predictions_of_the_best_trial(tmp_path):
    found, metric = out_of_fold(tmp_path, *problem(0, 0, m=900))
    (tmp_path / f"{found.records[0].number}.values.npy").unlink()
    assert "the best trial" in choose_ensemble(found, metric).reason
