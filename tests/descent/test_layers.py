"""A layer is added by one file and one row: the estimators, the training and the families need no change."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from automl.constraints import Number, Parameter
from automl.descent import (
    INPUT_LAYERS,
    Architecture,
    GradientDescentRegressor,
    TrainConfig,
    Training,
    from_configuration,
)
from automl.descent.layers import InputLayer
from automl.descent.model import BindContext, Layer, Pass
from tests.support.passes import backward, forward

N, D = 200, 3


class Tempered(Layer):
    """``tanh(w x / scale)``, where the scale of each column comes from the rows and ``w`` is learned."""

    def __init__(self, d: int, categories: Any, factor: float) -> None:
        self.width, self.size, self.factor = d, 2 * d, factor

    def init(self, rng: np.random.Generator, gain: float, X: Any) -> Any:
        return np.concatenate([rng.uniform(0.5, 1.5, self.width), self.factor * X.std(axis=0)])

    def decay_mask(self) -> Any:
        return np.repeat([True, False], self.width)

    def bind(self, weights: Any, gradient: Any, n: int, context: BindContext) -> Pass:
        return _TemperedPass(self.width, weights, gradient)


class _TemperedPass(Pass):
    def __init__(self, d: int, weights: Any, gradient: Any) -> None:
        self.w, self.scale, self.gradient, self.d = weights[:, :d, None], weights[:, d:, None], gradient, d

    def forward(self, a: Any) -> Any:
        self.normal = a[:, :-1].T / self.scale
        units = np.tanh(self.w * self.normal)
        self.slope = 1 - units**2
        return np.concatenate([units, np.ones_like(units[:, :1])], axis=1)

    def backward(self, d: Any) -> Any:
        d = d * self.slope
        self.gradient[:, : self.d] = (d * self.normal).sum(axis=2)
        self.gradient[:, self.d :] = 0
        return d


@pytest.fixture(autouse=True)
def row(monkeypatch):
    parameters = {"factor": Parameter(Number(0, open_low=True), 1.0, "factor of the scale")}
    monkeypatch.setitem(INPUT_LAYERS, "tempered", InputLayer(Tempered, parameters))


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(N, D)) * [1.0, 5.0, 0.2]).astype(np.float32)
    return X, np.tanh(X / X.std(axis=0)) @ [1.0, -2.0, 0.5] + 0.01 * rng.normal(size=N)


def test_layer_sees_rows_when_it_is_initialised(data):
    X, y = data
    architecture = Architecture("squared", (4,), input_layer="tempered", input_layer_params={"factor": 2.0})
    training = Training(architecture, [TrainConfig()], X, y)
    assert training.theta(0)[D : 2 * D] == pytest.approx(2 * X.std(axis=0), rel=1e-5)


def test_layer_gradient_is_the_central_difference(data):
    X, y = data
    model = Architecture("squared", (4,), input_layer="tempered").make_model(D, 1)
    theta = model.init(0, 2.0, X.astype(float), np.zeros(1))[None]
    x = np.column_stack([X, np.ones(N)]).astype(float)

    def run(parameters: Any) -> tuple[float, Any]:
        gradient = np.zeros_like(parameters)
        passes = model.bind(parameters, gradient, N, BindContext([TrainConfig(activation="tanh")]))
        z = forward(passes, x)
        value = 0.5 * np.mean((z[0, 0] - y) ** 2)
        backward(passes, (z - y) / N)
        return value, gradient[0]

    _, gradient = run(theta)
    learned = np.flatnonzero(~np.isin(np.arange(model.size), np.arange(D, 2 * D)))
    for j in learned:
        move = np.zeros_like(theta)
        move[0, j] = 1e-6
        slope = (run(theta + move)[0] - run(theta - move)[0]) / 2e-6
        assert gradient[j] == pytest.approx(slope, rel=1e-4, abs=1e-7)
    assert (gradient[D : 2 * D] == 0).all()


def test_layer_decays_only_the_weights_it_names(data):
    X, y = data
    config = TrainConfig("sgd", learning_rate=0.1, weight_decay=0.5, batch_size=20, max_epochs=2)
    training = Training(Architecture("squared", (4,), input_layer="tempered"), [config], X, y)
    before = training.theta(0)
    training.advance(2)
    assert np.array_equal(training.theta(0)[D : 2 * D], before[D : 2 * D])
    assert not np.allclose(training.theta(0)[:D], before[:D])


def test_layer_is_a_choice_of_the_estimator_and_of_configurations(data):
    X, y = data
    settings = {"hidden_layer_sizes": (8,), "learning_rate": 0.02, "max_epochs": 60, "random_state": 0}
    plain = GradientDescentRegressor(**settings).fit(X, y)
    model = GradientDescentRegressor(input_layer="tempered", **settings).fit(X, y)
    assert model.score(X, y) > max(0.9, plain.score(X, y))
    architecture, _ = from_configuration({"input_layer": {"tempered": {"factor": 2.0}}}, "regression")
    assert (architecture.input_layer, architecture.input_layer_params) == ("tempered", {"factor": 2.0})


def test_layer_is_a_parameter_of_the_mlp_family():
    from automl.families import FAMILIES

    section = FAMILIES["mlp"].section
    assert section.accepts({"input_layer": {"tempered": {"factor": 2.0}}})
    assert not section.accepts({"input_layer": {"tempered": {"factor": -2.0}}})
