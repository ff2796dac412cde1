"""How many threads of the linear algebra and of scikit-learn's trees a piece of work deserves."""

from __future__ import annotations

from typing import Any

import joblib
from threadpoolctl import threadpool_limits

__all__ = ["few_threads"]

_SMALL = 1_000_000  # values; below, threads wait for each other longer than they work


def few_threads(n_values: int, n_jobs: int = 1) -> Any:
    """Return a context for work on a table of ``n_values`` values: one thread if it is small, else a job's share.

    Threads that wait for each other burn their cores, and where other processes want those cores too, two threads
    can take ten times as long as one.
    """
    return threadpool_limits(limits=1 if n_values < _SMALL else max(1, joblib.cpu_count() // n_jobs))
