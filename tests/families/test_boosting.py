from __future__ import annotations

import io
from itertools import count

import lightgbm
import numpy as np
import pytest

import automl
from automl.families import FAMILIES, Fold, Problem, incompatibility_check
from automl.families.boosting import BoostingFamily, patience
from automl.metrics import metric_for
from automl.persistence import KNOWN_TYPES, dump_skops, needed_types
from tests.support.tables import cancer, diabetes, penguins

PROBLEMS = {
    "binary": Problem("binary", 2),
    "multiclass": Problem("multiclass", 3),
    "regression": Problem("regression"),
}
QUICK = {"n_estimators": 200, "learning_rate": 0.2}
BOOSTING = [name for name, family in FAMILIES.items() if isinstance(family, BoostingFamily)]
NATIVE = [name for name, family in FAMILIES.items() if "native" in family.category_codes]
EVERY = pytest.mark.parametrize("name", BOOSTING)


def made_fold(task: str, n: int = 300, seed: int = 0) -> Fold:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(2 * n, 4)).astype(np.float32)
    signal = X[:, 0] * X[:, 1] + X[:, 2] + rng.normal(scale=0.5, size=2 * n)
    y = signal if task == "regression" else np.digitize(signal, [0.0] if task == "binary" else [-0.7, 0.7])
    X[::30, 0] = X[1::9, 3] = np.nan
    return Fold(X[:n], y[:n], (0, 0), X_valid=X[n:], y_valid=y[n:])


def coded_fold(task: str = "regression", n: int = 400) -> tuple[Fold, Problem]:
    """Return numbers with gaps, then codes with gaps; the target follows from the codes, in no order of theirs."""
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 20, 2 * n)
    X = np.column_stack([rng.normal(size=(2 * n, 2)), codes]).astype(np.float32)
    X[::5, 0] = X[::9, 2] = np.nan
    y = (rng.permutation(20) % 2)[codes]
    y = y + 0.1 * rng.normal(size=2 * n) if task == "regression" else y
    fold = Fold(X[:n], y[:n], (0, 0), X_valid=X[n:], y_valid=y[n:])
    return fold, Problem(task, 2 if task == "binary" else 0, categories=(255,))


def trained(name: str, fold: Fold, problem: Problem, **params):
    family, params = FAMILIES[name], {**QUICK, **params}
    trainer = family.trainer([params], [3], problem, fold)
    assert trainer.advance(family.last_rung(params, 1), lambda: False)
    return trainer


def stops_after(n: int):
    """Return a callable that is False the first ``n`` times."""
    asked = count()
    return lambda: next(asked) >= n


def values(predictions):
    return predictions.values if predictions.probabilities is None else predictions.probabilities


def stopped_by_library(name: str, problem: Problem, fold: Fold, rounds: int):
    """Return the library's estimator, trained with its own early stopping, and its number of trees."""
    model = FAMILIES[name].estimator(QUICK, 3, problem)
    model = getattr(model, "estimator", model)
    if name == "lightgbm":
        stop = lightgbm.early_stopping(rounds, verbose=False)
        model.fit(fold.X, fold.y, eval_X=fold.X_valid, eval_y=fold.y_valid, callbacks=[stop])
        return model, model.best_iteration_
    valid = [(fold.X_valid, fold.y_valid)]
    if name == "xgboost":
        model.set_params(early_stopping_rounds=rounds).fit(fold.X, fold.y, eval_set=valid, verbose=False)
        return model, model.best_iteration + 1
    model.fit(fold.X, fold.y, eval_set=valid, early_stopping_rounds=rounds)
    return model, model.tree_count_


@EVERY
@pytest.mark.parametrize("task", PROBLEMS)
def test_trees_equal_those_of_the_library_with_its_own_early_stopping(name, task):
    fold = made_fold(task)
    trainer = trained(name, fold, PROBLEMS[task])
    found = trainer.found_params(0)["n_estimators"]
    model, theirs = stopped_by_library(name, PROBLEMS[task], fold, patience(found, len(fold.y)))
    assert theirs == found < QUICK["n_estimators"]
    predict = model.predict if task == "regression" else model.predict_proba
    np.testing.assert_allclose(
        values(trainer.predict(fold.X_valid)[0]), predict(fold.X_valid), rtol=1e-5, atol=1e-6
    )


