"""Training: data, stopping, divergence."""

from __future__ import annotations

import re

import numpy as np
import pytest

from automl.descent import Architecture, TrainConfig, Training
from automl.errors import InputError
from tests.support.tables import loss_table

pytestmark = pytest.mark.usefixtures("backend")

EPOCHS = 20


def test_stop_ends_training_within_an_epoch():
    X, y, _ = loss_table("squared")
    cohort = [TrainConfig(batch_size=size) for size in (1, 7)]
    training = Training(Architecture("squared"), cohort, X, y)
    asked = iter([False] * 7 + [True])
    # three questions an epoch: before it, and one chunk of each group
    training.advance(EPOCHS, lambda: next(asked))
    assert training.epoch == 2
    assert [len(training.history(i)[0]) for i in (0, 1)] == [2, 2]
    training.advance(EPOCHS, lambda: True)
    assert training.epoch == 2


def test_loss_on_other_rows():
    X, y, c = loss_table("softmax")
    cohort = [TrainConfig("sgd", learning_rate=1e-12, batch_size=size, max_epochs=2) for size in (5, "full")]
    training = Training(Architecture("softmax", (4,)), cohort, X, y, n_outputs=c)
    training.advance(1)
    assert training.loss_on(X, y) == pytest.approx([training.history(i)[0][0] for i in (0, 1)], rel=1e-5)


@pytest.mark.parametrize(
    ("loss", "y", "n_outputs", "where"),
    [
        ("logistic", np.array([0, 1, 2]), 1, "y"),
        ("softmax", np.array([0, 1, 1]), 1, "n_outputs"),
        ("squared", np.array([0.0, 1, 2]), 2, "n_outputs"),
        ("squared", np.array(["a", "b", "c"]), 1, "y"),
        ("squared", np.array([0.0, 1]), 1, "y"),
        ("hinge", np.array([0, 1, 3]), 3, "y"),
    ],
)
def test_training_rejects_bad_data(loss, y, n_outputs, where):
    with pytest.raises(InputError) as caught:
        Training(Architecture(loss), [TrainConfig()], np.ones((3, 1), np.float32), y, n_outputs=n_outputs)
    assert [fault.where for fault in caught.value.faults] == [where]


@pytest.mark.overflows("a trial diverges")
@pytest.mark.parametrize("hidden", [(), (5,), (4, 3)])
@pytest.mark.parametrize(
    ("rate", "reason"),
    [
        (1e4, r"loss \d\S+ is above 1000 times that of a constant prediction"),
        (1e30, "loss or weights are not finite"),
    ],
)
def test_divergence_ends_one_trial_with_a_reason(rate, reason, hidden):
    X, y, _ = loss_table("squared")
    steady = TrainConfig(optimizer="sgd", learning_rate=0.01, activation="tanh")
    wild = TrainConfig(optimizer="sgd", learning_rate=rate, activation="tanh")
    architecture = Architecture("squared", hidden)
    training = Training(architecture, [wild, steady], X, y)
    training.advance(10)
    alone = Training(architecture, [steady], X, y)
    alone.advance(10)
    assert training.trials.tolist() == [1]
    assert training.failures[0].epoch == 1
    assert re.fullmatch(reason, training.failures[0].reason)
    assert training.history(1)[0] == pytest.approx(alone.history(0)[0], rel=1e-6)
    if hidden:
        assert np.array_equal(training.theta(1), alone.theta(0))
    else:
        assert training.history(1) == alone.history(0)


def test_training_does_not_depend_on_the_unit():
    X, y, _ = loss_table("squared")
    configs = [TrainConfig(learning_rate=0.01)]
    plain = Training(Architecture("squared"), configs, X, y)
    prices = Training(Architecture("squared"), configs, X, 5e5 + 1e5 * y)
    for training in (plain, prices):
        training.advance(20)
    assert np.allclose(prices.predict(X), 5e5 + 1e5 * plain.predict(X), rtol=1e-4)
    (weight, bias), *_ = prices.weights(0)
    assert np.allclose(X @ weight[:, 0] + bias, prices.predict(X)[0], rtol=1e-5)


def test_training_reports_all_faults_at_once():
    X, y, _ = loss_table("squared")
    with pytest.raises(InputError) as caught:
        Training(
            Architecture("sqared"),
            [
                TrainConfig(optimizer="momentum", optimizer_params={"beta1": 0.5}),
                TrainConfig(learning_rate=-1),
            ],
            X,
            y,
        )
    assert len(caught.value.faults) == 3
    assert 'Did you mean "squared"?' in str(caught.value)


def test_tiny_weights_become_zero() -> None:
    X = np.random.default_rng(0).normal(size=(2_000, 5)).astype(np.float32)
    X[:, 2] = 0
    y = (X[:, 0] > 0).astype(int)
    config = TrainConfig(optimizer="adamw", learning_rate=0.1, weight_decay=0.5, batch_size=8, max_epochs=10)
    training = Training(Architecture("logistic", hidden_layer_sizes=(16,)), [config], X, y)
    for epoch in range(1, 11):
        training.advance(epoch)
        theta = np.abs(training.theta(0))
        assert not ((theta > 0) & (theta < np.finfo(np.float32).tiny)).any()
    assert (training.weights(0)[0][0][2] == 0).all()
