"""Measured costs of a trial: seconds to predict, bytes of its file."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Mapping
from io import BytesIO
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.pipeline import Pipeline

from automl.families import Array
from automl.persistence import dump_skops
from automl.table import preprocessor
from automl.workers.context import WorkerContext

__all__ = ["CostMeter", "model_bytes", "sample_rows", "seconds_for", "violations"]

_ROWS = 1000  # rows of `predict_seconds`
_RUNS = 5  # runs of which the median counts
_MAX_SECONDS = 0.1  # after which no further run starts


def seconds_for(call: Callable[[], Any], clock: Callable[[], float] = time.perf_counter) -> float:
    """Return the seconds of a call: the median of a few, after a first one to warm up.

    A call that takes long is made once, and that time counts.
    """
    seconds: list[float] = []
    began = clock()
    while len(seconds) <= _RUNS and (not seconds or clock() - began < _MAX_SECONDS):
        start = clock()
        call()
        seconds.append(clock() - start)
    return float(np.median(seconds[1:] or seconds))


def sample_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the first 1,000 rows, repeated if there are fewer: the input of ``predict_seconds``."""
    return frame.iloc[np.resize(np.arange(len(frame)), _ROWS)]


def model_bytes(pipeline: Any) -> int:
    """Return the bytes of a fitted pipeline's file in an exported model, in the format of skops."""
    file = BytesIO()
    dump_skops(pipeline, file)
    return file.getbuffer().nbytes


def violations(measured: Mapping[str, float], limits: Mapping[str, float]) -> dict[str, float]:
    """Return how far each measured value is above its limit, as a share of the limit; at most 0 if within.

    Examples
    --------
    >>> violations({"model_bytes": 1500.0, "predict_seconds": 0.25}, {"model_bytes": 1000, "predict_seconds": 0.5})
    {'model_bytes': 0.5, 'predict_seconds': -0.5}
    """
    return {name: measured[name] / limit - 1 for name, limit in limits.items()}


class CostMeter:
    """Measures trials by the model of their first fold.

    Each preprocessing is fitted and measured once, and only if a cost needs it.

    Parameters
    ----------
    context : WorkerContext
        Table, folds and objectives of the trials.
    frame : callable, optional
        Returns the table, if the context does not hold it.
    """

    def __init__(self, context: WorkerContext, frame: Callable[[], pd.DataFrame] | None = None) -> None:
        self._context, self._frame = context, frame or (lambda: context.frame)
        self._preparations: dict[str, tuple[Any, Array, float]] = {}

    @staticmethod
    def needs_model(costs: Collection[str]) -> bool:
        """Return whether one of the costs is measured on a fitted model."""
        return "predict_seconds" in costs or "model_bytes" in costs

    def prepare(self, costs: Collection[str], preprocess: Mapping[str, Any]) -> None:
        """Measure the preprocessing now, if a cost needs it."""
        if self.needs_model(costs):
            self._preparation(preprocess)

    def __call__(
        self, costs: Collection[str], estimator: Any, preprocess: Mapping[str, Any]
    ) -> dict[str, float]:
        """Return ``predict_seconds`` and ``model_bytes``, as far as they are among the costs.

        Parameters
        ----------
        costs : collection of str
            Names of costs.
        estimator : estimator
            The fitted model of the first fold.
        preprocess : mapping
            The preprocessing of its rows.
        """
        measured: dict[str, float] = {}
        transformer, rows, seconds = self._preparation(preprocess)
        if "predict_seconds" in costs:
            measured["predict_seconds"] = seconds + seconds_for(lambda: estimator.predict(rows))
        if "model_bytes" in costs:
            steps = [("columns", self._context.columns), ("prepare", transformer), ("model", estimator)]
            measured["model_bytes"] = float(model_bytes(Pipeline(steps)))
        return measured

    def _preparation(self, preprocess: Mapping[str, Any]) -> tuple[Any, Array, float]:
        """Return the fitted transformer of the first fold, rows it prepared, and the seconds for these."""
        key = json.dumps(preprocess, sort_keys=True)
        if key not in self._preparations:
            context, frame = self._context, self._frame()
            train, valid = context.folds[0]
            transformer = preprocessor(
                preprocess,
                context.column_types,
                task=context.problem.task,
                random_state=context.random_state,
                n_rows=len(context.y),
            )
            transformer.fit(frame.iloc[train], context.y[train])
            sample = sample_rows(frame.iloc[valid])
            rows = transformer.transform(sample)
            rows = rows if issparse(rows) else np.ascontiguousarray(rows, dtype=np.float32)
            self._preparations[key] = transformer, rows, seconds_for(lambda: transformer.transform(sample))
        return self._preparations[key]