@EVERY
def test_validation_rows_change_nothing_but_the_number_of_trees(name):
    fold, problem = made_fold("binary"), PROBLEMS["binary"]
    poisoned = Fold(fold.X, fold.y, (0, 0), X_valid=1e6 * fold.X_valid, y_valid=1 - fold.y_valid)
    fixed = {"early_stopping": False, "n_estimators": 30}
    np.testing.assert_array_equal(
        values(trained(name, fold, problem, **fixed).predict(fold.X)[0]),
        values(trained(name, poisoned, problem, **fixed).predict(fold.X)[0]),
    )
    few, some = (trained(name, one, problem).found_params(0)["n_estimators"] for one in (poisoned, fold))
    assert few < some


@EVERY
def test_advance_stops_inside_a_fit_and_keeps_its_trees(name):
    fold, problem, stop = made_fold("binary"), PROBLEMS["binary"], stops_after(10)
    trainer = FAMILIES[name].trainer([{**QUICK, "early_stopping": False}], [3], problem, fold)
    assert not trainer.advance(16, stop)
    ten = trained(name, fold, problem, n_estimators=10, early_stopping=False)
    np.testing.assert_array_equal(
        values(trainer.predict(fold.X_valid)[0]), values(ten.predict(fold.X_valid)[0])
    )


@EVERY
def test_rewind_gives_the_model_of_a_step_before_the_interruption(name):
    fold, problem, stop = made_fold("binary"), PROBLEMS["binary"], stops_after(60)
    params = {**QUICK, "learning_rate": 0.05}
    trainer = FAMILIES[name].trainer([params], [3], problem, fold)
    assert trainer.reached == 0
    assert not trainer.advance(16, stop)
    assert trainer.reached == 2  # of 25 trees each
    with pytest.raises(ValueError, match="cannot go back to step 3: 2 is the last one reached"):
        trainer.rewind(3)
    trainer.rewind(2)
    to_there = FAMILIES[name].trainer([params], [3], problem, fold)
    assert to_there.advance(2, lambda: False)
    assert trainer.found_params(0) == to_there.found_params(0)
    np.testing.assert_array_equal(
        values(trainer.predict(fold.X_valid)[0]), values(to_there.predict(fold.X_valid)[0])
    )


@EVERY
def test_training_that_stopped_early_reaches_every_step(name):
    trainer = trained(name, made_fold("binary"), PROBLEMS["binary"])
    found = trainer.found_params(0)
    assert trainer.reached > 10**6
    trainer.rewind(500)
    assert trainer.found_params(0) == found


@EVERY
@pytest.mark.parametrize("task", ["multiclass", "regression"])
def test_advance_over_rungs_equals_one_advance(name, task):
    fold, problem = made_fold(task), PROBLEMS[task]
    if name in NATIVE and task == "regression":
        fold, problem = coded_fold()
    last = FAMILIES[name].last_rung(QUICK, 1)
    trainer = FAMILIES[name].trainer([QUICK], [3], problem, fold)
    for rung in sorted(FAMILIES[name].rungs(last, 1) | {last}):
        assert trainer.advance(rung, lambda: False)
    once = trained(name, fold, problem)
    assert trainer.found_params(0) == once.found_params(0)
    np.testing.assert_array_equal(values(trainer.predict(fold.X)[0]), values(once.predict(fold.X)[0]))


