"""How many threads of the linear algebra and of scikit-learn's trees a piece of work deserves."""

from __future__ import annotations

from typing import Any

from threadpoolctl import threadpool_limits

__all__ = ["few_threads"]

_SMALL = 1_000_000  # values; below, threads wait for each other longer than they work


def few_threads(n_values: int) -> Any:
    """Return a context in which a table of ``n_values`` values is worked on by one thread if it is small.

    Many threads on little work are slow, and very slow where other processes want the cores too.
    """
    return threadpool_limits(limits=1 if n_values < _SMALL else None)
