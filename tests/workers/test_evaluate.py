import os
import time
from dataclasses import replace
from itertools import count

import joblib
import numpy as np
import pytest
from sklearn.tree import DecisionTreeClassifier

from automl.descent import Training
from automl.families import FAMILIES, Fold, rung_levels
from automl.metrics import metric_for
from automl.records import TrialSpec
from automl.workers import Cohort
from automl.workers import prepared as prepared_module
from automl.workers.evaluate import evaluate
from automl.workers.prepared import PreparedFolds


@pytest.fixture
def run(assignment):
    def run(cohort, judge=lambda rung, scores: set(), stop=lambda: False, **changes):
        assigned = type(assignment)(**{**vars(assignment), **changes})
        return evaluate(assigned, PreparedFolds(assigned), cohort, judge, stop)

    return run


def test_a_cohort_is_judged_as_one_at_every_rung(run, cohort):
    asked = []

    def judge(rung, scores):
        asked.append((rung, sorted(scores)))
        return {1} if rung == 4 else set()

    records = run(cohort({"max_epochs": 5}, {"max_epochs": 5}, {"max_epochs": 2}), judge)
    assert asked == [(1, [0, 1, 2]), (2, [0, 1, 2]), (4, [0, 1]), (5, [0])]
    assert [record.state for record in records] == ["complete", "pruned", "complete"]
    assert records[1].reason == "pruned at rung 4 of 5"
    assert [record.curve.rungs for record in records] == [(1, 2, 4, 5), (1, 2, 4), (1, 2)]
    assert [len(record.curve.losses) for record in records] == [5, 4, 2]


def test_a_trial_is_not_pruned_at_its_last_rung(run, cohort):
    (record,) = run(cohort({"max_epochs": 2}), lambda rung, scores: set(scores) if rung == 2 else set())
    assert record.state == "complete"


def test_scores_are_means_over_folds_of_what_the_model_alone_scores(run, cohort, assignment):
    models = [{"max_epochs": 4, "learning_rate": rate} for rate in (0.01, 0.1)]
    records = run(cohort(*models))
    metric = metric_for("roc_auc", "binary", 2)
    for model, record in zip(models, records, strict=True):
        scores = []
        for number, fold in enumerate(PreparedFolds(assignment)({})):
            trainer = FAMILIES["linear"].trainer(
                [model], [record.seed], assignment.problem, Fold(fold.X, fold.y, (0, number))
            )
            trainer.advance(4, lambda: False)
            scores.append(metric(fold.y_valid, trainer.predict(fold.X_valid)[0]))
        assert record.fold_scores == pytest.approx(scores)
        assert record.score == pytest.approx(np.mean(scores))
        assert record.metrics["roc_auc"] == pytest.approx(record.score)


def test_seconds_are_shared_by_those_who_train_and_leave_out_waiting(run, cohort):
    def judge(rung, scores):
        time.sleep(0.05)
        return {1} if rung == 1 else set()

    start = time.perf_counter()
    long, short = run(cohort({"max_epochs": 40, "batch_size": 2}, {"max_epochs": 40, "batch_size": 2}), judge)
    passed = time.perf_counter() - start
    assert short.seconds < long.seconds < passed - 0.05 * len(long.curve.rungs)


def test_a_cohort_that_raises_is_records_with_the_traceback(run, cohort):
    broken = {"decision_tree": {"max_depth": -1}}
    (record,) = run(cohort(broken))
    assert (record.state, record.score, record.family) == ("failed", None, "decision_tree")
    assert "Traceback" in record.reason
    assert "max_depth" in record.reason.splitlines()[-1]


def test_of_a_cohort_that_raises_only_those_fail_that_raise_alone(run, cohort, monkeypatch):
    predict = Training.predict

    def predicting(training, X):
        if any(config.learning_rate == 0.5 for config in training.configs):
            raise MemoryError("too much")
        return predict(training, X)

    monkeypatch.setattr(Training, "predict", predicting)
    asked = []

    def judge(rung, scores):
        asked.append((rung, sorted(scores)))
        return set()

    rates = (0.1, 0.5, 0.2)
    records = run(cohort(*({"max_epochs": 2, "learning_rate": rate} for rate in rates)), judge)
    assert [record.state for record in records] == ["complete", "failed", "complete"]
    assert records[1].reason.endswith("MemoryError: too much\n")
    assert asked == [(1, [0]), (2, [0]), (1, [2]), (2, [2])]
    (alone,) = run(cohort({"max_epochs": 2, "learning_rate": 0.1}))
    assert records[0].score == alone.score


def test_a_cohort_whose_preparation_raises_is_not_tried_again(run, cohort, monkeypatch):
    prepared = []

    def preparing(folds, preprocess):
        prepared.append(preprocess)
        raise ValueError("no such column")

    monkeypatch.setattr(PreparedFolds, "__call__", preparing)
    records = run(cohort({"max_epochs": 2}, {"max_epochs": 3}))
    assert [record.state for record in records] == ["failed", "failed"]
    assert len(prepared) == 1


def test_a_scorer_that_raises_fails_that_trial_alone(run, cohort):
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


