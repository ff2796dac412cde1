"""Both modules of kernels have the same names, the same contract and, except for rounding, the same results."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from automl.descent import LOSSES, OPTIMIZERS, Architecture, TrainConfig, Training, kernels
from automl.descent.kernels import SWITCH, numpy, ops, uses_numba
from automl.descent.runners import updaters

K, H, N = 3, 4, 37


@pytest.fixture(autouse=True)
def numba(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SWITCH, "1")


def normal(*shape: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def units(seed: int = 0) -> Any:
    """Return hidden units ``(k, h + 1, n)``, some of them NaN, with a row of ones."""
    a = normal(K, H + 1, N, seed=seed)
    a[:, -1], a[0, 0] = 1, np.nan
    return a


def relu(ops: Any) -> tuple[Any, ...]:
    a, d = units(), normal(K, H, N, seed=1)
    ops.relu(a, np.zeros_like(a))
    ops.relu_backward(d, a)
    return a, d


def tanh(ops: Any) -> tuple[Any, ...]:
    a, slope = units(), np.empty((K, H, N), np.float32)
    ops.tanh(a, slope)
    return a, slope


def dropout(ops: Any) -> tuple[Any, ...]:
    bits = np.random.default_rng(2).integers(0, 1 << 16, (H, N), np.uint16)
    thresholds = np.array([32768, 0, 60000], np.uint16)
    a, d = units(), normal(K, H, N, seed=1)
    for array in (a, d):
        ops.dropout(array, bits, np.array([7, 0, 50000], np.uint16), thresholds, np.float32([2, 1, 11.83]))
    return a, d


def gather(ops: Any) -> tuple[Any, ...]:
    X, out = normal(1000, H), np.zeros((900, H + 1), np.float32)
    X.flags.writeable = False
    ops.gather(X, np.random.default_rng(0).permutation(1000)[:900], out)
    return (out,)


def loss(name: str, c: int, scale: float, smoothing: Any, ops: Any) -> tuple[Any, ...]:
    z, weight = normal(K, c, N) * np.float32(scale), np.linspace(0, 2, N, dtype=np.float32)
    y, per_row = np.random.default_rng(1).integers(0, max(2, c), N), np.empty((K, N), np.float32)
    row = LOSSES[name](ops)
    row.backward(z, row.targets(y, weight / np.float32(N), c), per_row, smoothing)
    return z, row.total(per_row[None], y[None], weight[None], smoothing)


SMOOTHING = {"plain": None, "smooth": np.array([0.0, 0.1, 0.3], np.float32)}
CASES: dict[str, Callable[[Any], tuple[Any, ...]]] = {
    **{function.__name__: function for function in (relu, tanh, dropout, gather)},
    **{
        f"{name}-{c}-{scale:g}-{kind}": lambda ops, case=(name, c, scale, smoothing): loss(*case, ops)
        for name, c in (("logistic", 1), ("softmax", 2), ("softmax", 7))
        for scale in (1e-3, 1.0, 30.0, 1e6)
        for kind, smoothing in SMOOTHING.items()
    },
}


def test_kernels_have_the_same_names_and_signatures():
    assert ops() is not numpy
    assert set(ops().__all__) == set(numpy.__all__)
    for name in numpy.__all__:
        plain, fast = getattr(numpy, name), getattr(ops(), name)
        if plain is not None:
            assert [*inspect.signature(plain).parameters] == [*inspect.signature(fast).parameters]


@pytest.mark.overflows("exponentials of large outputs vanish")
@pytest.mark.parametrize("case", CASES)
def test_kernels_give_the_same_results(case):
    for plain, fast in zip(CASES[case](numpy), CASES[case](ops()), strict=True):
        assert plain.dtype == fast.dtype == np.float32
        assert np.allclose(fast, plain, rtol=1e-5, atol=1e-7, equal_nan=True)


@pytest.mark.parametrize("case", [relu, tanh, dropout])
@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_unit_kernels_keep_ones_and_nan(case, backend):
    a, _ = case(numpy if backend == "numpy" else ops())
    assert np.isnan(a[0, 0]).all()
    assert (a[:, -1] == 1).all()
    assert not np.array_equal(a, units(), equal_nan=True)


def test_gather_copies_rows():
    (out,) = gather(ops())
    assert np.array_equal(out[:, :-1], normal(1000, H)[np.random.default_rng(0).permutation(1000)[:900]])
    assert (out[:, -1] == 1).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(("name", "c"), [("logistic", 1), ("softmax", 3)])
def test_loss_kernels_pass_on_infinities_of_one_trial(name, c, bad):
    z, y, weight = normal(K, c, N), np.arange(N) % max(2, c), np.ones(N, np.float32)
    z[1, :, 5] = bad
    total = LOSSES[name](ops()).value(z, y, weight)
    assert np.isfinite(total[[0, 2]]).all()
    assert not np.isfinite(total[1])


PARAMS = {
    "sgd": [{}],
    "momentum": [{}, {"momentum": 0.5, "nesterov": True}],
    "adam": [{}, {"beta1": 0.5, "beta2": 0.9, "epsilon": 1e-3}],
    "adamw": [{}, {"weight_decay": 0.3}],
}
PENALTIES = [{"l2": 0.0}, {"l1": 0.1}, {"weight_decay": 0.2}, {"clip_norm": 1.0, "l1": 0.05, "l2": 0.1}]


def test_fused_step_steps_as_the_optimizers_do():
    assert set(PARAMS) == {name for name, row in OPTIMIZERS.items() if row.fused}
    configs = [
        TrainConfig(kind, params, seed=i, **penalty)
        for kind, several in PARAMS.items()
        for i, (params, penalty) in enumerate(
            (params, penalty) for params in several for penalty in PENALTIES
        )
    ]
    k, p = len(configs), 9
    mask, rates = np.arange(p) % 4 > 0, np.linspace(0.01, 0.1, k, dtype=np.float32)[:, None]
    found = []
    for module in (numpy, ops()):
        theta, gradient = normal(k, p), np.empty((k, p), np.float32)
        groups, first = list(updaters(configs, theta, module)), 0
        for group in groups:
            group.bind(first, configs, theta, gradient, mask)
            first = group.trials.stop
        for step in range(5):
            gradient[:] = normal(k, p, seed=step) * np.float32(10.0 ** (step - 3))
            for group in groups:
                group.step(rates)
        found.append((groups, theta))
    (plain, ours), ((fused,), theirs) = found
    assert len(plain) == len(PARAMS)
    assert np.allclose(theirs, ours, rtol=1e-5, atol=1e-7)
    assert ((ours == 0) == (theirs == 0)).all()
    assert (ours == 0).any()
    for group in plain:
        for i in range(group.trials.stop - group.trials.start):
            state, other = group.state_of(i), fused.state_of(group.trials.start + i)
            assert state.keys() == other.keys()
            for name, array in other.items():
                assert array.dtype == state[name].dtype
                assert np.allclose(array, state[name], rtol=1e-5)


@pytest.mark.parametrize("kind", PARAMS)
def test_training_continues_on_the_other_backend(kind, monkeypatch):
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


@pytest.mark.parametrize("optimizers", [("sgd", "adam"), ("sgd", "rmsprop", "adam")], ids=["fused", "mixed"])
@pytest.mark.parametrize("k", [2, 40])
@pytest.mark.parametrize("hidden", [(), (6,)])
@pytest.mark.parametrize(("loss", "c"), [("logistic", 1), ("softmax", 3)])
def test_training_is_the_same_on_both_backends(loss, c, hidden, k, optimizers, monkeypatch):
    X = normal(300, 5)
    y = (X[:, 0] > 0).astype(int) + (c > 1) * (X[:, 1] > 1)
    configs = [
        TrainConfig(optimizers[i % len(optimizers)], learning_rate=0.01, batch_size=16, max_epochs=5, seed=i)
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


def test_other_optimizers_leave_the_fused_trials_on_the_fast_path(monkeypatch):
    X, calls = normal(200, 5), []
    kernel = ops().logistic_linear_steps

    def counted(x: Any, *rest: Any) -> None:
        calls.append(len(rest[1][0]))
        kernel(x, *rest)

    monkeypatch.setattr(ops(), "logistic_linear_steps", counted)
    configs = [TrainConfig(name, batch_size=16, max_epochs=2) for name in OPTIMIZERS]
    training = Training(Architecture("logistic"), configs, X, X[:, 0] > 0)
    training.advance(2)
    assert set(calls) == {len(PARAMS)}


def test_ops_follow_installation_and_switch(monkeypatch):
    assert uses_numba()
    monkeypatch.setattr(kernels, "_installed", lambda: False)
    assert not uses_numba()
    assert ops() is numpy
    monkeypatch.undo()
    monkeypatch.setenv(SWITCH, "0")
    assert ops() is numpy


SCRIPT = """
import sys
from automl.descent.__main__ import compile_all
assert "numba" not in sys.modules
compile_all()
from automl.descent.kernels import numba
kernels = [value for value in vars(numba).values() if hasattr(value, "stats") and value.stats.cache_path]
missed = [kernel.__name__ for kernel in kernels if not kernel.signatures]
assert not missed, missed
print(sum(sum(kernel.stats.cache_misses.values()) for kernel in kernels))
"""


@pytest.mark.slow
def test_compiled_code_is_read_by_other_processes(tmp_path):
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
