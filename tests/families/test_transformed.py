from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.compose import TransformedTargetRegressor
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import FunctionTransformer

import automl
from automl.families import Fold, Problem, family_of
from automl.families.transformed import TransformedRegressor
from automl.persistence import KNOWN_TYPES
from automl.table import TARGET_TRANSFORMS, TargetTransform

PROBLEM = Problem("regression")


def table(n: int = 200) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 3)).astype(np.float32)
    return X, np.exp(X @ [1.0, -1.0, 0.5] + 0.1 * rng.normal(size=n))


def family(model: str, transform: str, **params):
    return family_of({"model": {model: params}, "preprocess": {"target": {"transform": transform}}})[0]


def test_transformed_regressor_equals_that_of_sklearn():
    X, y = table()
    ours = TransformedRegressor(LinearRegression(), "log").fit(X, y)
    logs = FunctionTransformer(np.log, np.exp)
    theirs = TransformedTargetRegressor(LinearRegression(), transformer=logs).fit(X, y)
    expected = np.clip(theirs.predict(X), y.min(), y.max())
    np.testing.assert_allclose(ours.predict(X), expected, rtol=1e-6)
    weight = np.arange(len(y)) % 2.0
    weighted = TransformedRegressor(LinearRegression(), "log").fit(X, y, weight)
    np.testing.assert_allclose(
        weighted.regressor_.coef_, LinearRegression().fit(X, np.log(y), weight).coef_, rtol=1e-6
    )


@pytest.mark.parametrize("model", ["linear", "lightgbm", "decision_tree"])
@pytest.mark.parametrize("transform", TARGET_TRANSFORMS)
def test_transformed_family_trains_and_predicts_in_the_unit_of_the_target(model, transform):
    X, y = table()
    params = {"linear": {"max_epochs": 40, "learning_rate": 0.05}, "lightgbm": {"n_estimators": 50}}.get(
        model, {}
    )
    one = family(model, transform)
    fold = Fold(X[:150], y[:150], (3, 0), X_valid=X[150:], y_valid=y[150:])
    trainer = one.trainer([params], [7], PROBLEM, fold)
    trainer.advance(one.last_rung(params, 1), lambda: False)
    (predictions,) = trainer.predict(X[150:])
    transformer = TargetTransform(transform, 3).fit(y[:150])
    seen = Fold(X[:150], transformer.transform(y[:150]), (3, 0), X_valid=X[150:])
    seen = Fold(**{**vars(seen), "y_valid": transformer.transform(y[150:])})
    plain = family(model, "none").trainer([params], [7], PROBLEM, seen)
    plain.advance(one.last_rung(params, 1), lambda: False)
    expected = transformer.inverse_transform(plain.predict(X[150:])[0].values)
    np.testing.assert_array_equal(predictions.values, expected)
    assert trainer.found_params(0) == plain.found_params(0)
    # The fold's model is a scikit-learn estimator that predicts the same.
    np.testing.assert_allclose(trainer.estimator(0).predict(X[150:]), expected, rtol=1e-4)
    assert y[:150].min() <= predictions.values.min() <= predictions.values.max() <= y[:150].max()
    refitted = one.estimator({**params, **trainer.found_params(0)}, 7, PROBLEM).fit(X[:150], y[:150])
    file = skops.io.dumps(refitted)
    loaded = skops.io.loads(file, trusted=sorted(KNOWN_TYPES))
    np.testing.assert_array_equal(loaded.predict(X), refitted.predict(X))


def test_interrupted_boosting_of_a_transformed_target_is_scored():
    X, y = table()
    one = family("lightgbm", "log")
    asked = iter(range(1000))
    trainer = one.trainer([{"n_estimators": 800}], [7], PROBLEM, Fold(X, y, (3, 0), X_valid=X, y_valid=y))
    assert not trainer.advance(800, lambda: next(asked) > 500)
    assert trainer.parts > 1
    step = trainer.reached
    assert step > 8
    trainer.rewind(8)
    (found,) = trainer.predict(X)
    again = one.trainer([{"n_estimators": 800}], [7], PROBLEM, Fold(X, y, (3, 0), X_valid=X, y_valid=y))
    again.advance(8, lambda: False)
    np.testing.assert_allclose(found.values, again.predict(X)[0].values)
    tree = family("decision_tree", "log").trainer([{}], [7], PROBLEM, Fold(X, y, (3, 0)))
    assert tree.model_step == 0
    tree.advance(1, lambda: False)
    assert tree.model_step == 1


def test_transform_leaves_classes_alone():
    X, y = table()
    one = family("linear", "log")
    trainer = one.trainer(
        [{"max_epochs": 2}], [0], Problem("binary", 2), Fold(X, (y > 1).astype(int), (0, 0))
    )
    trainer.advance(2, lambda: False)
    assert trainer.predict(X)[0].probabilities.shape == (len(X), 2)
    assert not isinstance(one.estimator({}, 0, Problem("binary", 2)), TransformedRegressor)


def test_transform_rejects_losses_of_positive_targets():
    assert not family("linear", "none").incompatibility({"loss": "poisson"}, PROBLEM)
    assert "of loss poisson the target" in family("linear", "log").incompatibility(
        {"loss": "poisson"}, PROBLEM
    )


def test_search_learns_a_transformed_target(tmp_path):
    X, y = table(300)
    space = {
        "space": {
            "preprocess": {"target": {"transform": ["none", "log"]}},
            "model": {"linear": {"learning_rate": 0.05, "max_epochs": 30}},
        }
    }
    store = f"sqlite:///{tmp_path}/mlflow.db"
    search = automl.Search(space, n_trials=2, n_jobs=1, tracking_uri=store, progress=False)
    frame = pd.DataFrame(X, columns=list("abc"))
    search.fit(frame, pd.Series(y, name="price"))
    scores = search.leaderboard(wide=True).set_index("preprocess.target.transform")["score"]
    assert scores["log"] > scores["none"]
    assert np.abs(np.log(search.predict(frame) / y)).mean() < 0.2
    search.export(tmp_path / "model")
    np.testing.assert_allclose(automl.load_model(tmp_path / "model").predict(frame), search.predict(frame))
