from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from automl.descent import ACTIVATIONS, INPUT_LAYERS, LOSSES, NORMALIZATIONS, Architecture, TrainConfig
from automl.descent.layers.activation import ActivationLayer, Dropout, SharedBits
from automl.descent.layers.dense import product
from automl.descent.layers.embedding import Embedding
from automl.descent.model import BindContext, Model
from tests.support.passes import backward, forward

K, N, D, C = 2, 7, 3, 2
RELU, TANH = [TrainConfig(activation="relu")] * K, [TrainConfig(activation="tanh")] * K
SAMPLE = np.random.default_rng(3).normal(size=(20, D))


def initial(model: Model, k: int = K, gain: float = 2.0, sample: np.ndarray = SAMPLE) -> np.ndarray:
    return np.stack([model.init(seed, gain, sample, np.zeros(model.c)) for seed in range(k)])


def stack(normalization: str | None, hidden: tuple[int, ...] = (5, 4)) -> tuple[Model, np.ndarray]:
    model = Architecture("softmax", hidden, normalization).make_model(D, C)
    theta = initial(model)
    return model, theta + 0.1 * np.random.default_rng(1).normal(size=theta.shape)


def rows(n: int = N) -> np.ndarray:
    x = np.random.default_rng(2).normal(size=(n, D + 1))
    x[:, -1] = 1
    x.flags.writeable = False
    return x


def gradient_check(
    model: Model, theta: np.ndarray, x: np.ndarray, context: Callable[[], BindContext]
) -> None:
    """Assert that every gradient is the central difference of the loss."""
    loss = LOSSES["softmax"]()
    y, weight = np.arange(N) % C, np.full(N, 1 / N)

    def run(parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        gradient = np.full_like(parameters, np.nan)
        passes = model.bind(parameters.copy(), gradient, N, context())
        z, per_row = forward(passes, x), np.empty((K, N))
        loss.backward(z, loss.targets(y, weight, C), per_row)
        backward(passes, z)
        return loss.total(per_row, y, weight), gradient

    with np.errstate(all="raise"):
        _, gradient = run(theta)
        for j in range(model.size):
            move = np.zeros(model.size)
            move[j] = 1e-6
            slope = (run(theta + move)[0] - run(theta - move)[0]) / 2e-6
            assert gradient[:, j] == pytest.approx(slope, rel=1e-4, abs=1e-7)


@pytest.mark.parametrize("normalization", [None, *NORMALIZATIONS])
@pytest.mark.parametrize("kinds", [*((kind, kind) for kind in ACTIVATIONS), ("tanh", "relu")], ids=str)
@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_model_gradient_is_the_central_difference(kinds, normalization, dropout):
    model, theta = stack(normalization)
    configs = [TrainConfig(activation=kind, dropout=dropout * i, seed=i) for i, kind in enumerate(kinds)]
    gradient_check(model, theta, rows(), lambda: BindContext(configs, SharedBits([0]).of))


def embedded(loss: str, hidden: tuple[int, ...], categories: tuple[int, ...], length: int) -> Architecture:
    params = {"length": length}
    return Architecture(
        loss, hidden, input_layer="embedding", input_layer_params=params, categories=categories
    )


@pytest.mark.parametrize("hidden", [(), (4,)])
def test_embedding_is_a_dense_layer_over_indicators(hidden):
    model = embedded("softmax", hidden, (3, 4), 2).make_model(1 + 2, C)
    rng = np.random.default_rng(0)
    theta = 0.5 * rng.normal(size=(K, model.size))
    x = np.column_stack([rng.normal(size=N), rng.integers(0, 3, N), rng.integers(0, 4, N), np.ones(N)])
    x.flags.writeable = False
    # the same by hand: one-hot columns times the vectors
    first, second = theta[:, :6].reshape(K, 2, 3), theta[:, 6:14].reshape(K, 2, 4)
    vectors = [first[:, :, x[:, 1].astype(int)], second[:, :, x[:, 2].astype(int)]]
    plain = Architecture("softmax", hidden).make_model(5, C)
    found = model.outputs(theta, TANH, x[:, :-1])
    for i in range(K):
        row = np.column_stack([x[:, 0], vectors[0][i].T, vectors[1][i].T])
        assert np.allclose(found[i], plain.outputs(theta[i : i + 1, 14:], TANH[:1], row)[0], atol=1e-5)
    gradient_check(model, theta, x, lambda: BindContext(TANH))


def test_embedding_starts_unseen_codes_at_zero():
    sample = np.array([[0.5, 1.0], [0.1, 3.0]])
    layer = Embedding(2, (5,), 4)
    vectors = layer.init(np.random.default_rng(0), 1.0, sample).reshape(4, 5)
    assert (vectors[:, [0, 2, 4]] == 0).all()
    assert (vectors[:, [1, 3]] != 0).all()


def test_embedding_reads_codes_out_of_range_as_the_nearest():
    model = embedded("squared", (), (2,), 1).make_model(1, 1)
    theta = np.array([[5.0, 7.0, 1.0, 0.0]])
    found = model.outputs(theta, RELU[:1], np.array([[-1.0], [0.0], [1.0], [9.0]]))
    assert found[0, :, 0].tolist() == [5, 5, 7, 7]


@pytest.mark.parametrize("shape", [(3, 4, 1, 5), (3, 1, 1, 2), (3, 4, 6, 5)])
@pytest.mark.parametrize("shared", [False, True])
def test_product_of_one_inner_dimension(shape, shared):
    k, m, n, width = shape
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(k, m, n)), rng.normal(size=(n, width) if shared else (k, n, width))
    out = np.empty((k, m, width))
    assert product(a, b, out) is out
    assert np.allclose(out, np.matmul(a, b), rtol=1e-12)


