from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import Lasso

from automl.descent import OPTIMIZERS, Architecture, TrainConfig, Training
from automl.descent.kernels import SWITCH, Array

GOLDEN = {
    peer: json.loads((Path(__file__).parent / "golden" / f"{peer}_trajectories.json").read_text())
    for peer in ("optax", "torch")
}
CURVATURE = np.array(GOLDEN["optax"]["curvature"])


def gradient(theta: Array, step: int) -> Array:
    return CURVATURE * theta + 0.3 * np.sin(step + np.arange(4))


def path(name: str, given: list[dict[str, float]], theta: Array, steps: int = 10, rate: float = 0.1) -> Array:
    """Return the parameters after each step ``(steps, k, p)``."""
    row, theta = OPTIMIZERS[name], theta.copy()
    state = row.init(theta)
    h = {
        key: np.array([[float(params.get(key, rule.default))] for params in given])
        for key, rule in row.parameters.items()
    }
    found = []
    for step in range(steps):
        g = gradient(theta, step)
        if "weight_decay" in h:
            theta *= 1 - rate * h["weight_decay"]
        row.update(g, state, h)
        theta -= rate * g
        found.append(theta.copy())
    return np.array(found)


# the fixed values of one step from a gradient of 2, with the default parameters; all else zero at the start
FIRST_STEP = {
    "sgd": 2.0,
    "momentum": 2.0,
    "adagrad": 1.0,
    "adadelta": 2 * np.sqrt(1e-6 / (0.4 + 1e-6)),
    "rmsprop": 2 / np.sqrt(0.4),
    "adam": 1.0,
    "amsgrad": 1.0,
    "nadam": 0.9 / (1 - 0.81) * 0.2 / 2 + 1.0,
    "adamw": 1.0,
    "lion": 1.0,
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer_first_step_by_hand(name):
    row = OPTIMIZERS[name]
    theta = np.zeros((1, 1))
    g = np.full((1, 1), 2.0)
    h = {key: np.array([[float(rule.default)]]) for key, rule in row.parameters.items()}
    with np.errstate(all="raise"):
        row.update(g, row.init(theta), h)
    assert g[0, 0] == pytest.approx(FIRST_STEP[name])


@pytest.mark.parametrize(
    ("peer", "case"),
    [
        pytest.param(peer, case, id=f"{peer}-{case['optimizer']}")
        for peer, golden in GOLDEN.items()
        for case in golden["cases"]
    ],
)
def test_optimizer_equals_peers_for_ten_steps(peer, case):
    theta = np.array([GOLDEN[peer]["start"]])
    found = path(case["optimizer"], [case["params"]], theta)[:, 0]
    # PyTorch's NAdam alone is off by up to 4e-8
    loose = "torch" in peer and case["optimizer"] == "nadam"
    assert np.allclose(found, case["path"], rtol=1e-6, atol=1e-7 if loose else 1e-9)


def test_amsgrad_keeps_the_largest_gradient():
    row = OPTIMIZERS["amsgrad"]
    theta = np.zeros((1, 1))
    state = row.init(theta)
    h = {key: np.array([[float(rule.default)]]) for key, rule in row.parameters.items()} | {
        "beta2": np.array([[0.5]])
    }
    steps = []
    for value in (100.0, 1.0, 1.0, 1.0):
        g = np.array([[value]])
        row.update(g, state, h)
        steps.append(g[0, 0])
    mean = 0.1 * (100 * 0.9**3 + 0.9**2 + 0.9 + 1) / (1 - 0.9**4)
    largest = 0.5 * 100.0**2
    assert steps[-1] == pytest.approx(mean / np.sqrt(largest / (1 - 0.5**4)))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer_trials_are_independent(name):
    rng = np.random.default_rng(0)
    theta = rng.normal(size=(3, 4))
    rules = OPTIMIZERS[name].parameters
    given = [
        {},
        {key: 0.5 for key in rules if key != "nesterov"},
        {"nesterov": 1.0} if "nesterov" in rules else {},
    ]
    together = path(name, given, theta)
    for i in range(3):
        alone = path(name, [given[i]], theta[i : i + 1])
        assert np.allclose(together[:, i], alone[:, 0], rtol=1e-12)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer_keeps_single_precision_and_zeros(name):
    row = OPTIMIZERS[name]
    theta = np.ones((2, 3), np.float32)
    h = {key: np.full((2, 1), rule.default, np.float32) for key, rule in row.parameters.items()}
    state, g = row.init(theta), np.zeros_like(theta)
    with np.errstate(all="raise"):
        row.update(g, state, h)
        denominator = np.asarray(row.denominator(state, h))
    assert not g.any()
    assert g.dtype == np.float32
    assert denominator.ndim == 0 or denominator.dtype == np.float32


@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if name != "lion"])
def test_l1_optimum_does_not_depend_on_the_optimizer(name):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 5)).astype(np.float32)
    y = X @ [1.0, -2, 0, 0, 0.5] + 0.5 * rng.normal(size=200)
    y = (y - y.mean()) / y.std()
    rate = {"sgd": 0.3, "momentum": 0.05, "adagrad": 0.5, "adadelta": 5.0, "rmsprop": 0.005}.get(name, 0.02)
    params = {"weight_decay": 0.0} if name == "adamw" else {}
    config = TrainConfig(name, params, rate, "cosine", batch_size="full", max_epochs=800, l1=0.1, l2=0.0)
    training = Training(Architecture("squared"), [config], X, y)
    training.advance(800)
    peer = Lasso(alpha=0.1, tol=1e-8).fit(X.astype(float), y)
    (weight, _), *_ = training.weights(0)
    assert np.allclose(weight[:, 0], peer.coef_, atol=1e-3)
    assert ((weight[:, 0] == 0) == (peer.coef_ == 0)).all()


