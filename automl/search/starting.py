"""Start the workers of a search with folders for their results, and check that they have memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from automl.errors import Fault, SettingError
from automl.search.plan import Plan
from automl.search.spec import SearchSpec, resolve_jobs
from automl.select import OutOfFold
from automl.study import predictions_folder
from automl.workers import (
    MIN_WORKER_MEMORY,
    ForkServer,
    Workers,
    format_bytes,
    loading_libraries,
    open_workers,
)

__all__ = ["check_memory", "loading_workers", "open_out_of_fold", "start_workers"]


@contextmanager
def open_out_of_fold(plan: Plan, spec: SearchSpec, storage: Any) -> Iterator[OutOfFold]:
    """Open the folders of out-of-fold predictions and of fold models; the latter is deleted at the end.

    A repeatable search keeps no fold models: trained again alone, they are the same whatever was killed before.
    """
    facts = spec.facts
    folder = predictions_folder(facts.study_name, storage)
    with tempfile.TemporaryDirectory(prefix="automl-models-", ignore_cleanup_errors=True) as models:
        used = spec.ensemble or len(plan.folds) == 1  # as a member, or where there is no time for a refit
        keeps = spec.refit and used and not spec.repeatable
        yield OutOfFold(
            folder,
            plan.target.values,
            plan.folds,
            facts,
            plan.weights.score,
            Path(models) if keeps else None,
        )


def loading_workers(settings: Mapping[str, Any]) -> AbstractContextManager[ForkServer | None]:
    """Load the libraries of worker processes while the table is typed; None if trials train elsewhere."""
    return loading_libraries(resolve_jobs(settings["n_jobs"]) if settings["engine"] == "local" else 1)


def start_workers(
    plan: Plan, spec: SearchSpec, out_of_fold: OutOfFold, server: ForkServer | None = None
) -> Workers:
    """Return the workers of a search, which write to the folders of ``out_of_fold``; from a server, if it has one."""
    context = plan.worker_context(spec.facts)
    context = replace(context, predictions=out_of_fold.folder, models=out_of_fold.models)
    return open_workers(
        context,
        spec.n_jobs,
        memory_limit=spec.memory_limit,
        killable=spec.trial_timeout < float("inf"),
        engine=spec.engine,
        server=server,
    )


def check_memory(workers: Workers, memory_limit: float) -> None:
    """Raise SettingError if the limit leaves workers no room, after this process has loaded all it needs."""
    if (share := workers.memory_per_worker()) < MIN_WORKER_MEMORY:
        rule = f"must leave each of {workers.slots} workers at least {format_bytes(MIN_WORKER_MEMORY)}"
        came = f"{format_bytes(memory_limit)}, of which this process leaves them {format_bytes(share)} each"
        raise SettingError(Fault("memory_limit", rule, came, "Give more, or a smaller n_jobs."))
