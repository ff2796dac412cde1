"""Folds as prepared matrices, fitted on their training rows only, cached in memory and on disk."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
from filelock import FileLock, Timeout

from automl.families import Array, Fold, TargetScale
from automl.table import array_bytes, is_sparse, prepare_matrices, stratified_order
from automl.workers.context import WorkerContext
from automl.workers.memory import trim_memory
from automl.workers.spilled import SpilledArray, hstack, write_hstack
from automl.workers.table_file import columns_reader, read_table_file

__all__ = ["PreparedFold", "PreparedFolds", "matrices_key"]

_MIN_VALIDATION_ROWS = 5_000  # that score a model at a rung below the first epoch
_CACHED = 4  # preprocessings whose matrices stay in memory, least recently used first out
_CACHED_BYTES = 1 << 27  # limit of their size, besides the one in use
_CACHED_ON_DISK = 8  # preprocessings that stay on disk, for all processes
_WAIT = 60.0  # seconds without a change of the files, until the process that prepares counts as stopped
_SIDES = ("train", "valid")


@dataclass(frozen=True)
class PreparedFold:
    """A fold's matrices: training and validation rows, (n, d) float32, with their targets and weights.

    ``weight`` and ``weight_valid`` are the weights of training; ``score_weight`` counts in the scores of the validation
    rows. ``order`` and ``order_valid`` hold row numbers, the first n of which are a stratified sample for any n; empty
    if no rung needs samples.
    """

    X: Array
    y: Array
    X_valid: Array
    y_valid: Array
    order: Array
    order_valid: Array
    weight: Array | None = None
    weight_valid: Array | None = None
    score_weight: Array | None = None

    def for_training(self, scale: TargetScale, order_seed: tuple[int, int], epoch_steps: int) -> Fold:
        """Return the fold as a trainer takes it, with its target on a scale."""
        y, y_valid = scale.apply(self.y), scale.apply(self.y_valid)
        return Fold(
            self.X,
            y,
            order_seed,
            epoch_steps,
            self.order,
            self.X_valid,
            y_valid,
            self.weight,
            self.weight_valid,
        )

    def validation_sample(self, share: float) -> tuple[Array, Array, Array | None]:
        """Return the validation rows that score a model of ``share`` of the training rows: X, y and weights."""
        n = max(_MIN_VALIDATION_ROWS, int(share * len(self.y_valid)))
        if share >= 1 or n >= len(self.y_valid):
            return self.X_valid, self.y_valid, self.score_weight
        rows = np.sort(self.order_valid[:n])
        return self.X_valid[rows], self.y_valid[rows], of_rows(self.score_weight, rows)


class PreparedFolds:
    """All folds under a given preprocessing.

    Parameters
    ----------
    context : WorkerContext
        Table and folds. Its frame is not used if ``table`` is given.
    table : Path, optional
        File of the frame, by `write_table_file`, in a folder shared with other processes. Matrices are written to this
        folder and mapped into memory by all. One process prepares at a time: no preprocessing runs twice, and only one
        process needs the memory for it. Matrices that are written are read at once.

    Attributes
    ----------
    waited : float
        Seconds that the last call waited for the preparations of other processes.
    """

    waited = 0.0

    def __init__(self, context: WorkerContext, table: Path | None = None) -> None:
        self._context, self._table = context, table
        self._cache: OrderedDict[str, list[PreparedFold]] = OrderedDict()
        self._wait = _WAIT

    def __call__(self, preprocess: Mapping[str, Any]) -> list[PreparedFold]:
        """Return the folds prepared by the ``preprocess`` part of a configuration."""
        key, self.waited = matrices_key(preprocess), 0.0
        if key not in self._cache:
            # Free memory before the new matrices need it.
            while len(self._cache) >= _CACHED or self._size() > _CACHED_BYTES:
                self._cache.popitem(last=False)
            # Sparse matrices are small, and each process prepares its own.
            alone = self._table is None or is_sparse(self._context.column_types)
            prepare = self._prepare if alone else self._prepare_shared
            self._cache[key] = prepare(preprocess)
            trim_memory()
        self._cache.move_to_end(key)
        return self._cache[key]

    def matrices(self, preprocess: Mapping[str, Any]) -> Iterator[tuple[Array, Array]]:
        """Prepare the training and the validation matrix of one fold after the other."""
        for n in range(len(self._context.folds)):
            X, X_valid = map(hstack, self._blocks(preprocess, n))
            yield X, X_valid

    def of_matrices(self, matrices: Iterable[tuple[Array, Array]]) -> list[PreparedFold]:
        """Return the folds with matrices that were prepared before."""
        return [self._fold(n, X, X_valid) for n, (X, X_valid) in enumerate(matrices)]

    def clear(self) -> None:
        """Empty the cache in memory."""
        self._cache.clear()
        trim_memory()

    def frame(self) -> pd.DataFrame:
        """Return the typed table."""
        if self._table is None:
            return self._context.frame
        # Pages of a mapped file stay in memory while it is mapped, so it is mapped only while it is used.
        return read_table_file(self._table)

    def _size(self) -> int:
        return sum(
            array_bytes(fold.X) + array_bytes(fold.X_valid)
            for folds in self._cache.values()
            for fold in folds
        )

    @cached_property
    def _orders(self) -> list[list[Array]]:
        """Stratified orders of the training and the validation rows of every fold."""
        context = self._context
        if context.epoch_steps == 1:
            return [[np.empty(0, np.intp)] * 2] * len(context.folds)
        return [
            [
                stratified_order(context.y[rows], context.problem.task, (context.random_state, n, 0, side))
                for side, rows in enumerate(fold, start=1)
            ]
            for n, fold in enumerate(context.folds)
        ]

    def _prepare(self, preprocess: Mapping[str, Any]) -> list[PreparedFold]:
        return self.of_matrices(self.matrices(preprocess))

    def _prepare_shared(self, preprocess: Mapping[str, Any]) -> list[PreparedFold]:
        """Return the matrices on disk; write them if no process has done so."""
        table = cast(Path, self._table)
        folder = table.with_name(hashlib.sha256(matrices_key(preprocess).encode()).hexdigest()[:16])
        with suppress(FileNotFoundError):  # not written yet, or removed just now
            return self._read(folder)
        lock, began = FileLock(table.with_name("preparing.lock"), poll_interval=0.01), time.perf_counter()
        acquired = self._acquire(lock, table.parent)
        self.waited = time.perf_counter() - began
        if not acquired:
            return self._prepare(preprocess)
        try:
            if not folder.is_dir():
                _remove_oldest(table.parent)
                unfinished = Path(tempfile.mkdtemp(dir=table.parent))
                try:
                    self._write(preprocess, unfinished)
                    unfinished.rename(folder)
                except OSError:  # the disk is full
                    shutil.rmtree(unfinished, ignore_errors=True)
                    return self._prepare(preprocess)
            return self._read(folder)
        finally:
            lock.release()

    def _read(self, folder: Path) -> list[PreparedFold]:
        """Map the matrices in a folder into memory."""
        os.utime(folder)
        files = [[folder / f"{n}-{side}.npy" for side in _SIDES] for n in range(len(self._context.folds))]
        return self.of_matrices((_mapped(train), _mapped(valid)) for train, valid in files)

    def _acquire(self, lock: FileLock, folder: Path) -> bool:
        """Take the lock of a folder; return False if its holder has stopped."""
        while True:
            began = time.time()
            try:
                lock.acquire(timeout=self._wait)
            except Timeout:
                if _changed(folder) < began:
                    self._wait = 0.0  # the next matrices do not wait again
                    return False
            else:
                self._wait = _WAIT
                return True

    def _write(self, preprocess: Mapping[str, Any], folder: Path) -> None:
        for n in range(len(self._context.folds)):
            sides = self._blocks(preprocess, n, lambda block: SpilledArray(block, folder))
            for side, blocks in zip(_SIDES, sides, strict=True):
                write_hstack(folder / f"{n}-{side}.npy", blocks)
                for block in blocks:
                    block.path.unlink()

    def _blocks(
        self, preprocess: Mapping[str, Any], number: int, keep: Callable[[Array], Any] = np.asarray
    ) -> list[list[Any]]:
        context = self._context
        return prepare_matrices(
            preprocess,
            context.column_types,
            self._reader(),
            context.y,
            context.folds[number],
            task=context.problem.task,
            random_state=context.random_state,
            keep=keep,
        )

    def _reader(self) -> Callable[[list[str]], pd.DataFrame]:
        """Return a function that returns columns of the typed table."""
        if is_sparse(self._context.column_types):
            return lambda names: self.frame()
        return self._context.frame.__getitem__ if self._table is None else columns_reader(self._table)

    def _fold(self, number: int, X: Array, X_valid: Array) -> PreparedFold:
        context, (train, valid) = self._context, self._context.folds[number]
        order, order_valid = self._orders[number]
        return PreparedFold(
            X,
            context.y[train],
            X_valid,
            context.y[valid],
            order,
            order_valid,
            weight=of_rows(context.fit_weight, train),
            weight_valid=of_rows(context.fit_weight, valid),
            score_weight=of_rows(context.score_weight, valid),
        )


def of_rows(weight: Array | None, rows: Array) -> Array | None:
    """Return the weights of some rows; None weighs all equally."""
    return None if weight is None else weight[rows]


def matrices_key(preprocess: Mapping[str, Any]) -> str:
    """Return the part of a preprocessing that decides the matrices: all but the transform of the target."""
    return json.dumps({name: part for name, part in preprocess.items() if name != "target"}, sort_keys=True)


def _mapped(path: Path) -> Array:
    return np.asarray(np.load(path, mmap_mode="r"))


def _changed(folder: Path) -> float:
    """Return the time of the last change in a folder and the folders in it."""
    times = [folder.stat().st_mtime]
    for path in folder.glob("*/*"):
        with suppress(OSError):  # removed meanwhile
            times.append(path.stat().st_mtime)
    return max(times)


def _remove_oldest(folder: Path) -> None:
    """Remove the least recently used matrices; a process that has them mapped keeps them."""
    cached = sorted(
        (path for path in folder.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime
    )
    for path in cached[: max(0, len(cached) - _CACHED_ON_DISK + 1)]:
        shutil.rmtree(path, ignore_errors=True)