@pytest.mark.parametrize("name", ["momentum", "adam"])
def test_averages_of_a_dead_column_become_zero(name):
    X = np.random.default_rng(0).normal(size=(64, 2)).astype(np.float32)
    y = X[:, 0].copy()
    training = Training(
        Architecture("squared"), [TrainConfig(name, batch_size=1, max_epochs=40, l2=0.0)], X, y
    )
    training.advance(1)
    X[:, 1] = 0
    training.advance(40)
    state = training.snapshot(0).state
    tiny = np.finfo(np.float32).tiny
    for key, row in state.items():
        assert not ((row != 0) & (np.abs(row) < tiny)).any(), key


@pytest.mark.overflows("squares of the gradient overflow")
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer_steps_stay_finite(name):
    row, theta = OPTIMIZERS[name], np.zeros((1, 2), np.float32)
    h = {key: np.full((1, 1), rule.default, np.float32) for key, rule in row.parameters.items()}
    state = row.init(theta)
    with np.errstate(over="ignore"):
        for value in (1.0, 1e20, -1e20, 1.0, 1.0):
            g = np.array([[value, 1.0]], np.float32)
            row.update(g, state, h)
            assert np.isfinite(g).all()


@pytest.mark.overflows("squares of the gradient overflow")
@pytest.mark.parametrize("switch", ["0", "1"])
@pytest.mark.parametrize("clip", [None, 1.0])
def test_extreme_rows_give_finite_weights_or_a_failure(clip, switch, monkeypatch):
    monkeypatch.setenv(SWITCH, switch)
    X = np.random.default_rng(0).normal(size=(40, 2)).astype(np.float32)
    X[7, 0] = 1e20
    configs = [TrainConfig(name, batch_size=4, max_epochs=3, clip_norm=clip) for name in OPTIMIZERS]
    training = Training(Architecture("squared"), configs, X, X[:, 1].astype(float))
    training.advance(3)
    for i in range(len(configs)):
        assert (i in training.failures) != (i in training.trials)
        assert i in training.failures or np.isfinite(training.theta(i)).all()
        assert i in training.failures or np.isfinite(training.history(i)[0]).all()