def test_a_trial_that_diverges_leaves_its_neighbour_alone(run, cohort):
    wild = {"max_epochs": 4, "loss": "logistic", "learning_rate": 1e30, "optimizer": "sgd"}
    calm = {"max_epochs": 4, "loss": "logistic", "optimizer": "sgd", "learning_rate": 0.1}
    failed, kept = run(cohort(wild, calm))
    (alone,) = run(cohort(calm, number=0))
    assert failed.state == "failed"
    assert "diverged in epoch 1" in failed.reason
    assert kept.state == "complete"
    assert kept.score == pytest.approx(alone.score, abs=0.02)  # other seed, same model


def test_a_score_that_is_not_a_number_is_a_failure(run, cohort):
    (record,) = run(cohort({"max_epochs": 2}), scoring=lambda estimator, X, y: float("nan"))
    assert record.state == "failed"
    assert record.reason == "score at rung 1 is nan"


def test_the_deadline_cuts_a_cohort_and_keeps_what_was_reached(run, cohort, monkeypatch):
    looks = count()
    monkeypatch.setattr("automl.workers.evaluate.time.time", lambda: float(next(looks)))
    endless = {"max_epochs": 10**7, "batch_size": 4}
    (record,) = run(cohort(endless, deadline=500.0))
    assert next(looks) < 510  # it looks at every batch, and stops at the first that comes too late
    assert record.state == "stopped"
    assert "time is up" in record.reason
    assert record.score == record.curve.scores[-1]
    assert len(record.curve.losses) >= record.curve.rungs[-1]


def test_stop_before_the_first_rung_gives_no_score(run, cohort):
    for model in ({"max_epochs": 3}, {"decision_tree": {}}):
        (record,) = run(cohort(model), stop=lambda: True)
        assert (record.state, record.score) == ("stopped", None)


def test_rungs_of_a_cohort_are_the_ladder_and_the_last_epochs(run, cohort):
    asked = []
    run(cohort({"max_epochs": 12}, {"max_epochs": 7}), lambda rung, scores: asked.append(rung) or set())
    assert asked == sorted(rung_levels(12) | {7, 12})


def test_fractions_of_the_first_epoch_are_rungs_of_a_large_table_and_change_no_curve(run, cohort):
    asked = []
    models = [{"max_epochs": 5, "batch_size": size} for size in (4, 25, "full")]
    (plain, *_) = small = run(cohort(*models))
    large = run(
        cohort(*models), lambda rung, scores: asked.append((rung, sorted(scores))) or set(), epoch_steps=4
    )
    # 60 rows a fold: a step is 15 of them, and a batch must have passed whole
    assert asked == [(1, [0]), (2, [0, 1]), *((rung, [0, 1, 2]) for rung in (4, 8, 16, 20))]
    assert large[0].curve.rungs == (1, 2, 4, 8, 16, 20)
    assert [record.curve.epochs for record in large] == [5, 5, 5]
    for one, other in zip(small, large, strict=True):
        assert one.curve.losses == other.curve.losses
        assert one.curve.scores == other.curve.scores[-len(one.curve.scores) :]
    pruned = run(cohort(*models), lambda rung, scores: {0} if rung == 2 else set(), epoch_steps=4)
    assert (pruned[0].reason, pruned[0].curve.epochs) == ("pruned at rung 2 of 20", 0.5)
    assert pruned[1].curve == large[1].curve
    assert plain.score == large[0].score


@pytest.mark.parametrize("model", ["decision_tree", "random_forest"])
def test_models_without_epochs_begin_with_samples_of_a_large_table(run, cohort, model):
    proposal = TrialSpec(number=0, configuration={"model": {model: {}}}, params={}, seed=0)
    (record,) = run(Cohort(0, (proposal,)), epoch_steps=16)
    (plain,) = run(Cohort(0, (proposal,)))
    trees = {"decision_tree": (), "random_forest": (64, 208)}[model]
    assert record.curve.rungs == (1, 4, 16, *trees)
    assert record.score == plain.score


def test_few_rows_judge_a_model_of_few_rows(assignment, monkeypatch):
    monkeypatch.setattr("automl.workers.prepared._JUDGES", 8)
    assigned = type(assignment)(**{**vars(assignment), "epoch_steps": 16})
    for fold in PreparedFolds(assigned)({}):
        found = [fold.validation_sample(share) for share in (1 / 16, 0.25, 0.5, 1)]
        assert [len(X) for X, _ in found] == [8, 8, 15, 30]
        for X, y in found:
            assert 0.3 < y.mean() < 0.7
            rows = [np.flatnonzero((fold.X_valid == x).all(axis=1))[0] for x in X]
            np.testing.assert_array_equal(y, fold.y_valid[rows])
        assert {x.tobytes() for x in found[0][0]} < {x.tobytes() for x in found[2][0]}


