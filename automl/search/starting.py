"""Start the workers of a search, and check that they have memory."""

from __future__ import annotations

from automl.errors import Fault, SettingError
from automl.search.spec import SearchSpec
from automl.workers import MIN_WORKER_MEMORY, WorkerContext, Workers, format_bytes, open_workers

__all__ = ["check_memory", "start_workers"]


def start_workers(context: WorkerContext, spec: SearchSpec) -> Workers:
    """Return the workers of a search."""
    return open_workers(
        context,
        spec.n_jobs,
        memory_limit=spec.memory_limit,
        killable=spec.trial_timeout < float("inf"),
        engine=spec.engine,
    )


def check_memory(workers: Workers, memory_limit: float) -> None:
    """Raise SettingError if the limit leaves workers no room, after this process has loaded all it needs."""
    if (share := workers.memory_per_worker()) < MIN_WORKER_MEMORY:
        rule = f"must leave each of {workers.slots} workers at least {format_bytes(MIN_WORKER_MEMORY)}"
        came = f"{format_bytes(memory_limit)}, of which this process leaves them {format_bytes(share)} each"
        raise SettingError(Fault("memory_limit", rule, came, "Give more, or a smaller n_jobs."))
