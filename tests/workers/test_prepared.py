import os
import subprocess
import sys
import threading
import time
from dataclasses import replace

import joblib
import numpy as np
import pytest
from filelock import FileLock

from automl.workers import PreparedFolds, spilled
from automl.workers import prepared as prepared_module


def test_validation_sample_grows_with_the_training_sample(context, monkeypatch):
    monkeypatch.setattr("automl.workers.prepared._MIN_VALIDATION_ROWS", 8)
    changed = replace(context, epoch_steps=16)
    for fold in PreparedFolds(changed)({}):
        found = [fold.validation_sample(share) for share in (1 / 16, 0.25, 0.5, 1)]
        assert [len(X) for X, _, _ in found] == [8, 8, 15, 30]
        for X, y, weight in found:
            assert weight is None
            assert 0.3 < y.mean() < 0.7
            rows = [np.flatnonzero((fold.X_valid == x).all(axis=1))[0] for x in X]
            np.testing.assert_array_equal(y, fold.y_valid[rows])
        assert {x.tobytes() for x in found[0][0]} < {x.tobytes() for x in found[2][0]}


def test_prepared_folds_cache_recent_matrices(context):
    prepared = PreparedFolds(context)
    first = prepared({"numeric": {"scale": "none"}})
    assert prepared({"numeric": {"scale": "none"}}) is first
    for scale in ("standard", "robust", "minmax", "quantile"):
        prepared({"numeric": {"scale": scale}})
    assert prepared({"numeric": {"scale": "none"}}) is not first


def test_prepared_folds_limit_the_cache_by_bytes(context, monkeypatch):
    prepared = PreparedFolds(context)
    ways = [{"numeric": {"scale": scale}} for scale in ("none", "standard", "robust")]
    first = prepared(ways[0])
    monkeypatch.setattr("automl.workers.prepared._CACHED_BYTES", 2 * prepared._size() - 1)
    second = prepared(ways[1])
    assert prepared(ways[0]) is first
    prepared(ways[2])
    assert len(prepared._cache) == 2
    assert prepared(ways[1]) is not second


@pytest.fixture
def shared(context, tmp_path):
    """Return preparers as two processes have them, and what each has prepared so far."""
    joblib.dump(context.frame, tmp_path / "table.joblib")
    emptied = replace(context, frame=context.frame.iloc[:0])
    return [PreparedFolds(emptied, tmp_path / "table.joblib") for _ in range(2)]


def test_prepared_folds_share_matrices_between_processes(context, shared, tmp_path, monkeypatch):
    prepared = []
    whole = prepared_module.prepare_matrices
    monkeypatch.setattr(
        prepared_module, "prepare_matrices", lambda *args, **more: prepared.append(1) or whole(*args, **more)
    )
    for way in ({}, {"numeric": {"scale": "robust"}}):
        alone = PreparedFolds(context)(way)
        prepared.clear()
        for folds in (shared[0](way), shared[1](way), shared[0](way)):
            for fold, own in zip(folds, alone, strict=True):
                for name, matrix in vars(fold).items():
                    np.testing.assert_array_equal(matrix, getattr(own, name))
                assert not fold.X.flags.writeable
                assert not isinstance(fold.X, np.memmap)  # the core reads a large memmap in another order
                assert isinstance(fold.X.base, np.memmap)
        assert len(prepared) == len(context.folds)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("tmp")]


def test_prepared_folds_survive_a_full_disk(shared, tmp_path, monkeypatch):
    def full(path, blocks):
        raise OSError("No space left on device")

    monkeypatch.setattr(prepared_module, "write_hstack", full)
    (fold, *_) = shared[0]({})
    assert not isinstance(fold.X.base, np.memmap)
    assert {path.name for path in tmp_path.iterdir()} == {"table.joblib", "preparing.lock"}