def test_model_by_hand():
    model = Architecture("squared", (2,)).make_model(1, 1)
    # hidden: relu(2 x + 1), relu(-x); output: 3 u - v + 0.5
    theta = np.array([[2.0, 1.0, -1.0, 0.0, 3.0, -1.0, 0.5]])
    z = model.outputs(theta, RELU[:1], np.array([[1.0], [-2.0]]))
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
    ("mish", 0.0, 0.0, 0.6),
    ("mish", np.log(3), 15 / 17 * np.log(3), 15 / 17 + 0.75 * (1 - (15 / 17) ** 2) * np.log(3)),
    ("selu", 2.0, 2 * 1.05070099, 1.05070099),
    ("selu", -np.log(2), -0.5 * 1.75809934, 0.5 * 1.75809934),
]
# slope and offset at a large positive and a large negative number
FAR = {
    "relu": ((1.0, 0.0), (0.0, 0.0)),
    "tanh": ((0.0, 1.0), (0.0, -1.0)),
    "silu": ((1.0, 0.0), (0.0, 0.0)),
    "gelu": ((1.0, 0.0), (0.0, 0.0)),
    "mish": ((1.0, 0.0), (0.0, 0.0)),
    "selu": ((1.05070099, 0.0), (0.0, -1.75809934)),
}


def activated(activation: str, z: list[float], dtype: type = np.float32) -> tuple[np.ndarray, np.ndarray]:
    """Return values and slopes ``(n,)``."""
    a, d = np.array([[z, np.ones(len(z))]], dtype), np.ones((1, 1, len(z)), dtype)
    context = BindContext([TrainConfig(activation=activation)])
    bound = ActivationLayer().bind(np.empty((1, 0)), None, len(z), context)
    out, slope = bound.forward(a), bound.backward(d)
    assert (out[:, -1] == 1).all()
    assert out.dtype == slope.dtype == dtype
    return out[0, 0], slope[0, 0]


def test_activation_tables_are_complete():
    assert {case[0] for case in ACTIVATION_VALUES} == set(FAR) == set(ACTIVATIONS)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("activation", "z", "value", "slope"), ACTIVATION_VALUES)
