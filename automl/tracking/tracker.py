"""One search as MLflow runs: a parent run, a child run for each trial, the model of the best trial."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from automl.errors import without_passwords
from automl.records import SearchRecord, TrialRecord
from automl.tracking.description import Description
from automl.tracking.fluent import active_run, chosen_experiment, named_experiment
from automl.tracking.models import log_model
from automl.tracking.parent_run import log_files, write_inputs, write_results, write_summary
from automl.tracking.run_store import RunStore, store_errors
from automl.tracking.running import RunningSummary
from automl.tracking.runs import search_run, summary_points, trial_run
from automl.tracking.store import DEFAULT_EXPERIMENT, check_store, resolve_uri
from automl.tracking.writer import Writer

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Tracker"]

_RUN_SECONDS = 0.03  # assumed time to write a run, until it is measured
_STATUS = {"finished": "FINISHED", "killed": "KILLED", "failed": "FAILED"}


class Tracker:
    """Write one search to MLflow on a background thread.

    Parameters
    ----------
    tracking_uri : str or None
        A database or a server; None for `default_tracking_uri`. An SQLite file is created with its folder,
        its artifacts in ``artifacts/`` beside it.
    experiment_name : str or None
        MLflow's experiment, created where it is missing; None for that of the user's active run, then that of
        ``mlflow.set_experiment`` unless autologging is on, then ``MLFLOW_EXPERIMENT_NAME``, then ``"automl"``.
    remaining : callable
        Returns the seconds that the search has left: a server or database that does not answer may not take longer.
    sync_command : str
        The command that writes missing runs later, for the warning about them.
    opened : bool
        Whether the store is opened now; otherwise by `open`, since importing MLflow takes seconds.

    Attributes
    ----------
    tracking_uri : str
        The store; the path of an SQLite file is absolute.
    parent_run_id : str or None
        The run of the search, after `start` or `resume`.

    Raises
    ------
    StoreError
        If the store cannot be opened or written. Later failures never raise from `log_trial`: the thread
        retries and counts them, and `close` warns once.
    """

    def __init__(
        self,
        tracking_uri: str | None = None,
        experiment_name: str | None = None,
        *,
        remaining: Callable[[], float] = lambda: float("inf"),
        sync_command: str = "",
        opened: bool = True,
    ) -> None:
        self.tracking_uri = resolve_uri(tracking_uri)
        self.parent_run_id: str | None = None
        self._sync_command = sync_command
        self._above = above = active_run(self.tracking_uri)
        chosen = chosen_experiment(self.tracking_uri) if above is None else above.experiment_id
        self._make_store = partial(
            RunStore,
            self.tracking_uri,
            experiment_name or named_experiment() or DEFAULT_EXPERIMENT,
            remaining,
            chosen if experiment_name is None else None,
        )
        self._store: RunStore
        if opened:
            self.open()
        else:
            check_store(self.tracking_uri)
        self._summary = RunningSummary()
        self._writer = Writer()
        self._created: dict[int, str] = {}
        self._written: dict[int, str] = {}
        self._submitted: set[int] = set()
        self._unfinished: set[str] = set()  # writes to the parent run that started and did not succeed yet
        self._started = time.time()
        self._closed = False

    def open(self) -> None:
        """Open the store; raise StoreError if it cannot be opened or written."""
        self._store = self._make_store()

    def start(self, record: SearchRecord, params: Mapping[str, Any]) -> str:
        """Create the run of the search and return its id.

        Parameters
        ----------
        record : SearchRecord
            The search; its ``study_name`` names the run.
        params : mapping
            The settings of the search, shown as the run's parameters.

        Returns
        -------
        str
            The id of the parent run.

        Raises
        ------
        StoreError
            If it cannot be written.
        """
        content = search_run(record, params, None if self._above is None else self._above.run_id)
        self._started = time.time()
        with store_errors(self.tracking_uri):
            self.parent_run_id = self._store.create(content)
            self._store.fill(self.parent_run_id, content)
        self._writer.start()
        return self.parent_run_id

    def resume(self, run_id: str, records: Sequence[TrialRecord] | None) -> str | None:
        """Continue the run of a search that ended or crashed, and queue the trials it lacks.

        Parameters
        ----------
        run_id : str
            The run of the search.
        records : sequence of TrialRecord or None
            As in `reconcile`.

        Returns
        -------
        str or None
            MLflow's status of the run before; None if the store no longer has it.

        Raises
        ------
        StoreError
            If the store cannot be read or written.
        """
        with store_errors(self.tracking_uri):
            status = self._store.resume(run_id)
        if status is not None:
            self.parent_run_id = run_id
            self._writer.start()
            self.reconcile(records)
        return status

    def reconcile(self, records: Sequence[TrialRecord] | None) -> None:
        """Find the runs that other processes wrote, and queue the missing ones.

        Parameters
        ----------
        records : sequence of TrialRecord or None
            Every finished trial of the study. A trial without a run gets one, an unfinished run is completed,
            and running runs of unknown trials are ended. None while other processes write: nothing is queued.

        Raises
        ------
        StoreError
            If the store cannot be read or written.
        """
        known = {record.number for record in records or ()}
        with store_errors(self.tracking_uri):
            for child in self._store.children(str(self.parent_run_id)):
                number, run_id = int(child.data.tags["automl.number"]), child.info.run_id
                ended = child.info.status != "RUNNING"
                if number in known:
                    self._created[number] = run_id
                if ended and (number in known or records is None) and number not in self._written:
                    self._written[number] = run_id
                elif not ended and number not in known and records is not None:
                    self._store.end(run_id, _STATUS["killed"])
        self._writer.renew()  # the store has just answered
        for record in records or ():
            if record.number in self._written:
                self._summary.add(record)
            else:
                self.log_trial(record)

    def find(self, record: SearchRecord) -> str | None:
        """Return the running run of the same search; None where there is none.

        A search that was killed between creating its run and saving the id has such a run.
        """
        wanted = search_run(record, {}).tags
        same = ("automl.study_name", "automl.space_digest", "automl.content")
        with store_errors(self.tracking_uri):
            for run in self._store.find("tags.`automl.kind` = 'search' and attributes.status = 'RUNNING'"):
                if all(run.data.tags.get(name) == wanted[name] for name in same):
                    return str(run.info.run_id)
        return None

    def log_trial(self, record: TrialRecord) -> None:
        """Queue the run of a trial, also before `start`; returns at once and never raises because of the store."""
        self._submitted.add(record.number)
        self._writer.submit(partial(self._write_trial, record))

    def run_id(self, number: int) -> str | None:
        """Return the run of a trial, once it is written."""
        return self._written.get(number)

    def flush(self, timeout: float | None = None) -> bool:
        """Wait until the queue is empty; return whether it was within ``timeout`` seconds."""
        return self._writer.flush(timeout)

    @property
    def seconds(self) -> float:
        """Time the writing thread was busy."""
        return self._writer.seconds

    def backlog(self, more: int = 0) -> float:
        """Return the seconds that writing the queue and ``more`` trials will take; 0 if the store does not answer."""
        if not self._writer.answers:
            return 0.0
        a_job = self._writer.seconds / self._writer.done if self._writer.done else _RUN_SECONDS
        return (self._writer.pending + more) * a_job

    def log_best(
        self,
        number: int | None,
        metrics: Mapping[str, float],
        params: Mapping[str, Any] | None = None,
        tags: Mapping[str, Any] | None = None,
        front: Sequence[int] = (),
        step: int = 0,
    ) -> None:
        """Queue the summary of the search for the parent run; returns at once.

        The time spent in the store is added as ``tracking_seconds``, and as ``tracking_share`` of the time
        since `start`.

        Parameters
        ----------
        number : int or None
            The best trial, if there is one, after its `log_trial`. The parent run gets the tags
            ``automl.best_trial`` and ``automl.best_run_id``, its own run ``automl.best``.
        metrics, params, tags : mapping
            Further values of the parent run.
        front : sequence of int
            Trials of the Pareto front with several objectives; their runs get ``automl.front``.
        step : int
            Step of the metrics: MLflow shows the value of the last step, and a running search has written some.
        """
        values = dict(metrics), dict(params or {}), dict(tags or {})
        self._submit("summary", self._write_best, number, *values, tuple(front), step)

    def log_inputs(self, record: SearchRecord, files: Mapping[str, str]) -> None:
        """Queue the table of the search, the view of its trials, and files, by path; returns at once."""
        self._submit("inputs", write_inputs, record, dict(files))

    def log_results(
        self, found: Description, files: Mapping[str, str | bytes], tables: Mapping[str, pd.DataFrame]
    ) -> None:
        """Queue the description of the finished search, artifacts, and tables that MLflow shows; returns at once."""
        self._submit("results", write_results, found, dict(files), dict(tables))

    def log_files(self, files: Mapping[str, str | bytes]) -> None:
        """Queue artifacts of the search's run, by path; returns at once."""
        self._submit("files", log_files, dict(files))

    def log_model(
        self,
        estimator: Any,
        X_example: pd.DataFrame,
        *,
        registered_model_name: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        trusted: Sequence[str] = (),
    ) -> str:
        """Write a fitted pipeline as a logged model of the parent run, and register it.

        Parameters
        ----------
        estimator : estimator
            A fitted scikit-learn pipeline.
        X_example : DataFrame
            Some rows of the table, for the signature and the input example.
        registered_model_name : str or None
            Its name in MLflow's registry; None does not register it.
        metadata : mapping or None
            Saved with the model as plain values.
        trusted : sequence of str
            Types besides those of automl and scikit-learn that the pipeline may hold, by full name.

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
            raise RuntimeError("call Tracker.start before log_model")
        with store_errors(self.tracking_uri):
            return log_model(
                self._store.client,
                self._store.experiment_id,
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
        """Write the queue, end the parent run, and warn once if anything could not be written.

        Parameters
        ----------
        state : {"finished", "killed", "failed"} or None
            How the search ended; None if other processes continue it.
        timeout : float or None
            Seconds to wait for the store; None waits without limit.
        """
        if self._closed:
            return
        self._closed = True
        if self.parent_run_id is None:
            self._writer.close()
            return
        if state is not None:
            self._writer.renew(once=True)  # else the run would seem to be running
            self._submit("end", RunStore.end, _STATUS[state])
        self._writer.flush(timeout)
        missing = len(self._submitted - self._written.keys())
        incomplete = missing or self._unfinished or self._writer.pending
        self._writer.close()
        if incomplete:
            lacks = f"{missing} of {len(self._submitted)} trials have no complete run"
            lacks = lacks if missing else "its summary is missing"
            reason = str(self._writer.error or "it did not answer in time").strip().splitlines()[0]
            remedy = f" Write what is missing with: {self._sync_command}" if self._sync_command else ""
            warnings.warn(
                without_passwords(
                    f"The MLflow store {self.tracking_uri} failed during the search: {lacks} ({reason}). "
                    f"The study itself is complete.{remedy}"
                ),
                stacklevel=2,
            )

    def _write_trial(self, record: TrialRecord) -> None:
        """Write one child run; a retry continues the run that the first attempt created."""
        if self.parent_run_id is None:
            raise RuntimeError("call Tracker.start before log_trial")
        content = trial_run(record, self.parent_run_id)
        if record.number not in self._created:
            self._created[record.number] = self._store.create(content)
        run_id = self._created[record.number]
        self._store.fill(run_id, content)
        self._store.end(run_id, content.status, content.end)
        if record.number not in self._written:
            self._summary.add(record)
        self._written[record.number] = run_id
        if points := self._summary.points():
            self._store.write(self.parent_run_id, points, {})

    def _write_best(
        self,
        store: RunStore,
        run_id: str,
        number: int | None,
        metrics: dict[str, float],
        params: dict[str, Any],
        tags: dict[str, Any],
        front: tuple[int, ...],
        step: int,
    ) -> None:
        now = time.time()
        metrics |= {"tracking_seconds": self.seconds, "tracking_share": self.seconds / (now - self._started)}
        points = summary_points(metrics, now, step)
        write_summary(store, run_id, self._written, number, front, points, params, tags)

    def _submit(self, what: str, write: Callable[..., None], *content: Any) -> None:
        """Queue ``write(store, run_id, *content)`` for the run of the search; until it succeeds, it is unfinished."""

        def job() -> None:
            self._unfinished.add(what)
            write(self._store, str(self.parent_run_id), *content)
            self._unfinished.discard(what)

        self._writer.submit(job)
