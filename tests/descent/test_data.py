from __future__ import annotations

import tracemalloc

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.sparse import csr_array, random_array

from automl.descent import (
    Architecture,
    GradientDescentClassifier,
    ParquetMatrix,
    TrainConfig,
    Training,
    data,
    streamed,
)

pytestmark = pytest.mark.usefixtures("backend")

N, D = 700, 3
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, D)).astype(np.float32)
Y = X @ [1.0, -2.0, 0.5] + 0.1 * RNG.normal(size=N)


class Blocks:
    """Rows that only come in slices."""

    ndim = 2
    shape = X.shape

    def __init__(self, size: int) -> None:
        self.blocks = [(start, min(start + size, N)) for start in range(0, N, size)]
        self.reads: list[tuple[int, int]] = []

    def __getitem__(self, rows: slice) -> np.ndarray:
        self.reads.append((rows.start, rows.stop))
        return X[rows]


def epoch_of(rows: data.Rows, epoch: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    rows.begin(epoch)
    parts = [rows.gather(at, min(at + size, N), shuffled=True) for at in range(0, N, size)]
    # targets are row numbers, so that they tell the order
    order = np.concatenate([part[1] for part in parts])
    return order, np.concatenate(
        [rows.gather(at, min(at + size, N), True)[0].copy() for at in range(0, N, size)]
    )


@pytest.mark.parametrize("size", [1, 64, N])
@pytest.mark.parametrize("block", [None, 50, 300])
def test_rows_come_once_an_epoch_shuffled(block, size, monkeypatch):
    monkeypatch.setattr(streamed, "_WINDOW_FLOATS", 200 * D)
    source = X if block is None else Blocks(block)
    rows = streamed.make_rows(source, np.arange(N), None, [3])
    first, matrix = epoch_of(rows, 0, size)
    assert np.array_equal(np.sort(first), np.arange(N))
    assert np.array_equal(matrix[:, :-1], X[first])
    assert (matrix[:, -1] == 1).all()
    second, _ = epoch_of(rows, 1, size)
    assert not np.array_equal(first, second)
    again, _ = epoch_of(streamed.make_rows(source, np.arange(N), None, [3]), 0, size)
    assert np.array_equal(first, again)


def test_window_bounds_reading(monkeypatch):
    monkeypatch.setattr(streamed, "_WINDOW_FLOATS", 200 * D)
    source = Blocks(50)
    rows = streamed.StreamedRows(source, np.arange(N), None, [0])
    rows.begin(0)
    order = rows.gather(0, 200, shuffled=True)[1]
    assert len(source.reads) == 4
    assert len({int(row) // 50 for row in order}) == 4
    # neighbours come from different blocks
    assert np.mean(np.diff(order // 50) != 0) > 0.5


CONFIGS = [
    TrainConfig("momentum", batch_size="full", learning_rate=0.05, max_epochs=30),
    TrainConfig(batch_size=16, max_epochs=3),
]


@pytest.mark.parametrize("kind", ["csr", "parquet", "mapped", "streamed", "double", "columns"])
def test_sources_train_the_same_model(kind, tmp_path, monkeypatch):
    plain = Training(Architecture("squared"), CONFIGS, X, Y)
    plain.advance(30)
    if kind == "csr":
        source = csr_array(X)
    elif kind == "double":
        source = X.astype(float)
    elif kind == "columns":
        source = np.asfortranarray(X)
    elif kind in ("mapped", "streamed"):
        if kind == "streamed":
            monkeypatch.setattr(streamed, "_MAPPED_BYTES", 1)
            monkeypatch.setattr(streamed, "_WINDOW_FLOATS", 200 * D)
        np.save(tmp_path / "x.npy", X)
        source = np.load(tmp_path / "x.npy", mmap_mode="r")
    else:
        table = pa.table({f"x{j}": X[:, j] for j in range(D)} | {"y": Y})
        pq.write_table(table, tmp_path / "x.parquet", row_group_size=90)
        source = ParquetMatrix(tmp_path / "x.parquet", ["x0", "x1", "x2"])
        assert np.array_equal(source.column("y"), Y)
    other = Training(Architecture("squared"), CONFIGS, source, Y)
    other.advance(30)
    assert np.allclose(other.predict(source)[0], plain.predict(X)[0], atol=1e-4)
    # streamed rows are shuffled in another order, so stochastic trials end only near each other
    streams = kind in ("parquet", "streamed")
    assert np.allclose(other.predict(source)[1], plain.predict(X)[1], atol=0.2 if streams else 1e-5)


def test_memory_map_is_read_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(streamed, "_MAPPED_BYTES", 1)
    monkeypatch.setattr(streamed, "_WINDOW_FLOATS", 1 << 16)
    matrix = RNG.normal(size=(20_000, 50)).astype(np.float32)
    np.save(tmp_path / "x.npy", matrix)
    y, configs = matrix[:, 0] > 0, [TrainConfig(batch_size=32, max_epochs=2)]
    source = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert isinstance(streamed.make_rows(source, y, None, [0]), streamed.StreamedRows)
    # the first training also pays for compiling and imports
    for _ in range(2):
        tracemalloc.start()
        training = Training(Architecture("logistic"), configs, source, y)
        training.advance(2)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < matrix.nbytes / 2
    assert training.history(0)[0][1] < 0.5


def test_sparse_rows_become_dense_by_chunks(monkeypatch):
    n, d = 5000, 1500
    source = random_array((n, d), density=1e-3, format="csr", dtype=np.float32, rng=np.random.default_rng(0))
    y, made, to_dense = np.arange(n) % 2, [], csr_array.toarray

    def recorded(rows, *args, **settings):
        made.append(rows.shape[0])
        return to_dense(rows, *args, **settings)

    monkeypatch.setattr(csr_array, "toarray", recorded)
    configs = [TrainConfig(batch_size=size, max_epochs=1) for size in (16, 3000, "full")]
    training = Training(Architecture("logistic"), configs, source, y)
    training.advance(1)
    training.predict(source)
    training.loss_on(source, y)
    GradientDescentClassifier(max_epochs=1).fit(source, y).predict(source)
    assert sum(made) >= 8 * n
    assert max(made) <= data.CHUNK_ROWS < n


@pytest.mark.parametrize("hidden", [(), (4,)])
@pytest.mark.parametrize("loss", ["squared", "poisson", "logistic", "softmax"])
def test_training_keeps_single_precision(loss, hidden):
    y, c = (Y > 0).astype(int) + (loss == "softmax") * (Y > 1), 3 if loss == "softmax" else 1
    training = Training(Architecture(loss, hidden), CONFIGS, X.astype(float), y, n_outputs=c)
    training.advance(2)
    found = [training.loss_on(X, y)]
    shown = [training.decision(X.astype(float)), training.predict(X.astype(float))]
    for i in range(len(CONFIGS)):
        state = training.snapshot(i).state
        *inner, last = training.weights(i)
        shown += last
        found += [training.theta(i), *sum(inner, ())]
        found += [state[name] for name in state if not name.startswith("power")]
    assert {array.dtype for array in found} == {np.dtype(np.float32)}
    # Numbers in the unit of the target: single precision may lose them.
    unit = np.float64 if loss in ("squared", "poisson") else np.float32
    assert {array.dtype for array in shown} == {np.dtype(unit)}


def test_sample_weight_equals_repeated_rows():
    weight = np.arange(N) % 3
    config = [TrainConfig("momentum", learning_rate=0.05, batch_size="full", max_epochs=200)]
    weighted = Training(Architecture("squared"), config, X, Y, sample_weight=weight)
    repeated = Training(Architecture("squared"), config, np.repeat(X, weight, axis=0), np.repeat(Y, weight))
    for training in (weighted, repeated):
        training.advance(200)
    assert np.allclose(weighted.predict(X), repeated.predict(X), atol=1e-4)
    assert weighted.history(0)[0] == pytest.approx(repeated.history(0)[0], rel=1e-4)
