"""The number of threads for the linear algebra and for scikit-learn's trees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import joblib
from threadpoolctl import threadpool_limits

__all__ = ["cores_per_worker", "limit_threads", "threads_per_job", "worker_environment"]

_SMALL = 1_000_000  # values of a table, below which threads wait for each other longer than they work

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
_ENVIRONMENT = {
    # Waiting threads leave the core to other workers.
    "OMP_WAIT_POLICY": "PASSIVE",
    # glibc returns the memory of arrays of 4 MB and more to the system at once.
    "MALLOC_MMAP_THRESHOLD_": str(1 << 22),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 24),
}


def worker_environment(n_threads: int) -> dict[str, str]:
    """Return the environment variables of a worker process with ``n_threads`` threads."""
    return {**dict.fromkeys(_THREADS, str(n_threads)), **_ENVIRONMENT}


def cores_per_worker(cores: Sequence[int], n_workers: int) -> int:
    """Return the most cores a worker with which all workers fit on nodes with these cores; at least one.

    Examples
    --------
    >>> cores_per_worker([4, 2], 2), cores_per_worker([4, 2], 3), cores_per_worker([1, 1], 4)
    (2, 2, 1)
    """
    fitting = (n for n in range(max(cores, default=1), 0, -1) if sum(one // n for one in cores) >= n_workers)
    return next(fitting, 1)


def threads_per_job(n_jobs: int) -> int:
    """Return the number of threads for each of ``n_jobs`` jobs."""
    return max(1, int(joblib.cpu_count()) // n_jobs)


def limit_threads(n_values: int, n_jobs: int, blas_threads: int, *, share: int | None = None) -> Any:
    """Return a context that limits threads for a table of ``n_values`` values.

    Waiting threads use their cores: if other processes need these cores, two threads can take ten times as long as one.
    So a small table gets one thread, a large one the job's share of the cores. The linear algebra gets at most
    ``blas_threads``, because their number decides the order of sums, and so the last bits of a product. Trees are the
    same for any number.

    ``share`` gives the job's cores where they do not follow from ``n_jobs``.
    """
    small, share = n_values < _SMALL, share or threads_per_job(n_jobs)
    limits = {"blas": 1 if small else min(blas_threads, share), "openmp": 1 if small else share}
    return threadpool_limits(limits=limits)
