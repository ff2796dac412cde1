"""Tiny fits of real classes: what they refuse is found, and what only a small table brings about is not blamed."""

import itertools

import pytest

import automl
from automl.constraints import Boolean, Number, OneOf, Union
from automl.families import FAMILIES, Problem, incompatibility_check, smoke_test, vocabulary
from automl.families.tryout import Tryout
from automl.metrics import metric_for
from automl.space import load_space
from automl.space.tryout import untrainable

PROBLEMS = {
    "binary": Problem("binary", 2),
    "multiclass": Problem("multiclass", 3),
    "regression": Problem("regression"),
}
CLASSES = {
    ("decision_tree", "binary"): "sklearn.tree.DecisionTreeClassifier",
    ("decision_tree", "regression"): "sklearn.tree.DecisionTreeRegressor",
    ("random_forest", "binary"): "sklearn.ensemble.RandomForestClassifier",
    ("random_forest", "regression"): "sklearn.ensemble.RandomForestRegressor",
    ("extra_trees", "binary"): "sklearn.ensemble.ExtraTreesClassifier",
    ("extra_trees", "regression"): "sklearn.ensemble.ExtraTreesRegressor",
    ("hist_gradient_boosting", "binary"): "sklearn.ensemble.HistGradientBoostingClassifier",
    ("hist_gradient_boosting", "regression"): "sklearn.ensemble.HistGradientBoostingRegressor",
}


def space(path, **params):
    return {"space": {"model": {"choice": {"mine": {"estimator": path, **params}}}}}


def some(rule):
    """Return values that a rule allows: all names, and numbers at and near its ends."""
    match rule:
        case OneOf(values):
            return list(values)
        case Boolean():
            return [True, False]
        case Union(options):
            return [value for option in options for value in some(option)]
        case Number(low, high, integer):
            numbers = (low, low + 1, 7, high) if integer else (float(low), low + 0.01, 0.5, float(high))
            kept = [number for number in numbers if abs(number) < 1e6 and rule.accepts(number)]
            return [kept[0], kept[-1]]
    raise AssertionError(rule)


@pytest.mark.parametrize(("name", "task"), CLASSES)
def test_no_two_values_of_a_family_of_ours_refuse_each_other(name, task):
    family, problem = FAMILIES[name], PROBLEMS[task]
    params = {
        key: {
            "values": [
                value
                for value in some(parameter.constraint)
                if not family.incompatibility({key: value}, problem)
            ]
        }
        for key, parameter in family.section.parameters.items()
        if not family.incompatibility({key: parameter.default}, problem)
    }
    tree = load_space(space(CLASSES[name, task], **params), vocabulary=vocabulary()).root
    found = untrainable(tree, (), (task,), Tryout(PROBLEMS), 300)
    if "max_samples" not in params:
        assert found == []
        return
    (misfit,) = found
    for bootstrap, share in itertools.product((True, False), (None, 0.01, 1.0)):
        values = {"model": "mine", "bootstrap": bootstrap, "max_samples": share}
        assert misfit.rule.forbids(values) == (share is not None and not bootstrap)


@pytest.mark.parametrize("name", ["random_forest", "extra_trees"])
def test_a_forest_draws_some_of_the_rows_only_where_it_draws_rows(name):
    def forest(**params):
        return {"space": {"model": {"choice": {name: params}}}}

    rows = {"low": 0.3, "high": 0.9}
    automl.load_space(forest(bootstrap=True, max_samples=rows, n_estimators=500))
    faulty = forest(bootstrap=[True, False], max_samples=[None, rows])
    with pytest.raises(automl.SpaceError, match=r"bootstrap: false with max_samples: \{above: 0\}"):
        automl.load_space(faulty)
    automl.load_space({**faulty, "forbid": [{"bootstrap": False, "max_samples": {"above": 0}}]})


def test_every_family_of_scikit_learn_is_in_that_test():
    ours = {name for name in FAMILIES if name not in ("linear", "mlp")}
    assert set(CLASSES) == set(itertools.product(ours, ("binary", "regression")))


@pytest.mark.parametrize(
    ("path", "params"),
    [
        (
            "sklearn.neighbors.KNeighborsClassifier",
            {"n_neighbors": [1, 200]},
        ),  # more than the small table has rows
        ("sklearn.discriminant_analysis.QuadraticDiscriminantAnalysis", {}),  # no columns that add up to one
        ("sklearn.naive_bayes.MultinomialNB", {"preprocess": {"numeric": {"scale": "none"}}}),  # counts alone
        ("sklearn.linear_model.GammaRegressor", {}),  # numbers above 0 alone
        ("sklearn.linear_model.LogisticRegression", {"solver": "liblinear"}),  # two classes alone
        ("sklearn.ensemble.ExtraTreesClassifier", {"n_estimators": 100_000}),
        ("sklearn.linear_model.SGDClassifier", {"loss": ["hinge", "log_loss"]}),
    ],
)
def test_what_only_some_tables_are_not_for_is_sound(path, params):
    automl.load_space(space(path, **params))


def test_the_table_and_the_metric_leave_out_the_rest():
    solvers = automl.load_space(
        space("sklearn.linear_model.LogisticRegression", solver=["liblinear", "lbfgs"])
    )
    for task, excluded in (
        ("binary", ()),
        ("multiclass", ("mine with solver: liblinear: The 'liblinear' solver does not support multiclass",)),
    ):
        problem, metric = PROBLEMS[task], metric_for(None, task, PROBLEMS[task].n_classes)
        left = solvers.specialise(task, incompatibility_check(problem, metric), smoke_test(problem, metric))
        assert [said[: len(start)] for said, start in zip(left.excluded, excluded, strict=True)] == [
            *excluded
        ]

    losses = automl.load_space(space("sklearn.linear_model.SGDClassifier", loss=["hinge", "log_loss"]))
    metric = metric_for("neg_log_loss", "binary", 2)
    left = losses.specialise(
        "binary", incompatibility_check(PROBLEMS["binary"], metric), smoke_test(PROBLEMS["binary"], metric)
    )
    assert left.excluded == ("mine with loss: hinge: it gives no probabilities, which neg_log_loss needs",)


@pytest.mark.parametrize("least", [-1.0, 0.0, 1.0])
def test_the_sign_of_the_target_counts(least):
    problem, metric = Problem("regression", least=least), metric_for(None, "regression")
    tree = {
        "linear": {"loss": ["squared", "poisson"]},
        "decision_tree": {"criterion": ["squared_error", "poisson"]},
        "counts": {"estimator": "sklearn.linear_model.PoissonRegressor"},
        "sizes": {"estimator": "sklearn.linear_model.GammaRegressor"},
    }
    loaded = automl.load_space({"space": {"model": {"choice": tree}}})
    left = loaded.specialise(
        "regression", incompatibility_check(problem, metric), smoke_test(problem, metric)
    )
    gone = [said.split(":")[0] for said in left.excluded]
    below = ["linear with loss", "decision_tree with criterion", "counts", "sizes"]
    assert gone == {-1.0: below, 0.0: ["sizes"], 1.0: []}[least]
