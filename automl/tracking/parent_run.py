"""Content of a search's run: its table, its summary, files and tables."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl.records import SearchRecord
from automl.tracking.description import Description, markdown
from automl.tracking.run_store import RunStore
from automl.tracking.runs import Point
from automl.tracking.views import add_view, metrics_link, view_link

if TYPE_CHECKING:
    import pandas as pd
    from mlflow.entities import DatasetInput

__all__ = ["log_files", "write_inputs", "write_results", "write_summary"]

# MLflow's name for each type of column.
_TYPES = {"numeric": "double", "datetime": "datetime", "boolean": "boolean"}
_MAX_SCHEMA = 1_000_000  # characters; MLflow refuses more
_MAX_DIGEST = 36
_TABLES = "mlflow.loggedArtifacts"  # the tag with the files that MLflow shows as tables


def dataset_input(record: SearchRecord) -> DatasetInput:
    """Return the table of a search as MLflow's input of a run: name, fingerprint, columns, number of rows."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    target = "string" if record.task != "regression" else "double"
    columns = [
        *({"name": name, "type": _TYPES.get(kind, "string")} for name, kind in record.columns.items()),
        {"name": record.target, "type": target},
    ]
    schema = json.dumps({"mlflow_colspec": [{**column, "required": True} for column in columns]})
    profile = {"num_rows": record.n_rows, "num_elements": record.n_rows * (record.n_columns + 1)}
    source = {"uri": record.file} if record.file else {"tags": {"mlflow.source.name": "automl"}}
    dataset = Dataset(
        name=Path(record.file).name if record.file else f"table with {record.target}"[:500],
        digest=record.content[:_MAX_DIGEST],
        source_type="local" if record.file else "code",
        source=json.dumps(source),
        schema=schema if len(schema) <= _MAX_SCHEMA else None,
        profile=json.dumps(profile),
    )
    return DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])


def write_summary(
    store: RunStore,
    run_id: str,
    children: Mapping[int, str],
    number: int | None,
    front: Sequence[int],
    points: Sequence[Point],
    params: Mapping[str, Any],
    tags: Mapping[str, Any],
) -> None:
    """Write metrics, parameters and tags of a search's run, and tag the runs of its best trial and its front.

    Parameters
    ----------
    store : RunStore
        The runs.
    run_id : str
        The run of the search.
    children : mapping of int to str
        The run of each trial that has one.
    number, front : int or None, and sequence of int
        The best trial and the Pareto front.
    points, params, tags
        Content of the run.
    """
    more: dict[str, Any] = {} if number is None else {"automl.best_trial": number}
    if number is not None and number in children:
        more["automl.best_run_id"] = children[number]
    bests = [] if number is None else [number]
    for tag, numbers in (("automl.best", bests), ("automl.front", front)):
        store.mark(run_id, tag, {children[one] for one in numbers if one in children})
    store.write(run_id, points, params, {**tags, **more})


def write_inputs(store: RunStore, run_id: str, record: SearchRecord, files: Mapping[str, str]) -> None:
    """Write the table of a search, the view of its trials, and files, by path."""
    add_view(store.client, store.experiment_id, run_id, record.study_name, record.task)
    store.client.log_inputs(run_id, [dataset_input(record)])
    log_files(store, run_id, files)


def write_results(
    store: RunStore,
    run_id: str,
    found: Description,
    files: Mapping[str, str | bytes],
    tables: Mapping[str, pd.DataFrame],
) -> None:
    """Write the description of a finished search, files, by path, and tables that MLflow shows."""
    links = {
        "Trials by score": view_link("", store.experiment_id, run_id),
        "Learning curves of the ten best": view_link("", store.experiment_id, run_id, charts=True),
        "Best score so far": metrics_link(store.experiment_id, run_id),
    }
    store.client.set_tag(run_id, "mlflow.note.content", markdown(found, links))
    log_files(store, run_id, files)
    log_tables(store, run_id, tables)


def log_files(store: RunStore, run_id: str, files: Mapping[str, str | bytes]) -> None:
    """Write artifacts of a run, by path, in one call."""
    with tempfile.TemporaryDirectory() as scratch:
        for name, content in files.items():
            file = Path(scratch) / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content.encode() if isinstance(content, str) else content)
        store.client.log_artifacts(run_id, scratch)


def log_tables(store: RunStore, run_id: str, tables: Mapping[str, pd.DataFrame]) -> None:
    """Write tables as artifacts that MLflow shows as tables; an earlier one of the name is replaced.

    MLflow's own `log_table` would append the rows to it.
    """
    texts = {
        name: table.to_json(orient="split", index=False, default_handler=str)
        for name, table in tables.items()
    }
    log_files(store, run_id, texts)
    known: Sequence[Any] = json.loads(store.client.get_run(run_id).data.tags.get(_TABLES, "[]"))
    new = [one for name in tables if (one := {"path": name, "type": "table"}) not in known]
    store.client.set_tag(run_id, _TABLES, json.dumps([*known, *new]))
