from __future__ import annotations

import numpy as np
import pytest

from automl.descent import ACTIVATIONS, LOSSES, NORMALIZATIONS, Architecture
from automl.descent.layers.activation import Activated
from automl.descent.layers.dense import Bits, Dropout, Noise, Slots, Space, product
from automl.descent.model import Network

K, N, D, C = 2, 7, 3, 2
RELU, TANH = ["relu"] * K, ["tanh"] * K


def stack(normalization: str | None, hidden: tuple[int, ...] = (5, 4)) -> tuple[Network, np.ndarray]:
    network = Network(Architecture("softmax", hidden, normalization), D, C)
    rng = np.random.default_rng(1)
    theta = np.stack([network.start(seed, np.zeros(C), "relu") for seed in range(K)])
    return network, theta + 0.1 * rng.normal(size=theta.shape)


def rows(n: int = N) -> np.ndarray:
    x = np.random.default_rng(2).normal(size=(n, D + 1))
    x[:, -1] = 1
    x.flags.writeable = False
    return x


@pytest.mark.parametrize("normalization", [None, *NORMALIZATIONS])
@pytest.mark.parametrize("kinds", [*((kind, kind) for kind in ACTIVATIONS), ("tanh", "relu")], ids=str)
@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_gradient_is_the_central_difference(kinds, normalization, dropout):
    network, theta = stack(normalization)
    x, loss = rows(), LOSSES["softmax"]()
    y, weight = np.arange(N) % C, np.full(N, 1 / N)

    def run(parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        gradient = np.full_like(parameters, np.nan)
        noise = Noise([0.0, dropout], range(K), Bits([0]))
        bound = network.bind(parameters.copy(), gradient, N, Slots(kinds, noise))
        z = bound.forward(x)
        left = np.empty((K, N))
        loss.backward(z, loss.targets(y, weight, C), left)
        bound.backward(z)
        return loss.total(left, y, weight), gradient

    with np.errstate(all="raise"):
        _, gradient = run(theta)
        step = 1e-6
        for j in range(network.size):
            move = np.zeros(network.size)
            move[j] = step
            slope = (run(theta + move)[0] - run(theta - move)[0]) / (2 * step)
            assert gradient[:, j] == pytest.approx(slope, rel=1e-4, abs=1e-7)


@pytest.mark.parametrize("hidden", [(), (4,)])
def test_embeddings_are_a_dense_layer_over_indicators(hidden):
    tables = ((3, 2), (4, 1))
    network = Network(Architecture("softmax", hidden, embeddings=tables), 1 + 2, C)
    rng = np.random.default_rng(0)
    theta = 0.5 * rng.normal(size=(K, network.size))
    x = np.column_stack([rng.normal(size=N), rng.integers(0, 3, N), rng.integers(0, 4, N), np.ones(N)])
    x.flags.writeable = False
    # the same by hand: one-hot columns times the vectors
    first, second = theta[:, :6].reshape(K, 2, 3), theta[:, 6:10].reshape(K, 1, 4)
    vectors = [first[:, :, x[:, 1].astype(int)], second[:, :, x[:, 2].astype(int)]]
    plain = Network(Architecture("softmax", hidden), 4, C)
    found = network.outputs(theta, TANH, x[:, :-1])
    for i in range(K):
        row = np.column_stack([x[:, 0], vectors[0][i].T, vectors[1][i].T])
        assert np.allclose(found[i], plain.outputs(theta[i : i + 1, 10:], TANH[:1], row)[0], atol=1e-5)

    loss, y, weight = LOSSES["softmax"](), np.arange(N) % C, np.full(N, 1 / N)

    def run(parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        gradient = np.full_like(parameters, np.nan)
        bound = network.bind(parameters.copy(), gradient, N, Slots(TANH))
        z, left = bound.forward(x), np.empty((K, N))
        loss.backward(z, loss.targets(y, weight, C), left)
        bound.backward(z)
        return loss.total(left, y, weight), gradient

    _, gradient = run(theta)
    for j in range(network.size):
        move = np.zeros(network.size)
        move[j] = 1e-6
        slope = (run(theta + move)[0] - run(theta - move)[0]) / 2e-6
        assert gradient[:, j] == pytest.approx(slope, rel=1e-4, abs=1e-7)


@pytest.mark.parametrize("shape", [(3, 4, 1, 5), (3, 1, 1, 2), (3, 4, 6, 5)])
@pytest.mark.parametrize("shared", [False, True])
def test_products_of_one_inner_dimension(shape, shared):
    k, m, n, width = shape
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(k, m, n)), rng.normal(size=(n, width) if shared else (k, n, width))
    out = np.empty((k, m, width))
    assert product(a, b, out) is out
    assert np.allclose(out, np.matmul(a, b), rtol=1e-12)


def test_codes_out_of_range_are_read_as_the_nearest():
    network = Network(Architecture("squared", embeddings=((2, 1),)), 1, 1)
    theta = np.array([[5.0, 7.0, 1.0, 0.0]])
    found = network.outputs(theta, RELU[:1], np.array([[-1.0], [0.0], [1.0], [9.0]]))
    assert found[0, :, 0].tolist() == [5, 5, 7, 7]


def test_a_layer_by_hand():
    network = Network(Architecture("squared", (2,)), 1, 1)
    # hidden: relu(2 x + 1), relu(-x); output: 3 u - v + 0.5
    theta = np.array([[2.0, 1.0, -1.0, 0.0, 3.0, -1.0, 0.5]])
    z = network.outputs(theta, RELU[:1], np.array([[1.0], [-2.0]]))
    assert z[0, :, 0].tolist() == [9.5, -1.5]


# (activation, input, value, slope), by hand; GELU is that of its tanh form
ACTIVATION_VALUES = [
    ("relu", -2.0, 0.0, 0.0),
    ("relu", 3.0, 3.0, 1.0),
    ("tanh", 0.0, 0.0, 1.0),
    ("tanh", np.log(3), 0.8, 0.36),
    ("tanh", -np.log(3), -0.8, 0.36),
    ("silu", 0.0, 0.0, 0.5),
    ("silu", np.log(3), 0.75 * np.log(3), 0.75 + 0.1875 * np.log(3)),
    ("silu", -np.log(3), -0.25 * np.log(3), 0.25 - 0.1875 * np.log(3)),
    ("gelu", 0.0, 0.0, 0.5),
    ("gelu", 1.0, 0.84119199, 1.08296408),
    ("gelu", -1.0, -0.15880801, -0.08296408),
]
# at plus and at minus a large number: as it is, or so much
FAR = {"relu": (None, 0.0), "tanh": (1.0, -1.0), "silu": (None, 0.0), "gelu": (None, 0.0)}


def activated(activation: str, z: list[float], dtype: type = np.float32) -> tuple[np.ndarray, np.ndarray]:
    """Return values and slopes ``(n,)``."""
    a, d = np.array([[z, np.ones(len(z))]], dtype), np.ones((1, 1, len(z)), dtype)
    bound = Activated().bind(np.empty((1, 0)), None, len(z), Slots([activation]), Space())
    out, slope = bound.forward(a), bound.backward(d)
    assert (out[:, -1] == 1).all()
    assert out.dtype == slope.dtype == dtype
    return out[0, 0], slope[0, 0]


def test_every_activation_has_values_by_hand():
    assert {case[0] for case in ACTIVATION_VALUES} == set(FAR) == set(ACTIVATIONS)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("activation", "z", "value", "slope"), ACTIVATION_VALUES)
