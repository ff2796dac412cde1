from __future__ import annotations

import numpy as np
import pytest

from automl.descent import Architecture, TrainConfig, Training
from automl.descent.layers.scale import Scale
from automl.descent.model import BindContext


def test_scale_by_hand():
    layer = Scale(2, (), 4.0)
    weights = layer.init(np.random.default_rng(0), 1.0, np.ones((3, 2)))[None]
    rows = np.array([[1.0, -2.0, 1.0], [3.0, 0.5, 1.0]])
    gradient = np.full_like(weights, np.nan)
    bound = layer.bind(weights, gradient, 2, BindContext([TrainConfig()]))
    assert bound.forward(rows).tolist() == [[[1.0, 3.0], [-2.0, 0.5], [1.0, 1.0]]]
    weights[:] = [[0.5, 0.0]]  # times the speed: factors 2 and 0
    assert bound.forward(rows).tolist() == [[[2.0, 6.0], [0.0, 0.0], [1.0, 1.0]]]
    bound.backward(np.array([[[1.0, 10.0], [2.0, 0.0]]]))
    # the derivative by a weight is speed times the sum over rows of column times derivative
    assert gradient.tolist() == [[4 * (1 + 30.0), 4 * -4.0]]


@pytest.mark.parametrize("hidden", [(), (4,)])
def test_scale_changes_its_factors_faster_than_weights(hidden):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3)).astype(np.float32)
    architecture = Architecture("squared", hidden, input_layer="scale", input_layer_params={"speed": 5.0})
    config = TrainConfig(batch_size="full", max_epochs=2, learning_rate=0.01, l2=0.0)
    training = Training(architecture, [config], X, X[:, 0].astype(float))
    training.advance(1)
    moved = np.abs(5 * training.theta(0)[:3] - 1)
    assert moved == pytest.approx(
        0.05 if hidden else 0.0, rel=1e-2, abs=1e-6
    )  # all output weights are 0 at first


def test_scale_of_cohort_equals_single():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 3)).astype(np.float32)
    y = np.sin(X[:, 0]) + X[:, 1]
    architecture = Architecture("squared", (6,), input_layer="scale")
    cohort = [
        TrainConfig(
            activation=kind,
            learning_rate=rate,
            schedule="cosine_log",
            batch_size=16,
            max_epochs=5,
            dropout=drop,
            seed=i,
        )
        for i, (kind, rate, drop) in enumerate(
            [("mish", 0.01, 0.0), ("selu", 0.02, 0.2), ("mish", 0.03, 0.1)]
        )
    ]
    together = Training(architecture, cohort, X, y)
    together.advance(5)
    for i, config in enumerate(cohort):
        alone = Training(architecture, [config], X, y)
        alone.advance(5)
        np.testing.assert_allclose(together.theta(i), alone.theta(0), rtol=1e-5, atol=1e-6)
