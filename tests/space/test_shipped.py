"""The shipped spaces are valid, load fast and train for all their tasks."""

import time
from collections import Counter

import numpy as np
import optuna
import pandas as pd
import pytest

from automl.families import Problem, family_of, incompatibility_check, load_space
from automl.metrics import metric_for
from automl.space import shipped_folder, shipped_names
from automl.table import TypedColumns, preprocessor

CLASSES = {"binary": 2, "multiclass": 3, "regression": 0}


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    rows = 90
    return pd.DataFrame(
        {
            "delay": np.where(rng.random(rows) < 0.1, np.nan, rng.normal(size=rows)),
            "distance": rng.exponential(size=rows),
            "carrier": rng.choice(["AA", "UA", "DL"], size=rows),
        }
    )


def target(table, n_classes):
    signal = table["distance"] + (table["carrier"] == "AA")
    return signal.rank(pct=True).mul(n_classes).sub(1e-9).astype(int) if n_classes else signal


def test_shipped_names():
    expected = {"linear", "mlp", "optimizers", "quick", "svm", "tabular", "tabular-0", "trees"}
    assert set(shipped_names()) == expected
    for name in expected:
        text = (shipped_folder() / f"{name}.yaml").read_text(encoding="utf-8")
        assert load_space(name).name == name
        assert text.startswith("# ")  # every file teaches


@pytest.mark.parametrize("name", shipped_names())
def test_shipped_samples_are_valid(name):
    space = load_space(name)
    rng = np.random.default_rng(0)
    for _ in range(1000):
        space.validate(space.sample(rng))
    assert load_space(space.to_yaml()) == space


@pytest.mark.parametrize("name", shipped_names())
def test_shipped_initial_points_come_first(name):
    space = load_space(name)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for point in space.initial_params:
        study.enqueue_trial(point)
    for point in space.enqueue:
        params = space.params(space.suggest(study.ask()))
        assert all(params[path] == value for path, value in point.values.items())


@pytest.mark.slow
@pytest.mark.parametrize("task", CLASSES)
@pytest.mark.parametrize("name", shipped_names())
def test_shipped_samples_train(name, task, table):
    problem = Problem(task, CLASSES[task])
    metric = metric_for("accuracy" if name == "svm" and problem.n_classes else None, task, problem.n_classes)
    space = load_space(name).specialise(task, incompatibility_check(problem, metric))
    columns = TypedColumns().fit(table)
    X, y = columns.transform(table), target(table, problem.n_classes).to_numpy()
    rng = np.random.default_rng(0)
    trained, diverged = Counter(), []
    for _ in range(60):
        configuration = space.sample(rng)
        family, params, preprocess = family_of(configuration)
        kind = family.name, "rbf" in str(preprocess)
        if trained[kind] == 2:
            continue
        prepared = preprocessor(preprocess, columns.column_types_, task=task).fit_transform(X, y)
        try:
            estimator = family.estimator(params, 0, problem).fit(prepared, y)
        except FloatingPointError:  # a high learning rate may diverge; a trial then ends so, too
            diverged.append(configuration)
            continue
        trained[kind] += 1
        assert np.isfinite(estimator.predict(prepared)).all()
    assert len(diverged) <= 1
    assert {family for (family, _), number in trained.items() if number} == set(space.size().dimensions)
    assert name != "svm" or len(trained) == 2  # linear, and with a kernel


@pytest.mark.serial
def test_default_space_loads_fast():
    load_space("tabular")
    times = []
    for _ in range(3):
        began = time.perf_counter()
        load_space("tabular")
        times.append(time.perf_counter() - began)
    assert min(times) < 0.1


def test_random_features_fit_a_circle():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(300, 2)), columns=["a", "b"])
    y = (np.hypot(table["a"], table["b"]) > 1.2).to_numpy().astype(int)
    right = {}
    for features in ("none", {"rbf": {"gamma": 0.5, "n_components": 200}}):
        configuration = {
            "preprocess": {"features": features},
            "model": {"linear": {"loss": "hinge", "learning_rate": 0.05, "max_epochs": 40, "l2": 1e-5}},
        }
        family, params, preprocess = family_of(configuration)
        prepare = preprocessor(preprocess, {"a": "numeric", "b": "numeric"}).fit(table[:200])
        model = family.estimator(params, 0, Problem("binary", 2)).fit(prepare.transform(table[:200]), y[:200])
        right[str(features)[:6]] = (model.predict(prepare.transform(table[200:])) == y[200:]).mean()
    assert right["none"] < 0.75
    assert right["{'rbf'"] > 0.9
