"""Numba's twins against the NumPy code they stand for, which is tested elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from automl.descent import ACTIVATIONS, LOSSES, OPTIMIZERS, Architecture, Recipe, Training, accelerated
from automl.descent.accelerated import SWITCH, fastest, uses_numba
from automl.descent.batches import pick
from automl.descent.optimizers import adam
from automl.descent.step import descend, pull

K, N = 3, 37


@pytest.fixture(autouse=True)
def numba(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SWITCH, "1")


def normal(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def pair(what: Any) -> tuple[Any, Any]:
    """Return NumPy's and Numba's, which must be another."""
    assert fastest(what) is not what
    return what, fastest(what)


def loss_of(kind: Any, z: np.ndarray, y: np.ndarray, smoothing: np.ndarray | None) -> tuple[np.ndarray, ...]:
    weight = np.linspace(0.0, 2.0, N, dtype=np.float32)
    row, z, left = kind(), z.copy(), np.empty((len(z), N), np.float32)
    row.backward(z, row.targets(y, weight / np.float32(N), z.shape[1]), left, smoothing)
    return z, row.total(left[None], y[None], weight[None], smoothing)


@pytest.mark.parametrize("smoothing", [None, np.array([0.0, 0.1, 0.3], np.float32)], ids=["plain", "smooth"])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0, 1e6])
@pytest.mark.parametrize(("loss", "c"), [("logistic", 1), ("softmax", 2), ("softmax", 7)])
def test_losses(loss, c, scale, smoothing):
    z = normal(K, c, N) * np.float32(scale)
    y = np.random.default_rng(1).integers(0, max(2, c), N)
    (slope, total), (twin_slope, twin_total) = (loss_of(kind, z, y, smoothing) for kind in pair(LOSSES[loss]))
    assert twin_slope.dtype == twin_total.dtype == np.float32
    assert np.allclose(twin_slope, slope, rtol=1e-5, atol=2e-8)
    assert np.allclose(twin_total, total, rtol=1e-5)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(("loss", "c"), [("logistic", 1), ("softmax", 3)])
def test_what_is_not_finite_is_told_by_the_loss_of_its_trial_alone(loss, c, bad):
    z = normal(K, c, N)
    z[1, :, 5] = bad
    _, total = loss_of(fastest(LOSSES[loss]), z, np.arange(N) % max(2, c), None)
    assert np.isfinite(total[0, [0, 2]]).all()
    assert not np.isfinite(total[0, 1])


def test_relu_leaves_the_row_of_ones_and_lets_nan_through():
    found = []
    for kind in pair(ACTIVATIONS["relu"].kind):
        a, d = normal(K, 5, N), normal(K, 4, N, seed=1)
        a[:, -1] = 1
        a[0, 0, :2] = np.nan, 0
        bound = kind()
        found.append((bound.forward(a), bound.backward(d)))
    (a, d), (twin_a, twin_d) = found
    assert np.array_equal(a, twin_a, equal_nan=True)
    assert np.array_equal(d, twin_d)
    assert np.isnan(twin_a[0, 0, 0])
    assert (twin_a[:, -1] == 1).all()


def test_adam():
    found = []
    for update in pair(adam):
        state = OPTIMIZERS["adam"].init(np.zeros((K, 9), np.float32))
        h = {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-7}
        params = {name: np.full((K, 1), value, np.float32) for name, value in h.items()}
        for step in range(5):
            g = normal(K, 9, seed=step) * np.float32(10.0 ** (step - 3))
            update(g, state, params)
        found.append([g, *state.values()])
    for ours, twin in zip(*found, strict=True):
        assert ours.dtype == twin.dtype
        assert np.allclose(twin, ours, rtol=1e-5)


@pytest.mark.parametrize("spread", [1, 9])
def test_penalty_and_step(spread):
    found = []
    for add, go in zip(pair(pull), pair(descend), strict=True):
        theta, gradient = normal(K, 9), normal(K, 9, seed=1)
        add(gradient, theta, normal(K, 9, seed=2), np.empty((K, 9), np.float32))
        go(theta, gradient, np.repeat(normal(K, 1, seed=3), spread, axis=1))
        found.append(theta)
    assert np.allclose(*found, rtol=1e-6, atol=1e-7)


def test_rows_are_picked():
    X, which = normal(1000, 4), np.random.default_rng(0).permutation(1000)
    X.flags.writeable = False
    found = [np.zeros((1000, 5), np.float32) for _ in range(2)]
    for take, x in zip(pair(pick), found, strict=True):
        take(X, which, x)
    assert np.array_equal(*found)
    assert np.array_equal(found[1][:, :-1], X[which])


@pytest.mark.parametrize("k", [2, 40])
@pytest.mark.parametrize("hidden", [(), (6,)])
@pytest.mark.parametrize(("loss", "c"), [("logistic", 1), ("softmax", 3)])
def test_whole_trainings(loss, c, hidden, k, monkeypatch):
    X = normal(300, 5)
    y = (X[:, 0] > 0).astype(int) + (c > 1) * (X[:, 1] > 1)
    recipes = [
        Recipe("adam" if i % 2 else "sgd", learning_rate=0.01, batch_size=16, max_epochs=5, seed=i)
        for i in range(k)
    ]
    found = []
    for switch in "01":
        monkeypatch.setenv(SWITCH, switch)
        training = Training(Architecture(loss, hidden), recipes, X, y, n_outputs=c)
        training.advance(5)
        found.append((training.decision(X), [training.history(i)[0] for i in range(k)]))
    assert np.allclose(found[0][0], found[1][0], atol=1e-4)
    assert np.allclose(found[0][1], found[1][1], rtol=1e-5)


def test_it_is_used_only_where_it_is_installed_and_not_switched_off(monkeypatch):
    assert uses_numba()
    monkeypatch.setattr(accelerated, "_installed", lambda: False)
    assert not uses_numba()
    assert fastest(adam) is adam
    monkeypatch.undo()
    monkeypatch.setenv(SWITCH, "0")
    assert fastest(adam) is adam


SCRIPT = """
import sys
from automl.descent.__main__ import compile_all
assert "numba" not in sys.modules
compile_all()
from automl.descent import compiled
kernels = [value for value in vars(compiled).values() if hasattr(value, "stats") and value.stats.cache_path]
missed = [kernel.__name__ for kernel in kernels if not kernel.signatures]
assert not missed, missed
print(sum(sum(kernel.stats.cache_misses.values()) for kernel in kernels))
"""


def test_another_process_reads_what_one_has_compiled(tmp_path):
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path), SWITCH: "1"}
    compiled = [
        int(
            subprocess.run(
                [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, check=True
            ).stdout
        )
        for _ in range(2)
    ]
    assert compiled[0] > 0
    assert compiled[1] == 0
