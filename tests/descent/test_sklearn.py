from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest
import skops.io
from sklearn.base import is_classifier
from sklearn.datasets import load_iris
from sklearn.linear_model import SGDClassifier, SGDRegressor
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from sklearn.utils._test_common.instance_generator import PER_ESTIMATOR_XFAIL_CHECKS
from sklearn.utils.estimator_checks import parametrize_with_checks

from automl.descent import (
    ESTIMATOR_PARAMETERS,
    PARAMETERS,
    Architecture,
    GradientDescentClassifier,
    GradientDescentRegressor,
    TrainConfig,
    Training,
)
from automl.errors import InputError


def exceptions(model):
    """Return what scikit-learn excepts for its own model trained by stochastic gradient descent.

    That a weight is as good as a repeated row: batches of weighted rows are not those of repeated rows. And as
    there, `check_array_api_input` skips itself, for it runs on request alone.
    """
    return PER_ESTIMATOR_XFAIL_CHECKS[SGDClassifier if is_classifier(model) else SGDRegressor]


@parametrize_with_checks(
    [GradientDescentClassifier(learning_rate=0.01), GradientDescentRegressor(learning_rate=0.01)],
    expected_failed_checks=exceptions,
)
def test_estimator_keeps_the_scikit_learn_contract(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def flowers():
    X, y = load_iris(return_X_y=True)
    return StandardScaler().fit_transform(X), np.array(["setosa", "versicolor", "virginica"])[y]


def test_estimator_equals_a_cohort_of_one(flowers):
    X, y = flowers
    model = GradientDescentClassifier(hidden_layer_sizes=[5], dropout=0.1, max_epochs=5, random_state=3).fit(
        X, y
    )
    config = TrainConfig(dropout=0.1, max_epochs=5, seed=3)
    codes = np.searchsorted(model.classes_, y)
    training = Training(
        Architecture("softmax", (5,)), [config], X.astype(np.float32), codes, n_outputs=3, order_seed=3
    )
    training.advance(5)
    assert np.array_equal(model.predict_proba(X), training.predict(X.astype(np.float32))[0])
    assert tuple(model.loss_curve_) == training.history(0)[0]


def test_coef_gives_the_decision(flowers):
    X, y = flowers
    model = GradientDescentClassifier(max_epochs=20, random_state=0).fit(X, y)
    assert np.allclose(X @ model.coef_.T + model.intercept_, model.decision_function(X), atol=1e-5)
    binary = GradientDescentClassifier("hinge", max_epochs=20, random_state=0).fit(X, y == "setosa")
    assert binary.predict(X).dtype == bool
    assert np.allclose(X @ binary.coef_[0] + binary.intercept_, binary.decision_function(X), atol=1e-5)
    assert not hasattr(binary, "predict_proba")
    assert not hasattr(GradientDescentClassifier(hidden_layer_sizes=(3,), max_epochs=1).fit(X, y), "coef_")


def test_early_stopping_restores_the_best_weights():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(80, 30)), rng.integers(0, 2, 80)
    model = GradientDescentClassifier(
        hidden_layer_sizes=(30,),
        learning_rate=0.02,
        max_epochs=200,
        early_stopping=True,
        patience=4,
        validation_fraction=0.3,
        random_state=1,
    )
    model.fit(X, y)
    best = int(np.argmin(model.validation_curve_))
    assert model.n_iter_ == best + 1 + 4 < 200
    # the held-out rows are a function of the seed: the best value must come out of the restored weights again
    _, X_held, _, y_held = train_test_split(X, y, test_size=0.3, random_state=1, stratify=y)
    p = model.predict_proba(X_held)[np.arange(len(y_held)), y_held]
    assert -np.log(p).mean() == pytest.approx(min(model.validation_curve_), rel=1e-4)


