"""`SearchSpec`: every setting and fact of a search, made once from settings, table and space."""

from __future__ import annotations

from collections.abc import Mapping
from multiprocessing import current_process
from typing import Any

import joblib
import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from automl.records import SearchRecord
from automl.search.names import new_name
from automl.search.plan import Plan
from automl.study import DEFAULT_PRUNER, DEFAULT_SAMPLER
from automl.table import is_time
from automl.workers import parse_bytes, threads_per_job

__all__ = ["SearchSpec", "make_spec"]

# Settings that the MLflow run of a search shows as parameters.
_SHOWN = (
    *("n_trials", "timeout", "trial_timeout", "memory_limit", "patience"),
    *("cv", "n_jobs", "engine", "sampler", "pruner", "refit", "ensemble"),
    *("task", "positive_class", "class_weight", "rare_classes", "time_column"),
)
_LIMITS = ("n_trials", "timeout", "trial_timeout", "memory_limit", "patience")
# Settings that each process has for itself; another process does not need them to resume.
_PRIVATE = (
    "study_name",
    "storage",
    "resume",
    "progress",
    "callbacks",
    "tracking_uri",
    "allow_includes",
    "scratch",
)


class SearchSpec(BaseModel):
    """A search, frozen; ``model_dump_json`` and ``model_validate_json`` go both ways.

    Parameters
    ----------
    facts : SearchRecord
        Facts that the study and the MLflow run keep: task, table, objectives, folds, seed.
    settings : dict
        The settings of `Search` that are plain values; ``space`` is YAML.
    objects : dict of str to str
        The settings that are objects of a program, as text.
    fidelity : dict of str to (low, high)
        Range of the training length that the space grants, by path.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    facts: SearchRecord
    settings: dict[str, Any] = Field(default_factory=dict)
    objects: dict[str, str] = Field(default_factory=dict)
    fidelity: dict[str, tuple[float, float]] = Field(default_factory=dict)

    @property
    def n_trials(self) -> int | None:
        """Trials in total."""
        return self.settings.get("n_trials")

    @property
    def timeout(self) -> float | None:
        """Seconds for the whole search."""
        return self.settings.get("timeout")

    @property
    def repeatable(self) -> bool:
        """Whether the same seed gives the same leaderboard."""
        return self.n_trials is not None

    @property
    def trial_timeout(self) -> float:
        """Seconds that a trial may train; infinite without a limit."""
        return _or_infinite(self.settings.get("trial_timeout"))

    @property
    def patience(self) -> float:
        """Trials without a new best score before the search ends; infinite without a limit."""
        return _or_infinite(self.settings.get("patience"))

    @property
    def memory_limit(self) -> float:
        """Bytes for all processes together; infinite without a limit."""
        limit = self.settings.get("memory_limit")
        return float("inf") if limit is None else parse_bytes(limit)

    @property
    def refit(self) -> bool:
        """Whether the best trial is trained on all rows."""
        return bool(self.settings.get("refit", True))

    @property
    def ensemble(self) -> bool:
        """Whether the search makes an ensemble."""
        if self.facts.sample_rows:  # its other members would be fitted to the sample only
            return False
        return self.refit and not self.facts.several and bool(self.settings.get("ensemble", True))

    @property
    def engine(self) -> str:
        """Where cohorts train: ``"local"``, ``"ray"`` or the address of a Ray cluster."""
        return str(self.settings.get("engine", "local"))

    @property
    def n_jobs(self) -> int | None:
        """Cohorts that train side by side; None is one for each core of a Ray cluster."""
        n_jobs = self.settings.get("n_jobs")
        if self.engine == "local":
            return resolve_jobs(n_jobs)
        return None if n_jobs == -1 else n_jobs

    @property
    def measured(self) -> bool:
        """Whether workers measure trials as they end, for several objectives or for limits."""
        return self.facts.several or bool(self.facts.constraints)

    @property
    def run_params(self) -> dict[str, Any]:
        """The parameters of the MLflow run: the settings as used, without None."""
        facts, values = self.facts, {**self.settings, **self.objects}
        shown = {name: values[name] for name in _SHOWN if values.get(name) is not None}
        folds = f"{facts.n_folds} folds" if facts.n_folds > 1 else f"holdout of {facts.hold_out:.0%}"
        used: dict[str, Any] = {
            "space": facts.space,
            "scoring": facts.scoring,
            "task": facts.task,
            "cv": folds if values.get("cv") is None else f"{values['cv']}: {folds}",
            "n_jobs": self.n_jobs,
            "random_state": facts.random_state,
            "threads_per_trial": facts.blas_threads,
            "sampler": values.get("sampler") or DEFAULT_SAMPLER,
            "pruner": values.get("pruner") or DEFAULT_PRUNER,
            **{name: "no limit" for name in _LIMITS if values.get(name) is None},
            **({"positive_class": facts.positive_class} if facts.positive_class else {}),
        }
        return {**shown, **used}

    def with_pruner(self, name: str) -> SearchSpec:
        """Return the search with the pruner of that name."""
        return self.model_copy(update={"settings": {**self.settings, "pruner": name}})

    @property
    def study_settings(self) -> dict[str, Any]:
        """The study attribute that another process resumes with."""
        return {"plain": self.settings, "objects": list(self.objects)}


def make_spec(
    settings: Mapping[str, Any], plan: Plan, *, groups: Any = None, sample_weight: Any = None
) -> SearchSpec:
    """Return the search that these settings and this plan describe.

    Parameters
    ----------
    settings : mapping
        The parameters of `Search`, checked.
    plan : Plan
        The checked table and space.
    groups, sample_weight : array-like, str or None
        As in `Search.fit`.
    """
    n_rows, n_columns = plan.frame.shape
    fingerprints, cv = plan.fingerprints(), settings["cv"]
    facts = SearchRecord(
        study_name=settings["study_name"] or new_name(plan.target.name),
        task=plan.target.task,
        target=plan.target.name,
        scoring=", ".join(plan.objectives.names),
        directions=plan.objectives.directions,
        constraints=dict(plan.space.constraints),
        space=plan.space.name,
        space_digest=plan.space.digest(),
        n_rows=n_rows,
        n_columns=n_columns,
        n_folds=len(plan.folds),
        random_state=settings["random_state"],
        epoch_steps=plan.epoch_steps,
        columns={} if plan.problem.sparse else plan.columns.column_types_,
        types=dict(plan.columns.types or {}),
        left_out=plan.excluded,
        file=plan.file,
        **plan.reading,
        cv=cv
        if _source(groups) != "object" and (cv is None or isinstance(cv, int) or is_time(cv))
        else "object",
        content=fingerprints["content"],
        folds=fingerprints["folds"],
        hold_out=plan.hold_out,
        weights=fingerprints["weights"],
        task_reason=plan.target.reason,
        positive_class="" if plan.target.positive_class is None else str(plan.target.positive_class),
        class_weights=plan.weights.by_class,
        rare_classes=settings["rare_classes"],
        time_column=settings["time_column"] or "",
        groups=_source(groups),
        sample_weight=_source(sample_weight),
        blas_threads=_blas_threads(settings),
        table_rows=plan.table_rows,
        sample_rows=plan.sample_rows,
        density=plan.frame.size / (n_rows * n_columns) if plan.problem.sparse else 1.0,
    )
    values = {name: _plain(value) for name, value in settings.items() if name not in _PRIVATE}
    values["space"] = plan.space.to_yaml()
    return SearchSpec(
        facts=facts,
        settings={name: value for name, value in values.items() if _is_plain(value)},
        objects={name: str(value) for name, value in values.items() if not _is_plain(value)},
        fidelity=dict(plan.space.fidelity),
    )


def _source(values: Any) -> str:
    """Return the column that holds values by row; "object" for other values, empty for None."""
    if values is None:
        return ""
    return values if isinstance(values, str) else "object"


def resolve_jobs(n_jobs: int | None) -> int:
    """Return the number of jobs; None and -1 are one per core, and one where a process may have no children."""
    if n_jobs is not None and n_jobs != -1:
        return n_jobs
    return 1 if current_process().daemon else int(joblib.cpu_count())


def _blas_threads(settings: Mapping[str, Any]) -> int:
    """Return the threads for linear algebra of a trial.

    A repeatable search has one: with more, scores would depend on the number of jobs. So has one on a cluster, where
    nodes may differ.
    """
    one = settings["n_trials"] is not None or settings["engine"] != "local"
    return 1 if one else threads_per_job(resolve_jobs(settings["n_jobs"]))


def _or_infinite(value: float | None) -> float:
    return float("inf") if value is None else value


def _plain(value: Any) -> Any:
    """Return NumPy numbers, tuples and mappings by label as JSON has them."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {str(_plain(name)): _plain(one) for name, one in value.items()}
    return list(value) if isinstance(value, tuple) else value


def _is_plain(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    if isinstance(value, Mapping):
        return all(map(_is_plain, (*value, *value.values())))
    return value is None or isinstance(value, str | int | float)
