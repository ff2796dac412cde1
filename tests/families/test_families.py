import inspect

import numpy as np
import pytest

from automl.constraints import Variants, named
from automl.families import (
    FAMILIES,
    Fold,
    Problem,
    epoch_steps,
    family_of,
    incompatibility_check,
    load_space,
    rung_levels,
    single_fit,
    structural,
    vocabulary,
)
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
SKLEARN = [name for name in FAMILIES if name not in DESCENT]


def table(task, n=80, absent=None):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(n, 3)).astype(np.float32)
    signal = X[:, 0] + 0.5 * X[:, 1]
    if task == "regression":
        return X, 5 * signal + 20
    y = np.digitize(signal, [0] if task == "binary" else [-0.5, 0.5])
    return X, np.where(y == absent, 0, y)


def estimator_class(name, task):
    return type(FAMILIES[name].estimator({}, 0, PROBLEMS[task]))


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
        # the estimator draws the order of rows from its own seed
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
    noise = np.random.default_rng(0).permutation(y)  # nothing to learn: it stops as soon as it may
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
    asked = iter([False, False, False, True])
    assert not trainer.advance(1, lambda: next(asked))
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


# The table of families and the vocabulary made of it


@EVERY
@pytest.mark.parametrize("task", PROBLEMS)
def test_section_parameters_exist_in_the_estimator(name, task):
    accepted = inspect.signature(estimator_class(name, task)).parameters
    family, problem = FAMILIES[name], PROBLEMS[task]
    metric = metric_for(None, task, problem.n_classes)
    rules = {key: rule for key, rule in family.section.parameters.items() if key != "loss"}
    fit = {
        key for key, rule in rules.items() if not family.incompatibility({key: rule.default}, problem, metric)
    }
    assert fit <= set(accepted)
    assert len(fit) > 5


@EVERY
def test_section_covers_the_estimator(name):
    has = {*inspect.signature(estimator_class(name, "binary")).parameters}
    has |= {*inspect.signature(estimator_class(name, "regression")).parameters}
    left_out = {
        "random_state", "verbose", "warm_start", "monotonic_cst",
        # of variants, written inside them
        "loss_params", "optimizer_params", "schedule_params", "input_layer_params", "categories",
        # of columns by name, which a prepared matrix has not; scorers and thresholds of early stopping
        "categorical_features", "embeddings", "interaction_cst", "scoring", "tol", "quantile",
        # the class's own fields
        "_",
    }  # fmt: skip
    if name in DESCENT:
        # pruning does that in a search; and a cohort has the same weights for all
        left_out |= {"early_stopping", "validation_fraction", "patience", "class_weight"}
    if name == "linear":
        left_out |= {"hidden_layer_sizes", "activation", "normalization", "dropout", "input_layer"}
    if name in ("decision_tree", "random_forest", "extra_trees"):
        left_out |= {"min_weight_fraction_leaf", "n_jobs", "oob_score"}
    assert has - left_out == set(FAMILIES[name].section.parameters)


def sections(section, path):
    """Yield every parameter of a section and of its subsections."""
    for name, rule in section.parameters.items():
        yield f"{path}.{name}", rule
        inner = rule.constraint
        if isinstance(inner, Variants):
            for option, inside in inner.options.items():
                yield from sections(inside, f"{path}.{name}.{option}")
        elif hasattr(inner, "parameters"):
            yield from sections(inner, f"{path}.{name}")


def test_vocabulary_defaults_are_valid():
    rules = dict(sections(vocabulary(), "space"))
    assert len(rules) > 100
    broken = {path for path, rule in rules.items() if not rule.constraint.accepts(rule.default)}
    open_by_task = {"space.model", *(f"space.model.{name}.loss" for name in DESCENT)}
    either = {  # classifier and regressor differ, or have a default of their own
        f"space.model.{name}.{parameter}"
        for name in SKLEARN
        for parameter in FAMILIES[name].section.parameters
        if FAMILIES[name].section.parameters[parameter].default is None
    }
    assert broken <= open_by_task | either
    assert all(rule.about for rule in rules.values())


@pytest.mark.parametrize("task", PROBLEMS)
@pytest.mark.parametrize("name", SKLEARN)
def test_defaults_equal_those_of_the_class(name, task):
    own = FAMILIES[name].estimator({}, 0, PROBLEMS[task]).get_params()
    defaults = FAMILIES[name].defaults(task)
    assert defaults == {key: own[key] for key in defaults}


@EVERY
def test_family_costs_and_rungs(name):
    family = FAMILIES[name]
    assert family.name == name
    assert family.shared_params <= set(family.section.parameters)
    params = {}
    assert family.last_rung(params, 4) == 4 * family.epochs(params) >= 4
    assert 0 < family.cost(params, 100, 5) < family.cost(params, 1000, 5) < family.cost(params, 1000, 50)
    assert family.epochs(family.truncated_params(params, 3, 1)) == (1 if name == "decision_tree" else 3)
    assert {1, 4, 16} <= family.rungs(40, 16)