_ROWS = {"subsample": 0.5, "subsample_freq": 1}
CHANGES = {
    "lightgbm": [
        *({"num_leaves": 3}, {"max_depth": 1}, {"min_child_samples": 100}, {"min_child_weight": 50.0}),
        *({"colsample_bytree": 0.3}, _ROWS, {"reg_alpha": 5.0}, {"reg_lambda": 50.0}, {"extra_trees": True}),
        *({"max_bin": 3}, {"objective": "regression_l1"}, {"cat_smooth": 500.0}, {"cat_l2": 500.0}),
        *({"max_cat_to_onehot": 40}, {"min_data_per_group": 3}),
    ],
    "catboost": [
        *({"depth": 2}, {"l2_leaf_reg": 50.0}, {"random_strength": 20.0}, {"subsample": 0.4}, {"rsm": 0.3}),
        *({"border_count": 3}, {"leaf_estimation_iterations": 5}, {"objective": "MAE"}),
        *({"one_hot_max_size": 30}, {"max_ctr_complexity": 2}),
    ],
    "xgboost": [
        *({"max_depth": 1}, {"min_child_weight": 50.0}, {"gamma": 5.0}, {"subsample": 0.5}, {"max_bin": 3}),
        *({"colsample_bytree": 0.3}, {"colsample_bylevel": 0.3}, {"colsample_bynode": 0.3}),
        *({"reg_alpha": 5.0}, {"reg_lambda": 50.0}, {"objective": "reg:absoluteerror"}),
    ],
}
CASES = [(name, change) for name in BOOSTING for change in (*CHANGES[name], {"learning_rate": 0.3})]