HOLD = """
import sys
from filelock import FileLock
with FileLock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_prepared_folds_do_not_wait_for_a_stopped_process(context, shared, tmp_path, monkeypatch):
    monkeypatch.setattr(prepared_module, "_WAIT", 0.5)
    stopped = PreparedFolds(context, tmp_path / "table.joblib")
    command = [sys.executable, "-c", HOLD, str(tmp_path / "preparing.lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        began = time.monotonic()
        alone = stopped({})
        assert 0.5 <= time.monotonic() - began < 5
        assert not isinstance(alone[0].X.base, np.memmap)
        stopped({"numeric": {"scale": "robust"}})
        assert time.monotonic() - began < 5
        holder.kill()
    again = stopped({"numeric": {"scale": "minmax"}})
    assert isinstance(again[0].X.base, np.memmap)
    np.testing.assert_array_equal(alone[0].X, shared[0]({})[0].X)


def test_prepared_folds_wait_while_another_process_writes(context, shared, tmp_path, monkeypatch):
    monkeypatch.setattr(prepared_module, "_WAIT", 0.2)
    waiting, lock = (
        PreparedFolds(context, tmp_path / "table.joblib"),
        FileLock(tmp_path / "preparing.lock", thread_local=False),
    )
    lock.acquire()
    (tmp_path / "unfinished").mkdir()

    def write():
        for _ in range(20):
            (tmp_path / "unfinished" / "0-train.npy").write_bytes(b"")
            time.sleep(0.05)
        lock.release()

    writer = threading.Thread(target=write)
    writer.start()
    (fold, *_) = waiting({})
    writer.join()
    assert isinstance(fold.X.base, np.memmap)


def test_prepared_folds_know_how_long_they_waited(shared, tmp_path):
    lock = FileLock(tmp_path / "preparing.lock", thread_local=False)
    lock.acquire()
    threading.Timer(0.5, lock.release).start()
    shared[0]({})
    assert 0.3 < shared[0].waited < 30
    shared[0]({})
    shared[1]({})
    assert (shared[0].waited, shared[1].waited) == (0, 0)


def test_prepared_folds_remove_old_files(shared, tmp_path, monkeypatch):
    monkeypatch.setattr(prepared_module, "_CACHED_ON_DISK", 2)
    for minute, scale in enumerate(("none", "standard", "robust")):
        fold = shared[0]({"numeric": {"scale": scale}})[0]
        for path in tmp_path.iterdir():
            if path.is_dir() and path.stat().st_mtime > 10_000:
                os.utime(path, (minute, minute))
    assert sorted(path.stat().st_mtime for path in tmp_path.iterdir() if path.is_dir()) == [1, 2]
    assert fold.X.shape == shared[1]({"numeric": {"scale": "none"}})[0].X.shape


def test_blocks_make_the_same_matrix_in_memory_and_on_the_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(spilled, "_CHUNK_VALUES", 10)
    rng = np.random.default_rng(0)
    blocks = [
        rng.normal(size=(7, 3)).astype(np.float32),
        rng.random((7, 2)) > 0.5,
        np.empty((7, 0), np.float32),
    ]
    matrix = spilled.hstack(blocks)
    spilled.write_hstack(tmp_path / "matrix.npy", blocks)
    np.testing.assert_array_equal(np.load(tmp_path / "matrix.npy"), matrix)
    np.testing.assert_array_equal(matrix, np.hstack(blocks).astype(np.float32))
    assert matrix.dtype == np.float32
    assert matrix.flags.c_contiguous


def test_prepared_folds_fit_on_training_rows(context):
    for fold, (train, valid) in zip(PreparedFolds(context)({}), context.folds, strict=True):
        assert fold.X.dtype == np.float32
        np.testing.assert_allclose(fold.X[:, :3].mean(axis=0), 0, atol=1e-6)
        assert abs(fold.X_valid[:, :3].mean()) > 1e-3
        np.testing.assert_array_equal(fold.y_valid, context.y[valid])
        assert len(fold.X) == len(train)


def test_prepared_folds_depend_on_the_seed(context):
    rbf = {"features": {"rbf": {"n_components": 4}}}
    first, again, other = (PreparedFolds(replace(context, random_state=seed))(rbf)[0].X for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
