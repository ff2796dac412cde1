"""A trial that is trained on one fold after the other."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.tree import DecisionTreeClassifier

from automl.families import get_family
from automl.metrics import objectives_for
from automl.records import TrialSpec
from automl.search import replay_trial
from automl.workers.evaluation import evaluate
from automl.workers.prepared import PreparedFolds
from automl.workers.single import train_single

NO_FLOOR, OUT_OF_REACH = -1e9, 1e9
TREES = {
    "decision_tree": {"max_depth": 3},
    "hist_gradient_boosting": {"max_iter": 40},
    "lightgbm": {"n_estimators": 60, "min_child_samples": 5},
}


@pytest.fixture
def run(context, tmp_path):
    def run(cohort, floor, report=lambda rung, scores, seconds: set(), stop=lambda: False, **changes):
        changed = replace(context, predictions=tmp_path, **changes)
        (record,) = evaluate(changed, PreparedFolds(changed), replace(cohort, floor=floor), report, stop)
        return record

    return run


@pytest.mark.parametrize("family", TREES)
def test_folds_in_turn_give_the_result_of_folds_side_by_side(run, cohort, family, tmp_path):
    one = cohort({family: TREES[family]})
    beside = run(one, None)
    saved = [np.load(file) for file in tmp_path.glob("*.npy")]
    rungs = []
    in_turn = run(one, NO_FLOOR, lambda rung, scores, seconds: rungs.append(rung) or set())
    assert in_turn.state == "complete"
    assert in_turn.fold_scores == beside.fold_scores
    assert (in_turn.score, in_turn.metrics) == (beside.score, beside.metrics)
    assert (in_turn.found_params, in_turn.folds_left) == (beside.found_params, 0)
    assert rungs == list(beside.curve.rungs) == list(in_turn.curve.rungs)
    assert in_turn.curve.scores[-1] == beside.score
    (file,) = tmp_path.glob("*.npy")
    np.testing.assert_array_equal(np.load(file), saved[0])


def test_rungs_are_scored_on_the_first_fold(run, cohort):
    one, reported = cohort({"lightgbm": TREES["lightgbm"]}), {}
    beside = run(one, None, lambda rung, scores, seconds: {0} if rung == 2 else set())
    in_turn = run(one, NO_FLOOR, lambda rung, scores, seconds: reported.update({rung: scores[0]}) or set())
    assert reported[2] == beside.fold_scores[0]
    assert in_turn.curve.scores[-1] == np.mean(in_turn.fold_scores)


def test_trial_below_the_floor_is_pruned_between_its_folds(run, cohort, tmp_path):
    one, rungs = cohort({"decision_tree": TREES["decision_tree"]}), []
    beside = run(one, None)
    for file in tmp_path.glob("*.npy"):
        file.unlink()
    first, second, _ = beside.fold_scores
    mean = (first + second) / 2
    floors = {OUT_OF_REACH: 1, first: 2 if mean < first else 3, np.nextafter(min(first, mean), -1): 3}
    for floor, n_folds in floors.items():
        record = run(one, floor, lambda rung, scores, seconds: rungs.append(rung) or set())
        assert len(record.fold_scores) == n_folds
        assert record.state == ("complete" if n_folds == 3 else "pruned")
        assert record.score == np.mean(beside.fold_scores[:n_folds])
        assert (record.folds_left, record.trained_share) == (3 - n_folds, n_folds / 3)
        assert record.curve.scores == (record.score,)
    raced = run(one, OUT_OF_REACH)
    assert raced.reason == "pruned after 1 of 3 folds: worse on average than the best trial on its worst fold"
    assert raced.metrics["roc_auc"] == pytest.approx(first)
    assert rungs == [1] * list(floors.values()).count(3)  # it reports only what all folds have


def test_pruned_trial_has_no_out_of_fold_predictions(run, cohort, tmp_path):
    run(cohort({"decision_tree": {}}), OUT_OF_REACH)
    assert not list(tmp_path.glob("*.npy"))


def test_trial_stopped_between_folds_ranks_last(run, cohort, tmp_path):
    fits = []

    def report(rung, scores, seconds):
        fits.append(rung)
        return set()

    one = cohort({"lightgbm": TREES["lightgbm"]})
    beside = run(one, None)
    for file in tmp_path.glob("*.npy"):
        file.unlink()
    record = run(one, NO_FLOOR, report, stop=lambda: len(fits) == 2)  # in the first fold
    assert (record.state, record.early, record.folds_left) == ("stopped", True, 2)
    assert record.reason.startswith("stopped before rung 3: time is up")
    assert record.place() > replace_score(beside, record.score - 0.5).place()
    assert not list(tmp_path.glob("*.npy"))


def replace_score(record, score):
    return record.model_copy(update={"score": score})


def test_fit_of_a_further_fold_is_not_begun_late(run, cohort, monkeypatch):
    now, fit = [0.0], DecisionTreeClassifier.fit

    def slow(self, X, y, **kwargs):
        now[0] += 6.0
        return fit(self, X, y, **kwargs)

    monkeypatch.setattr(DecisionTreeClassifier, "fit", slow)
    monkeypatch.setattr("automl.workers.evaluation.time.time", lambda: now[0])
    monkeypatch.setattr("automl.workers.evaluation.time.perf_counter", lambda: now[0])
    record = run(cohort({"decision_tree": {}}, deadline=17.0), NO_FLOOR)
    assert (record.state, len(record.fold_scores), now[0]) == ("stopped", 2, 12.0)
    assert record.reason == "stopped after 2 of 3 folds: time is up, or the search was interrupted"


def test_pruned_trial_costs_its_folds_only(run, cohort, monkeypatch):
    fits, fit = [], DecisionTreeClassifier.fit

    def counted(self, X, y, **kwargs):
        fits.append(len(X))
        return fit(self, X, y, **kwargs)

    monkeypatch.setattr(DecisionTreeClassifier, "fit", counted)
    for floor, n_fits in {OUT_OF_REACH: 1, NO_FLOOR: 3}.items():
        fits.clear()
        run(cohort({"decision_tree": {}}), floor)
        assert len(fits) == n_fits


def test_broken_fold_fails_the_trial(run, cohort, monkeypatch):
    fits, fit = [], DecisionTreeClassifier.fit

    def breaking(self, X, y, **kwargs):
        fits.append(len(X))
        if len(fits) == 2:
            raise ValueError("second fold")
        return fit(self, X, y, **kwargs)

    monkeypatch.setattr(DecisionTreeClassifier, "fit", breaking)
    record = run(cohort({"decision_tree": {}}), NO_FLOOR)
    assert (record.state, record.score) == ("failed", None)
    assert "second fold" in record.reason


def test_first_folds_train_again_to_the_same_score(run, cohort, context):
    one = cohort({"lightgbm": TREES["lightgbm"]})
    raced = run(one, OUT_OF_REACH)
    again = train_single(context, one.trials[0], raced.curve.rungs[-1], len(raced.fold_scores))
    assert again.score == raced.score


def test_cohorts_of_descent_train_in_lockstep():
    families = {"linear": False, "mlp": False, "lightgbm": True, "random_forest": True, "decision_tree": True}
    for family, in_turn in families.items():
        trial = TrialSpec(number=0, configuration={"model": {family: {}}}, params={}, seed=0)
        assert get_family(trial).folds_in_turn == in_turn


def test_each_fold_is_scored_once(run, cohort, context):
    calls = []

    def scorer(estimator, X, y):
        calls.append(len(y))
        return 0.5

    objectives = objectives_for(scorer, None, "binary", 2)
    calls.clear()  # one call checked it
    record = run(cohort({"decision_tree": {}}), NO_FLOOR, objectives=objectives)
    assert (record.fold_scores, len(record.score_seconds)) == ((0.5, 0.5, 0.5), 3)
    assert len(calls) == 3


def test_trial_that_failed_on_a_later_fold_fails_again(cohort, context, monkeypatch):
    fits, fit = [], DecisionTreeClassifier.fit

    def breaking(self, X, y, **kwargs):
        fits.append(len(X))
        if len(fits) % 3 == 2:
            raise ValueError("second fold")
        return fit(self, X, y, **kwargs)

    monkeypatch.setattr(DecisionTreeClassifier, "fit", breaking)
    (failed,) = evaluate(
        context,
        PreparedFolds(context),
        replace(cohort({"decision_tree": {}}), floor=NO_FLOOR),
        lambda rung, scores, seconds: set(),
        lambda: False,
    )
    assert (failed.state, len(failed.fold_scores)) == ("failed", 1)
    fits.clear()
    assert replay_trial(context, failed).replayed.state == "failed"
