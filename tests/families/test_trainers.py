import numpy as np
import pytest

from automl.families import (
    FAMILIES,
    Fold,
    Problem,
    single_fit,
)
from automl.families.boosting import BoostingFamily
from automl.families.descent import DescentFamily
from automl.metrics import metric_for
from automl.table import stratified_order

PROBLEMS = {
    "binary": Problem("binary", 2),
    "multiclass": Problem("multiclass", 3),
    "regression": Problem("regression"),
}
EVERY = pytest.mark.parametrize("name", FAMILIES)
DESCENT = [name for name, family in FAMILIES.items() if isinstance(family, DescentFamily)]
BOOSTING = [name for name, family in FAMILIES.items() if isinstance(family, BoostingFamily)]
SKLEARN = [name for name in FAMILIES if name not in DESCENT + BOOSTING]


def table(task, n=80, absent=None):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(n, 3)).astype(np.float32)
    signal = X[:, 0] + 0.5 * X[:, 1]
    if task == "regression":
        return X, 5 * signal + 20
    y = np.digitize(signal, [0] if task == "binary" else [-0.5, 0.5])
    return X, np.where(y == absent, 0, y)


@EVERY
@pytest.mark.parametrize("task", PROBLEMS)
def test_family_trains_every_task(name, task):
    X, y = table(task)
    family, problem = FAMILIES[name], PROBLEMS[task]
    params = {"max_epochs": 20, "learning_rate": 0.05} if name in DESCENT else {}
    trainer = family.trainer([params], [3], problem, Fold(X, y, (0, 0)))
    assert trainer.advance(family.last_rung(params, 1), lambda: False)
    (predictions,) = trainer.predict(X[:50])
    score = metric_for(None, task, problem.n_classes)
    assert score(y[:50], predictions) > score(y[:50], predictions.__class__(*reversed_rows(predictions)))
    assert trainer.failures == {}
    if problem.n_classes:
        assert predictions.probabilities.shape == (50, problem.n_classes)
        np.testing.assert_allclose(predictions.probabilities.sum(axis=1), 1, rtol=1e-5)
        np.testing.assert_array_equal(predictions.values, predictions.probabilities.argmax(axis=1))
    else:
        assert predictions.values.shape == (50,)


def reversed_rows(predictions):
    return [
        None if part is None else part[::-1]
        for part in (predictions.values, predictions.probabilities, predictions.decision)
    ]


@pytest.mark.parametrize("name", DESCENT)
@pytest.mark.parametrize("task", PROBLEMS)
def test_cohort_trial_predicts_like_its_estimator(name, task):
    X, y = table(task)
    problem, seeds = PROBLEMS[task], [5, 6, 7]
    cohort = [
        {"max_epochs": 6, "learning_rate": 0.02, "batch_size": 16, "optimizer": "adam"},
        {
            "max_epochs": 4,
            "learning_rate": 0.1,
            "batch_size": 32,
            "optimizer": {"momentum": {"momentum": 0.8}},
        },
        {"max_epochs": 6, "learning_rate": 0.05, "schedule": "cosine", "l2": 0.01, "batch_size": "full"},
    ]
    for position, (params, seed) in enumerate(zip(cohort, seeds, strict=True)):
        # the estimator's seed orders the rows
        trainer = FAMILIES[name].trainer(cohort, seeds, problem, Fold(X, y, (seed,)))
        trainer.advance(6, lambda: False)
        predictions = trainer.predict(X)[position]
        alone = FAMILIES[name].estimator(params, seed, problem).fit(X, y)
        expected = alone.predict_proba(X) if problem.n_classes else alone.predict(X)
        got = predictions.probabilities if problem.n_classes else predictions.values
        np.testing.assert_allclose(got, expected, rtol=1e-3, atol=1e-4)
        assert len(trainer.history(position)[0]) == params["max_epochs"]


@pytest.mark.parametrize("name", SKLEARN)
def test_sklearn_family_passes_the_seed(name):
    X, y = table("binary")
    family, problem = FAMILIES[name], PROBLEMS["binary"]
    trainer = family.trainer([{}], [9], problem, Fold(X, y, (0,)))
    assert not trainer.advance(1, lambda: True)
    assert trainer.advance(family.last_rung({}, 1), lambda: False)
    expected = family.estimator({}, 9, problem).fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(trainer.predict(X)[0].probabilities, expected)
    assert family.estimator({}, 9, problem).random_state == 9
    assert trainer.trials.tolist() == [0]
    trainer.select([])
    assert trainer.predict(X) == []


@pytest.mark.parametrize("task", PROBLEMS)
@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("random_forest", {"n_estimators": 37, "class_weight": "balanced"}),
        ("extra_trees", {"n_estimators": 5, "max_features": 0.5}),
        ("extra_trees", {"n_estimators": 16, "bootstrap": True, "class_weight": "balanced_subsample"}),
        ("hist_gradient_boosting", {"max_iter": 60, "max_features": 0.5}),
        ("hist_gradient_boosting", {"max_iter": 110, "early_stopping": True, "learning_rate": 0.3}),
        ("hist_gradient_boosting", {"max_iter": 60, "early_stopping": True, "n_iter_no_change": 25}),
    ],
)
def test_grown_model_equals_single_fit(name, params, task, monkeypatch):
    X, y = table(task, n=200)
    monkeypatch.setattr(single_fit, "_PIECE_VALUES", 3 * X.size)
    if task == "regression":
        params = {key: value for key, value in params.items() if key != "class_weight"}
    family, problem = FAMILIES[name], PROBLEMS[task]
    fold = Fold(X, y, (0,), 4, stratified_order(y, task, (0,)))
    trainer, last = family.trainer([params], [5], problem, fold), family.last_rung(params, 4)
    rungs = sorted(family.rungs(last, 4) | {last})
    for rung in rungs:
        assert trainer.advance(rung, lambda: False)
        (predictions,) = trainer.predict(X)
        reached = family.estimator(family.truncated_params(params, rung, 4), 5, problem)
        if rung >= 4:
            expected = reached.fit(X, y).predict(X)
            np.testing.assert_array_equal(
                predictions.values if task == "regression" else predictions.values, expected
            )
    assert rungs[:2] == [1, 4]
    assert family.truncated_params(params, last, 4) == params


