"""The runs of one MLflow experiment: create, fill, end, tag and find them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from automl.errors import AutomlError, StoreError, public_cause
from automl.tracking.runs import Point, RunContent, plain_params, plain_tags
from automl.tracking.store import artifact_folder, open_store, quiet

__all__ = ["RunStore", "store_errors"]


class RunStore:
    """Read and write the runs of one experiment.

    Parameters
    ----------
    uri : str
        A tracking URI as `resolve_uri` returns it.
    experiment_name : str
        Created where it is missing.
    remaining : callable
        Returns the seconds that the search has left.
    experiment_id : str or None
        An experiment to use instead of the one of that name, if it exists.

    Attributes
    ----------
    client : MlflowClient
        A client of this store.
    experiment_id : str
        The experiment; `resume` sets it to that of an earlier run.

    Raises
    ------
    StoreError
        If the store cannot be opened or written. The methods raise MLflow's own errors.
    """

    def __init__(
        self,
        uri: str,
        experiment_name: str,
        remaining: Callable[[], float] = lambda: float("inf"),
        experiment_id: str | None = None,
    ) -> None:
        self.uri = uri
        self.client = open_store(uri, remaining=remaining)
        self.experiment_id = self._existing(experiment_id) or self._experiment(experiment_name)

    def create(self, content: RunContent) -> str:
        """Create a run with its tags and return its id."""
        run = self.client.create_run(self.experiment_id, content.start, content.tags, content.name)
        return str(run.info.run_id)

    def fill(self, run_id: str, content: RunContent) -> None:
        """Write the parameters and metrics of a run."""
        self.write(run_id, content.points, content.params)

    def write(
        self,
        run_id: str,
        points: Sequence[Point],
        params: Mapping[str, Any],
        tags: Mapping[str, Any] | None = None,
    ) -> None:
        """Add metrics, parameters and tags to a run."""
        from mlflow.entities import Metric, Param, RunTag

        # The client splits a batch into requests within MLflow's limits.
        self.client.log_batch(
            run_id,
            [Metric(*point) for point in points],
            [Param(name, value) for name, value in plain_params(params).items()],
            [RunTag(name, value) for name, value in plain_tags(tags or {}).items()],
        )

    def end(self, run_id: str, status: str, end: int | None = None) -> None:
        """Set the status of a run, and its end in milliseconds since 1970; by default now."""
        self.client.set_terminated(run_id, status, end)

    def resume(self, run_id: str) -> str | None:
        """Set a run to running and return its status before; None if the store no longer has it."""
        from mlflow.exceptions import MlflowException

        try:
            info = self.client.get_run(run_id).info
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":  # a busy store still has the run
                raise
            return None
        if info.lifecycle_stage != "active":
            return None
        self.experiment_id = info.experiment_id
        self.client.update_run(run_id, status="RUNNING")
        return str(info.status)

    def find(self, filter_string: str) -> Iterator[Any]:
        """Yield the runs of the experiment that match MLflow's filter."""
        token: str | None = None
        while True:
            page = self.client.search_runs(
                [self.experiment_id], filter_string, max_results=1000, page_token=token
            )
            yield from page
            token = page.token
            if not token:
                return

    def children(self, parent_run_id: str) -> Iterator[Any]:
        """Yield the runs of a search's trials."""
        return self.find(f"tags.`mlflow.parentRunId` = '{parent_run_id}'")

    def mark(self, parent_run_id: str, tag: str, run_ids: set[str]) -> None:
        """Set a tag on these child runs only; earlier parts of the search may have set it on others."""
        ours = f"tags.`mlflow.parentRunId` = '{parent_run_id}' and tags.`{tag}` = 'true'"
        marked = {run.info.run_id for run in self.find(ours)}
        for run_id in marked - run_ids:
            self.client.delete_tag(run_id, tag)
        for run_id in run_ids - marked:
            self.client.set_tag(run_id, tag, "true")

    def _existing(self, experiment_id: str | None) -> str | None:
        """Return the id if the store has this experiment, and it is not deleted."""
        from mlflow.exceptions import MlflowException

        if experiment_id is None:
            return None
        try:
            found = self.client.get_experiment(experiment_id)
        except MlflowException:  # of another store, or damaged: the search has its own experiment
            return None
        return experiment_id if found.lifecycle_stage == "active" else None

    def _experiment(self, name: str) -> str:
        """Return the id of the experiment of that name, created where it is missing."""
        folder = artifact_folder(self.uri)
        with store_errors(self.uri):
            found = self.client.get_experiment_by_name(name)
            if found is not None and found.lifecycle_stage == "active":
                return str(found.experiment_id)
            if found is not None:
                raise StoreError(
                    f"experiment_name: the experiment {name!r} was deleted in {self.uri}. "
                    "Restore it there, or use another name."
                )
            location = None if folder is None else (folder / quote(name, safe=" ")).as_uri()
            try:
                return str(self.client.create_experiment(name, artifact_location=location))
            except Exception:
                found = self.client.get_experiment_by_name(name)  # another search may have created it
                if found is None:
                    raise
                return str(found.experiment_id)


@contextmanager
def store_errors(uri: str) -> Iterator[None]:
    """Raise the errors of MLflow and of database drivers as a StoreError."""
    with quiet():
        try:
            yield
        except AutomlError:
            raise
        except Exception as error:
            raise StoreError(
                f"tracking_uri: {uri} failed: {str(error).strip().splitlines()[0]}"
            ) from public_cause(error)
