"""Translate records to the names, tags, parameters and metrics of MLflow runs, and back."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import pstdev
from typing import Any, NamedTuple

from automl.records import Curve, SearchRecord, State, TrialRecord
from automl.space import as_point, from_point
from automl.tracking.description import title
from automl.tracking.surroundings import origin, surroundings

__all__ = [
    "Point",
    "RunContent",
    "plain_params",
    "plain_tags",
    "search_of",
    "search_run",
    "summary_points",
    "trial_of",
    "trial_run",
]

# https://mlflow.org/docs/latest/api_reference/rest-api.html#request-limits
_MAX_KEY = 250
_MAX_PARAM = 6_000
_MAX_TAG = 8_000

# Fields of records that tags hold as JSON.
_JSON = ("configuration", "constraints", "directions", "excess", "fold_scores", "class_weights", "types")

# MLflow shows a killed run like a crash. Pruning is a decision of the search: the tag ``automl.state`` has it.
_STATUS: dict[State, str] = {
    "complete": "FINISHED",
    "stopped": "FINISHED",
    "pruned": "FINISHED",
    "failed": "FAILED",
}


class Point(NamedTuple):
    """One value of a metric.

    ``timestamp`` is in milliseconds since 1970. ``step`` is a training step, a fold or 0; an epoch has as many
    steps as the tag ``automl.epoch_steps`` of the parent run says.
    """

    key: str
    value: float
    timestamp: int
    step: int


@dataclass(frozen=True)
class RunContent:
    """The content of a run.

    Parameters
    ----------
    name : str
        Shown in MLflow's table of runs.
    tags, params : dict of str
        Within MLflow's limits.
    points : list of Point
        Metrics with their histories, finite values only: MLflow stores infinity as 1.8e308, which flattens
        charts, and its user interface hides metrics that end with NaN.
    status : str
        MLflow's run status.
    start, end : int
        Milliseconds since 1970.
    """

    name: str
    tags: dict[str, str]
    params: dict[str, str] = field(default_factory=dict)
    points: list[Point] = field(default_factory=list)
    status: str = "RUNNING"
    start: int = 0
    end: int = 0


def search_run(record: SearchRecord, params: Mapping[str, Any], above: str | None = None) -> RunContent:
    """Return the content of a search's parent run.

    Parameters
    ----------
    record : SearchRecord
        The search; every field becomes a tag.
    params : mapping
        The settings of the search.
    above : str or None
        The user's run that the search belongs to.

    Returns
    -------
    RunContent
        With status RUNNING.
    """
    fields = record.model_dump(exclude={"columns", "left_out"})
    if record.left_out:
        fields["left_out"] = "; ".join(record.left_out)
    tags = {"automl.kind": "search", **{f"automl.{name}": value for name, value in fields.items()}}
    if above is not None:
        tags["mlflow.parentRunId"] = above
    return RunContent(
        name=record.study_name,
        tags=plain_tags({**tags, "mlflow.note.content": title(record), **origin(), **surroundings()}),
        params=plain_params(params),
        start=_milliseconds(time.time()),
    )


def trial_run(record: TrialRecord, parent_run_id: str) -> RunContent:
    """Return the content of a trial's child run.

    Parameters
    ----------
    record : TrialRecord
        The finished trial.
    parent_run_id : str
        The run of its search.

    Returns
    -------
    RunContent
        With the learning curve (``train_loss`` by epoch, ``learning_rate`` by epoch where it changes, ``score`` by
        rung, on one scale of steps), the final metrics, and the values of objectives and constraints. The tag
        ``automl.fold_scores`` has the score of each fold; ``automl.feasible`` is true if no constraint is violated.
    """
    tags = {
        "mlflow.parentRunId": parent_run_id,
        "automl.kind": "trial",
        "automl.number": record.number,
        "automl.state": record.state,
        "automl.family": record.family,
        "automl.seed": record.seed,
        "automl.configuration": json.dumps(as_point(record.configuration), default=str),
    }
    if record.curve.rungs:
        tags |= {"automl.rung": record.curve.rungs[-1]}
    if record.fold_scores:
        tags |= {"automl.fold_scores": record.fold_scores}
    if record.violation:
        tags |= {
            "automl.feasible": "false" if record.total_violation > 0 else "true",
            "automl.excess": record.violation,
        }
    if record.reason:
        tags |= {"automl.reason": record.reason, "mlflow.note.content": record.reason}
    started = record.started or time.time()
    return RunContent(
        name=f"{record.number:04d} {record.family}",
        tags=plain_tags({**tags, **origin()}),
        params=plain_params(record.params),
        points=_points(record, started),
        status=_STATUS[record.state],
        start=_milliseconds(started),
        end=_milliseconds(started + record.seconds),
    )


def search_of(tags: Mapping[str, str]) -> SearchRecord:
    """Return the search that a run's tags describe, without column types and exclusions."""
    fields = _fields(SearchRecord, tags)
    return SearchRecord.model_validate({name: fields[name] for name in fields.keys() - {"left_out"}})