@pytest.mark.parametrize(
    "settings",
    [
        {"schedule": "cosine"},
        {"schedule": "cosine", "optimizer": "momentum"},
        {"average": 0.5},
        {"schedule": "plateau", "schedule_params": {"patience": 1, "threshold": 0.9}, "learning_rate": 0.1},
    ],
    ids=["adam", "momentum", "average", "plateau"],
)
@pytest.mark.parametrize("stored", [False, True])
def test_partial_fit_on_all_rows_equals_fit(flowers, settings, stored):
    X, y = flowers
    settings = {"dropout": 0.2, "hidden_layer_sizes": (4,), "max_epochs": 6, "random_state": 0} | settings
    whole = GradientDescentClassifier(**settings).fit(X, y)
    parts = GradientDescentClassifier(**settings)
    for _ in range(6):
        parts.partial_fit(X, y, classes=np.unique(y))
        if stored:
            parts = pickle.loads(pickle.dumps(parts))
    assert parts.loss_curve_ == pytest.approx(whole.loss_curve_, rel=1e-6)
    assert np.allclose(parts.predict_proba(X), whole.predict_proba(X), atol=1e-6)


def test_partial_fit_continues_from_early_stopping(flowers):
    X, y = flowers
    model = GradientDescentClassifier(early_stopping=True, average=0.5, max_epochs=5, random_state=0)
    before = model.fit(X, y).predict_proba(X)
    model.set_params(learning_rate=1e-12).partial_fit(X, y)
    assert np.allclose(model.predict_proba(X), before, atol=1e-6)


def test_warm_start_continues_from_the_weights():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 3))
    y = 50 + X @ [10.0, 20, 0]
    model = GradientDescentRegressor(learning_rate=0.01, max_epochs=30, warm_start=True, random_state=0).fit(
        X, y
    )
    end = model.loss_curve_[-1]
    assert model.fit(X, y).loss_curve_[0] < 2 * end


def test_warm_start_rejects_another_shape(flowers):
    X, y = flowers
    model = GradientDescentClassifier(max_epochs=1, warm_start=True).fit(X, y)
    with pytest.raises(InputError, match="resume: must be a snapshot of 12 parameters"):
        model.fit(X[:, :3], y)


def test_balanced_classes_move_the_border():
    rng = np.random.default_rng(0)
    X = np.vstack([rng.normal(-1, 1, (300, 2)), rng.normal(1, 1, (20, 2))])
    y = np.repeat([0, 1], [300, 20])
    plain, balanced = (
        GradientDescentClassifier(learning_rate=0.05, class_weight=weight, random_state=0).fit(X, y)
        for weight in (None, "balanced")
    )
    assert balanced.predict(X).sum() > plain.predict(X).sum() + 5
    weighted = GradientDescentClassifier(learning_rate=0.05, random_state=0)
    weighted.fit(X, y, sample_weight=np.where(y == 1, 320 / 40, 320 / 600))
    assert np.allclose(weighted.coef_, balanced.coef_, atol=1e-5)


def test_embedding_learns_a_category():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 6, 300)
    X = np.column_stack([rng.normal(size=300), codes])
    y = X[:, 0] + np.array([0.0, 5, -3, 2, 9, 1])[codes]
    settings = {"learning_rate": 0.02, "max_epochs": 60, "random_state": 0}
    embedding = {"input_layer": "embedding", "input_layer_params": {"length": 2}}
    model = GradientDescentRegressor(**embedding, categories=[6], **settings).fit(X, y)
    assert model.score(X, y) > 0.99
    assert GradientDescentRegressor(**settings).fit(X, y).score(X, y) < 0.6
    with pytest.raises(InputError, match="X: must have a column for each of 3 categories"):
        GradientDescentRegressor(**embedding, categories=[6] * 3).fit(X, y)
    with pytest.raises(InputError, match="input_layer: must read the codes"):
        GradientDescentRegressor(categories=[6]).fit(X, y)


def test_fit_raises_when_it_diverges():
    X, y = np.ones((10, 1)) * 100, np.arange(10.0)
    X[::2] = -100
    with pytest.raises(FloatingPointError, match="epoch 2: .* Lower learning_rate"):
        GradientDescentRegressor(optimizer="sgd", learning_rate=1e3).fit(X, y)


def test_fit_reports_all_bad_arguments(flowers):
    with pytest.raises(InputError) as caught:
        GradientDescentClassifier("squared", optimizer="adm", patience=0, batch_size="all").fit(*flowers)
    assert [fault.where for fault in caught.value.faults] == ["loss", "optimizer", "batch_size", "patience"]


