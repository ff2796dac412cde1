"""What a trial costs: the seconds it takes to predict, the bytes of its file."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import skops.io
from sklearn.pipeline import Pipeline

from automl.families import Array
from automl.table import preprocessor
from automl.workers.prepared import WorkerContext

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CostMeter", "excess", "model_bytes", "sample_rows", "seconds_for"]

_ROWS = 1000  # that `predict_seconds` is about
_TIMES = 5  # short runs, of which the median counts
_ENOUGH = 0.1  # seconds, after which no further run is started


def seconds_for(work: Callable[[], Any], clock: Callable[[], float] = time.perf_counter) -> float:
    """Return how long some work takes: the median of a few runs, after one that does not count.

    What takes long by itself is run once, and that counts.
    """
    found: list[float] = []
    began = clock()
    while len(found) <= _TIMES and (not found or clock() - began < _ENOUGH):
        start = clock()
        work()
        found.append(clock() - start)
    return float(np.median(found[1:] or found))


def sample_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the 1,000 rows that ``predict_seconds`` is about: the first, and the same again if there are fewer."""
    return frame.iloc[np.resize(np.arange(len(frame)), _ROWS)]


def model_bytes(pipeline: Any) -> int:
    """Return the size of a fitted pipeline's file in an exported model: skops' format, in bytes."""
    return len(skops.io.dumps(pipeline))


def excess(measured: Mapping[str, float], limits: Mapping[str, float]) -> dict[str, float]:
    """Return the part of each limit by which what was measured is above it; not above 0: within.

    Examples
    --------
    >>> excess({"model_bytes": 1500.0, "predict_seconds": 0.25}, {"model_bytes": 1000, "predict_seconds": 0.5})
    {'model_bytes': 0.5, 'predict_seconds': -0.5}
    """
    return {name: measured[name] / limit - 1 for name, limit in limits.items()}


class CostMeter:
    """Measures trials of one assignment, each by the model of its first fold.

    Preparing is measured once for each way of it. It is fitted here once more than for training; so is nothing that
    nobody asked for.

    Parameters
    ----------
    assignment : WorkerContext
        What the trials train on.
    frame : callable, optional
        Gives the table, where the assignment does not hold it.
    """

    def __init__(self, assignment: WorkerContext, frame: Callable[[], pd.DataFrame] | None = None) -> None:
        self._assignment, self._frame = assignment, frame or (lambda: assignment.frame)
        self._prepared: dict[str, tuple[Any, Array, float]] = {}

    @staticmethod
    def apart(asked: Collection[str]) -> bool:
        """Return whether something is asked for that training itself does not tell."""
        return "predict_seconds" in asked or "model_bytes" in asked

    def prepare(self, asked: Collection[str], preprocess: Mapping[str, Any]) -> None:
        """Measure preparing, if that will be needed and is not known."""
        if self.apart(asked):
            self._preparation(preprocess)

    def __call__(
        self, asked: Collection[str], estimator: Any, preprocess: Mapping[str, Any]
    ) -> dict[str, float]:
        """Return what was asked for of ``predict_seconds`` and ``model_bytes``.

        Parameters
        ----------
        asked : collection of str
            Names of costs.
        estimator : estimator
            The fitted model of the first fold.
        preprocess : mapping
            How its rows were prepared.
        """
        found: dict[str, float] = {}
        prepare, rows, seconds = self._preparation(preprocess)
        if "predict_seconds" in asked:
            found["predict_seconds"] = seconds + seconds_for(lambda: estimator.predict(rows))
        if "model_bytes" in asked:
            steps = [("columns", self._assignment.columns), ("prepare", prepare), ("model", estimator)]
            found["model_bytes"] = float(model_bytes(Pipeline(steps)))
        return found

    def _preparation(self, preprocess: Mapping[str, Any]) -> tuple[Any, Array, float]:
        """Return the fitted transformer of the first fold, rows that it prepared, and the seconds that took."""
        key = json.dumps(preprocess, sort_keys=True)
        if key not in self._prepared:
            frame, y = self._frame(), self._assignment.y
            train, valid = self._assignment.folds[0]
            prepare = preprocessor(
                preprocess,
                self._assignment.column_types,
                task=self._assignment.problem.task,
                random_state=self._assignment.random_state,
                n_rows=len(y),
            )
            prepare.fit(frame.iloc[train], y[train])
            some = sample_rows(frame.iloc[valid])
            rows = np.ascontiguousarray(prepare.transform(some), dtype=np.float32)
            self._prepared[key] = prepare, rows, seconds_for(lambda: prepare.transform(some))
        return self._prepared[key]
