from __future__ import annotations

import numpy as np
import pytest

from automl.descent import LOSSES, Architecture, TrainConfig, Training
from automl.errors import InputError

K, N = 3, 8
CLASSES = 4

# (loss, raw output, target, value, derivative): by hand, from the formula in the loss's docstring
HAND = [
    ("squared", [3.0], 1.0, 2.0, [2.0]),
    ("huber", [1.0], 0.5, 0.125, [0.5]),
    ("huber", [3.0], 0.0, 1.35 * (3 - 1.35 / 2), [1.35]),
    ("absolute", [1.0], 3.0, 2.0, [-1.0]),
    ("quantile", [1.0], 3.0, 1.0, [-0.5]),
    ("epsilon_insensitive", [1.0], 1.05, 0.0, [0.0]),
    ("epsilon_insensitive", [3.0], 1.0, 1.9, [1.0]),
    ("poisson", [0.0], 2.0, 1 + 2 * np.log(2) - 2, [-1.0]),
    ("logistic", [0.0], 1, np.log(2), [-0.5]),
    ("logistic", [np.log(3)], 0, np.log(4), [0.75]),
    ("softmax", [0.0, 0.0, np.log(2)], 2, np.log(2), [0.25, 0.25, -0.5]),
    ("hinge", [0.5], 0, 1.5, [1.0]),
    ("hinge", [2.0, 0.0], 0, 1.0, [0.0, 1.0]),
    ("squared_hinge", [0.5], 1, 0.25, [-1.0]),
]


def outputs(loss: str) -> list[int]:
    tasks = LOSSES[loss].tasks
    return [c for task, c in (("regression", 1), ("binary", 1), ("multiclass", CLASSES)) if task in tasks]


CASES = sorted({(loss, c) for loss in LOSSES for c in outputs(loss)})


def target(loss: str, c: int, rng: np.random.Generator) -> np.ndarray:
    if "regression" in LOSSES[loss].tasks:
        return np.abs(rng.normal(size=N)) + 0.1
    return rng.integers(0, max(2, c), N)


def test_loss_hand_values_are_complete():
    assert {case[0] for case in HAND} == set(LOSSES)


@pytest.mark.parametrize(("loss", "z", "y", "value", "derivative"), HAND)
def test_hand_values(loss, z, y, value, derivative):
    row = LOSSES[loss]()
    raw = np.array(z)[None, :, None]
    with np.errstate(all="raise"):
        got = row.value(raw, np.array([y]), np.ones(1))
    assert got == pytest.approx([value])
    assert raw[0, :, 0] == pytest.approx(derivative)


# (loss, raw output, class, label smoothing, value, derivative): the cross-entropy of the smoothed shares of the classes
SMOOTHED = [
    ("logistic", [np.log(3)], 1, 0.2, np.log(4) - 0.9 * np.log(3), [0.75 - 0.9]),
    ("logistic", [np.log(3)], 0, 0.2, np.log(4) - 0.1 * np.log(3), [0.75 - 0.1]),
    ("softmax", [0.0, 0.0, np.log(2)], 2, 0.3, 1.2 * np.log(2), [0.25 - 0.1, 0.25 - 0.1, 0.5 - 0.8]),
    ("softmax", [0.0, 0.0, np.log(2)], 0, 0.3, 1.9 * np.log(2), [0.25 - 0.8, 0.25 - 0.1, 0.5 - 0.1]),
]


def test_loss_smoothed_hand_values_are_complete():
    assert {case[0] for case in SMOOTHED} == {loss for loss in LOSSES if LOSSES[loss].probabilities}


@pytest.mark.parametrize(("loss", "z", "y", "smoothing", "value", "derivative"), SMOOTHED)
def test_smoothed_hand_values(loss, z, y, smoothing, value, derivative):
    row, raw, per_row = LOSSES[loss](), np.array(z)[None, :, None], np.empty((1, 1))
    codes, weight, share = np.array([y]), np.ones(1), np.array([smoothing])
    row.backward(raw, row.targets(codes, weight, len(z)), per_row, share)
    assert row.total(per_row, codes, weight, share) == pytest.approx([value])
    assert raw[0, :, 0] == pytest.approx(derivative)


@pytest.mark.parametrize(("loss", "c"), CASES)
def test_loss_does_not_depend_on_the_order_of_rows(loss, c):
    rng = np.random.default_rng(6)
    row, y, weight = LOSSES[loss](), target(loss, c, rng), rng.uniform(0.5, 2, N)
    z, order = rng.normal(size=(K, c, N)), rng.permutation(N)
    turned = z[:, :, order]
    values = row.value(z, y, weight)
    assert row.value(turned, y[order], weight[order]) == pytest.approx(values)
    assert np.allclose(turned, z[:, :, order])
    assert np.allclose(row.init(y[order], weight[order], c), row.init(y, weight, c))