def test_boosting_stopped_early_does_not_grow():
    X, y = table("binary", n=200)
    problem, family = PROBLEMS["binary"], FAMILIES["hist_gradient_boosting"]
    noise = np.random.default_rng(0).permutation(y)  # nothing to learn, so it stops early
    for patience in range(18, 26):
        params = {"max_iter": 100, "early_stopping": True, "n_iter_no_change": patience}
        trainer = family.trainer([params], [1], problem, Fold(X, noise, (0,)))
        whole = family.estimator(params, 1, problem).fit(X, noise)
        for rung in (1, 4):
            assert trainer.advance(rung, lambda: False)
        assert whole.n_iter_ <= 30
        np.testing.assert_array_equal(trainer.predict(X)[0].probabilities, whole.predict_proba(X))


@pytest.mark.parametrize("name", SKLEARN)
def test_sklearn_family_trains_on_samples_first(name):
    X, y = table("multiclass", n=160)
    family, problem = FAMILIES[name], PROBLEMS["multiclass"]
    params = {"min_samples_leaf": 1, "early_stopping": False} if "boosting" in name else {}
    order = stratified_order(y, "multiclass", (3,))
    trainer = family.trainer([params], [0], problem, Fold(X, y, (0,), 16, order))
    assert sorted(family.rungs(family.last_rung({}, 16), 16))[:3] == [1, 4, 16]
    for rung in (1, 4):
        assert trainer.advance(rung, lambda: False)
        rows = np.sort(order[: 10 * rung])
        alone = family.estimator(family.truncated_params(params, rung, 16), 0, problem).fit(X[rows], y[rows])
        np.testing.assert_array_equal(trainer.predict(X)[0].probabilities, alone.predict_proba(X))


@pytest.mark.parametrize("name", ["random_forest", "extra_trees"])
def test_forest_stops_between_trees(name, monkeypatch):
    X, y = table("binary")
    monkeypatch.setattr(single_fit, "_PIECE_VALUES", 1)
    trainer = FAMILIES[name].trainer([{}], [0], PROBLEMS["binary"], Fold(X, y, (0,)))
    answers = iter([False, False, False, True])
    assert not trainer.advance(1, lambda: next(answers))
    trees = FAMILIES[name].estimator({"n_estimators": 2}, 0, PROBLEMS["binary"]).fit(X, y)
    np.testing.assert_array_equal(trainer.predict(X)[0].probabilities, trees.predict_proba(X))
    assert FAMILIES[name].interruptible


@pytest.mark.parametrize("name", DESCENT)
def test_descent_partial_epochs_update_small_batches(name):
    X, y = table("binary", n=160)
    cohort = [{"batch_size": size, "max_epochs": 3} for size in (5, 40, "full")]
    trainer = FAMILIES[name].trainer(cohort, [0, 1, 2], PROBLEMS["binary"], Fold(X, y, (0,), 16))
    begun = []
    for rung in (1, 4, 16):
        assert trainer.advance(rung, lambda: False)
        begun.append(trainer.updated.tolist())
        assert len(trainer.predict(X)) == 3
    assert begun == [[0], [0, 1], [0, 1, 2]]
    assert FAMILIES[name].last_rung(cohort[0], 16) == 48
    assert FAMILIES[name].truncated_params(cohort[0], 32, 16)["max_epochs"] == 2
    assert FAMILIES[name].truncated_params(cohort[0], 8, 16)["max_epochs"] == 1


@EVERY
def test_absent_class_keeps_its_column(name):
    X, y = table("multiclass", absent=1)
    trainer = FAMILIES[name].trainer([{}], [0], PROBLEMS["multiclass"], Fold(X, y, (0,)))
    trainer.advance(1, lambda: False)
    (predictions,) = trainer.predict(X)
    assert predictions.probabilities.shape == (len(X), 3)
    assert predictions.probabilities[:, 1].mean() < 0.34
    assert not (name in SKLEARN and predictions.probabilities[:, 1].any())


@pytest.mark.parametrize("name", DESCENT)
def test_trainer_select_and_stop(name):
    X, y = table("binary")
    trainer = FAMILIES[name].trainer([{"max_epochs": 9}] * 3, [0, 1, 2], PROBLEMS["binary"], Fold(X, y, (0,)))
    trainer.select([0, 2])
    assert trainer.trials.tolist() == [0, 2]
    assert not trainer.advance(5, lambda: True)
    assert trainer.advance(5, lambda: False)
    assert [len(trainer.history(position)[0]) for position in range(3)] == [5, 0, 5]


def test_hinge_predicts_decision_scores():
    X, y = table("binary")
    trainer = FAMILIES["linear"].trainer([{"loss": "hinge"}], [0], PROBLEMS["binary"], Fold(X, y, (0,)))
    trainer.advance(20, lambda: False)
    (predictions,) = trainer.predict(X)
    assert predictions.probabilities is None
    assert predictions.decision.shape == (len(X),)
    np.testing.assert_array_equal(predictions.values, predictions.decision > 0)
