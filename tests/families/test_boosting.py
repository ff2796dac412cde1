from __future__ import annotations

import lightgbm
import numpy as np
import pytest

import automl
from automl.families import FAMILIES, Fold, Problem
from automl.families.boosting import patience
from tests.support.tables import cancer, diabetes, penguins

PROBLEMS = {
    "binary": Problem("binary", 2),
    "multiclass": Problem("multiclass", 3),
    "regression": Problem("regression"),
}
QUICK = {"n_estimators": 400, "learning_rate": 0.1, "num_leaves": 8}
SPACE = {
    "space": {
        "preprocess": {"numeric": {"scale": "none"}, "categorical": {"encode": "ordinal"}},
        "model": {"choice": {"lightgbm": {"learning_rate": {"low": 0.05, "high": 0.2}, "num_leaves": 8}}},
    }
}
FAMILY = FAMILIES["lightgbm"]


def made_fold(task: str, n: int = 400, seed: int = 0) -> Fold:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(2 * n, 4)).astype(np.float32)
    signal = X[:, 0] * X[:, 1] + X[:, 2] + rng.normal(scale=0.5, size=2 * n)
    y = signal if task == "regression" else np.digitize(signal, [0.0] if task == "binary" else [-0.7, 0.7])
    return Fold(X[:n], y[:n], (0, 0), X_valid=X[n:], y_valid=y[n:])


def trained(task: str, fold: Fold, **params):
    trainer = FAMILY.trainer([{**QUICK, **params}], [3], PROBLEMS[task], fold)
    assert trainer.advance(FAMILY.last_rung({**QUICK, **params}, 1), lambda: False)
    return trainer


def values(predictions):
    return predictions.values if predictions.probabilities is None else predictions.probabilities


@pytest.mark.parametrize("task", PROBLEMS)
def test_trees_equal_those_of_lightgbm_with_its_own_early_stopping(task):
    fold = made_fold(task)
    trainer = trained(task, fold)
    found = trainer.found_params(0)["n_estimators"]
    kind = lightgbm.LGBMRegressor if task == "regression" else lightgbm.LGBMClassifier
    model = kind(
        **QUICK, random_state=3, n_jobs=1, verbose=-1, deterministic=True, force_row_wise=True, max_bin=255
    )
    stop = lightgbm.early_stopping(patience(found, len(fold.y)), verbose=False)
    model.fit(fold.X, fold.y, eval_X=fold.X_valid, eval_y=fold.y_valid, callbacks=[stop])
    assert model.best_iteration_ == found < QUICK["n_estimators"]
    theirs = model.predict(fold.X_valid) if task == "regression" else model.predict_proba(fold.X_valid)
    np.testing.assert_allclose(values(trainer.predict(fold.X_valid)[0]), theirs, rtol=1e-6)


def test_validation_rows_change_nothing_but_the_number_of_trees():
    fold = made_fold("binary")
    poisoned = Fold(fold.X, fold.y, (0, 0), X_valid=1e6 * fold.X_valid, y_valid=1 - fold.y_valid)
    fixed = {"early_stopping": False, "n_estimators": 50}
    rows = fold.X[:100]
    np.testing.assert_array_equal(
        values(trained("binary", fold, **fixed).predict(rows)[0]),
        values(trained("binary", poisoned, **fixed).predict(rows)[0]),
    )
    stopped = trained("binary", poisoned)
    assert stopped.found_params(0)["n_estimators"] < trained("binary", fold).found_params(0)["n_estimators"]


def test_advance_stops_inside_a_fit_and_keeps_its_trees():
    fold, asked = made_fold("binary"), []

    def stop() -> bool:
        asked.append(None)
        return len(asked) > 10

    trainer = FAMILY.trainer([QUICK], [3], PROBLEMS["binary"], fold)
    assert not trainer.advance(16, stop)
    ten = trained("binary", fold, n_estimators=10, early_stopping=False)
    np.testing.assert_array_equal(
        values(trainer.predict(fold.X_valid)[0]), values(ten.predict(fold.X_valid)[0])
    )