@pytest.mark.parametrize(
    ("name", "change"), CASES, ids=lambda case: case if isinstance(case, str) else next(iter(case))
)
def test_parameter_reaches_the_trial_and_the_refit(name, change):
    fold, problem = coded_fold() if name in NATIVE else (made_fold("regression"), PROBLEMS["regression"])
    X, X_valid = (np.column_stack([one, one[:, -1] // 2]) for one in (fold.X, fold.X_valid))
    if name in NATIVE:  # two columns of categories, which may be combined
        fold = Fold(X, fold.y, (0, 0), X_valid=X_valid, y_valid=fold.y_valid)
        problem = Problem("regression", categories=(255, 255))
    params = {"n_estimators": 20, "learning_rate": 0.2, "early_stopping": False}
    params |= {"leaf_estimation_iterations": 1} if name == "catboost" and "objective" not in change else {}
    plain = values(trained(name, fold, problem, **params).predict(fold.X)[0])
    changed = values(trained(name, fold, problem, **params | change).predict(fold.X)[0])
    if "leaf_estimation_iterations" not in change:  # squared error needs one step
        assert not np.allclose(plain, changed)
    refit = FAMILIES[name].estimator(params | change, 3, problem).fit(fold.X, fold.y)
    np.testing.assert_allclose(refit.predict(fold.X), changed, rtol=1e-5, atol=1e-6)


@EVERY
def test_seed_reaches_the_trial_and_the_refit(name):
    fold, problem, family = made_fold("binary"), PROBLEMS["binary"], FAMILIES[name]
    rows = _ROWS if name == "lightgbm" else {"subsample": 0.5}
    params = {**QUICK, **rows, "n_estimators": 20, "early_stopping": False}
    drawn = []
    for seed in (9, 10):
        trainer = family.trainer([params], [seed], problem, fold)
        assert not trainer.advance(1, lambda: True)
        assert trainer.advance(family.last_rung(params, 1), lambda: False)
        drawn.append(values(trainer.predict(fold.X)[0]))
        refit = family.estimator(params, seed, problem).fit(fold.X, fold.y)
        np.testing.assert_allclose(refit.predict_proba(fold.X), drawn[-1], rtol=1e-5, atol=1e-6)
    assert not np.allclose(*drawn)
    trainer.select([])
    assert trainer.predict(fold.X) == []


@EVERY
def test_changes_name_every_parameter(name):
    changed = {key for change in CHANGES[name] for key in change}
    assert changed | set(QUICK) | {"early_stopping"} == set(FAMILIES[name].section.parameters)


@EVERY
def test_fold_without_a_class_gives_it_a_probability(name):
    fold = made_fold("multiclass")
    y = np.where(fold.y == 1, 0, fold.y)
    lacking = Fold(fold.X, y, (0, 0), X_valid=fold.X_valid, y_valid=fold.y_valid)
    probabilities = values(trained(name, lacking, PROBLEMS["multiclass"]).predict(fold.X_valid)[0])
    assert probabilities.shape == (len(fold.y_valid), 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)


@EVERY
@pytest.mark.parametrize("task", ["binary", "regression"])
def test_rows_of_small_weight_have_little_influence_in_trial_and_refit(name, task):
    fold, problem = coded_fold(task) if name in NATIVE else (made_fold(task), PROBLEMS[task])
    wrong = np.arange(len(fold.y)) % 2 == 0
    y = np.where(wrong, 1 - fold.y if task == "binary" else -fold.y, fold.y)
    weight = np.where(wrong, 1e-3, 1.0)
    weighted = Fold(fold.X, y, (0, 0), X_valid=fold.X_valid, y_valid=fold.y_valid, weight=weight)
    plain = Fold(fold.X, y, (0, 0), X_valid=fold.X_valid, y_valid=fold.y_valid)
    few = {"n_estimators": 20, "early_stopping": False}
    found = [trained(name, one, problem, **few) for one in (weighted, plain)]
    errors = [np.mean(one.predict(fold.X_valid)[0].values != fold.y_valid) for one in found]
    if task == "regression":
        errors = [np.mean((one.predict(fold.X_valid)[0].values - fold.y_valid) ** 2) for one in found]
    assert errors[0] < 0.8 * errors[1]
    model = found[0].estimator(0)
    predict = model.predict if task == "regression" else model.predict_proba
    np.testing.assert_allclose(
        predict(fold.X_valid), values(found[0].predict(fold.X_valid)[0]), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("name", NATIVE)
@pytest.mark.parametrize("task", ["binary", "regression"])
def test_native_categories_need_few_trees_and_no_order(name, task):
    fold, problem = coded_fold(task)
    family = FAMILIES[name]
    few = {"max_iter": 20} if name == "hist_gradient_boosting" else {"n_estimators": 20, "learning_rate": 0.1}
    depth = {"lightgbm": {"num_leaves": 2}, "catboost": {"depth": 1}}.get(name, {"max_leaf_nodes": 2})

    def error(problem: Problem) -> float:
        trainer = family.trainer([{**few, **depth}], [3], problem, fold)
        assert trainer.advance(family.last_rung({**few, **depth}, 1), lambda: False)
        found = values(trainer.predict(fold.X_valid)[0])
        found = found if task == "regression" else found[:, 1]
        return float(np.mean((found - fold.y_valid) ** 2))

    native = error(problem)
    assert native < 0.6 * error(Problem(task, problem.n_classes))
    model = family.estimator({**few, **depth}, 3, problem).fit(fold.X, fold.y)
    unseen = fold.X_valid.copy()
    unseen[:, -1] = np.nan
    predict = model.predict if task == "regression" else model.predict_proba
    assert np.isfinite(predict(unseen)).all()


@pytest.mark.parametrize(("best", "n_rows"), [(0, 100), (100, 100), (100, 50_000)])
def test_patience_grows_with_trees_and_shrinks_with_rows(best, n_rows):
    assert patience(best, n_rows) <= patience(best + 100, n_rows)
    assert patience(best, n_rows) >= patience(best, 10 * n_rows)


def space(*names: str, **params):
    choice = {name: {**params, "learning_rate": {"low": 0.1, "high": 0.3}} for name in names}
    columns = {"numeric": {"scale": "none", "impute": "none"}}
    native = {"categorical": {"encode": "native" if set(names) <= set(NATIVE) else "ordinal"}}
    return {"space": {"preprocess": {**columns, **native}, "model": {"choice": choice}}}


@pytest.mark.parametrize(
    ("name", "table"),
    [("lightgbm", cancer), ("lightgbm", penguins), ("catboost", penguins), ("xgboost", diabetes)],
)
def test_search_refits_the_number_of_trees_that_folds_found(folder, name, table):
    X, y = table()
    settings = {"n_trials": 2, "timeout": None, "cv": 2, "n_jobs": 1, "progress": False, "ensemble": False}
    search = automl.Search(space(name, n_estimators=80), **settings).fit(X, y)
    best, model = search.best_trial_, search.best_estimator_[-1]
    while hasattr(model, "estimator_"):
        model = model.estimator_
    assert best.found_params == {"n_estimators": model.get_params()["n_estimators"]}
    assert 1 <= best.found_params["n_estimators"] < 80 or table is not diabetes
    loaded = automl.load_model(search.export(folder / "model"))
    np.testing.assert_array_equal(loaded.predict(X), search.predict(X))
    if table is penguins:
        strange = X.assign(Island="Atlantis", **{"Body Mass (g)": None}).head(7)
        assert set(search.predict(strange)) <= set(y)


@pytest.mark.slow
def test_search_finds_the_same_with_one_job_and_two(folder):
    X, y = penguins()
    settings = {"n_trials": 4, "timeout": None, "cv": 2, "progress": False}
    boards = [
        automl.Search(space(*BOOSTING, n_estimators=30), n_jobs=jobs, study_name=f"jobs-{jobs}", **settings)
        .fit(X, y)
        .leaderboard_
        for jobs in (1, 2)
    ]
    assert boards[0]["score"].tolist() == boards[1]["score"].tolist()


@pytest.mark.parametrize(
    ("name", "task", "params", "reason"),
    [
        ("lightgbm", "binary", {"objective": "poisson"}, "objective is for regression"),
        (
            "lightgbm",
            "regression",
            {"objective": "poisson"},
            "objective poisson is for numbers of at least 0",
        ),
        (
            "catboost",
            "regression",
            {"objective": "Poisson"},
            "objective Poisson is for numbers of at least 0",
        ),
        ("xgboost", "regression", {"objective": "count:poisson"}, "is for numbers of at least 0"),
    ],
)
def test_incompatibility_names_the_parameter(name, task, params, reason):
    assert reason in FAMILIES[name].incompatibility(params, Problem(task, 2, least=-1.0))
    assert FAMILIES[name].incompatibility({}, PROBLEMS[task]) == ""


def test_missing_package_leaves_the_family_out_with_the_command_to_install_it(folder, monkeypatch):
    find = "automl.families.spaces.find_spec"
    monkeypatch.setattr(find, lambda name: None if name == "catboost" else object())
    check = incompatibility_check(PROBLEMS["binary"], metric_for(None, "binary", 2))
    assert check("binary", "lightgbm", {}) == check("binary", "xgboost", {}) == ""
    X, y = cancer()
    starts = {"enqueue": [{"model": "catboost"}, {"model": "lightgbm"}]}
    settings = {"n_trials": 1, "timeout": None, "cv": 2, "n_jobs": 1, "progress": False, "ensemble": False}
    search = automl.Search({**space("lightgbm", "catboost", n_estimators=5), **starts}, **settings).fit(X, y)
    assert search.left_out_ == ["catboost: it needs catboost: pip install 'automl-orchestrator[boosting]'"]
    assert search.best_trial_.family == "lightgbm"
    with pytest.raises(automl.SpaceError, match=r"pip install 'automl-orchestrator\[boosting\]'"):
        automl.Search(space("catboost"), **settings).fit(X, y)


def test_fold_models_of_native_categories_hold_no_function():
    fold, problem = coded_fold("binary")
    family = FAMILIES["hist_gradient_boosting"]
    trainer = family.trainer([{"max_iter": 5}], [3], problem, fold)
    assert trainer.advance(1, lambda: False)
    (before,) = trainer.predict(fold.X)
    file = io.BytesIO()
    dump_skops(trainer.estimator(0), file)
    assert set(needed_types(file)) <= KNOWN_TYPES
    (after,) = trainer.predict(fold.X)
    assert np.array_equal(before.probabilities, after.probabilities)
