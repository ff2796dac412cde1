import inspect

import numpy as np
import pytest

from automl.constraints import Variants, named
from automl.families import (
    FAMILIES,
    Problem,
    family_of,
    incompatibility_check,
    load_space,
    structural,
    vocabulary,
)
from automl.families.boosting import BoostingFamily
from automl.families.descent import DescentFamily
from automl.metrics import metric_for

PROBLEMS = {
    "binary": Problem("binary", 2),
    "multiclass": Problem("multiclass", 3),
    "regression": Problem("regression"),
}
EVERY = pytest.mark.parametrize("name", FAMILIES)
DESCENT = [name for name, family in FAMILIES.items() if isinstance(family, DescentFamily)]
BOOSTING = [name for name, family in FAMILIES.items() if isinstance(family, BoostingFamily)]
SKLEARN = [name for name in FAMILIES if name not in (*DESCENT, *BOOSTING)]
# parameters and defaults are those of the estimator; test_boosting.py has the parameters of boosting
OWN_CLASS = pytest.mark.parametrize("name", [*DESCENT, *SKLEARN])


def estimator_class(name, task):
    return type(FAMILIES[name].estimator({}, 0, PROBLEMS[task]))


@OWN_CLASS
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
    assert len(fit) > (0 if name == "quick_linear" else 5)


@OWN_CLASS
def test_section_covers_the_estimator(name):
    has = {*inspect.signature(estimator_class(name, "binary")).parameters}
    has |= {*inspect.signature(estimator_class(name, "regression")).parameters}
    left_out = {
        "random_state", "verbose", "warm_start", "monotonic_cst",
        # parameters inside of variants
        "loss_params", "optimizer_params", "schedule_params", "input_layer_params", "categories",
        # columns by name, which a matrix lacks; scorers and thresholds of early stopping
        "categorical_features", "embeddings", "interaction_cst", "scoring", "tol", "quantile",
        # private fields of the class
        "_",
    }  # fmt: skip
    if name in DESCENT:
        # pruning replaces early stopping; a cohort has equal row weights
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
    assert family.epochs(family.truncated_params(params, 3, 1)) == (
        1 if name in ("decision_tree", "quick_linear") else 3
    )
    assert ({16} if name in BOOSTING else {1, 4, 16}) <= family.rungs(40, 16)


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