def test_a_fit_that_would_outlast_the_deadline_does_not_begin(run, cohort, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("automl.workers.evaluate.time.time", lambda: now[0])
    monkeypatch.setattr("automl.workers.evaluate.time.perf_counter", lambda: now[0])

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
    # three folds: 4.5 s for the sample, another 13.5 s for what is four times as much
    assert states == {
        9.0: ("stopped", (1,), True),
        11.0: ("stopped", (1,), True),
        30.0: ("complete", (1, 4), False),
    }


def test_prepared_matrices_are_kept_while_they_are_wanted(assignment):
    prepared = PreparedFolds(assignment)
    first = prepared({"numeric": {"scale": "none"}})
    assert prepared({"numeric": {"scale": "none"}}) is first
    for scale in ("standard", "robust", "minmax", "quantile"):
        prepared({"numeric": {"scale": scale}})
    assert prepared({"numeric": {"scale": "none"}}) is not first


def test_large_matrices_make_room_for_the_next(assignment, monkeypatch):
    prepared = PreparedFolds(assignment)
    ways = [{"numeric": {"scale": scale}} for scale in ("none", "standard", "robust")]
    first = prepared(ways[0])
    monkeypatch.setattr("automl.workers.prepared._KEPT_BYTES", 2 * prepared._size() - 1)
    second = prepared(ways[1])
    assert prepared(ways[0]) is first
    prepared(ways[2])
    assert len(prepared._kept) == 2
    assert prepared(ways[1]) is not second


@pytest.fixture
def shared(assignment, tmp_path):
    """Return preparers as two processes have them, and what each has prepared so far."""
    joblib.dump(assignment.frame, tmp_path / "table.joblib")
    emptied = type(assignment)(**{**vars(assignment), "frame": assignment.frame.iloc[:0]})
    return [PreparedFolds(emptied, tmp_path / "table.joblib") for _ in range(2)]


def test_what_one_process_has_prepared_all_map(assignment, shared, tmp_path, monkeypatch):
    prepared = []
    whole = prepared_module.prepare_matrices
    monkeypatch.setattr(
        prepared_module, "prepare_matrices", lambda *args, **more: prepared.append(1) or whole(*args, **more)
    )
    for way in ({}, {"numeric": {"scale": "robust"}}):
        alone = PreparedFolds(assignment)(way)
        prepared.clear()
        for folds in (shared[0](way), shared[1](way), shared[0](way)):
            for fold, own in zip(folds, alone, strict=True):
                for name, matrix in vars(fold).items():
                    np.testing.assert_array_equal(matrix, getattr(own, name))
                assert not fold.X.flags.writeable
                assert not isinstance(fold.X, np.memmap)  # the core would read a large one in another order
                assert isinstance(fold.X.base, np.memmap)
        assert len(prepared) == len(assignment.folds)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("tmp")]


def test_without_room_on_the_disk_matrices_stay_in_memory(shared, tmp_path, monkeypatch):
    def full(path, pieces):
        raise OSError("No space left on device")

    monkeypatch.setattr(prepared_module, "write_joined", full)
    (fold, *_) = shared[0]({})
    assert not isinstance(fold.X.base, np.memmap)
    assert {path.name for path in tmp_path.iterdir()} == {"table.joblib", "preparing"}


def test_the_disk_holds_what_was_wanted_last(shared, tmp_path, monkeypatch):
    monkeypatch.setattr(prepared_module, "_FILED", 2)
    for minute, scale in enumerate(("none", "standard", "robust")):
        fold = shared[0]({"numeric": {"scale": scale}})[0]
        for path in tmp_path.iterdir():
            if path.is_dir() and path.stat().st_mtime > 10_000:
                os.utime(path, (minute, minute))
    assert sorted(path.stat().st_mtime for path in tmp_path.iterdir() if path.is_dir()) == [1, 2]
    assert fold.X.shape == shared[1]({"numeric": {"scale": "none"}})[0].X.shape


def test_pieces_make_the_same_matrix_in_memory_and_on_the_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(prepared_module, "_STRETCH", 10)
    rng = np.random.default_rng(0)
    pieces = [
        rng.normal(size=(7, 3)).astype(np.float32),
        rng.random((7, 2)) > 0.5,
        np.empty((7, 0), np.float32),
    ]
    matrix = prepared_module.joined(pieces)
    prepared_module.write_joined(tmp_path / "matrix.npy", pieces)
    np.testing.assert_array_equal(np.load(tmp_path / "matrix.npy"), matrix)
    np.testing.assert_array_equal(matrix, np.hstack(pieces).astype(np.float32))
    assert matrix.dtype == np.float32
    assert matrix.flags.c_contiguous


def test_folds_are_prepared_from_their_training_rows_alone(assignment):
    for fold, (train, valid) in zip(PreparedFolds(assignment)({}), assignment.folds, strict=True):
        assert fold.X.dtype == np.float32
        np.testing.assert_allclose(fold.X[:, :3].mean(axis=0), 0, atol=1e-6)
        assert abs(fold.X_valid[:, :3].mean()) > 1e-3
        np.testing.assert_array_equal(fold.y_valid, assignment.y[valid])
        assert len(fold.X) == len(train)


def test_what_preprocessing_draws_follows_from_the_seed_of_the_search(assignment):
    rbf = {"features": {"rbf": {"n_components": 4}}}
    first, again, other = (
        PreparedFolds(replace(assignment, random_state=seed))(rbf)[0].X for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
