"""Objectives of a search: one scorer that ranks trials, then further scorers and costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from automl.errors import Fault, SettingError
from automl.metrics.costs import COSTS
from automl.metrics.own import import_scorers
from automl.metrics.predictions import Array
from automl.metrics.scorers import Direction, Metric, Scorer, check_scorer, metric_for

__all__ = ["Objectives", "check_objectives", "objectives_for"]


@dataclass(frozen=True)
class Objectives:
    """The objectives of a search.

    Parameters
    ----------
    names : tuple of str
        Scorers and costs; the first ranks trials.
    directions : tuple of {"maximize", "minimize"}
        Whether greater or smaller values of each are better.
    metrics : tuple of Metric
        The scorers among them, in the same order; the first is the first objective.
    """

    names: tuple[str, ...]
    directions: tuple[Direction, ...]
    metrics: tuple[Metric, ...]

    @property
    def metric(self) -> Metric:
        """The metric that ranks trials and is reported at rungs."""
        return self.metrics[0]

    @property
    def costs(self) -> tuple[str, ...]:
        """The objectives that are measured."""
        return tuple(name for name in self.names if name in COSTS.parameters)


def check_objectives(scoring: Scorer | Sequence[Scorer] | None, directions: Any = None) -> int:
    """Check objectives before the task is known, as `objectives_for` does with it, and return their number.

    A scorer given as ``module:function`` is imported.

    Raises
    ------
    SettingError
        With all faults.
    """
    objectives: list[Any] = list(scoring) if isinstance(scoring, list | tuple) else [scoring]
    faults = _first_faults(objectives)
    if isinstance(directions, list | tuple) and len(directions) != len(objectives):
        faults.append(_number_fault(objectives, directions))
    for one in objectives:
        try:
            if one is not None and not _is_cost(one):
                import_scorers(one)
                check_scorer(one)
        except SettingError as error:
            faults += error.faults
    if faults:
        raise SettingError(faults)
    return len(objectives)


def objectives_for(
    scoring: Scorer | Sequence[Scorer] | None,
    directions: Sequence[Direction] | None,
    task: str,
    n_classes: int = 0,
    *,
    labels: Array | None = None,
    positive: int = 1,
) -> Objectives:
    """Return the objectives of a search.

    Parameters
    ----------
    scoring : str, callable, sequence of them, or None
        A scorer as for `metric_for`, or several objectives: scorers and names of `COSTS`, a scorer first.
    directions : sequence of {"maximize", "minimize"} or None
        One for each objective. None: scores are maximised and costs minimised.
    task, n_classes, labels, positive
        As for `metric_for`.

    Raises
    ------
    SettingError
        With all faults.

    Examples
    --------
    >>> found = objectives_for(["roc_auc", "model_bytes"], None, "binary", 2)
    >>> found.names, found.directions, found.metric.name, found.costs
    (('roc_auc', 'model_bytes'), ('maximize', 'minimize'), 'roc_auc', ('model_bytes',))
    """
    objectives: list[Any] = list(scoring) if isinstance(scoring, list | tuple) else [scoring]
    faults = _first_faults(objectives)
    given: list[Any] = [None] * len(objectives) if directions is None else list(directions)
    if len(given) != len(objectives):
        faults.append(_number_fault(objectives, given))
        given = [None] * len(objectives)
    names: list[str] = []
    metrics: list[Metric] = []
    for one, direction in zip(objectives, given, strict=True):
        if direction not in (None, "maximize", "minimize"):
            faults.append(Fault("directions", 'must be "maximize" or "minimize"', repr(direction)))
        if _is_cost(one):
            names.append(one)
            continue
        try:
            metric = metric_for(one, task, n_classes, labels=labels, positive=positive)
            metrics.append(replace(metric, direction=direction or "maximize"))
            names.append(metrics[-1].name)
        except SettingError as error:
            faults += error.faults
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        faults.append(Fault("scoring", "must name each objective once", f"{', '.join(repeated)} twice"))
    if faults:
        raise SettingError(faults)
    return Objectives(
        tuple(names),
        tuple(
            direction or ("minimize" if _is_cost(one) else "maximize")
            for one, direction in zip(objectives, given, strict=True)
        ),
        tuple(metrics),
    )


def _is_cost(objective: Any) -> bool:
    return isinstance(objective, str) and objective in COSTS.parameters


def _number_fault(objectives: Sequence[Any], directions: Sequence[Any]) -> Fault:
    return Fault("directions", f"must be {len(objectives)}, one for each objective", str(len(directions)))


def _first_faults(objectives: Sequence[Any]) -> list[Fault]:
    if objectives and not _is_cost(objectives[0]):
        return []
    rule = "must begin with a scorer, which curves show and the winner is chosen by"
    return [Fault("scoring", rule, f'"{objectives[0]}"' if objectives else "none")]