def test_activations_by_hand(activation, z, value, slope, dtype):
    found = activated(activation, [z], dtype)
    assert np.concatenate(found) == pytest.approx([value, slope], rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations_of_large_numbers_are_those_of_their_limits(activation):
    large = [10.0**power for power in (2, 6, 10, 13, 15, 20, 25, 30, 38)]
    for sign, limit in zip((1, -1), FAR[activation], strict=True):
        z = [sign * number for number in large]
        value, slope = activated(activation, z)
        assert value == pytest.approx(z if limit is None else limit, rel=1e-6)
        assert slope == pytest.approx(1.0 if limit is None else 0.0)


# each row of the matrix `(units, rows)` or each of its columns becomes -1, 1 before gain and shift
NORMALIZATION_VALUES = {
    "layer": ([[1.0, 4.0], [3.0, -2.0]], [[-1.0, 1.0], [1.0, -1.0]]),
    "batch": ([[1.0, 3.0], [4.0, -2.0]], [[-1.0, 1.0], [1.0, -1.0]]),
}


def normalized(normalization: str, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what units ``(h, n)`` become with a gain of 2 and a shift of 3, and the derivative by them."""
    h, n = z.shape
    layer = NORMALIZATIONS[normalization](h)
    weights = layer.start(None, 1.0)[None].astype(z.dtype)
    weights[:, :h], weights[:, h : 2 * h] = 2, 3
    gradient = np.full_like(weights, np.nan)
    bound = layer.bind(weights, gradient, n, Slots(RELU[:1]), Space())
    out = bound.forward(np.vstack([z, np.ones((1, n), z.dtype)])[None])
    assert (out[:, -1] == 1).all()
    slope = bound.backward(np.arange(h * n, dtype=z.dtype).reshape(1, h, n))
    assert np.isfinite(gradient).all()
    assert out.dtype == slope.dtype == gradient.dtype == z.dtype
    return out[0, :-1], slope[0]


@pytest.mark.parametrize("size", [1.0, 1e6, 1e12, 1e18])
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_normalizations_by_hand_and_of_large_numbers(normalization, size):
    z, expected = NORMALIZATION_VALUES[normalization]
    found, slope = normalized(normalization, np.array(z, np.float32) * np.float32(size))
    assert found == pytest.approx(3 + 2 * np.array(expected), rel=1e-4)
    assert np.isfinite(slope).all()


@pytest.mark.parametrize("size", [0.0, 1.0, 2.0**20, -(2.0**60)])
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_units_that_do_not_vary_become_the_shift(normalization, size):
    found, slope = normalized(normalization, np.full((4, 8), size, np.float32))
    assert (found == 3).all()
    assert np.isfinite(slope).all()


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_normalized_units_do_not_see_the_scale_before(normalization):
    network, theta = stack(normalization, (6,))
    scaled = theta.copy()
    scaled[:, : 6 * (D + 1)] *= 100
    before, after = (
        network.bind(t, np.empty_like(t), N, Slots(TANH)).forward(rows()).copy() for t in (theta, scaled)
    )
    assert np.allclose(before, after, atol=1e-3)


def test_batch_normalization_predicts_with_running_values():
    network, theta = stack("batch", (4,))
    x = rows(50)
    bound = network.bind(theta, np.empty_like(theta), 50, Slots(RELU))
    for _ in range(200):
        trained = bound.forward(x).copy()
    predicted = network.outputs(theta, RELU, x[:, :-1])
    # running variances are the unbiased ones
    assert np.allclose(predicted, trained.transpose(0, 2, 1), atol=0.05)


def test_dropout_keeps_the_mean_and_depends_on_seeds_and_epoch_alone():
    network = Network(Architecture("squared", (4000,)), 1, 1)
    theta = np.ones((3, network.size))
    x = np.ones((5, 2))
    kinds = ["relu"] * 3
    plain = network.bind(theta, np.empty_like(theta), 5, Slots(kinds)).forward(x).copy()

    def dropped(rates: tuple[float, ...], seeds: tuple[int, ...], epoch: int, shared: int = 0) -> np.ndarray:
        bits = Bits([shared])
        bits.renew(epoch)
        slots = Slots(kinds, Noise(rates, seeds, bits))
        return network.bind(theta, np.empty_like(theta), 5, slots).forward(x).copy()

    first = dropped((0.0, 0.5, 0.5), (1, 2, 3), 0)
    assert np.array_equal(first[0], plain[0])
    assert np.allclose(first, plain, rtol=0.1)
    assert not np.array_equal(first[1], first[2])
    assert np.array_equal(dropped((0.1, 0.5, 0.0), (9, 2, 9), 0)[1], first[1])
    assert not np.array_equal(dropped((0.0, 0.5, 0.5), (1, 2, 3), 1)[1], first[1])
    assert not np.array_equal(dropped((0.0, 0.5, 0.5), (1, 2, 3), 0, shared=1)[1], first[1])


def test_dropout_drops_its_share_of_every_unit_and_row_anew_in_every_batch():
    network = Network(Architecture("squared", (30,)), 1, 1)
    layer = next(one for one in network.layers if isinstance(one, Dropout))
    bits, rates = Bits([3]), (0.0, 0.1, 0.6)
    noise = Noise(rates, (0, 1, 2), bits)
    step = layer.bind(np.empty((3, 0)), None, 20, Slots(["relu"] * 3, noise), Space())
    assert step is not None
    kept = []
    for _ in range(400):
        bits.next()
        units = step.forward(np.ones((3, 31, 20), np.float32))
        assert np.array_equal(step.backward(np.ones((3, 30, 20), np.float32)), units[:, :-1])
        assert (units[:, -1] == 1).all()
        kept.append(units[:, :-1] > 0)
    share = np.mean(kept, axis=0)
    for i, rate in enumerate(rates):
        # of 400 draws each, for 600 units and rows: none is 5 standard deviations off
        assert np.abs(share[i] - (1 - rate)).max() <= 5 * np.sqrt(rate * (1 - rate) / 400)
    # two batches have in common what chance gives them
    dropped = ~np.array(kept)[:, 2]
    assert np.isclose((dropped[1:] & dropped[:-1]).mean(), 0.36, atol=0.01)


@pytest.mark.parametrize("embeddings", [(), ((3, 2),)])
@pytest.mark.parametrize("normalization", [None, *NORMALIZATIONS])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_single_precision_stays_from_rows_to_gradients(activation, normalization, embeddings):
    architecture = Architecture("softmax", (5, 4), normalization, embeddings=embeddings)
    network = Network(architecture, D, C)
    theta = np.stack([network.start(seed, np.zeros(C), "relu") for seed in range(K)]).astype(np.float32)
    slots = Slots([activation] * K, Noise((0.0, 0.5), (0, 1), Bits([0])))
    bound = network.bind(theta, np.empty_like(theta), N, slots)
    a, d = rows().astype(np.float32), np.ones((K, C, N), np.float32)
    for step in bound.passes:
        a = step.forward(a)
        assert a.dtype == np.float32
    for step in reversed(bound.passes):
        d = step.backward(d)
        assert d.dtype == np.float32
        kept = [array.dtype for array in vars(step).values() if isinstance(array, np.ndarray)]
        assert {np.dtype(np.float32), *kept} == {np.dtype(np.float32)}


@pytest.mark.parametrize("hidden", [(), (5,)])
def test_chunks_of_rows_make_no_difference(hidden, monkeypatch):
    network, theta = stack(None, hidden)
    whole = network.outputs(theta, RELU, rows(40)[:, :-1])
    monkeypatch.setattr("automl.descent.model._FLOATS", 100)
    assert np.allclose(network.outputs(theta, RELU, rows(40)[:, :-1]), whole, atol=1e-6)


def test_start_values_keep_the_variance():
    network = Network(Architecture("squared", (400, 400)), 400, 1)
    x = np.random.default_rng(1).normal(size=(200, 400))
    for kind, gain in (("relu", 2), ("tanh", 1)):
        theta = network.start(0, np.zeros(1), kind)
        first, *_, last = (weights for weights, _ in network.weights(theta))
        assert 400 * first.var() == pytest.approx(gain, rel=0.05)
        assert 400 * last.var() == pytest.approx(1, rel=0.2)
        assert 0.3 < network.outputs(theta[None], [kind], x).std() < 3


def test_outputs_behind_no_hidden_layer_start_as_their_intercept():
    for embeddings in ((), ((3, 2),)):
        network = Network(Architecture("squared", embeddings=embeddings), 2, 1)
        theta = network.start(0, np.full(1, 0.5), "relu")[None]
        assert (network.outputs(theta, RELU[:1], np.ones((4, 2))) == 0.5).all()
