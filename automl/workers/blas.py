"""How many threads of the linear algebra and of scikit-learn's trees a piece of work deserves."""

from __future__ import annotations

from typing import Any

import joblib
from threadpoolctl import threadpool_limits

__all__ = ["limit_threads", "threads_per_job"]

_SMALL = 1_000_000  # values; below, threads wait for each other longer than they work


def threads_per_job(n_jobs: int) -> int:
    """Return how many threads each of ``n_jobs`` jobs may have."""
    return max(1, int(joblib.cpu_count()) // n_jobs)


def limit_threads(n_values: int, n_jobs: int, blas_threads: int) -> Any:
    """Return a context for work on a table of ``n_values`` values: one thread if it is small, else a job's share.

    Threads that wait for each other burn their cores, and where other processes want those cores too, two threads
    can take ten times as long as one. The linear algebra has ``blas_threads`` of them: how many there are decides
    in which order it sums, and so the last bits of a product. Trees come out the same with any number.
    """
    few = n_values < _SMALL
    share = threads_per_job(n_jobs)
    limits = {"blas": 1 if few else min(blas_threads, share), "openmp": 1 if few else share}
    return threadpool_limits(limits=limits)
