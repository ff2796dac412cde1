import time
from dataclasses import replace
from itertools import count

import numpy as np
import pytest
from sklearn.tree import DecisionTreeClassifier

from automl.descent import Training
from automl.families import FAMILIES, Fold, rung_levels
from automl.metrics import metric_for, objectives_for
from automl.records import TrialSpec
from automl.select.fold_models import load_fold_models
from automl.workers import Cohort
from automl.workers.evaluation import evaluate
from automl.workers.prepared import PreparedFolds
from automl.workers.single import train_single


@pytest.fixture
def run(context):
    def run(
        cohort, report=lambda rung, scores, seconds: set(), stop=lambda: False, scoring="roc_auc", **changes
    ):
        objectives = objectives_for(scoring, None, "binary", 2)
        changed = replace(context, objectives=objectives, **changes)
        return evaluate(changed, PreparedFolds(changed), cohort, report, stop)

    return run


def test_evaluate_reports_the_whole_cohort_at_every_rung(run, cohort):
    reported = []

    def report(rung, scores, seconds):
        reported.append((rung, sorted(scores)))
        return {1} if rung == 4 else set()

    records = run(cohort({"max_epochs": 5}, {"max_epochs": 5}, {"max_epochs": 2}), report)
    assert reported == [(1, [0, 1, 2]), (2, [0, 1, 2]), (4, [0, 1]), (5, [0])]
    assert [record.state for record in records] == ["complete", "pruned", "complete"]
    assert records[1].reason == "pruned at rung 4 of 5"
    assert [record.curve.rungs for record in records] == [(1, 2, 4, 5), (1, 2, 4), (1, 2)]
    assert [len(record.curve.losses) for record in records] == [5, 4, 2]


def test_evaluate_completes_a_trial_pruned_at_its_last_rung(run, cohort):
    (record,) = run(
        cohort({"max_epochs": 2}), lambda rung, scores, seconds: set(scores) if rung == 2 else set()
    )
    assert record.state == "complete"


def test_evaluate_scores_are_means_over_folds(run, cohort, context):
    models = [{"max_epochs": 4, "learning_rate": rate} for rate in (0.01, 0.1)]
    records = run(cohort(*models))
    metric = metric_for("roc_auc", "binary", 2)
    for model, record in zip(models, records, strict=True):
        scores = []
        for number, fold in enumerate(PreparedFolds(context)({})):
            trainer = FAMILIES["linear"].trainer(
                [model], [record.seed], context.problem, Fold(fold.X, fold.y, (0, number))
            )
            trainer.advance(4, lambda: False)
            scores.append(metric(fold.y_valid, trainer.predict(fold.X_valid)[0]))
        assert record.fold_scores == pytest.approx(scores)
        assert record.score == pytest.approx(np.mean(scores))
        assert record.metrics["roc_auc"] == pytest.approx(record.score)


def test_evaluate_divides_seconds_without_waiting(run, cohort):
    def report(rung, scores, seconds):
        time.sleep(0.05)
        return {1} if rung == 1 else set()

    start = time.perf_counter()
    long, short = run(
        cohort({"max_epochs": 40, "batch_size": 2}, {"max_epochs": 40, "batch_size": 2}), report
    )
    passed = time.perf_counter() - start
    assert short.seconds < long.seconds < passed - 0.05 * len(long.curve.rungs)
    for one in (short, long):
        assert 0 < one.fit_seconds < one.seconds - one.prepare_seconds
    assert short.prepare_seconds == long.prepare_seconds > 0


def test_evaluate_reports_the_seconds_of_fits_without_preparation(run, cohort, monkeypatch):
    def prepare(self, preprocess):
        time.sleep(0.3)
        return whole(self, preprocess)

    whole, reported = PreparedFolds.__call__, []
    monkeypatch.setattr(PreparedFolds, "__call__", prepare)
    (record,) = run(
        cohort({"max_epochs": 8}), lambda rung, scores, seconds: reported.append(seconds) or set()
    )
    assert reported == sorted(reported)
    assert 0 < reported[-1] <= record.fit_seconds
    assert record.prepare_seconds >= 0.3


def test_evaluate_counts_no_wait_for_others_as_preparation(run, cohort, monkeypatch):
    def prepare(self, preprocess):
        time.sleep(0.5)
        self.waited = 0.4
        return whole(self, preprocess)

    whole = PreparedFolds._prepare
    monkeypatch.setattr(PreparedFolds, "_prepare", prepare)
    (record,) = run(cohort({"decision_tree": {}}))
    assert record.seconds >= 0.5
    assert 0.1 <= record.prepare_seconds <= record.seconds - 0.4


def test_evaluate_records_the_traceback(run, cohort):
    broken = {"decision_tree": {"max_depth": -1}}
    (record,) = run(cohort(broken))
    assert (record.state, record.score, record.family) == ("failed", None, "decision_tree")
    assert "Traceback" in record.reason
    assert "max_depth" in record.reason.splitlines()[-1]


