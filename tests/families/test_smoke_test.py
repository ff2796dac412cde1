"""Smoke tests of real classes: default configurations are fitted to tiny tables."""

import itertools
import sys
import time

import numpy as np
import pytest

import automl
from automl.constraints import Boolean, Number, OneOf, Union
from automl.families import FAMILIES, Problem, incompatibility_check, smoke_test
from automl.families.smoke import SmokeTest
from automl.metrics import metric_for

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


def allowed_values(rule):
    """Return values that a rule allows: all names, and numbers at or near its ends."""
    match rule:
        case OneOf(values):
            return list(values)
        case Boolean():
            return [True, False]
        case Union(options):
            return [value for option in options for value in allowed_values(option)]
        case Number(low, high, integer):
            numbers = (low, low + 1, 7, high) if integer else (float(low), low + 0.01, 0.5, float(high))
            kept = [number for number in numbers if abs(number) < 1e6 and rule.accepts(number)]
            return [kept[0], kept[-1]]
    raise AssertionError(rule)


def specialised(document, task, problem, scoring=None):
    metric = metric_for(scoring, task, problem.n_classes)
    loaded = automl.load_space(document)
    return loaded.specialise(task, incompatibility_check(problem, metric), smoke_test(problem, metric))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "task"), CLASSES)
def test_catalog_values_train_in_any_combination(name, task):
    family, problem = FAMILIES[name], PROBLEMS[task]
    params = {
        key: {
            "values": [
                value
                for value in allowed_values(parameter.constraint)
                if not family.incompatibility({key: value}, problem)
            ]
        }
        for key, parameter in family.section.parameters.items()
        if not family.incompatibility({key: parameter.default}, problem)
    }
    loaded, rng = automl.load_space(space(CLASSES[name, task], **params)), np.random.default_rng(0)
    test = SmokeTest(PROBLEMS)
    for _ in range(60):
        configuration = loaded.sample(rng)
        mine = configuration["model"]["mine"]
        rejected = mine.get("max_samples") is not None and not mine["bootstrap"]
        error = test(task, configuration)
        assert bool(error) == rejected, (configuration, error)


def test_catalog_families_of_scikit_learn_are_in_that_test():
    boosting = {"lightgbm", "catboost", "xgboost"}
    names = {name for name in FAMILIES if name not in (*boosting, "linear", "mlp", "quick_linear")}
    assert set(CLASSES) == set(itertools.product(names, ("binary", "regression")))


@pytest.mark.parametrize("name", ["random_forest", "extra_trees"])
def test_forest_rejects_max_samples_without_bootstrap(name):
    def forest(**params):
        return {"space": {"model": {"choice": {name: params}}}}

    rows = {"low": 0.3, "high": 0.9}
    automl.load_space(forest(bootstrap=True, max_samples=rows, n_estimators=500))
    automl.load_space(forest(bootstrap=[False, True], max_samples=[None, rows]))
    with pytest.raises(automl.SpaceError, match="bootstrap: false, max_samples: 0.3"):
        automl.load_space(forest(bootstrap=False, max_samples=rows))


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("sklearn.neighbors.KNeighborsClassifier", {"n_neighbors": 200}),  # more than a small table has rows
        ("sklearn.discriminant_analysis.QuadraticDiscriminantAnalysis", {}),  # no linearly dependent columns
        ("sklearn.naive_bayes.MultinomialNB", {"preprocess": {"numeric": {"scale": "none"}}}),  # counts alone
        ("sklearn.linear_model.GammaRegressor", {}),  # numbers above 0 alone
        ("sklearn.linear_model.LogisticRegression", {"solver": "liblinear"}),  # two classes alone
        ("sklearn.ensemble.ExtraTreesClassifier", {"n_estimators": 100_000}),
        ("sklearn.linear_model.SGDClassifier", {"loss": ["hinge", "log_loss"]}),
        (
            "sklearn.linear_model.LogisticRegression",
            {"solver": ["liblinear", "lbfgs"], "dual": [True, False]},
        ),
        ("sklearn.svm.LinearSVC", {"penalty": ["l1", "l2"], "loss": ["hinge", "squared_hinge"]}),
    ],
)
def test_class_that_trains_on_some_table_is_valid(path, params):
    automl.load_space(space(path, **params))


def test_smoke_test_is_repeatable_and_ignores_iterations():
    configuration = {
        "preprocess": {"features": {"rbf": {"gamma": 1.0, "n_components": 10**9}}},
        "model": {"mine": {"estimator": "sklearn.linear_model.SGDClassifier", "max_iter": 10**9}},
    }
    test = SmokeTest(PROBLEMS)
    assert [test("binary", configuration) for _ in range(2)] == ["", ""]
    assert test("regression", configuration) is None


def test_specialise_excludes_what_the_task_cannot_train():
    solver = space("sklearn.linear_model.LogisticRegression", solver="liblinear")
    solver["space"]["model"]["choice"]["decision_tree"] = {}
    assert specialised(solver, "binary", PROBLEMS["binary"]).excluded == ()
    (reason,) = specialised(solver, "multiclass", PROBLEMS["multiclass"]).excluded
    assert reason.startswith("mine: The 'liblinear' solver does not support multiclass")


def test_specialise_excludes_a_class_without_needed_probabilities():
    loss = space("sklearn.linear_model.SGDClassifier", loss="hinge")
    loss["space"]["model"]["choice"]["decision_tree"] = {}
    left = specialised(loss, "binary", PROBLEMS["binary"], "neg_log_loss")
    assert left.excluded == ("mine: it gives no probabilities, which neg_log_loss needs",)
    assert specialised(loss, "binary", PROBLEMS["binary"], "accuracy").excluded == ()


@pytest.mark.parametrize("least", [-1.0, 0.0, 1.0])
def test_specialise_depends_on_the_sign_of_the_target(least):
    tree = {
        "linear": {"loss": ["squared", "poisson"]},
        "decision_tree": {"criterion": ["squared_error", "poisson"]},
        "counts": {"estimator": "sklearn.linear_model.PoissonRegressor"},
        "sizes": {"estimator": "sklearn.linear_model.GammaRegressor"},
    }
    document = {"space": {"model": {"choice": tree}}}
    left = specialised(document, "regression", Problem("regression", least=least))
    gone = [reason.split(":")[0] for reason in left.excluded]
    below = ["linear with loss", "decision_tree with criterion", "counts", "sizes"]
    assert gone == {-1.0: below, 0.0: ["sizes"], 1.0: []}[least]


@pytest.mark.slow
@pytest.mark.serial
@pytest.mark.parametrize("hangs", ["True", "X is not None"])
def test_class_that_hangs_is_refused_in_time(tmp_path, monkeypatch, hangs):
    (tmp_path / "hangs.py").write_text(
        "import time\n"
        "from sklearn.dummy import DummyClassifier\n"
        "class Hangs(DummyClassifier):\n"
        "    def fit(self, X, y):\n"
        f"        while {hangs}:\n"
        "            time.sleep(0.01)\n"
        "        raise ValueError('no data')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    X = np.random.default_rng(0).normal(size=(90, 2))
    search = automl.Search(space("hangs.Hangs"), timeout=4, n_jobs=1, allow_imports="hangs", progress=False)
    began = time.monotonic()
    with pytest.raises(automl.SpaceError, match="fitting 60 rows took longer than 3 s"):
        search.fit(X, X[:, 0] > 0)
    assert time.monotonic() - began < 7
    sys.modules.pop("hangs")
