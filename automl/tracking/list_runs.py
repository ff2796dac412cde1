"""List the runs of searches and of their trials."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from automl.errors import Fault, SettingError, StoreError, nearest, public_cause
from automl.tracking.store import open_store, resolve_uri

__all__ = ["RunRow", "list_runs"]


@dataclass(frozen=True)
class RunRow:
    """A run of a search or of a trial.

    Parameters
    ----------
    run_id, name : str
        The run; its name is the study of a search, or number and family of a trial.
    state : str
        MLflow's status of a search; the state of a trial.
    score : float or None
        Best score of a search, score of a trial; greater is better.
    started : float
        Seconds since 1970.
    seconds : float or None
        Duration; None while it runs.
    """

    run_id: str
    name: str
    state: str
    score: float | None
    started: float
    seconds: float | None


def list_runs(study_name: str | None = None, tracking_uri: str | None = None, top: int = 100) -> list[RunRow]:
    """Return the runs of searches, newest first, or the runs of a study's trials, best first.

    Parameters
    ----------
    study_name : str or None
        The study whose trials are listed.
    tracking_uri : str or None
        The store; None for `default_tracking_uri`.
    top : int
        Runs to return at most.

    Raises
    ------
    SettingError
        If the store has no search of that study.
    StoreError
        If there is no such store, or it fails.
    """
    from mlflow.exceptions import MlflowException

    uri = resolve_uri(tracking_uri)
    client = open_store(uri, create=False)
    try:
        experiments = [one.experiment_id for one in client.search_experiments()]
        searches = list(client.search_runs(experiments, "tags.`automl.kind` = 'search'"))
        if study_name is None:
            return [_row(run) for run in searches[:top]]
        named = {run.data.tags.get("automl.study_name"): run for run in reversed(searches)}
        if study_name not in named:
            remedy = nearest(study_name, [str(name) for name in named]) if named else "Run a search first."
            raise SettingError(Fault("study_name", f"must name a search in {uri}", f'"{study_name}"', remedy))
        parent = named[study_name].info
        below = f"tags.`mlflow.parentRunId` = '{parent.run_id}' and tags.`automl.kind` = 'trial'"
        order = ["metrics.score DESC"]
        trials = client.search_runs([parent.experiment_id], below, max_results=top, order_by=order)
        return [_row(run) for run in trials]
    except MlflowException as error:
        raise StoreError(f"tracking_uri: {uri} failed: {error.message}") from public_cause(error)


def _row(run: Any) -> RunRow:
    tags, metrics, info = run.data.tags, run.data.metrics, run.info
    trial = tags.get("automl.kind") == "trial"
    return RunRow(
        run_id=info.run_id,
        name=info.run_name,
        state=tags.get("automl.state", "") if trial else info.status.lower(),
        score=metrics.get("score" if trial else "best_score"),
        started=info.start_time / 1000,
        seconds=None if info.end_time is None else (info.end_time - info.start_time) / 1000,
    )