def trial_of(tags: Mapping[str, str], metrics: Mapping[str, float]) -> TrialRecord:
    """Return the trial that a run's tags and metrics describe, with its last rung and score only."""
    rungs, score = tags.get("automl.rung"), metrics.get("score")
    curve = Curve(rungs=(int(rungs),), scores=(score,)) if rungs and score is not None else Curve()
    fields = {**_fields(TrialRecord, tags), "params": {}, "score": score, "curve": curve}
    fields["configuration"] = from_point(fields["configuration"])
    return TrialRecord.model_validate(fields)


def _fields(kind: type[SearchRecord] | type[TrialRecord], tags: Mapping[str, str]) -> dict[str, Any]:
    names = [field.alias or name for name, field in kind.model_fields.items()]
    values = {name: tags.get(f"automl.{name}") for name in names}
    return {
        name: None if value == "None" else json.loads(value) if name in _JSON else value
        for name, value in values.items()
        if value is not None
    }


def _points(record: TrialRecord, started: float) -> list[Point]:
    """Return a trial's finite values with estimated timestamps."""
    curve = record.curve
    steps = curve.epoch_steps
    last = max([len(curve.losses) * steps, *curve.rungs])
    scores = dict(zip(curve.rungs, curve.scores, strict=False))
    if record.score is not None:
        scores[last] = record.score
    folds = record.fold_scores
    spread = [("score_std", pstdev(folds), 0, last)] if len(folds) > 1 else []
    # Name, value, step, and the step that determines the timestamp.
    values: list[tuple[str, float, int, int]] = [
        *(
            ("train_loss", loss, epoch * steps, epoch * steps)
            for epoch, loss in enumerate(curve.losses, start=1)
        ),
        *(
            ("learning_rate", rate, epoch * steps, epoch * steps)
            for epoch, rate in _ends_of_stretches(curve.learning_rates)
        ),
        *(("score", score, rung, rung) for rung, score in scores.items()),
        *spread,
        *((name, value, 0, last) for name, value in {**record.metrics, **record.values}.items()),
        ("seconds", record.seconds, 0, last),
    ]
    return [
        Point(_key(name), float(value), _milliseconds(started + record.seconds * when / max(last, 1)), step)
        for name, value, step, when in values
        if math.isfinite(value)
    ]


def _ends_of_stretches(values: Sequence[float]) -> list[tuple[int, float]]:
    """Return epoch and value where a constant stretch begins or ends: the same line in a chart, with fewer rows.

    Examples
    --------
    >>> _ends_of_stretches([0.1, 0.1, 0.1, 0.05, 0.04])
    [(1, 0.1), (3, 0.1), (4, 0.05), (5, 0.04)]
    """
    last = len(values) - 1
    return [
        (place + 1, value)
        for place, value in enumerate(values)
        if place in (0, last) or not values[place - 1] == value == values[place + 1]
    ]


def summary_points(metrics: Mapping[str, float], now: float, step: int) -> list[Point]:
    """Return finite metrics as points of one step at ``now``, seconds since 1970."""
    stamp = _milliseconds(now)
    return [
        Point(_key(key), float(value), stamp, step) for key, value in metrics.items() if math.isfinite(value)
    ]


def plain_params(params: Mapping[str, Any]) -> dict[str, str]:
    """Return parameters within MLflow's limits of characters and length.

    Examples
    --------
    >>> plain_params({"model.linear.l2": 1e-05, "space name?": None})
    {'model.linear.l2': '1e-05', 'space name_': 'None'}
    """
    return {_key(name): _cut(_text(value), _MAX_PARAM) for name, value in params.items()}


def plain_tags(tags: Mapping[str, Any]) -> dict[str, str]:
    """Return tags as text within MLflow's limits of characters and length."""
    return {_key(name): _cut(_text(value), _MAX_TAG) for name, value in tags.items()}


def _text(value: Any) -> str:
    return (
        value
        if isinstance(value, str)
        else json.dumps(value, default=str)
        if isinstance(value, dict | list | tuple)
        else str(value)
    )


def _key(name: str) -> str:
    return re.sub(r"[^\w\-. /]", "_", str(name), flags=re.ASCII)[:_MAX_KEY]


def _cut(text: str, length: int) -> str:
    """Return a text, without its middle if it is too long: tracebacks end with their reason."""
    if len(text) <= length:
        return text
    head = length // 4
    return f"{text[:head]}...{text[head + 3 - length :]}"


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
