"""Open the study and the workers of a search, and close them at its end."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict
from typing import Any, Literal

from automl.search.budget import Budget
from automl.search.correcting import plan_baseline
from automl.search.plan import Plan
from automl.search.publish import shell_options
from automl.search.resume import check_same, known_pruner
from automl.search.run import SearchRun
from automl.search.scratch import scratch_folder
from automl.search.spec import SearchSpec
from automl.search.starting import check_memory, open_out_of_fold, start_workers
from automl.study import (
    DEFAULT_PRUNER,
    Session,
    create_study,
    limited_calls,
    make_pruner,
    make_sampler,
    open_lease,
    save_baseline,
    save_settings,
    storage_errors,
)
from automl.tracking import FLUSH_SECONDS, NullProgress, Tracker, open_progress
from automl.workers import ForkServer

__all__ = ["open_search"]

_FLUSH_AFTER_INTERRUPT = 1.0  # seconds for the store after a second Ctrl-C
_SCRATCH = 64  # bytes of temporary files for a cell of the table: its folds under eight preprocessings


@contextmanager
def open_search(
    spec: SearchSpec,
    plan: Plan,
    settings: Mapping[str, Any],
    budget: Budget,
    server: ForkServer | None = None,
) -> Iterator[SearchRun]:
    """Open the stores and the workers of a search, and close them at its end.

    Parameters
    ----------
    spec, plan : SearchSpec and Plan
        The checked search.
    settings : mapping
        The parameters of `Search`; its objects (sampler, pruner, storage, scorers) are used from here.
    budget : Budget
        Time and trials.
    server : ForkServer, optional
        The fork server of the workers, if it was started before.

    Raises
    ------
    InputError
        If sampler, pruner, memory limit or an existing study do not fit the search.
    StoreError
        If the study or the MLflow store cannot be written.
    """
    facts, remaining = spec.facts, lambda: budget.remaining
    sampler = make_sampler(settings["sampler"], facts.random_state, plan.space, len(facts.directions))
    pruner = make_pruner(settings["pruner"], len(facts.directions))
    with (
        scratch_folder(settings["scratch"], _SCRATCH * plan.frame.size),
        open_out_of_fold(plan, spec, settings["storage"]) as out_of_fold,
        open_lease(facts.study_name, settings["storage"]) as lease,
        open_progress() if settings["progress"] else NullProgress() as progress,
        closing(start_workers(plan, spec, out_of_fold, server)) as workers,
        ExitStack() as stack,
    ):
        progress.stage("opening the stores")
        stores = {name: settings[name] for name in ("storage", "tracking_uri")}
        options = shell_options({**stores, "experiment_name": settings["experiment_name"]})
        tracker = Tracker(
            settings["tracking_uri"],
            settings["experiment_name"],
            remaining=remaining,
            sync_command="" if options is None else f"automl sync {shlex.quote(facts.study_name)}{options}",
            opened=False,
        )
        with storage_errors(settings["storage"]):
            study = create_study(
                facts.study_name,
                settings["storage"],
                sampler=sampler,
                pruner=pruner,
                resume=settings["resume"],
                directions=plan.objectives.directions,
                remaining=remaining,
            )
            stack.enter_context(limited_calls(study, remaining))
            check_memory(workers, spec.memory_limit)
            existing = check_same(study, facts, plan.space)
            if settings["pruner"] is None and not facts.several:
                spec = spec.with_pruner(known_pruner(study) if existing else DEFAULT_PRUNER)
                study.pruner = make_pruner(spec.settings["pruner"])
            save_settings(study, spec.study_settings)
            lease.register(study)
            if (baseline := plan_baseline(plan, workers.slots, facts.blas_threads)) is not None:
                save_baseline(study, asdict(baseline))
            session = Session(study, plan.space, facts, lease, spec.n_trials)
        run = SearchRun(
            spec,
            plan,
            budget,
            study,
            session,
            workers,
            tracker,
            progress,
            lease,
            out_of_fold,
            baseline,
            stores,
        )
        state: Literal["finished", "killed", "failed"] = "failed"
        flush_seconds = FLUSH_SECONDS
        try:
            run.open(existing=bool(existing or lease.others()))
            with storage_errors(settings["storage"]):
                yield run
            state = "killed" if run.interrupted else "finished"
        except KeyboardInterrupt:
            state, flush_seconds = "killed", _FLUSH_AFTER_INTERRUPT
            raise
        except BaseException:
            state = "killed" if run.interrupted else "failed"
            raise
        finally:
            run.end(state, flush_seconds)
