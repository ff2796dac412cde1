"""The number of threads for the linear algebra and for scikit-learn's trees."""

from __future__ import annotations

from typing import Any

import joblib
from threadpoolctl import threadpool_limits

__all__ = ["limit_threads", "threads_per_job"]

_SMALL = 1_000_000  # values of a table, below which threads wait for each other longer than they work


def threads_per_job(n_jobs: int) -> int:
    """Return the number of threads for each of ``n_jobs`` jobs."""
    return max(1, int(joblib.cpu_count()) // n_jobs)


def limit_threads(n_values: int, n_jobs: int, blas_threads: int) -> Any:
    """Return a context that limits threads for a table of ``n_values`` values.

    Waiting threads use their cores: if other processes need these cores, two threads can take ten times as long as one.
    So a small table gets one thread, a large one the job's share of the cores. The linear algebra gets at most
    ``blas_threads``, because their number decides the order of sums, and so the last bits of a product. Trees are the
    same for any number.
    """
    small, share = n_values < _SMALL, threads_per_job(n_jobs)
    limits = {"blas": 1 if small else min(blas_threads, share), "openmp": 1 if small else share}
    return threadpool_limits(limits=limits)
