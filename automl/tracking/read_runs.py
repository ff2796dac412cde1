"""Read searches and trials back from MLflow runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from automl.errors import Fault, SettingError, StoreError, public_cause
from automl.records import SearchRecord, TrialRecord
from automl.tracking.runs import search_of, trial_of
from automl.tracking.store import open_store, resolve_uri

if TYPE_CHECKING:
    from mlflow import MlflowClient

__all__ = ["get_run", "read_study_name", "read_trial", "trial_runs"]


def read_trial(run_id: str, tracking_uri: str | None = None) -> tuple[SearchRecord, TrialRecord]:
    """Return a search and one of its trials from their runs.

    Parameters
    ----------
    run_id : str
        The trial's run.
    tracking_uri : str or None
        The store; None for `default_tracking_uri`.

    Returns
    -------
    SearchRecord, TrialRecord
        The trial has its configuration, seed, state, last rung and score, but no further learning curve.

    Raises
    ------
    SettingError
        If there is no such run, or it is not a trial of automl.
    StoreError
        If there is no such store.
    """
    uri = resolve_uri(tracking_uri)
    client = open_store(uri, create=False)
    run = get_run(client, run_id, uri)
    tags, parent_id = run.data.tags, run.data.tags.get("mlflow.parentRunId")
    rule = "must be the run of a trial"
    if tags.get("automl.kind") == "search":
        best = tags.get("automl.best_run_id")
        remedy = f"That of its winner is {best}." if best else "Its trials are the runs below it."
        raise SettingError(Fault("run_id", rule, f"{run_id!r}, the run of a search", remedy))
    if tags.get("automl.kind") != "trial" or parent_id is None:
        raise SettingError(Fault("run_id", rule, f"{run_id!r}, a run of another program"))
    try:
        return search_of(get_run(client, parent_id, uri).data.tags), trial_of(tags, run.data.metrics)
    except (KeyError, ValueError) as error:  # tags cut to MLflow's limits, edited, or of another version
        came = f"{run_id!r}, whose tags cannot be read ({str(error).splitlines()[0]})"
        raise SettingError(Fault("run_id", rule, came)) from error


def read_study_name(run_id: str, tracking_uri: str | None = None) -> str:
    """Return the name of the study that a search's run, or a trial's run, belongs to.

    Raises
    ------
    SettingError
        If there is no such run, or it is not of automl.
    StoreError
        If there is no such store.
    """
    uri = resolve_uri(tracking_uri)
    client = open_store(uri, create=False)
    tags = get_run(client, run_id, uri).data.tags
    if tags.get("automl.kind") == "trial":
        tags = get_run(client, tags["mlflow.parentRunId"], uri).data.tags
    if "automl.study_name" not in tags:
        raise SettingError(
            Fault("run_id", "must be the run of a search", f"{run_id!r}, a run of another program")
        )
    return str(tags["automl.study_name"])


def trial_runs(run_id: str, tracking_uri: str | None = None) -> dict[int, str]:
    """Return the run of each trial below the run of a search, by the trial's number.

    Raises
    ------
    SettingError
        If there is no such run.
    StoreError
        If there is no such store.
    """
    uri = resolve_uri(tracking_uri)
    client = open_store(uri, create=False)
    experiment_id = get_run(client, run_id, uri).info.experiment_id
    found: dict[int, str] = {}
    token: str | None = None
    while True:
        page = client.search_runs(
            [experiment_id], f"tags.`mlflow.parentRunId` = '{run_id}'", max_results=1000, page_token=token
        )
        numbered = (run for run in page if "automl.number" in run.data.tags)
        found |= {int(run.data.tags["automl.number"]): run.info.run_id for run in numbered}
        if not (token := page.token):
            return found


def get_run(client: MlflowClient, run_id: str, uri: str) -> Any:
    """Return a run; raise errors of automl."""
    from mlflow.exceptions import MlflowException

    try:
        return client.get_run(run_id)
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise StoreError(f"tracking_uri: {uri} failed: {error.message}") from public_cause(error)
        remedy = "`automl ui` shows the runs; or name another store with tracking_uri."
        raise SettingError(
            Fault("run_id", f"must be a run of {uri}", repr(run_id), remedy)
        ) from public_cause(error)