def test_evaluate_retries_each_trial_of_a_raising_cohort(run, cohort, monkeypatch):
    predict = Training.predict

    def predicting(training, X):
        if any(config.learning_rate == 0.5 for config in training.configs):
            raise MemoryError("too much")
        return predict(training, X)

    monkeypatch.setattr(Training, "predict", predicting)
    reported = []

    def report(rung, scores, seconds):
        reported.append((rung, sorted(scores)))
        return set()

    rates = (0.1, 0.5, 0.2)
    records = run(cohort(*({"max_epochs": 2, "learning_rate": rate} for rate in rates)), report)
    assert [record.state for record in records] == ["complete", "failed", "complete"]
    assert records[1].reason.endswith("MemoryError: too much\n")
    assert reported == [(1, [0]), (2, [0]), (1, [2]), (2, [2])]
    (alone,) = run(cohort({"max_epochs": 2, "learning_rate": 0.1}))
    assert records[0].score == alone.score


def test_evaluate_does_not_retry_preparation(run, cohort, monkeypatch):
    prepared = []

    def preparing(folds, preprocess):
        prepared.append(preprocess)
        raise ValueError("no such column")

    monkeypatch.setattr(PreparedFolds, "__call__", preparing)
    records = run(cohort({"max_epochs": 2}, {"max_epochs": 3}))
    assert [record.state for record in records] == ["failed", "failed"]
    assert len(prepared) == 1


def test_evaluate_raising_scorer_fails_one_trial(run, cohort):
    def scorer(estimator, X, y):
        certain = estimator.predict_proba(X).max() > 0.9
        if certain:
            raise ValueError("too sure")
        return 0.5

    timid, bold = run(
        cohort({"max_epochs": 2, "learning_rate": 1e-4}, {"max_epochs": 2, "learning_rate": 10.0}),
        scoring=scorer,
    )
    assert (timid.state, timid.score) == ("complete", 0.5)
    assert bold.state == "failed"
    assert bold.reason.endswith("ValueError: too sure\n")


def test_evaluate_diverging_trial_fails_alone(run, cohort):
    wild = {"max_epochs": 4, "loss": "logistic", "learning_rate": 1e30, "optimizer": "sgd"}
    calm = {"max_epochs": 4, "loss": "logistic", "optimizer": "sgd", "learning_rate": 0.1}
    failed, kept = run(cohort(wild, calm))
    (alone,) = run(cohort(calm, number=0))
    assert failed.state == "failed"
    assert "diverged in epoch 1" in failed.reason
    assert kept.state == "complete"
    assert kept.score == pytest.approx(alone.score, abs=0.02)  # other seed, same model


def test_evaluate_nan_score_is_a_failure(run, cohort):
    (record,) = run(cohort({"max_epochs": 2}), scoring=lambda estimator, X, y: float("nan"))
    assert record.state == "failed"
    assert record.reason == "score at rung 1 is nan"


def test_evaluate_deadline_keeps_reached_scores(run, cohort, monkeypatch):
    looks = count()
    monkeypatch.setattr("automl.workers.evaluation.time.time", lambda: float(next(looks)))
    endless = {"max_epochs": 10**7, "batch_size": 4}
    (record,) = run(cohort(endless, deadline=500.0))
    assert next(looks) < 510  # it checks the time at every batch
    assert record.state == "stopped"
    assert "time is up" in record.reason
    assert record.score == record.curve.scores[-1]
    assert len(record.curve.losses) >= record.curve.rungs[-1]


@pytest.mark.parametrize("family", ["lightgbm", "xgboost", "catboost"])
def test_evaluate_scores_what_an_interrupted_boosting_has_reached(run, cohort, context, tmp_path, family):
    asked, reported = count(), []
    trees = {"n_estimators": 800, "learning_rate": 0.01, "early_stopping": False}
    one = cohort({family: trees})
    (record,) = run(
        one,
        lambda rung, scores, seconds: reported.append(rung) or set(),
        lambda: next(asked) > 1570,  # of 2400 trees, in three folds
        predictions=tmp_path,
    )
    assert record.state == "stopped"
    assert reported == [1, 2, 4, 8, 16]
    last = record.curve.rungs[-1]
    assert last == (16 if family == "catboost" else 20)  # CatBoost trains fold after fold to rung 32
    again = train_single(context, record.spec, last)
    assert again.curve == record.curve
    assert again.fold_scores == record.fold_scores
    assert again.found_params == record.found_params
    assert record.metrics == ({} if family == "catboost" else again.metrics)
    assert len(list(tmp_path.glob("*.npy"))) == 1


@pytest.mark.parametrize(
    ("family", "looks", "kept"),
    [
        ("hist_gradient_boosting", 0, True),
        ("hist_gradient_boosting", 2, False),  # its first fold is at the next rung
        ("random_forest", 2, False),
        ("lightgbm", 0, False),
    ],
)
def test_evaluate_keeps_the_models_of_a_stopped_trial(
    run, cohort, tmp_path, monkeypatch, family, looks, kept
):
    monkeypatch.setattr("automl.workers.kept.KEPT_FROM_SECONDS", 0.0)
    monkeypatch.setattr(
        "automl.families.single_fit._PIECE_VALUES", 1000
    )  # a forest is stopped between two rungs
    reached = []
    trees = "max_iter" if family == "hist_gradient_boosting" else "n_estimators"
    early = {} if family == "random_forest" else {"early_stopping": False}
    asked = count()
    (record,) = run(
        cohort({family: {trees: 100, **early}}),
        lambda rung, scores, seconds: reached.append(rung) or set(),
        lambda: bool(reached) and next(asked) >= looks,
        predictions=tmp_path / "predictions",
        models=tmp_path,
    )
    assert (record.state, record.curve.rungs[:1]) == ("stopped", (1,))
    models = load_fold_models(tmp_path, record.number)
    assert (models is not None) == kept
    if kept:
        assert [model.n_iter_ for model in models] == [25, 25, 25]


