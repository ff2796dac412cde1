"""Work on the columns of a table in threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import joblib

__all__ = ["map_columns"]

_MANY_CELLS = 200_000  # below, threads cost more than they save

Key = TypeVar("Key")
Result = TypeVar("Result")


def map_columns(call: Callable[[Key], Result], columns: Iterable[Key], n_cells: int) -> list[Result]:
    """Return the result of each column, computed in threads if the table has many cells; Arrow releases the GIL."""
    n_threads = joblib.cpu_count() if n_cells > _MANY_CELLS else 1
    if n_threads == 1:
        return [call(column) for column in columns]
    with ThreadPoolExecutor(n_threads) as pool:
        return list(pool.map(call, columns))
