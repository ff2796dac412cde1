"""Memory: what the user allows, what a cohort will need, what processes have."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import ByteSize, TypeAdapter, ValidationError

from automl.errors import Fault, SettingError
from automl.families import Family
from automl.table import BLOCK_VALUES

__all__ = [
    "MIN_WORKER_MEMORY",
    "format_bytes",
    "cohort_bytes",
    "trim_memory",
    "process_tree_rss",
    "parse_bytes",
]

MIN_WORKER_MEMORY = 180_000_000  # bytes of a worker process that has trained, on next to nothing
_COPIES = (
    10  # of the columns that are prepared together, in float64, while they pass the transformers (measured)
)
_TARGETS = 48  # bytes of a row's target, its places in fair and shuffled orders, and their like
_PROC = Path("/proc")


def parse_bytes(limit: str | float) -> int:
    """Return the bytes that a number, or a text such as ``"2GB"`` or ``"512 MiB"``, stands for.

    Raises
    ------
    SettingError
        If it stands for none.

    Examples
    --------
    >>> parse_bytes("2GB"), parse_bytes("1 KiB"), parse_bytes(5e6)
    (2000000000, 1024, 5000000)
    """
    try:
        found = int(TypeAdapter(ByteSize).validate_python(limit))
    except ValidationError:
        found = 0
    if found <= 0:
        rule, remedy = "must be a number of bytes, or a text that says so", 'Give e.g. memory_limit="4GB".'
        raise SettingError(Fault("memory_limit", rule, repr(limit), remedy))
    return found


def format_bytes(n_bytes: float) -> str:
    """Return a number of bytes for people.

    Examples
    --------
    >>> format_bytes(2_340_000_000), format_bytes(51_000_000)
    ('2.3 GB', '51 MB')
    """
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.0f} MB"


def cohort_bytes(
    family: Family,
    params: Sequence[dict[str, Any]],
    n_rows: int,
    n_columns: int,
    n_folds: int,
    *,
    shared: bool = False,
) -> float:
    """Return about how much memory a cohort adds in a worker: an estimate from sizes alone.

    Parameters
    ----------
    family : Family
        The trials' family.
    params : sequence of dict
        The trials' parameters.
    n_rows, n_columns, n_folds : int
        Size of the table, and of its split.
    shared : bool
        Whether another worker has the same matrices, which then are there already.
    """
    values = float(n_rows * n_columns)
    matrices = 0.0 if shared else n_folds * 4 * values + _COPIES * 8 * min(values, max(BLOCK_VALUES, n_rows))
    targets = n_folds * _TARGETS * n_rows
    trials = n_folds * sum(family.memory(one, n_rows, n_columns) for one in params)
    return MIN_WORKER_MEMORY + matrices + targets + trials


def trim_memory() -> None:
    """Give memory that is free back to the system; glibc keeps what arrays of some megabytes leave behind."""
    with suppress(OSError, AttributeError):  # other libraries have no such call
        ctypes.CDLL(None).malloc_trim(0)


def process_tree_rss(pids: Iterable[int]) -> dict[int, int]:
    """Return the memory of each of these processes and all that they started: in RAM, and not shared with files.

    Linux alone tells; elsewhere it is 0.
    """
    found = dict.fromkeys(pids, 0)
    if not _PROC.is_dir():
        return found
    page = os.sysconf("SC_PAGE_SIZE")
    parents: dict[int, int] = {}
    sizes: dict[int, int] = {}
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                resident, shared = (entry / "statm").read_text().split()[1:3]
            except OSError:  # it has ended meanwhile
                continue
            sizes[int(entry.name)] = page * (int(resident) - int(shared))
    for pid, size in sizes.items():
        above: int | None = pid
        while above is not None and above not in found:
            above = parents.get(above)
        if above is not None:
            found[above] += size
    return found