def test_clipping_bounds_the_step():
    X = np.array([[1.0], [-1.0]], np.float32)
    configs = [
        TrainConfig("sgd", learning_rate=1.0, batch_size="full", max_epochs=1, l2=0, clip_norm=clip)
        for clip in (None, 0.25)
    ]
    training = Training(Architecture("squared"), configs, X, np.array([1.0, -1.0]))
    training.advance(1)
    assert [training.weights(i)[0][0][0, 0] for i in (0, 1)] == pytest.approx([1.0, 0.25])


@pytest.mark.parametrize("switch", ["0", "1"])
@pytest.mark.parametrize(
    ("clip", "expected"), [(None, [3.0, 4.0]), (6.0, [3.0, 4.0]), (3.5, [2.1, 2.8]), (1.0, [0.6, 0.8])]
)
def test_clipping_keeps_the_direction(clip, expected, switch, monkeypatch):
    monkeypatch.setenv(SWITCH, switch)
    X = np.array([[3.0, 4.0], [-3.0, -4.0]], np.float32)
    config = TrainConfig("sgd", learning_rate=1.0, batch_size="full", max_epochs=1, l2=0, clip_norm=clip)
    training = Training(Architecture("squared"), [config], X, np.array([1.0, -1.0]))
    training.advance(1)
    assert training.weights(0)[0][0][:, 0] == pytest.approx(expected)


@pytest.mark.parametrize("switch", ["0", "1"])
@pytest.mark.parametrize(
    ("own", "common", "decay"),
    [({}, 0.0, 0.01), ({"weight_decay": 0.3}, 0.0, 0.3), ({"weight_decay": 0.3}, 0.1, 0.4)],
)
def test_adamw_decay_by_hand(own, common, decay, switch, monkeypatch):
    monkeypatch.setenv(SWITCH, switch)
    X = np.array([[1.0, 2.0], [-1.0, 0.5], [3.0, -1.0], [0.25, -2.0]])
    y = np.array([1.0, -1.0, 1.0, -1.0])
    settings = {"learning_rate": 0.1, "batch_size": "full", "max_epochs": 6, "l2": 0.0}
    config = TrainConfig("adamw", own, weight_decay=common, **settings)
    training = Training(Architecture("squared"), [config], X.astype(np.float32), y)
    # Algorithm 2 of arXiv 1711.05101; the intercept, the last, does not decay
    w, m, v = np.zeros(3), np.zeros(3), np.zeros(3)
    rows = np.column_stack([X, np.ones(4)])
    for step in range(1, 7):
        training.advance(step)
        g = rows.T @ (rows @ w - y) / 4
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        ahead = (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-7)
        w -= 0.1 * (ahead + decay * np.array([*w[:2], 0.0]))
        assert np.allclose(training.theta(0), w, atol=1e-5)
    assert abs(w[2]) > 0.01


def test_decoupled_decay_and_averages_by_hand():
    X, y = np.zeros((2, 1), np.float32), np.array([1.0, -1.0])
    X[:, 0] = [1, -1]
    # w <- (1 - 0.5 * 0.2) w + 0.5 (1 - w): 0.5, 0.7, 0.78; with l2: w <- w - 0.5 (w - 1 + 0.2 w)
    base = {"optimizer": "sgd", "learning_rate": 0.5, "batch_size": "full", "max_epochs": 3, "l2": 0.0}
    configs = [
        TrainConfig(**base | {"weight_decay": 0.2}),
        TrainConfig(**base | {"l2": 0.2}),
        TrainConfig(**base | {"weight_decay": 0.2, "average": 0.5}),
    ]
    training = Training(Architecture("squared"), configs, X, y)
    training.advance(3)
    found = [training.weights(i)[0][0][0, 0] for i in range(3)]
    assert found == pytest.approx([0.78, 0.78, (0.7 + 0.78) / 2])
