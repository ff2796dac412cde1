"""Tables in files: read whole, or a sample of the rows of a Parquet table that does not fit into memory."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import psutil

from automl.errors import Fault, SettingError
from automl.search.known_study import known_facts
from automl.search.scratch import scratch_folder
from automl.search.spec import resolve_jobs
from automl.table import (
    ParquetTable,
    csv_bytes,
    csv_to_parquet,
    draw_rows,
    is_parquet,
    read_table,
    split_target,
)
from automl.tracking import Progress
from automl.workers import MIN_WORKER_MEMORY, format_bytes, parse_bytes

__all__ = ["LargeTable", "open_table", "read_sample"]

_COPIES = 6  # of the raw rows: the typed table, and the matrices of two workers
_CSV_COPIES = 6  # of the text: the parsed cells, and the copies above
_CELL = 8  # bytes of a typed value
_SAMPLE_SHARE = 0.5  # of the room; the fit of all rows needs the rest
_MAX_ROWS = 500_000  # of a sample: more rows make trials slower, and the choice hardly better
_MIN_ROWS = 2_000
_CELLS_PER_SECOND = 20_000  # of a sample, for each second of the time limit
_MEMORY_SHARE = 0.5  # of the machine's memory that a table may need


@dataclass(frozen=True)
class LargeTable:
    """A Parquet table of which a search has a sample.

    Parameters
    ----------
    rows : ParquetTable
        All rows.
    target : str
        Name of the target.
    sample_rows : int
        Rows asked for in the sample.
    limit : float
        Bytes that this process and its workers may take.
    file : Path
        The file that the user named.
    """

    rows: ParquetTable
    target: str
    sample_rows: int
    limit: float
    file: Path

    def sample(self, seed: int) -> tuple[pd.DataFrame, pd.Series]:
        """Return the rows of the sample and their target; the same for the same seed."""
        frame = draw_rows(self.rows, self.target, self.sample_rows, seed)
        attrs = {
            "file": str(self.file.resolve()),
            "decimal": self.rows.decimal,
            "table_rows": self.rows.n_rows,
            "sample_rows": self.sample_rows,
        }
        X, y = split_target(frame, self.target)
        X.attrs = attrs
        return X, y


@contextmanager
def open_table(
    X: Any, y: Any, settings: Mapping[str, Any], by_row: Mapping[str, Any]
) -> Iterator[tuple[Any, Any, LargeTable | None]]:
    """Yield the table and the target of a search, and all rows if the table is a sample of a file.

    Parameters
    ----------
    X : table or path
        A path is read: whole if it fits into the memory limit, or half of the memory; otherwise a sample.
    y : array-like or str
        The target, or the name of its column.
    settings : mapping
        The settings of `Search`.
    by_row : mapping
        The arguments ``groups`` and ``sample_weight`` of `Search.fit`.

    Raises
    ------
    InputError
        If the file cannot be read, or the limit leaves no room for a sample.
    """
    if not isinstance(X, str | os.PathLike):
        yield (*split_target(X, y), None)
        return
    path = Path(X)
    with _as_parquet(path, settings) as parquet:
        large = None if parquet is None else _large(path, parquet, y, settings)
        if large is None:
            yield (*_whole(path, y, _reading(settings)), None)
            return
        _check(large, y, by_row)
        sample, target = large.sample(settings["random_state"])
        sample.attrs["reading"] = _reading(settings)
        yield sample, target, large


def _check(large: LargeTable, y: Any, by_row: Mapping[str, Any]) -> None:
    """Raise InputError unless target, groups and weights are columns of the file."""
    faults = [
        Fault(name, "must name a column of the file, whose rows are not all in memory", type(value).__name__)
        for name, value in {"y": y, **by_row}.items()
        if value is not None and not isinstance(value, str)
    ]
    if faults:
        raise SettingError(faults)
    large.rows.check_columns(y, *(value for value in by_row.values() if value is not None))


def read_sample(
    file: Path, target: str, sample_rows: int, seed: int, **reading: str
) -> tuple[pd.DataFrame, pd.Series]:
    """Return the sample that a search had of a file."""
    with _converted(file, None, reading) if csv_bytes(file) else nullcontext(file) as parquet:
        return LargeTable(ParquetTable(parquet), target, sample_rows, float("inf"), file).sample(seed)


@contextmanager
def _converted(file: Path, scratch: str | None, reading: Mapping[str, Any]) -> Iterator[Path]:
    """Yield a temporary Parquet file with the table of a file of separated text."""
    size = int(csv_bytes(file))
    with scratch_folder(scratch, size), tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / f"{file.name}.parquet"
        csv_to_parquet(file, output, **reading)
        yield output


@contextmanager
def _as_parquet(path: Path, settings: Mapping[str, Any]) -> Iterator[Path | None]:
    """Yield a Parquet file or folder as it is, and separated text that does not fit converted; None for others."""
    if is_parquet(path):
        yield path
        return
    size, known = csv_bytes(path), _known_sample(settings)
    if not size or known == 0 or (known is None and _CSV_COPIES * size <= _memory(settings)[1]):
        yield None
        return
    if settings["progress"]:
        Progress().note(
            f"{path.name} does not fit into memory and is converted to Parquet in the scratch folder"
        )
    with _converted(path, settings["scratch"], _reading(settings)) as parquet:
        yield parquet


def _reading(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: settings[name] for name in ("encoding", "separator") if settings[name] is not None}


def _whole(path: Path, y: Any, reading: Mapping[str, Any]) -> tuple[Any, Any]:
    named = isinstance(y, str)
    read: Any = read_table(path, target=y, **reading) if named else (read_table(path, **reading), y)
    return read[0], read[1]


def _large(path: Path, parquet: Path, y: Any, settings: Mapping[str, Any]) -> LargeTable | None:
    """Return the table if it does not fit, or if the study to continue had a sample of it."""
    rows = ParquetTable(parquet)
    if not rows.n_rows:
        return None  # `read_table` says what is wrong
    limit, room = _memory(settings)
    # A typed cell has eight bytes, whatever its type in the file.
    row = _COPIES * max(rows.row_bytes, _CELL * len(rows.names))
    known = _known_sample(settings)
    if known == 0 or (known is None and rows.n_rows * row <= room):
        return None
    if known is not None:
        return LargeTable(rows, y, known, limit, path)
    n = min(_MAX_ROWS, int(_SAMPLE_SHARE * room / row), rows.n_rows)
    if settings["timeout"] is not None and settings["n_trials"] is None:
        n = min(n, int(_CELLS_PER_SECOND * settings["timeout"] / len(rows.names)))
    least = min(_MIN_ROWS, rows.n_rows)
    if _SAMPLE_SHARE * room < least * row:
        rule = (
            f"must leave room for {least:,} rows of {path.name}, {format_bytes(least * row / _SAMPLE_SHARE)}"
        )
        came = f"{format_bytes(limit)}, of which {format_bytes(max(0.0, room))} are left"
        raise SettingError(Fault("memory_limit", rule, came, "Give more, or a smaller n_jobs."))
    return LargeTable(rows, y, max(n, least), limit, path)


def _memory(settings: Mapping[str, Any]) -> tuple[float, float]:
    """Return the limit, and its part for the rows of a table, in bytes."""
    if settings["memory_limit"] is None:
        half = _MEMORY_SHARE * psutil.virtual_memory().total
        return half, half
    limit = parse_bytes(settings["memory_limit"])
    return limit, limit - psutil.Process().memory_info().rss - resolve_jobs(
        settings["n_jobs"]
    ) * MIN_WORKER_MEMORY


def _known_sample(settings: Mapping[str, Any]) -> int | None:
    """Return the rows of the sample of the study that a search continues: 0 for all; None for a new study."""
    facts = known_facts(settings)
    return None if facts is None else facts.sample_rows