def test_evaluate_reached_only_with_time_to_score_it(run, cohort, monkeypatch):
    asked = count()
    monkeypatch.setattr("automl.workers.evaluation._LAST_SCORE", 0.0)
    one = cohort({"lightgbm": {"n_estimators": 800, "learning_rate": 0.01}})
    (record,) = run(one, stop=lambda: next(asked) > 1570)
    assert record.curve.rungs == (1, 2, 4, 8, 16)


def test_evaluate_stopped_early_has_no_score(run, cohort):
    for model in ({"max_epochs": 3}, {"decision_tree": {}}):
        (record,) = run(cohort(model), stop=lambda: True)
        assert (record.state, record.score) == ("stopped", None)


def test_evaluate_rungs_include_last_epochs(run, cohort):
    reported = []
    run(
        cohort({"max_epochs": 12}, {"max_epochs": 7}),
        lambda rung, scores, seconds: reported.append(rung) or set(),
    )
    assert reported == sorted(rung_levels(12) | {7, 12})


def test_evaluate_partial_epochs_change_no_curve(run, cohort):
    reported = []
    models = [{"max_epochs": 5, "batch_size": size} for size in (4, 25, "full")]
    (plain, *_) = small = run(cohort(*models))
    large = run(
        cohort(*models),
        lambda rung, scores, seconds: reported.append((rung, sorted(scores))) or set(),
        epoch_steps=4,
    )
    # 60 rows a fold, so 15 a step; a trial is scored after its first whole batch
    assert reported == [(1, [0]), (2, [0, 1]), *((rung, [0, 1, 2]) for rung in (4, 8, 16, 20))]
    assert large[0].curve.rungs == (1, 2, 4, 8, 16, 20)
    assert [record.curve.epochs for record in large] == [5, 5, 5]
    for one, other in zip(small, large, strict=True):
        assert one.curve.losses == other.curve.losses
        assert one.curve.scores == other.curve.scores[-len(one.curve.scores) :]
    pruned = run(cohort(*models), lambda rung, scores, seconds: {0} if rung == 2 else set(), epoch_steps=4)
    assert (pruned[0].reason, pruned[0].curve.epochs) == ("pruned at rung 2 of 20", 0.5)
    assert pruned[1].curve == large[1].curve
    assert plain.score == large[0].score


@pytest.mark.parametrize("model", ["decision_tree", "random_forest"])
def test_evaluate_trees_start_with_samples(run, cohort, model):
    proposal = TrialSpec(number=0, configuration={"model": {model: {}}}, params={}, seed=0)
    (record,) = run(Cohort(0, (proposal,)), epoch_steps=16)
    (plain,) = run(Cohort(0, (proposal,)))
    trees = {"decision_tree": (), "random_forest": (64, 208)}[model]
    assert record.curve.rungs == (1, 4, 16, *trees)
    assert record.score == plain.score


def test_evaluate_skips_a_fit_beyond_the_deadline(run, cohort, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("automl.workers.evaluation.time.time", lambda: now[0])
    monkeypatch.setattr("automl.workers.evaluation.time.perf_counter", lambda: now[0])

    def fit(self, X, y, **kwargs):
        now[0] += len(X) / 10
        return whole(self, X, y, **kwargs)

    whole = DecisionTreeClassifier.fit
    monkeypatch.setattr(DecisionTreeClassifier, "fit", fit)
    states = {}
    for deadline in (9.0, 11.0, 30.0):
        now[0] = 0.0
        (record,) = run(cohort({"decision_tree": {}}, deadline=deadline), epoch_steps=4)
        states[deadline] = record.state, record.curve.rungs, record.early
    # three folds: 4.5 s for the sample, 13.5 s more for four times the rows
    assert states == {
        9.0: ("stopped", (1,), True),
        11.0: ("stopped", (1,), True),
        30.0: ("complete", (1, 4), False),
    }


@pytest.mark.parametrize("learning_rate", [1e2, 1e3, 1e4, 1e5])
def test_evaluate_scores_overflowing_predictions_without_warning(run, cohort, learning_rate):
    wild = {"hidden_layer_sizes": [8, 8], "learning_rate": learning_rate, "optimizer": "sgd", "batch_size": 4}
    with np.errstate(all="warn"):  # a warning is an error here
        (record,) = run(cohort({"mlp": {**wild, "max_epochs": 8}}), epoch_steps=8)
    assert record.reason.startswith("diverged in epoch 1")