def test_advance_over_rungs_equals_one_advance():
    fold, last = made_fold("multiclass"), FAMILY.last_rung(QUICK, 1)
    trainer = FAMILY.trainer([QUICK], [3], PROBLEMS["multiclass"], fold)
    for rung in sorted(FAMILY.rungs(last, 1) | {last}):
        assert trainer.advance(rung, lambda: False)
    once = trained("multiclass", fold)
    assert trainer.found_params(0) == once.found_params(0)
    np.testing.assert_array_equal(values(trainer.predict(fold.X)[0]), values(once.predict(fold.X)[0]))


CHANGES = [
    *({"learning_rate": 0.3}, {"num_leaves": 3}, {"max_depth": 1}, {"min_child_samples": 100}),
    *({"min_child_weight": 50.0}, {"colsample_bytree": 0.3}, {"subsample": 0.5, "subsample_freq": 1}),
    *({"reg_alpha": 5.0}, {"reg_lambda": 50.0}, {"extra_trees": True}, {"max_bin": 3}, {"n_estimators": 7}),
    {"objective": "regression_l1"},
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
def test_parameter_reaches_the_trial_and_the_refit(change):
    fold, problem = made_fold("regression"), PROBLEMS["regression"]
    params = {**QUICK, "n_estimators": 20, "early_stopping": False}
    plain = values(trained("regression", fold, **params).predict(fold.X)[0])
    changed = values(trained("regression", fold, **params | change).predict(fold.X)[0])
    assert not np.allclose(plain, changed)
    refit = FAMILY.estimator(params | change, 3, problem).fit(fold.X, fold.y)
    np.testing.assert_allclose(refit.predict(fold.X), changed, rtol=1e-6)


def test_changes_name_every_parameter():
    assert {name for change in CHANGES for name in change} | {"early_stopping"} == set(
        FAMILY.section.parameters
    )


def test_fold_without_a_class_gives_it_a_probability():
    fold = made_fold("multiclass")
    lacking = Fold(
        fold.X, np.where(fold.y == 1, 0, fold.y), (0, 0), X_valid=fold.X_valid, y_valid=fold.y_valid
    )
    probabilities = values(trained("multiclass", lacking).predict(fold.X_valid)[0])
    assert probabilities.shape == (len(fold.y_valid), 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)


@pytest.mark.parametrize(("best", "n_rows"), [(0, 100), (100, 100), (100, 50_000)])
def test_patience_grows_with_trees_and_shrinks_with_rows(best, n_rows):
    assert patience(best, n_rows) <= patience(best + 100, n_rows)
    assert patience(best, n_rows) >= patience(best, 10 * n_rows)


@pytest.mark.parametrize("table", [cancer, penguins, diabetes], ids=lambda table: table.__name__)
def test_search_refits_the_number_of_trees_that_folds_found(folder, table):
    X, y = table()
    search = automl.Search(SPACE, n_trials=3, timeout=None, cv=3, n_jobs=1, progress=False).fit(X, y)
    best = search.best_trial_
    model = search.best_estimator_[-1]
    assert best.found_params == {"n_estimators": model.n_estimators_}
    assert 1 <= model.n_estimators_ < 2000
    loaded = automl.load_model(search.export(folder / "model"))
    np.testing.assert_array_equal(loaded.predict(X), search.predict(X))


def test_search_finds_the_same_with_one_job_and_two(folder):
    X, y = cancer()
    boards = [
        automl.Search(
            SPACE, n_trials=4, timeout=None, cv=3, n_jobs=jobs, progress=False, study_name=f"jobs-{jobs}"
        )
        .fit(X, y)
        .leaderboard_
        for jobs in (1, 2)
    ]
    assert boards[0]["score"].tolist() == boards[1]["score"].tolist()


@pytest.mark.parametrize(
    ("task", "params", "reason"),
    [
        ("binary", {"objective": "poisson"}, "objective is for regression"),
        ("regression", {"objective": "poisson"}, "objective poisson is for numbers of at least 0"),
    ],
)
def test_incompatibility_names_the_parameter(task, params, reason):
    assert FAMILY.incompatibility(params, Problem(task, 2, least=-1.0)) == reason
    assert FAMILY.incompatibility({}, PROBLEMS[task]) == ""