@pytest.mark.parametrize(("loss", "c"), CASES)
def test_loss_depends_on_proportions_of_weights(loss, c):
    rng = np.random.default_rng(7)
    y, weight = target(loss, c, rng), rng.uniform(0.5, 2, N)
    X = rng.normal(size=(N, 2)).astype(np.float32)
    config = [TrainConfig("sgd", learning_rate=0.01, batch_size=3, max_epochs=3)]
    found = []
    for given in (weight, 7 * weight):
        training = Training(Architecture(loss), config, X, y, n_outputs=c, sample_weight=given)
        training.advance(3)
        found.append([training.history(0)[0], training.loss_on(X, y, given), training.theta(0)])
    for one, seven in zip(*found, strict=True):
        assert np.allclose(one, seven, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shift", [-30.0, 5.0, 1e4])
def test_softmax_ignores_a_shift_of_all_scores(shift):
    rng = np.random.default_rng(8)
    row, y, weight = LOSSES["softmax"](), rng.integers(0, CLASSES, N), rng.uniform(0.5, 2, N)
    z = rng.normal(size=(K, CLASSES, N))
    moved = z + shift
    assert np.allclose(row.link(moved.transpose(0, 2, 1)), row.link(z.transpose(0, 2, 1)), rtol=1e-9)
    assert row.value(moved, y, weight) == pytest.approx(row.value(z, y, weight), rel=1e-9)
    assert np.allclose(moved, z, rtol=1e-9)


@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize(("loss", "c"), CASES)
def test_loss_derivative_is_the_central_difference(loss, c, smooth):
    rng = np.random.default_rng(3)
    row = LOSSES[loss]()
    y = target(loss, c, rng)
    weight = rng.uniform(0.5, 2, N)
    smoothing = np.array([0.0, 0.1, 0.3]) if smooth else None
    z = rng.normal(size=(K, c, N))

    def run(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        per_row = np.empty((K, N))
        row.backward(z, row.targets(y, weight, c), per_row, smoothing)
        return z, row.total(per_row, y, weight, smoothing)

    with np.errstate(all="raise"):
        derivative, _ = run(z.copy())
        step = 1e-6
        for position in np.ndindex(K, c, N):
            ends = []
            for sign in (-1, 1):
                moved = z.copy()
                moved[position] += sign * step
                ends.append(run(moved)[1][position[0]])
            assert (ends[1] - ends[0]) / (2 * step) == pytest.approx(derivative[position], rel=1e-5, abs=1e-6)


@pytest.mark.parametrize(("loss", "c"), CASES)
def test_loss_of_huge_outputs_is_finite(loss, c):
    rng = np.random.default_rng(4)
    row = LOSSES[loss]()
    huge = 50.0 if loss == "poisson" else 1e6
    z = (huge * rng.choice([-1.0, 1.0], size=(K, c, N))).astype(np.float32)
    y = target(loss, c, rng).astype(np.float32)
    with np.errstate(all="raise", under="ignore"):
        values = row.value(z, y, np.ones(N, np.float32))
    assert np.isfinite(values).all()
    assert np.isfinite(z).all()
    assert z.dtype == values.dtype == np.float32


# what training starts from where the best constant has no formula; that of the others is the best
STARTS = {"huber": "median", "epsilon_insensitive": "median", "hinge": "zero", "squared_hinge": "zero"}


@pytest.mark.parametrize(("loss", "c"), CASES)
def test_loss_init_is_the_best_constant(loss, c):
    rng = np.random.default_rng(5)
    row = LOSSES[loss]()
    y = target(loss, c, rng)
    weight = rng.uniform(0.5, 2, N)
    weight /= weight.mean()

    def value(z: np.ndarray) -> float:
        return float(row.value(np.tile(z[None, :, None], (1, 1, N)), y, weight)[0])

    start = row.init(y, weight, c)
    assert start.shape == (c,)
    if loss not in STARTS:
        near = start + rng.normal(scale=0.2, size=(200, c))
        assert all(value(other) >= value(start) - 1e-12 for other in near)
    elif STARTS[loss] == "zero":
        assert not start.any()
    else:
        assert weight[y < start].sum() <= weight.sum() / 2 >= weight[y > start].sum()


@pytest.mark.parametrize(("loss", "c"), CASES)
def test_loss_link_stays_in_the_domain(loss, c):
    row = LOSSES[loss]()
    z = np.linspace(-90, 40, K * N * c, dtype=np.float32).reshape(K, N, c)
    with np.errstate(all="raise", under="ignore"):
        predictions = row.link(z)
    if row.probabilities:
        assert predictions.shape == (K, N, max(2, c))
        assert np.allclose(predictions.sum(axis=-1), 1)
        assert (predictions >= 0).all()
    else:
        assert predictions.shape == (K, N)
        assert loss != "poisson" or (predictions >= 0).all()


@pytest.mark.parametrize(
    ("loss", "y"),
    [("poisson", [-1.0, 1.0]), ("poisson", [0.0, 0.0]), ("squared", [np.nan, 1.0]), ("logistic", [0.5, 1.0])],
)
def test_loss_rejects_targets_outside_the_domain(loss, y):
    with pytest.raises(InputError, match="y: must be"):
        Training(Architecture(loss), [TrainConfig()], np.ones((2, 1), np.float32), np.array(y))