@pytest.mark.parametrize("kind", [GradientDescentClassifier, GradientDescentRegressor])
def test_constructor_defaults_equal_the_rules(kind):
    rules = PARAMETERS | ESTIMATOR_PARAMETERS
    given = {name: value for name, value in kind().get_params().items() if name in rules and name != "loss"}
    assert given == {name: rules[name].default for name in rules if name != "loss"}


@pytest.mark.parametrize("hidden", [(), (4,)])
def test_stored_model_predicts_the_same(flowers, tmp_path, hidden):
    X, y = flowers
    model = GradientDescentClassifier(
        hidden_layer_sizes=hidden, normalization="batch", max_epochs=3, random_state=0
    )
    model.fit(X, y)
    skops.io.dump(model, tmp_path / "model.skops")
    unknown = skops.io.get_untrusted_types(file=tmp_path / "model.skops")
    assert unknown == ["automl.descent.sklearn.GradientDescentClassifier"]
    again = skops.io.load(tmp_path / "model.skops", trusted=unknown)
    for other in (again, pickle.loads(pickle.dumps(model))):
        assert np.array_equal(other.predict_proba(X), model.predict_proba(X))


def test_stored_model_continues_partial_fit(flowers, tmp_path):
    X, y = flowers
    model = GradientDescentClassifier(
        hidden_layer_sizes=(4,), schedule="plateau", average=0.9, max_epochs=6, random_state=0
    )
    for _ in range(3):
        model.partial_fit(X, y, classes=np.unique(y))
    skops.io.dump(model, tmp_path / "model.skops")
    unknown = skops.io.get_untrusted_types(file=tmp_path / "model.skops")
    assert unknown == ["automl.descent.sklearn.GradientDescentClassifier"]
    others = skops.io.load(tmp_path / "model.skops", trusted=unknown), pickle.loads(pickle.dumps(model))
    model.partial_fit(X, y)
    for other in others:
        assert np.array_equal(other.partial_fit(X, y).predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_stored_model_holds_its_weights_once(flowers, tmp_path, optimizer):
    X, y = flowers
    model = GradientDescentClassifier(
        hidden_layer_sizes=(300, 100), optimizer=optimizer, average=0.5, max_epochs=1, random_state=0
    )
    model.fit(X, y)
    p = model.theta_.size
    assert len(pickle.dumps(model)) < 4 * p * 1.1
    model.partial_fit(X, y)
    assert hasattr(model, "state_")
    assert not hasattr(model.fit(X, y), "state_")


def test_prediction_does_not_depend_on_later_parameters(flowers):
    X, y = flowers
    model = GradientDescentClassifier(
        hidden_layer_sizes=(4,), activation="tanh", max_epochs=2, random_state=0
    )
    before = model.fit(X, y).predict_proba(X)
    model.set_params(activation="relu", hidden_layer_sizes=(7,), normalization="batch")
    assert np.array_equal(model.predict_proba(X), before)


SCRIPT = """
import numpy as np
from automl.descent import *
X = np.sin(np.arange(300.0)).reshape(100, 3).astype(np.float32)
y = (X[:, 0] > 0).astype(int)
training = Training(Architecture("logistic", (4,), normalization="batch"), [TrainConfig(dropout=0.2, seed=5)], X, y)
training.advance(3)
settings = {"hidden_layer_sizes": (4,), "dropout": 0.2, "early_stopping": True, "max_epochs": 3, "random_state": 5}
model = GradientDescentClassifier(**settings).fit(X, y)
found = training.theta(0), training.predict(X), model.theta_, model.predict_proba(X)
print([array.tobytes().hex() for array in found])
"""


@pytest.mark.slow
def test_seed_gives_the_same_bytes_in_every_process(capsys):
    outputs = []
    for _ in range(2):
        exec(SCRIPT, {})
        outputs.append(capsys.readouterr().out)
        outputs.append(
            subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True).stdout
        )
    assert len(set(outputs)) == 1
    assert len(outputs[0]) > 1000
