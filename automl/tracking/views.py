"""Views of MLflow's user interface: the trials of a search, sorted by score, with the columns and charts to read."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from automl.records import Task
from automl.tracking.read_runs import get_run
from automl.tracking.store import open_store, resolve_uri

if TYPE_CHECKING:
    from mlflow import MlflowClient

__all__ = ["add_view", "metrics_link", "ui_url", "view_link"]

# An experiment's tag of this name is a view, which everybody sees in the menu "Views".
_TAG = "mlflow.sharedViewState."
_PREFIX = "automl-"
_MOST_VIEWS = 20  # of an experiment, which is loaded with all of them
_KIND = "mlflow.experimentKind"
_COLUMNS: dict[Task, tuple[str, ...]] = {
    "binary": ("accuracy", "f1", "roc_auc", "log_loss"),
    "multiclass": ("accuracy", "f1", "log_loss"),
    "regression": ("rmse", "mae", "r2"),
}
_CURVES = {"score": "Validation score", "train_loss": "Training loss", "learning_rate": "Learning rate"}
_SECTION = "automl-curves"
_QUERY = "workflowType=machine_learning"  # without it, the pages for language models open


def add_view(client: MlflowClient, experiment_id: str, run_id: str, name: str, task: Task | None) -> None:
    """Save the view of a search's trials with its experiment; do nothing if the experiment has it.

    Only the views of the newest searches are kept. A store that refuses the tag is no error: the page then opens
    without the view.

    Parameters
    ----------
    client : MlflowClient
        The store.
    experiment_id, run_id : str
        The experiment and the run of the search.
    name : str
        Name of the study, for the menu of views.
    task : str or None
        Decides which metrics are columns; None shows the score alone.
    """
    from mlflow.exceptions import MlflowException

    with suppress(MlflowException):
        tags = client.get_experiment(experiment_id).tags
        if _KIND not in tags:  # else MLflow shows its pages for language models
            client.set_experiment_tag(experiment_id, _KIND, "custom_model_development")
        if (key := f"{_TAG}{_key(run_id)}") in tags:
            return
        ours = sorted(
            (tag for tag in tags if tag.startswith(f"{_TAG}{_PREFIX}")), key=lambda tag: _age(tags[tag])
        )
        for tag in ours[: max(0, len(ours) + 1 - _MOST_VIEWS)]:
            client.delete_experiment_tag(experiment_id, tag)
        client.set_experiment_tag(experiment_id, key, _view(run_id, name, task))


def view_link(address: str, experiment_id: str, run_id: str, *, charts: bool = False) -> str:
    """Return the address of a search's trials in MLflow's user interface.

    Parameters
    ----------
    address : str
        Of the server, such as ``http://127.0.0.1:5000``; empty for a link from one page of the server to another.
    experiment_id, run_id : str
        The experiment and the run of the search.
    charts : bool
        Whether to open the learning curves of the ten best trials instead of the table.
    """
    mode = "&compareRunsMode=CHART" if charts else ""
    return f"{_page(address, experiment_id)}&viewStateShareKey={_key(run_id)}{mode}"


def metrics_link(experiment_id: str, run_id: str) -> str:
    """Return the address of the charts of a run, as a link from one page of the server to another."""
    return f"#/experiments/{experiment_id}/runs/{run_id}/model-metrics?{_QUERY}"


def ui_url(
    tracking_uri: str | None = None,
    experiment_name: str | None = None,
    run_id: str | None = None,
    address: str = "http://127.0.0.1:5000",
) -> str:
    """Return the address of a search's trials in the user interface of `ui_command`.

    Parameters
    ----------
    tracking_uri : str or None
        As in `Tracker`.
    experiment_name : str or None
        The experiment; None is all of them.
    run_id : str or None
        The run of the search; None is the newest one.
    address : str
        Of the server.

    Returns
    -------
    str
        The page of all runs if the named experiment has no search; the start page if there is no experiment or search.

    Raises
    ------
    SettingError
        If there is no such run.
    StoreError
        If there is no store yet.
    """
    uri = resolve_uri(tracking_uri)
    client = open_store(uri, create=False)
    if run_id is None:
        named = None if experiment_name is None else client.get_experiment_by_name(experiment_name)
        experiments = client.search_experiments() if experiment_name is None else [named]
        ids = [one.experiment_id for one in experiments if one is not None]
        kind, newest = "tags.`automl.kind` = 'search'", ["start_time DESC"]
        found = client.search_runs(ids, kind, max_results=1, order_by=newest) if ids else []
        if not found:
            return _page(address, ids[0]) if experiment_name and ids else address
        run = found[0]
    else:
        run = get_run(client, run_id, uri)
    tags: Mapping[str, str] = run.data.tags
    if tags.get("automl.kind") == "trial":  # the search that it belongs to
        run = get_run(client, tags["mlflow.parentRunId"], uri)
        tags = run.data.tags
    task: Any = tags.get("automl.task")
    info = run.info
    add_view(client, info.experiment_id, info.run_id, tags.get("automl.study_name", info.run_name), task)
    return view_link(address, info.experiment_id, info.run_id)


def _page(address: str, experiment_id: str) -> str:
    page = f"{address.rstrip('/')}/" if address else ""
    return f"{page}#/experiments/{experiment_id}/runs?{_QUERY}"


def _key(run_id: str) -> str:
    return f"{_PREFIX}{run_id[:12]}"


def _age(view: str) -> float:
    """Return when a view was made; 0 if that cannot be read."""
    with suppress(ValueError, KeyError, TypeError):
        return float(json.loads(view)["createdAt"])
    return 0.0


def _view(run_id: str, name: str, task: Task | None) -> str:
    """Return a view as MLflow's user interface saves it: a name and a state, which is JSON in JSON."""
    now = round(time.time() * 1000)
    state = json.dumps(_state(run_id, task), separators=(",", ":"))
    return json.dumps({"name": name, "createdAt": now, "updatedAt": now, "state": state})