@pytest.mark.parametrize(
    ("task", "scoring", "name", "params", "reason"),
    [
        ("binary", None, "linear", {"loss": "hinge"}, ""),
        (
            "binary",
            "neg_log_loss",
            "linear",
            {"loss": "hinge"},
            "gives no probabilities, which neg_log_loss needs",
        ),
        ("regression", None, "mlp", {"loss": "logistic"}, "not for regression"),
        ("multiclass", None, "mlp", {"loss": {"huber": {"delta": 1.0}}}, "not for multiclass"),
        (
            "regression",
            None,
            "decision_tree",
            {"criterion": "gini"},
            "criterion of DecisionTreeRegressor must be",
        ),
        ("binary", None, "decision_tree", {"criterion": "gini", "max_depth": None}, ""),
        ("regression", None, "decision_tree", {"class_weight": "balanced"}, "no parameter class_weight"),
        ("binary", None, "hist_gradient_boosting", {"loss": "poisson"}, "no parameter loss"),
        ("binary", None, "mlp", {}, ""),
    ],
)
def test_incompatibility(task, scoring, name, params, reason):
    problem = PROBLEMS[task]
    why = incompatibility_check(problem, metric_for(scoring, task, problem.n_classes))(task, name, params)
    assert (reason in why) if reason else (why == "")


def test_structural_paths():
    shared = ["hidden_layer_sizes", "normalization", "loss.huber.delta", "preprocess.numeric.impute"]
    own = ["dropout", "optimizer", "optimizer.adam.beta1", "max_epochs"]
    shared, own = ([f"model.mlp.{name}" for name in names] for names in (shared, own))
    shared += ["preprocess.numeric.scale", "model", "model.decision_tree.max_depth"]
    assert all(map(structural, shared))
    assert not any(map(structural, own))


def test_family_of_prefers_inner_preprocessing():
    configuration = {
        "preprocess": {"numeric": {"scale": "none"}},
        "model": {"decision_tree": {"max_depth": 3}},
    }
    family, params, preprocess = family_of(configuration)
    assert (family.name, params, preprocess) == (
        "decision_tree",
        {"max_depth": 3},
        {"numeric": {"scale": "none"}},
    )
    configuration["model"]["decision_tree"]["preprocess"] = {"numeric": {"scale": "robust"}}
    assert family_of(configuration)[1:] == ({"max_depth": 3}, {"numeric": {"scale": "robust"}})
    assert family_of({"model": "mlp"})[1:] == ({}, {})
    assert "preprocess" in configuration["model"]["decision_tree"]


@pytest.mark.parametrize("space", ["quick", "tabular"])
def test_shipped_spaces_sample_valid_parameters(space):
    rng = np.random.default_rng(0)
    loaded = load_space(space)
    for _ in range(20):
        configuration = loaded.sample(rng)
        name, params = named(configuration["model"])
        params.pop("preprocess", None)
        assert FAMILIES[name].section.accepts(params)


@pytest.mark.parametrize("last", [1, 2, 7, 20, 1000])
def test_rung_levels_are_geometric(last):
    rungs = sorted(rung_levels(last))
    assert rungs[0] == 1
    assert rungs[-1] <= last
    assert set(rungs) == {rung for rung in rung_levels(5000) if rung <= last}
    assert all(b == 2 * a for a, b in zip(rungs, rungs[1:], strict=False))
    assert last / rungs[-1] < 2


@pytest.mark.parametrize("n_rows", [10, 9_999, 10_000, 79_999, 80_000, 261_876, 10**6])
def test_epoch_steps_are_powers_of_two(n_rows):
    steps = epoch_steps(n_rows)
    assert steps == 2 ** (steps.bit_length() - 1)
    assert (steps == 1) == (n_rows < 10_000)
    assert steps == 1 or 5_000 <= n_rows / steps < 10_000


@pytest.mark.parametrize("steps", [1, 2, 8, 16, 128])
def test_rungs_include_the_first_epoch(steps):
    last = 100 * steps
    for family in FAMILIES.values():
        rungs = sorted(family.rungs(last, steps))
        assert steps in rungs
        assert rungs[0] < 4
        assert all(b % a == 0 and b // a in (2, 4) for a, b in zip(rungs, rungs[1:], strict=False))
        assert last / rungs[-1] < 4


@pytest.mark.parametrize(
    ("family", "params", "n_columns", "n"),
    [
        ("linear", {}, 3, 8),
        ("linear", {}, 10_000, 8),
        ("mlp", {"hidden_layer_sizes": (32,)}, 5, 8),
        ("mlp", {"hidden_layer_sizes": (64,)}, 70, 4),
        ("mlp", {}, 70, 4),
        ("mlp", {"hidden_layer_sizes": (128, 64)}, 70, 2),
        ("decision_tree", {}, 3, 1),
    ],
)
def test_max_cohort_size(family, params, n_columns, n):
    assert FAMILIES[family].max_cohort_size(params, n_columns) == n
