"""A search as MLflow runs: one parent, a child for each trial, the model of the winner."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from automl.errors import AutomlError, StoreError, without_passwords
from automl.records import SearchRecord, TrialRecord
from automl.tracking.models import log_model
from automl.tracking.runs import RunContent, plain_params, plain_tags, search_run, summary_points, trial_run
from automl.tracking.store import DEFAULT_EXPERIMENT, artifact_folder, open_store, quiet, resolve_uri
from automl.tracking.writer import Writer

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Tracker"]

_A_RUN = 0.03  # seconds to write a run, until it is measured

_STATUS = {"finished": "FINISHED", "killed": "KILLED", "failed": "FAILED"}


class Tracker:
    """Write one search to MLflow, off the critical path.

    Parameters
    ----------
    tracking_uri : str or None
        A database or a server; None for `default_tracking_uri`. An SQLite file is created with its folder,
        and its artifacts lie next to it in ``artifacts/``.
    experiment_name : str or None
        MLflow's experiment, created where it is missing; None for ``"automl"``.

    Attributes
    ----------
    tracking_uri : str
        The store, an SQLite path made absolute.
    parent_run_id : str or None
        The search's run, once started.

    Raises
    ------
    StoreError
        If the store cannot be opened or written. Later failures never raise from `log_trial`: they are tried
        again, counted, and reported once as a warning by `close`.

    Examples
    --------
    ::

        tracker = Tracker("sqlite:////data/mlflow.db")
        tracker.start(search_record, {"n_trials": 100})
        tracker.log_trial(trial_record)
        tracker.log_best(0, {"best_score": 0.93})
        tracker.close("finished")
    """

    def __init__(self, tracking_uri: str | None = None, experiment_name: str | None = None) -> None:
        self.tracking_uri = resolve_uri(tracking_uri)
        self.parent_run_id: str | None = None
        self._client = open_store(self.tracking_uri)
        self._experiment_id = self._experiment(experiment_name or DEFAULT_EXPERIMENT)
        self._writer = Writer()
        self._created: dict[int, str] = {}
        self._written: dict[int, str] = {}
        self._submitted: set[int] = set()
        self._owed: set[str] = set()  # of the search's own run: what was begun and has not come to its end
        self._started = time.time()
        self._closed = False

    def start(self, record: SearchRecord, params: Mapping[str, Any]) -> str:
        """Create the search's run and return its id.

        Parameters
        ----------
        record : SearchRecord
            What the search is about; its ``study_name`` names the run.
        params : mapping
            The search's settings, shown as the run's parameters.

        Returns
        -------
        str
            The parent run's id.

        Raises
        ------
        StoreError
            If it cannot be written.
        """
        content = search_run(record, params)
        self._started = time.time()
        with _translated(self.tracking_uri):
            self.parent_run_id = self._create(content)
            self._fill(self.parent_run_id, content)
        return self.parent_run_id

    def resume(self, run_id: str, records: Sequence[TrialRecord] | None) -> str | None:
        """Go on with the run of a search that has ended or died, and queue what it lacks.

        Parameters
        ----------
        run_id : str
            The search's run.
        records : sequence of TrialRecord or None
            As in `meet`.

        Returns
        -------
        str or None
            MLflow's status of the run before; None if the store no longer has it.

        Raises
        ------
        StoreError
            If the store cannot be read or written.
        """
        from mlflow.exceptions import MlflowException

        with _translated(self.tracking_uri):
            try:
                info = self._client.get_run(run_id).info
            except MlflowException as error:
                if (
                    error.error_code != "RESOURCE_DOES_NOT_EXIST"
                ):  # it may be busy: that is no reason for another run
                    raise
                return None
        if info.lifecycle_stage != "active":
            return None
        with _translated(self.tracking_uri):
            self.parent_run_id, self._experiment_id = run_id, info.experiment_id
            self._client.update_run(run_id, status="RUNNING")
        self.reconcile(records)
        return str(info.status)

    def reconcile(self, records: Sequence[TrialRecord] | None) -> None:
        """See which trials have runs that others have written, and queue what is missing.

        Parameters
        ----------
        records : sequence of TrialRecord or None
            Every trial of the study that ended. Those without a run get one, those whose run was not finished get
            the rest; runs of trials that the study does not know are ended. None, while others are writing: nothing
            is missing yet.

        Raises
        ------
        StoreError
            If the store cannot be read or written.
        """
        known = {record.number for record in records or ()}
        with _translated(self.tracking_uri):
            for child in self._runs(f"tags.`mlflow.parentRunId` = '{self.parent_run_id}'"):
                number, run_id = int(child.data.tags["automl.number"]), child.info.run_id
                ended = child.info.status != "RUNNING"
                if number in known:
                    self._created[number] = run_id
                if ended and (number in known or records is None) and number not in self._written:
                    self._written[number] = run_id
                elif not ended and number not in known and records is not None:
                    self._terminate(run_id, _STATUS["killed"])
        for record in records or ():
            if record.number not in self._written:
                self.log_trial(record)

    def find(self, record: SearchRecord) -> str | None:
        """Return the run of a search that died before anybody could keep the run's id; None where there is none."""
        wanted = search_run(record, {}).tags
        same = ("automl.study_name", "automl.space_digest", "automl.content")
        with _translated(self.tracking_uri):
            for run in self._runs("tags.`automl.kind` = 'search' and attributes.status = 'RUNNING'"):
                if all(run.data.tags.get(name) == wanted[name] for name in same):
                    return str(run.info.run_id)
        return None

    def _runs(self, filter_string: str) -> Iterator[Any]:
        token: str | None = None
        while True:
            page = self._client.search_runs(
                [self._experiment_id], filter_string, max_results=1000, page_token=token
            )
            yield from page
            token = page.token
            if not token:
                return

    def log_trial(self, record: TrialRecord) -> None:
        """Queue a trial's run; returns at once and never raises because of the store."""
        self._submitted.add(record.number)
        self._writer.submit(partial(self._write_trial, record))

    def run_id(self, number: int) -> str | None:
        """Return the run of a trial, once it is written."""
        return self._written.get(number)

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until everything queued is written; return whether it was within ``timeout`` seconds."""
        return self._writer.flush(timeout)

    @property
    def seconds(self) -> float:
        """Time the writing thread was busy."""
        return self._writer.seconds

    def backlog(self, more: int = 0) -> float:
        """Return the seconds it will take to write what is queued, and ``more`` trials."""
        a_job = self._writer.seconds / self._writer.done if self._writer.done else _A_RUN
        return (self._writer.pending + more) * a_job

    def log_best(
        self,
        number: int | None,
        metrics: Mapping[str, float],
        params: Mapping[str, Any] | None = None,
        tags: Mapping[str, Any] | None = None,
        front: Sequence[int] = (),
    ) -> None:
        """Queue the summary of the search for its own run; returns at once.

        The time spent in the store is added as ``tracking_seconds``, and as ``tracking_share`` of the time
        since `start`.

        Parameters
        ----------
        number : int or None
            The winning trial, if there is one; its `log_trial` comes first. The parent's tags
            ``automl.best_trial`` and ``automl.best_run_id`` name it, and its own run gets ``automl.best``.
        metrics, params, tags : mapping
            What else the parent's run should show.
        front : sequence of int
            Trials of the Pareto front, where there are several objectives; each run gets ``automl.front``.
        """
        self._writer.submit(
            partial(
                self._write_best, number, dict(metrics), dict(params or {}), dict(tags or {}), tuple(front)
            )
        )

    def log_model(
        self,
        estimator: Any,
        X_example: pd.DataFrame,
        *,
        registered_model_name: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        trusted: Sequence[str] = (),
    ) -> str:
        """Write a fitted pipeline as an MLflow model of the search's run, and register it.

        Parameters
        ----------
        estimator : estimator
            A fitted scikit-learn pipeline.
        X_example : DataFrame
            Some rows of the table: signature and input example come from them.
        registered_model_name : str or None
            Its name in MLflow's registry; None leaves it out.
        metadata : mapping or None
            Kept in the model as plain values.
        trusted : sequence of str
            Types outside this package and scikit-learn that the pipeline may hold, by full name.

        Returns
        -------
        str
            The model's URI, ``models:/m-...``.

        Raises
        ------
        StoreError
            If it cannot be written.
        SettingError
            If the pipeline holds types that are not trusted.
        """
        if self.parent_run_id is None:
            raise RuntimeError("Tracker.start comes before log_model")
        with _translated(self.tracking_uri):
            return log_model(
                self._client,
                self._experiment_id,
                self.parent_run_id,
                estimator,
                X_example,
                registered_model_name=registered_model_name,
                metadata=metadata or {},
                trusted=trusted,
            )

    def close(
        self, state: Literal["finished", "killed", "failed"] | None, timeout: float | None = None
    ) -> None:
        """Write what is queued, end the search's run, and warn once of what could not be written.

        Parameters
        ----------
        state : {"finished", "killed", "failed"} or None
            How the search ended; None where it has not, because other processes go on with it.
        timeout : float or None
            Seconds to wait for the store; None waits as long as it takes.
        """
        if self._closed:
            return
        self._closed = True
        if self.parent_run_id is not None and state is not None:
            self._writer.submit(partial(self._end, self.parent_run_id, _STATUS[state]))
        self._writer.flush(timeout)
        missing = len(self._submitted - self._written.keys())
        unfinished = missing or self._owed or self._writer.pending
        self._writer.close()
        if unfinished:
            what = (
                f"{missing} of {len(self._submitted)} trials have no complete run"
                if missing
                else "its summary is missing"
            )
            reason = str(self._writer.error or "it did not answer in time").strip().splitlines()[0]
            warnings.warn(
                f"The MLflow store {without_passwords(self.tracking_uri)} failed during the search: {what} ({reason}). "
                "The study itself is complete.",
                stacklevel=2,
            )

    def _experiment(self, name: str) -> str:
        """Return the id of the experiment of that name, made where it is missing."""
        folder = artifact_folder(self.tracking_uri)
        with _translated(self.tracking_uri):
            found = self._client.get_experiment_by_name(name)
            if found is not None and found.lifecycle_stage == "active":
                return str(found.experiment_id)
            if found is not None:
                raise StoreError(
                    f"experiment_name: the experiment {name!r} was deleted in {self.tracking_uri}. "
                    "Restore it there, or give another name."
                )
            location = None if folder is None else (folder / quote(name, safe=" ")).as_uri()
            try:
                return str(self._client.create_experiment(name, artifact_location=location))
            except Exception:
                found = self._client.get_experiment_by_name(name)  # another search may have just made it
                if found is None:
                    raise
                return str(found.experiment_id)

    def _create(self, content: RunContent) -> str:
        run = self._client.create_run(self._experiment_id, content.start, content.tags, content.name)
        return str(run.info.run_id)

    def _fill(self, run_id: str, content: RunContent) -> None:
        from mlflow.entities import Metric, Param

        metrics = [Metric(*point) for point in content.points]
        params = [Param(name, value) for name, value in content.params.items()]
        self._client.log_batch(run_id, metrics, params)  # cuts itself into requests within MLflow's limits

    def _write_trial(self, record: TrialRecord) -> None:
        """Write one child run; called again after a failure, it goes on with the run it made."""
        if self.parent_run_id is None:
            raise RuntimeError("Tracker.start comes before log_trial")
        content = trial_run(record, self.parent_run_id)
        if record.number not in self._created:
            self._created[record.number] = self._create(content)
        run_id = self._created[record.number]
        self._fill(run_id, content)
        self._terminate(run_id, content.status, content.end)
        self._written[record.number] = run_id

    def _write_best(
        self,
        number: int | None,
        metrics: dict[str, float],
        params: dict[str, Any],
        tags: dict[str, Any],
        front: tuple[int, ...],
    ) -> None:
        from mlflow.entities import Metric, Param, RunTag

        self._owed.add("summary")
        now = time.time()
        metrics |= {"tracking_seconds": self.seconds, "tracking_share": self.seconds / (now - self._started)}
        if number is not None:
            tags |= {"automl.best_trial": number}
        if number in self._written:
            tags |= {"automl.best_run_id": self._written[number]}
        self._mark("automl.best", () if number is None else (number,))
        self._mark("automl.front", front)
        self._client.log_batch(
            self.parent_run_id,
            [Metric(*point) for point in summary_points(metrics, now)],
            [Param(name, value) for name, value in plain_params(params).items()],
            [RunTag(name, value) for name, value in plain_tags(tags).items()],
        )
        self._owed.discard("summary")

    def _end(self, run_id: str, status: str) -> None:
        self._owed.add("end")
        self._terminate(run_id, status)
        self._owed.discard("end")

    def _mark(self, tag: str, numbers: Sequence[int]) -> None:
        """Let the runs of these trials have a tag, and no others: a search that was shorter may have marked some."""
        wanted = {self._written[number] for number in numbers if number in self._written}
        ours = f"tags.`mlflow.parentRunId` = '{self.parent_run_id}'"
        marked = {run.info.run_id for run in self._runs(f"{ours} and tags.`{tag}` = 'true'")}
        for run_id in marked - wanted:
            self._client.delete_tag(run_id, tag)
        for run_id in wanted - marked:
            self._client.set_tag(run_id, tag, "true")

    def _terminate(self, run_id: str, status: str, end: int | None = None) -> None:
        self._client.set_terminated(run_id, status, end)


@contextmanager
def _translated(uri: str) -> Iterator[None]:
    """Raise MLflow's and a driver's errors as a StoreError."""
    with quiet():
        try:
            yield
        except AutomlError:
            raise
        except Exception as error:
            raise StoreError(f"tracking_uri: {uri} failed: {str(error).strip().splitlines()[0]}") from error