def _state(run_id: str, task: Task | None) -> dict[str, Any]:
    metrics = () if task is None else _COLUMNS.get(task, ())
    columns = [
        "metrics.`score`",
        "tags.`automl.state`",
        *(f"metrics.`{name}`" for name in metrics),
        "metrics.`score_std`",
        "metrics.`seconds`",
        "tags.`automl.reason`",
    ]
    curves = [_line(name, title) for name, title in _CURVES.items()]
    return {
        # Pruned trials are hidden: their scores are those of a shorter training.
        "searchFilter": f"tags.`mlflow.parentRunId` = '{run_id}' and tags.`automl.state` != 'pruned'",
        "orderByKey": "metrics.`score`",
        "orderByAsc": False,
        "selectedColumns": columns,
        "columnOrder": columns,
        "columnWidths": {"metrics.`score`": 110, "tags.`automl.state`": 110, "tags.`automl.reason`": 320},
        "compareRunCharts": [*curves, _scatter("seconds", "score", "Score by seconds of training")],
        "compareRunSections": [
            {"uuid": _SECTION, "name": "Curves of the best trials", "display": True, "isReordered": False}
        ],
    }


def _line(metric: str, title: str) -> dict[str, Any]:
    return {
        **_chart("LINE", f"automl-{metric}", title, 10),
        "metricKey": metric,
        "selectedMetricKeys": [metric],
        "xAxisKey": "step",
        "selectedXAxisMetricKey": "",
        "xAxisScaleType": "linear",
        "scaleType": "linear",
        "lineSmoothness": 0,
        "range": {},
        "ignoreOutliers": False,
        "yAxisKey": "metric",
        "yAxisExpressions": [],
        "useGlobalXaxisKey": True,
        "useGlobalLineSmoothing": True,
    }


def _scatter(x: str, y: str, title: str) -> dict[str, Any]:
    axes = {"xaxis": {"key": x, "type": "METRIC"}, "yaxis": {"key": y, "type": "METRIC"}}
    return {**_chart("SCATTER", "automl-scatter", title, 100), **axes}


def _chart(kind: str, uuid: str, title: str, n_runs: int) -> dict[str, Any]:
    return {
        "uuid": uuid,
        "type": kind,
        "runsCountToCompare": n_runs,
        "metricSectionId": _SECTION,
        "deleted": False,
        "isGenerated": False,
        "displayName": title,
    }
