"""Memory: the user's limit, the estimate for a cohort, the use of processes."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Mapping, Sequence, Set
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from pydantic import ByteSize, TypeAdapter, ValidationError

from automl.errors import Fault, SettingError
from automl.families import Family, matrix_bytes
from automl.table import BLOCK_VALUES

__all__ = [
    "MIN_WORKER_MEMORY",
    "format_bytes",
    "cohort_bytes",
    "trim_memory",
    "process_tree_rss",
    "parse_bytes",
]

MIN_WORKER_MEMORY = 180_000_000  # bytes of a worker process that has trained on a tiny table
_COPIES = 10  # float64 copies of a block of columns in the transformers (measured)
_SPARSE_COPIES = 4  # float32 matrices that the preparation of a sparse one takes
_TARGET_BYTES = 48  # of a row: target, positions in stratified and shuffled orders


def parse_bytes(limit: str | float) -> int:
    """Return the bytes of a limit: a number, or a text such as ``"2GB"`` or ``"512 MiB"``.

    Raises
    ------
    SettingError
        If it is neither.

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
        rule, remedy = "must be a number of bytes, or a text with a unit", 'Give e.g. memory_limit="4GB".'
        raise SettingError(Fault("memory_limit", rule, repr(limit), remedy))
    return found


def format_bytes(n_bytes: float) -> str:
    """Return a number of bytes as text with a unit.

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
    density: float = 1.0,
    shared: bool = False,
) -> float:
    """Estimate the bytes that a cohort adds in a worker, from sizes alone.

    Parameters
    ----------
    family : Family
        The trials' family.
    params : sequence of dict
        The trials' parameters.
    n_rows, n_columns, n_folds : int
        Rows, columns and folds of the table.
    density : float
        Share of the cells that are stored, below 1 for a sparse table.
    shared : bool
        Whether another worker has the same matrices in shared memory.
    """
    values = float(n_rows * n_columns)
    matrix = matrix_bytes(n_rows, n_columns, density)
    blocks = _COPIES * 8 * min(values, max(BLOCK_VALUES, n_rows))
    copies = _SPARSE_COPIES * matrix if density < 1 else blocks  # a sparse matrix is prepared as a whole
    matrices = 0.0 if shared else n_folds * matrix + copies
    targets = n_folds * _TARGET_BYTES * n_rows
    trials = n_folds * sum(family.memory(one, n_rows, n_columns, density) for one in params)
    return MIN_WORKER_MEMORY + matrices + targets + trials


def trim_memory() -> None:
    """Return free memory to the system; glibc keeps that of arrays of some megabytes."""
    with suppress(OSError, AttributeError, TypeError):  # other C libraries have no such function
        ctypes.CDLL(None).malloc_trim(0)


def process_tree_rss(pids: Iterable[int]) -> dict[int, int]:
    """Return the resident memory of each of these processes and their descendants, in bytes.

    Memory shared with files is not counted, and memory that forked processes share counts once, as far as the system
    reports it. A process counts for its nearest ancestor among ``pids``.
    """
    totals = dict.fromkeys(pids, 0)
    processes = {process.pid: process for process in psutil.process_iter()}
    parents: dict[int, int | None] = {}
    for pid, process in processes.items():
        with suppress(psutil.Error):
            parents[pid] = process.ppid()
    for pid in parents:
        if (root := _nearest(pid, parents, totals.keys())) is not None:
            with suppress(psutil.Error):  # it has ended meanwhile
                totals[root] += _own_bytes(processes[pid])
    return totals


def _own_bytes(process: psutil.Process) -> int:
    """Return the anonymous memory of a process; pages shared with forked processes count in parts."""
    try:
        lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
        for name, kilobytes, *_ in map(str.split, lines):
            if name == "Pss_Anon:":
                return 1024 * int(kilobytes)
    except OSError:  # other systems than Linux, or it has ended
        pass
    memory = process.memory_info()
    return int(memory.rss - getattr(memory, "shared", 0))


def _nearest(pid: int, parents: Mapping[int, int | None], roots: Set[int]) -> int | None:
    """Return the nearest of ``roots`` among a process and its ancestors."""
    seen: set[int | None] = set()  # ids are used again on Windows, so ancestors can form a circle
    current: int | None = pid
    while current not in roots:
        if current is None or current in seen:
            return None
        seen.add(current)
        current = parents.get(current)
    return current