def test_activations_by_hand(activation, z, value, slope, dtype):
    found = activated(activation, [z], dtype)
    assert np.concatenate(found) == pytest.approx([value, slope], rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations_of_large_numbers(activation):
    large = [10.0**power for power in (2, 6, 10, 13, 15, 20, 25, 30, 38)]
    for sign, (slope_there, offset) in zip((1, -1), FAR[activation], strict=True):
        z = [sign * number for number in large]
        value, slope = activated(activation, z)
        assert value == pytest.approx([slope_there * number + offset for number in z], rel=1e-6)
        assert slope == pytest.approx(slope_there)


# matrices `(units, rows)`, and their normal values before gain and shift
NORMALIZATION_VALUES = {
    "layer": ([[1.0, 4.0], [3.0, -2.0]], [[-1.0, 1.0], [1.0, -1.0]]),
    "batch": ([[1.0, 3.0], [4.0, -2.0]], [[-1.0, 1.0], [1.0, -1.0]]),
}


def normalized(normalization: str, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return normalized units ``(h, n)`` for a gain of 2 and a shift of 3, and the derivative by the inputs."""
    h, n = z.shape
    layer = NORMALIZATIONS[normalization](h)
    weights = layer.init(np.random.default_rng(0), 1.0, SAMPLE)[None].astype(z.dtype)
    weights[:, :h], weights[:, h : 2 * h] = 2, 3
    gradient = np.full_like(weights, np.nan)
    bound = layer.bind(weights, gradient, n, BindContext(RELU[:1]))
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
def test_normalization_of_constant_units_is_the_shift(normalization, size):
    found, slope = normalized(normalization, np.full((4, 8), size, np.float32))
    assert (found == 3).all()
    assert np.isfinite(slope).all()


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_normalization_removes_the_scale(normalization):
    model, theta = stack(normalization, (6,))
    scaled = theta.copy()
    scaled[:, : 6 * (D + 1)] *= 100
    before, after = (
        forward(model.bind(t, np.empty_like(t), N, BindContext(TANH)), rows()).copy() for t in (theta, scaled)
    )
    assert np.allclose(before, after, atol=1e-3)


def test_batch_normalization_predicts_with_running_values():
    model, theta = stack("batch", (4,))
    x = rows(50)
    passes = model.bind(theta, np.empty_like(theta), 50, BindContext(RELU))
    for _ in range(200):
        trained = forward(passes, x).copy()
    predicted = model.outputs(theta, RELU, x[:, :-1])
    # running variances are the unbiased ones
    assert np.allclose(predicted, trained.transpose(0, 2, 1), atol=0.05)


def test_dropout_keeps_the_mean_and_depends_on_seeds_and_epoch():
    model = Architecture("squared", (4000,)).make_model(1, 1)
    theta, x = np.ones((3, model.size)), np.ones((5, 2))

    def dropped(rates: tuple[float, ...], seeds: tuple[int, ...], epoch: int, shared: int = 0) -> np.ndarray:
        bits = SharedBits([shared])
        bits.start_epoch(epoch)
        configs = [TrainConfig(dropout=rate, seed=seed) for rate, seed in zip(rates, seeds, strict=True)]
        passes = model.bind(theta, np.empty_like(theta), 5, BindContext(configs, bits.of))
        return forward(passes, x).copy()

    plain = dropped((0.0, 0.0, 0.0), (1, 2, 3), 0)
    first = dropped((0.0, 0.5, 0.5), (1, 2, 3), 0)
    assert np.array_equal(first[0], plain[0])
    assert np.allclose(first, plain, rtol=0.1)
    assert not np.array_equal(first[1], first[2])
    assert np.array_equal(dropped((0.1, 0.5, 0.0), (9, 2, 9), 0)[1], first[1])
    assert not np.array_equal(dropped((0.0, 0.5, 0.5), (1, 2, 3), 1)[1], first[1])
    assert not np.array_equal(dropped((0.0, 0.5, 0.5), (1, 2, 3), 0, shared=1)[1], first[1])


def test_dropout_drops_its_share_of_every_unit_and_row_in_every_batch():
    layer, bits, rates = Dropout(), SharedBits([3]), (0.0, 0.1, 0.6)
    configs = [TrainConfig(dropout=rate, seed=i) for i, rate in enumerate(rates)]
    bound = layer.bind(np.empty((3, 0)), None, 20, BindContext(configs, bits.of))
    assert bound is not None
    kept = []
    for _ in range(400):
        bits.next_batch()
        units = bound.forward(np.ones((3, 31, 20), np.float32))
        assert np.array_equal(bound.backward(np.ones((3, 30, 20), np.float32)), units[:, :-1])
        assert (units[:, -1] == 1).all()
        kept.append(units[:, :-1] > 0)
    share = np.mean(kept, axis=0)
    for i, rate in enumerate(rates):
        # 400 draws for each of 600 units and rows: none is 5 standard deviations off
        assert np.abs(share[i] - (1 - rate)).max() <= 5 * np.sqrt(rate * (1 - rate) / 400)
    # two batches agree as often as chance has it
    dropped = ~np.array(kept)[:, 2]
    assert np.isclose((dropped[1:] & dropped[:-1]).mean(), 0.36, atol=0.01)


@pytest.mark.parametrize("embeds", [False, True])
@pytest.mark.parametrize("normalization", [None, *NORMALIZATIONS])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_model_keeps_single_precision(activation, normalization, embeds):
    choice = {"input_layer": "embedding", "categories": (3,)} if embeds else {}
    model = Architecture("softmax", (5, 4), normalization, **choice).make_model(D, C)
    theta = initial(model).astype(np.float32)
    configs = [TrainConfig(activation=activation, dropout=0.5 * i, seed=i) for i in range(K)]
    passes = model.bind(theta, np.empty_like(theta), N, BindContext(configs, SharedBits([0]).of))
    a, d = rows().astype(np.float32), np.ones((K, C, N), np.float32)
    for layer in passes:
        a = layer.forward(a)
        assert a.dtype == np.float32
    for layer in reversed(passes):
        d = layer.backward(d)
        assert d.dtype == np.float32
        kept = {array.dtype for array in vars(layer).values() if isinstance(array, np.ndarray)}
        assert kept <= {np.dtype(np.float32), np.dtype(np.uint16)}


@pytest.mark.parametrize("hidden", [(), (5,)])
def test_outputs_do_not_depend_on_chunks(hidden, monkeypatch):
    model, theta = stack(None, hidden)
    whole = model.outputs(theta, RELU, rows(40)[:, :-1])
    monkeypatch.setattr("automl.descent.model._OUTPUT_FLOATS", 100)
    assert np.allclose(model.outputs(theta, RELU, rows(40)[:, :-1]), whole, atol=1e-6)


def test_initial_weights_keep_the_variance():
    model = Architecture("squared", (400, 400)).make_model(400, 1)
    x = np.random.default_rng(1).normal(size=(200, 400))
    for kind in ("relu", "tanh"):
        gain = ACTIVATIONS[kind].gain
        theta = initial(model, 1, gain, x)
        first, *_, last = (weights for weights, _ in model.coefficients(theta[0]))
        assert 400 * first.var() == pytest.approx(gain, rel=0.05)
        assert 400 * last.var() == pytest.approx(1, rel=0.2)
        assert 0.3 < model.outputs(theta, [TrainConfig(activation=kind)], x).std() < 3


@pytest.mark.parametrize("input_layer", INPUT_LAYERS)
def test_linear_outputs_start_at_the_intercept(input_layer):
    categories = (3,) if INPUT_LAYERS[input_layer].reads_codes else ()
    model = Architecture("squared", input_layer=input_layer, categories=categories).make_model(2, 1)
    theta = model.init(0, 2.0, np.ones((4, 2)), np.full(1, 0.5))[None]
    assert (model.outputs(theta, RELU[:1], np.ones((4, 2))) == 0.5).all()
