"""Work on the columns of a table in threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import joblib

__all__ = ["map_columns"]

# Below, threads cost more than they save: Arrow releases the GIL, but not the code around it.
_MANY_CELLS = 200_000
_LONG_COLUMN = 15_000

Key = TypeVar("Key")
Result = TypeVar("Result")


def map_columns(call: Callable[[Key], Result], columns: Iterable[Key], n_cells: int) -> list[Result]:
    """Return the result of each column, computed in threads if the table has many cells in long columns."""
    columns = list(columns)
    long = n_cells > max(_MANY_CELLS, _LONG_COLUMN * len(columns))
    n_threads = joblib.cpu_count() if long else 1
    if n_threads == 1:
        return [call(column) for column in columns]
    with ThreadPoolExecutor(n_threads) as pool:
        return list(pool.map(call, columns))
