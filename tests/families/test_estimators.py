"""Classes that a space names by their path: checks at load and training."""

import sys
import types

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

import automl
from automl.errors import SpaceError
from automl.families import Fold, Problem, family_of, incompatibility_check
from automl.metrics import metric_for

PROBLEMS = {"binary": Problem("binary", 2), "multiclass": Problem("multiclass", 3)}


class Bare(BaseEstimator):
    """A scikit-learn estimator that is neither classifier nor regressor."""

    def fit(self, X, y):
        return self

    def predict(self, X):
        return np.zeros(len(X), dtype=int)


class Quiet(LogisticRegression):
    """Returns only the given parameters, like catboost's classes."""

    def get_params(self, deep=True):
        return {}


class Strict(LogisticRegression):
    """Refuses a value in its constructor."""

    def __init__(self, C=1.0):
        if C > 10:
            raise ValueError("C is too large")
        super().__init__(C=C)


@pytest.fixture
def package(monkeypatch):
    module = types.ModuleType("house_models")
    module.Bare, module.Quiet, module.Strict = Bare, Quiet, Strict
    monkeypatch.setitem(sys.modules, "house_models", module)
    return "house_models"


def space(path, task=("binary", "multiclass", "regression"), **params):
    return {"task": list(task), "space": {"model": {"choice": {"mine": {"estimator": path, **params}}}}}


def rows(n_classes, absent=None):
    X = np.random.default_rng(0).normal(size=(90, 3)).astype(np.float32)
    y = np.digitize(X[:, 0], [0.0] if n_classes == 2 else [-0.5, 0.5])
    return X, np.where(y == absent, 0, y)


@pytest.mark.parametrize("task", PROBLEMS)
@pytest.mark.parametrize(
    ("path", "params", "predictions"),
    [
        ("sklearn.ensemble.ExtraTreesClassifier", {"n_estimators": 7}, "probabilities"),
        ("sklearn.svm.LinearSVC", {"C": 0.5}, "decision"),
        ("sklearn.neighbors.NearestCentroid", {}, "probabilities"),
        ("sklearn.neighbors.KNeighborsClassifier", {"n_neighbors": 3}, "probabilities"),
    ],
)
def test_estimator_family_trains(task, path, params, predictions):
    problem = PROBLEMS[task]
    loaded = automl.load_space(space(path, **params)).specialise(task)
    family, given, preprocess = family_of(loaded.sample(np.random.default_rng(0)))
    assert (family.name, given, preprocess, family.max_cohort_size(params, 3)) == ("mine", params, {}, 1)
    for absent in (None, 1) if task == "multiclass" else (None,):
        X, y = rows(problem.n_classes, absent)
        trainer = family.trainer([given], [3], problem, Fold(X, y, (0, 0)))
        assert trainer.advance(family.last_rung(given, 1), lambda: False)
        (found,) = trainer.predict(X)
        assert (found.values == y).mean() > 0.6
        got = getattr(found, predictions)
        assert got.shape == ((len(X),) if got.ndim == 1 else (len(X), problem.n_classes))
        if got.ndim == 2:
            agree = (got.argmax(axis=1) == found.values).mean()
            assert agree > 0.9  # probabilities and decisions of a class may differ
    estimator = family.estimator(given, 3, problem)
    own = estimator.get_params()
    assert own.get("random_state", 3) == 3
    assert own.get("n_jobs", 1) == 1


def test_estimator_family_trains_a_regressor():
    loaded = automl.load_space(space("sklearn.linear_model.Ridge", alpha=[0.1, 1.0])).specialise("regression")
    family, params, _ = family_of(loaded.sample(np.random.default_rng(0)))
    X, _ = rows(2)
    trainer = family.trainer([params], [0], Problem("regression"), Fold(X, 3 * X[:, 0] + 9, (0,)))
    assert trainer.advance(1, lambda: False)
    np.testing.assert_allclose(trainer.predict(X)[0].values, 3 * X[:, 0] + 9, atol=0.2)


def test_estimator_family_cost_grows_with_trees():
    family, *_ = family_of({"model": {"mine": {"estimator": "sklearn.ensemble.ExtraTreesClassifier"}}})
    assert family.cost({"n_estimators": 200}, 10, 5) == 2 * family.cost({}, 10, 5) == 10_000


@pytest.mark.parametrize(
    ("path", "task", "message"),
    [
        ("sklearn.svm.SVC", "regression", r"mine\.estimator: must fit regression \(SVC is no regressor\)"),
        (
            "sklearn.svm.SVR",
            "binary",
            r"mine\.estimator: must fit binary \(SVR is no classifier\); got sklearn",
        ),
        ("sklearn.cluster.KMeans", "multiclass", "KMeans is no classifier"),
    ],
)
def test_load_space_refuses_a_class_of_another_task(path, task, message):
    with pytest.raises(SpaceError, match=message):
        automl.load_space(space(path, [task]))


def test_specialise_excludes_classes_of_other_tasks():
    document = space("sklearn.svm.LinearSVC")
    document["space"]["model"]["choice"]["decision_tree"] = {}
    loaded = automl.load_space(document)
    for task, scoring, left in [
        ("binary", "accuracy", ["mine", "decision_tree"]),
        ("binary", "neg_log_loss", ["decision_tree"]),
        ("regression", None, ["decision_tree"]),
    ]:
        problem = Problem(task, 2 if task == "binary" else 0)
        rest = loaded.specialise(
            task, incompatibility_check(problem, metric_for(scoring, task, problem.n_classes))
        )
        assert list(rest.size().dimensions) == left
    with pytest.raises(SpaceError, match="LinearSVC gives no probabilities, which neg_log_loss needs"):
        automl.load_space(space("sklearn.svm.LinearSVC")).specialise(
            "binary", incompatibility_check(PROBLEMS["binary"], metric_for("neg_log_loss", "binary", 2))
        )


