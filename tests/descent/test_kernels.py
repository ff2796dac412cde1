"""Numba's twins against the NumPy code they stand for, which is tested elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from automl.descent import ACTIVATIONS, LOSSES, Architecture, TrainConfig, Training, accelerated
from automl.descent.accelerated import SWITCH, fastest, uses_numba
from automl.descent.data import pick
from automl.descent.layers.dense import Bits, Dropout, DropoutPass, Noise
from automl.descent.updates import OneKind, steppers

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


@pytest.mark.overflows("exponentials of large outputs vanish")
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


def dropout(kind: Any) -> Any:
    return kind(Dropout(), Noise((0.5, 0.0, 0.9), (0, 1, 2), Bits([0])))


@pytest.mark.parametrize("name", ["relu", "tanh", "dropout"])
def test_what_stands_between_products_leaves_the_row_of_ones_and_lets_nan_through(name):
    found = []
    for kind in pair(DropoutPass if name == "dropout" else ACTIVATIONS[name].kind):
        a, d = normal(K, 5, N), normal(K, 4, N, seed=1)
        a[:, -1] = 1
        a[0, 0, :] = np.nan
        bound = dropout(kind) if name == "dropout" else kind()
        found.append((bound.forward(a), bound.backward(d)))
    (a, d), (twin_a, twin_d) = found
    assert twin_a.dtype == twin_d.dtype == np.float32
    assert np.allclose(a, twin_a, rtol=1e-6, atol=0, equal_nan=True)
    assert np.allclose(d, twin_d, rtol=1e-6, atol=1e-7, equal_nan=True)
    assert np.isnan(twin_a[0, 0]).all()
    assert (twin_a[:, -1] == 1).all()
    assert not np.array_equal(twin_a, normal(K, 5, N))


PARAMS = {
    "sgd": [{}],
    "momentum": [{}, {"momentum": 0.5, "nesterov": True}],
    "adam": [{}, {"beta1": 0.5, "beta2": 0.9, "epsilon": 1e-3}],
    "adamw": [{}, {"weight_decay": 0.3}],
}
PENALTIES = [{"l2": 0.0}, {"l1": 0.1}, {"weight_decay": 0.2}, {"clip_norm": 1.0, "l1": 0.05, "l2": 0.1}]


def test_steps_of_several_optimizers_at_once():
    configs = [
        TrainConfig(kind, given, seed=i, **more)
        for kind, params in PARAMS.items()
        for i, (given, more) in enumerate((given, more) for given in params for more in PENALTIES)
    ]
    k, p = len(configs), 9
    mask, rates = np.arange(p) % 4 > 0, np.linspace(0.01, 0.1, k, dtype=np.float32)[:, None]
    found = []
    for switch in "01":
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(SWITCH, switch)
            theta, gradient = normal(k, p), np.empty((k, p), np.float32)
            groups, first = list(steppers(configs, theta)), 0
        for group in groups:
            group.bind(first, configs, theta, gradient, mask)
            first = group.part.stop
        for step in range(5):
            gradient[:] = normal(k, p, seed=step) * np.float32(10.0 ** (step - 3))
            for group in groups:
                group.step(rates)
        found.append((groups, theta))
    (plain, ours), (twins, theirs) = found
    assert [type(group) for group in plain] == [OneKind] * len(PARAMS)
    assert len(twins) == 1
    assert np.allclose(theirs, ours, rtol=1e-5, atol=1e-7)
    assert ((ours == 0) == (theirs == 0)).all()
    assert (ours == 0).any()
    for group in plain:
        for i in range(group.part.stop - group.part.start):
            state, twin = group.state_of(i), twins[0].state_of(group.part.start + i)
            assert state.keys() - {"scratch"} == twin.keys()
            for name, array in twin.items():
                assert array.dtype == state[name].dtype
                assert np.allclose(array, state[name], rtol=1e-5)


@pytest.mark.parametrize("kind", PARAMS)
def test_what_numba_began_goes_on_without_it(kind, monkeypatch):
    X = normal(100, 4)
    y, config = (
        (X[:, 0] > 0).astype(int),
        [TrainConfig(kind, learning_rate=0.01, batch_size=10, max_epochs=4)],
    )
    whole = Training(Architecture("logistic"), config, X, y)
    whole.advance(4)
    half = Training(Architecture("logistic"), config, X, y)
    half.advance(2)
    monkeypatch.setenv(SWITCH, "0")
    rest = Training(Architecture("logistic"), config, X, y, resume=[half.snapshot(0)], epoch=2)
    rest.advance(4)
    assert np.allclose(rest.theta(0), whole.theta(0), rtol=1e-4, atol=1e-6)


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
    configs = [
        TrainConfig("adam" if i % 2 else "sgd", learning_rate=0.01, batch_size=16, max_epochs=5, seed=i)
        for i in range(k)
    ]
    found = []
    for switch in "01":
        monkeypatch.setenv(SWITCH, switch)
        training = Training(Architecture(loss, hidden), configs, X, y, n_outputs=c)
        training.advance(5)
        found.append((training.decision(X), [training.history(i)[0] for i in range(k)]))
    assert np.allclose(found[0][0], found[1][0], atol=1e-4)
    assert np.allclose(found[0][1], found[1][1], rtol=1e-5)


def test_it_is_used_only_where_it_is_installed_and_not_switched_off(monkeypatch):
    assert uses_numba()
    monkeypatch.setattr(accelerated, "_installed", lambda: False)
    assert not uses_numba()
    assert fastest(pick) is pick
    monkeypatch.undo()
    monkeypatch.setenv(SWITCH, "0")
    assert fastest(pick) is pick


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
