"""Folds as prepared matrices, fitted on their training rows alone and kept while they are wanted."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import joblib
import numpy as np

from automl.families import Array, Problem
from automl.metrics import Direction
from automl.table import TypedColumns, prepare_matrices, stratified_order
from automl.workers.memory import trim_memory

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["WorkerContext", "PreparedFold", "PreparedFolds"]

_JUDGES = 5_000  # validation rows that judge a model of the first rungs, at least
_KEPT = 4  # ways of preparing whose matrices stay in memory, most recently used
_KEPT_BYTES = 1 << 27  # and bytes, beside the one in use
_FILED = 8  # ways of preparing that lie on the disk for all
_STRETCH = 1 << 20  # values that are put side by side together
_SIDES = ("train", "valid")


@dataclass(frozen=True)
class WorkerContext:
    """What every cohort of a search trains on.

    Parameters
    ----------
    frame : DataFrame of shape (n, p)
        The typed columns.
    column_types : mapping of str to str
        Kind of every column.
    y : ndarray of shape (n,)
        Class codes or numbers.
    problem : Problem
        Task and number of classes.
    folds : list of (train, valid)
        Row numbers; fixed for the whole search.
    scoring : str, callable or list of them
        The scorer that ranks trials, or all objectives.
    random_state : int
        The search's seed; what preprocessing draws and the order of rows in training follow from it.
    epoch_steps : int
        Steps of an epoch: the scale of all rungs.
    directions : sequence of {"maximize", "minimize"} or None
        Where the objectives' values should go, if not where such values go by themselves.
    constraints : mapping of str to float
        Limits on what is measured of a trial.
    columns : TypedColumns or None
        The fitted first step of every pipeline; its size counts.
    """

    frame: pd.DataFrame
    column_types: Mapping[str, str]
    y: Array
    problem: Problem
    folds: list[tuple[Array, Array]]
    scoring: Any
    random_state: int
    epoch_steps: int = 1
    directions: Sequence[Direction] | None = None
    constraints: Mapping[str, float] = field(default_factory=dict)
    columns: TypedColumns | None = None


@dataclass(frozen=True)
class PreparedFold:
    """A fold's matrices: training and validation rows, (n, d) float32, with their targets.

    Of ``order`` and ``order_valid``, row numbers, every beginning is a fair sample; empty where no rung needs one.
    """

    X: Array
    y: Array
    X_valid: Array
    y_valid: Array
    order: Array
    order_valid: Array

    def validation_sample(self, share: float) -> tuple[Array, Array]:
        """Return the validation rows, and their targets, that judge a model of ``share`` of the training rows."""
        n = max(_JUDGES, int(share * len(self.y_valid)))
        if share >= 1 or n >= len(self.y_valid):
            return self.X_valid, self.y_valid
        rows = np.sort(self.order_valid[:n])
        return self.X_valid[rows], self.y_valid[rows]


class PreparedFolds:
    """Every fold under the preprocessing asked for.

    Parameters
    ----------
    assignment : WorkerContext
        Table and folds. Its frame is not looked at where ``table`` is given.
    table : Path, optional
        A file of `joblib` that holds the frame. The folder it is in is shared with other processes: what one has
        prepared it writes there, and all map it into their memory. One prepares at a time, so that none is prepared
        twice and no two take the memory it needs on the way.
    """

    def __init__(self, assignment: WorkerContext, table: Path | None = None) -> None:
        self._assignment, self._table = assignment, table
        self._kept: OrderedDict[str, list[PreparedFold]] = OrderedDict()

    def __call__(self, preprocess: Mapping[str, Any]) -> list[PreparedFold]:
        """Return the folds prepared by the ``preprocess`` part of a configuration."""
        key = _key(preprocess)
        if key not in self._kept:
            # Large matrices make room for the new ones before these come.
            while len(self._kept) >= _KEPT or self._size() > _KEPT_BYTES:
                self._kept.popitem(last=False)
            prepare = self._prepare if self._table is None else self._shared
            self._kept[key] = prepare(preprocess)
            trim_memory()
        self._kept.move_to_end(key)
        return self._kept[key]

    def clear(self) -> None:
        """Keep nothing any more."""
        self._kept.clear()
        trim_memory()

    def _size(self) -> int:
        return sum(fold.X.nbytes + fold.X_valid.nbytes for folds in self._kept.values() for fold in folds)

    @cached_property
    def _orders(self) -> list[list[Array]]:
        """Fair orders of the training and the validation rows of every fold."""
        assignment = self._assignment
        task, seed = assignment.problem.task, assignment.random_state
        if assignment.epoch_steps == 1:
            return [[np.empty(0, np.intp)] * 2] * len(assignment.folds)
        return [
            [
                stratified_order(assignment.y[rows], task, (seed, n, 0, side))
                for side, rows in enumerate(fold, start=1)
            ]
            for n, fold in enumerate(assignment.folds)
        ]

    def _prepare(self, preprocess: Mapping[str, Any]) -> list[PreparedFold]:
        numbers = range(len(self._assignment.folds))
        return [self._fold(n, *map(joined, self._pieces(preprocess, n))) for n in numbers]

    def _shared(self, preprocess: Mapping[str, Any]) -> list[PreparedFold]:
        """Return what any of the processes has prepared; prepare it if none has."""
        table = cast(Path, self._table)
        folder = table.with_name(hashlib.sha256(_key(preprocess).encode()).hexdigest()[:16])
        with _alone(table.with_name("preparing")):
            if not folder.is_dir():
                _make_room(table.parent)
                unfinished = Path(tempfile.mkdtemp(dir=table.parent))
                try:
                    for n in range(len(self._assignment.folds)):
                        pieces = self._pieces(preprocess, n, lambda piece: SpilledArray(piece, unfinished))
                        for side, of_side in zip(_SIDES, pieces, strict=True):
                            write_joined(unfinished / f"{n}-{side}.npy", of_side)
                            for piece in of_side:
                                piece.path.unlink()
                    unfinished.rename(folder)
                except OSError:  # no room on the disk
                    shutil.rmtree(unfinished, ignore_errors=True)
                    return self._prepare(preprocess)
            os.utime(folder)
            return [
                self._fold(
                    n, *(np.asarray(np.load(folder / f"{n}-{side}.npy", mmap_mode="r")) for side in _SIDES)
                )
                for n in range(len(self._assignment.folds))
            ]

    def _pieces(
        self, preprocess: Mapping[str, Any], number: int, keep: Callable[[Array], Any] = np.asarray
    ) -> list[list[Any]]:
        assignment = self._assignment
        rows = assignment.folds[number]
        return prepare_matrices(
            preprocess,
            assignment.column_types,
            lambda names: self.frame()[names],
            assignment.y,
            rows,
            task=assignment.problem.task,
            random_state=assignment.random_state,
            keep=keep,
        )

    def frame(self) -> pd.DataFrame:
        """Return the table, typed."""
        if self._table is None:
            return self._assignment.frame
        # The pages of a file that was mapped stay in memory for as long as it is: so it is mapped anew each time.
        return cast("pd.DataFrame", joblib.load(self._table, mmap_mode="r"))

    def _fold(self, number: int, X: Array, X_valid: Array) -> PreparedFold:
        y, (train, valid) = self._assignment.y, self._assignment.folds[number]
        return PreparedFold(X, y[train], X_valid, y[valid], *self._orders[number])


def _key(preprocess: Mapping[str, Any]) -> str:
    return json.dumps(preprocess, sort_keys=True)


def _make_room(folder: Path) -> None:
    """Remove what was wanted least recently; who has it mapped keeps it until it is wanted no more."""
    kept = sorted((path for path in folder.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime)
    for path in kept[: max(0, len(kept) - _FILED + 1)]:
        shutil.rmtree(path, ignore_errors=True)


class SpilledArray:
    """An array of which no more than a stretch of rows is in memory; a map would count all that was looked at.

    Parameters
    ----------
    array : ndarray of shape (n, d)
        Written to a file of its own.
    folder : Path
        Where.
    """

    def __init__(self, array: Array, folder: Path) -> None:
        self.shape, self._dtype = array.shape, array.dtype
        handle, name = tempfile.mkstemp(dir=folder)
        self.path = Path(name)
        with open(handle, "wb") as file:
            file.write(np.ascontiguousarray(array).data)

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, rows: slice) -> Array:
        start, stop, _ = rows.indices(len(self))
        size, width = self._dtype.itemsize, self.shape[1]
        values = np.fromfile(self.path, self._dtype, (stop - start) * width, offset=start * width * size)
        return values.reshape(stop - start, width)


def _stretches(pieces: Sequence[Array | SpilledArray]) -> Iterator[Array]:
    """Yield the rows that pieces of some columns make side by side, some at a time."""
    step = max(1, _STRETCH // sum(piece.shape[1] for piece in pieces))
    for start in range(0, len(pieces[0]), step):
        yield np.hstack([piece[start : start + step] for piece in pieces]).astype(np.float32, copy=False)


def joined(pieces: Sequence[Array]) -> Array:
    """Return the matrix that pieces of some columns make side by side."""
    if len(pieces) == 1:
        return np.ascontiguousarray(pieces[0], dtype=np.float32)
    matrix = np.empty((len(pieces[0]), sum(piece.shape[1] for piece in pieces)), np.float32)
    start = 0
    for rows in _stretches(pieces):
        matrix[start : start + len(rows)] = rows
        start += len(rows)
    return matrix


def write_joined(path: Path, pieces: Sequence[Array | SpilledArray]) -> None:
    """Write the same to a file of NumPy's, without having it in memory."""
    shape = len(pieces[0]), sum(piece.shape[1] for piece in pieces)
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for rows in _stretches(pieces):
            file.write(np.ascontiguousarray(rows, dtype="<f4").data)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Wait until no other process is in here; one that dies is not."""
    if fcntl is None:  # Windows: two may prepare the same, and the second finds it done
        yield
        return
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