def test_load_space_needs_allow_imports(package):
    with pytest.raises(SpaceError, match="Other packages must be named in allow_imports"):
        automl.load_space(space("house_models.Quiet"))
    loaded = automl.load_space(space("house_models.Quiet", C=[0.1, 1.0]), allow_imports=[package])
    family, params, _ = family_of(loaded.sample(np.random.default_rng(0)))
    estimator = family.estimator(params, 5, PROBLEMS["binary"])
    assert (estimator.C, estimator.random_state) == (params["C"], 5)
    with pytest.raises(SpaceError, match='must be a key of model.mine; got max_itr. Did you mean "max_iter"'):
        automl.load_space(space("house_models.Quiet", max_itr=1), allow_imports=[package])
    with pytest.raises(SpaceError, match="model.mine.C: must be a value that Strict accepts; got 11"):
        automl.load_space(space("house_models.Strict", C=[1, 11]), allow_imports=package)
    with pytest.raises(SpaceError, match="Bare is no classifier"):
        automl.load_space(space("house_models.Bare", ["binary"]), allow_imports=[package])


def test_load_space_reports_failed_imports(tmp_path, monkeypatch):
    (tmp_path / "broken_models.py").write_text("raise RuntimeError('not today')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(
        SpaceError, match=r"can be imported; got absent_models\.A\. Install absent_models first"
    ):
        automl.load_space(space("absent_models.A"), allow_imports=["absent_models"])
    with pytest.raises(SpaceError, match=r"can be imported; got broken_models\.A\.$"):
        automl.load_space(space("broken_models.A"), allow_imports=["broken_models"])


def test_load_space_fault_has_its_line(tmp_path):
    file = tmp_path / "wrong.yaml"
    file.write_text(
        "task: regression\nspace:\n  model:\n    choice:\n      linear: {loss: [squared, hinge]}\n"
        "      mine:\n        estimator: sklearn.svm.SVC\n"
    )
    with pytest.raises(SpaceError) as error:
        automl.load_space(file)
    assert [fault.where.removeprefix(str(file)) for fault in error.value.faults] == [
        ":5 model.linear.loss",
        ":7 model.mine.estimator",
    ]


class Loose(ClassifierMixin, BaseEstimator):
    """Checks no parameter, like lightgbm's classes."""

    def __init__(self, n_trees=10, rate=1.0, depth=None):
        self.n_trees, self.rate, self.depth = n_trees, rate, depth

    fit, predict = Bare.fit, Bare.predict


def test_unchecked_class_gets_rules_from_defaults(package, monkeypatch):
    monkeypatch.setattr(sys.modules[package], "Loose", Loose, raising=False)
    ends = {"low": 1, "high": 9}
    made = automl.load_space(
        space(f"{package}.Loose", ["binary"], n_trees=ends, rate=ends, depth=ends), allow_imports=[package]
    )
    kinds = {
        name: type(value) for name, value in made.sample(np.random.default_rng(0))["model"]["mine"].items()
    }
    assert kinds == {"estimator": str, "n_trees": int, "rate": float, "depth": int}


class CodesAlone(LinearSVC):
    """Accepts only codes 0, 1, ... and predicts a column."""

    def fit(self, X, y):
        if set(np.unique(y)) != set(range(len(np.unique(y)))):
            raise ValueError("codes alone")
        return super().fit(X, y)

    def predict(self, X):
        return super().predict(X)[:, None]


def test_class_for_codes_gets_labels_encoded(package):
    sys.modules[package].CodesAlone = CodesAlone
    automl.load_space(space("house_models.CodesAlone", C=[0.5, 2.0]), allow_imports=[package])
    for task, labels in (("binary", ["no", "yes"]), ("multiclass", ["a", "b", "c"])):
        X, codes = rows(len(labels))
        family, params, _ = family_of({"model": {"mine": {"estimator": "house_models.CodesAlone", "C": 2.0}}})
        model = family.estimator(params, 3, PROBLEMS[task])
        model.fit(X, np.array(labels, dtype=object)[codes])
        assert model.estimator_.get_params()["C"] == 2.0
        assert model.classes_.tolist() == labels
        assert (model.predict(X) == np.array(labels)[codes]).mean() > 0.8
        assert not hasattr(model, "predict_proba")
        assert model.decision_function(X).shape[0] == len(X)
    X, codes = rows(3, absent=1)  # a fold without a class
    trainer = family.trainer([params], [3], PROBLEMS["multiclass"], Fold(X, codes, (0, 0)))
    trainer.advance(1, lambda: False)
    (predictions,) = trainer.predict(X)
    assert set(predictions.values) == {0, 2}
    assert predictions.decision.shape == (len(X), 3)
    plain, params, _ = family_of({"model": {"mine": {"estimator": "house_models.Quiet"}}})
    assert isinstance(plain.estimator(params, 3, PROBLEMS["binary"]), Quiet)


def test_quiet_defaults_only_where_accepted(package, recwarn):
    family, params, _ = family_of(
        {"model": {"mine": {"estimator": "sklearn.linear_model.LogisticRegression"}}}
    )
    X, y = rows(2)
    family.estimator(params, 3, PROBLEMS["binary"]).fit(X, y)
    assert not recwarn.list
