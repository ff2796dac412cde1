"""Fit the best pipeline to all rows of a table of which the search had a sample."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
from sklearn.pipeline import Pipeline

from automl.errors import AutomlError, Fault, TableError
from automl.families import (
    Array,
    Family,
    Fold,
    Problem,
    StreamedFit,
    fit_streamed,
    get_family,
    params_at_stop,
    prepared_problem,
)
from automl.records import SearchRecord, TrialRecord
from automl.search.large_table import LargeTable
from automl.search.plan import Plan
from automl.search.row_file import RowFile
from automl.table import Block
from automl.workers import format_bytes, trim_memory

__all__ = ["FullFit", "fit_all_rows"]

_RESERVE = 100_000_000  # bytes of memory that stay free
_DISK_SHARE = 0.8  # of the free disk that the prepared rows may take
_TIME_SHARE = 0.8  # of the time left that a fit is planned for
_WORTHWHILE = 1.2  # times the rows of the sample, below which a fit of more rows is not worth its time


@dataclass(frozen=True)
class FullFit:
    """A pipeline, the rows and seconds that its fit took, and the reason why these are not all rows."""

    pipeline: Pipeline
    n_rows: int
    reason: str = ""
    seconds: float = 0.0


def fit_all_rows(
    pipeline: Pipeline,
    record: TrialRecord,
    plan: Plan,
    facts: SearchRecord,
    table: LargeTable,
    *,
    sample_seconds: float,
    time_left: Callable[[], float],
    report: Callable[[str], None],
) -> FullFit:
    """Fit the model of a pipeline to all rows, or to as many as memory, disk and time allow.

    The steps before the model stay as the sample has fitted them. A family that trains on streamed rows reads them
    from a file of prepared rows; another one gets the largest sample that fits into memory.

    Parameters
    ----------
    pipeline : Pipeline
        The steps ``columns``, ``prepare`` and ``model``, fitted to the sample.
    record, plan, facts
        The trial, the sample, and the facts of the search.
    table : LargeTable
        All rows.
    sample_seconds : float
        Seconds that the fit of the pipeline took.
    time_left : callable
        Seconds left; infinite without a limit.
    report : callable
        Called with each stage.
    """
    return _FullFit(pipeline, record, plan, facts, table).run(sample_seconds, time_left, report)


class _FullFit:
    """One fit; see `fit_all_rows`."""

    def __init__(
        self, pipeline: Pipeline, record: TrialRecord, plan: Plan, facts: SearchRecord, table: LargeTable
    ) -> None:
        self.pipeline, self.record, self.plan, self.facts, self.table = pipeline, record, plan, facts, table
        self.family: Family = get_family(record)
        self.problem: Problem = prepared_problem(
            self.family, plan.problem, record.preprocess, plan.columns.column_types_
        )
        self.n_sample, self.n_all = len(plan.frame), table.rows.n_rows
        self.n_other = 0  # rows read with another target than those of the sample
        self.params = params_at_stop(record)
        self.width = pipeline[:-1].transform(plan.example).shape[1]
        self.streams = self.family.streamed_params(self.params, self.n_sample, self.n_all) is not None

    def run(
        self, sample_seconds: float, time_left: Callable[[], float], report: Callable[[str], None]
    ) -> FullFit:
        n_rows, why = self.affordable(sample_seconds, time_left())
        if n_rows < min(self.n_all, _WORTHWHILE * self.n_sample):
            return FullFit(self.pipeline, self.n_sample, why)
        report(f"reading {n_rows:,} of {self.n_all:,} rows for the fit of the winner")
        try:
            with tempfile.TemporaryDirectory() as folder:
                model, n_used = self.fit(Path(folder), n_rows, lambda: time_left() < 0, report)
        except Exception as error:
            # The pipeline of the sample exists; the search has not failed, whatever a library says of a value.
            known = isinstance(error, AutomlError | OSError) or not str(error)
            reason = str(error) if known else f"{type(error).__name__}: {error}"
            return FullFit(self.pipeline, self.n_sample, reason.rstrip(".") or "there was no memory")
        if model is None:
            return FullFit(
                self.pipeline, self.n_sample, "there was no time to fit more, or training diverged"
            )
        if self.n_other and not why:
            why = f"{self.n_other:,} rows have a value that the target does not have in the sample"
        return FullFit(Pipeline([*self.pipeline.steps[:-1], ("model", model)]), n_used, why)

    def affordable(self, sample_seconds: float, seconds: float) -> tuple[int, str]:
        """Return the number of rows that can be fitted, and the reason if it is not all."""
        limits = {"": self.n_all}
        trim_memory()
        free = self.table.limit - psutil.Process().memory_info().rss - _RESERVE
        memory = f"memory_limit leaves {format_bytes(max(0.0, free))}"
        kind = "" if self.streams else f"{self.record.family} needs all rows in memory, and "
        limits[f"{kind}{memory}"] = self._most(lambda n: self._bytes(n) <= free)
        if self.streams:
            disk = _DISK_SHARE * shutil.disk_usage(tempfile.gettempdir()).free
            limits[f"the scratch folder has room for {format_bytes(disk)}"] = int(disk / (4 * self.width))
        if seconds < float("inf"):
            per_row = self._prepare_seconds()
            left = _TIME_SHARE * seconds
            limits[f"{max(0.0, seconds):.0f} s were left"] = self._most(
                lambda n: per_row * self.n_all + sample_seconds * self._cost(n) <= left
            )
        why = min(limits, key=lambda name: limits[name])
        return max(0, limits[why]), why

    def _most(self, fits: Callable[[int], bool]) -> int:
        """Return the largest number of rows that fits, within one percent of all rows."""
        shares = (self.n_all * percent // 100 for percent in range(100, 0, -1))
        return next((n for n in shares if fits(n)), 0)

    def _bytes(self, n_rows: int) -> float:
        return self.family.streamed_bytes(self.params, n_rows, self.width, self.problem)

    def _cost(self, n_rows: int) -> float:
        """Return the cost of a fit as a multiple of that of the sample."""
        one = self.family.cost(self.params, self.n_sample, self.width)
        return self.family.cost(self._params_for(n_rows), n_rows, self.width) / one

    def _params_for(self, n_rows: int) -> dict[str, Any]:
        return self.family.streamed_params(self.params, self.n_sample, n_rows) or self.params

    def _prepare_seconds(self) -> float:
        """Return the seconds that a row takes to be read and prepared, measured on the first block."""
        start = time.perf_counter()
        block = next(self._blocks())
        self._prepare(block)
        return (time.perf_counter() - start) / len(block.frame)

    def _prepare(self, block: Block) -> Array:
        """Return the prepared matrix of a block.

        Raises
        ------
        TableError
            If values are not those of a column's type; the message names the row group.
        """
        try:
            names = list(self.plan.columns.get_feature_names_out())
            return np.asarray(self.pipeline[:-1].transform(block.frame[names]), dtype=np.float32)
        except TableError as error:
            raise error.within(block.place) from error

    def _blocks(self) -> Iterator[Block]:
        names = list(self.plan.columns.get_feature_names_out())
        others = (self.facts.target, self.facts.sample_weight)
        return self.table.rows.blocks([*names, *(name for name in others if name and name not in names)])

    def fit(
        self, folder: Path, n_rows: int, stop: Callable[[], bool], report: Callable[[str], None]
    ) -> tuple[Any, int]:
        """Return the fitted model, None if ``stop`` returned True, and the number of its rows."""
        values: list[Array] = []
        weights: list[Array] = []
        with RowFile(folder / "rows", self.width) as rows:
            for X, y, weight in self._prepared(n_rows):
                if stop():
                    return None, 0
                rows.append(X)
                values.append(y)
                weights += [] if weight is None else [weight]
            y = np.concatenate(values)
            weight = np.concatenate(weights) if weights else None
            values.clear()
            weights.clear()
            report(f"fitting the winner to {len(y):,} rows")
            params = self._params_for(len(y))
            fold = Fold(rows, y, (self.facts.random_state, len(self.plan.folds)), weight=weight)  # type: ignore[arg-type]
            fit = StreamedFit(self.pipeline["model"], params, self.record.seed, self.problem, fold, stop)
            return fit_streamed(self.family, fit), len(y)

    def _prepared(self, n_rows: int) -> Iterator[tuple[Array, Array, Array | None]]:
        """Yield prepared rows, their codes or numbers, and their weights.

        Rows without a target, or of a class that the sample has left out, are left out. Of each block the same share
        of its rows is taken.
        """
        target, name = self.plan.target, self.facts.sample_weight
        by_class = np.asarray(self.facts.class_weights)
        of_codes = np.int32 if target.classes is not None else np.float64
        for block in self._blocks():
            frame = block.frame
            rows, y = target.known(frame[self.facts.target])
            self.n_other += int(frame[self.facts.target].notna().sum()) - len(rows)
            if n_rows < self.n_all:
                rng = np.random.default_rng([self.facts.random_state, block.start, 1])
                end = block.start + len(frame)
                wanted = end * n_rows // self.n_all - block.start * n_rows // self.n_all
                kept = np.sort(rng.permutation(len(rows))[:wanted])
                rows, y = rows[kept], y[kept]
            if not len(rows):
                continue
            frame = frame.iloc[rows]
            X = self._prepare(replace(block, frame=frame))
            weight = None if not name else _row_weights(frame[name], block.place)
            if len(by_class):
                weight = by_class[y] * (1.0 if weight is None else weight)
            yield X, y.astype(of_codes, copy=False), weight


def _row_weights(column: pd.Series, place: str) -> Array:
    """Return the weights of rows, shape (n,).

    Raises
    ------
    TableError
        If one is no finite number of at least 0; ``place`` is where the rows are.
    """
    weights = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float)
    bad = ~(np.isfinite(weights) & (weights >= 0))
    if bad.any():
        rule = "must be one finite number of at least 0 a row"
        fault = Fault(f'column "{column.name}"', rule, f"{column[bad].iloc[0]} in {bad.sum()} rows")
        raise TableError(fault).within(place)
    return weights
