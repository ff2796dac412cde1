"""A configuration fitted to next to nothing, to see whether it trains at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from automl.constraints import named
from automl.families.base import Array, Family, Fold, Problem
from automl.families.catalog import family_of
from automl.metrics import Metric
from automl.space import ITERATIONS
from automl.table import TypedColumns, preprocessor

__all__ = ["Tryout"]

_ITERATIONS = 3
_FEATURES = 20
_SEED = 0
# A configuration is at fault only if it trains on none of these: what some tables alone bring about, such as too few
# rows, negative numbers or columns that add up to one, the file cannot be blamed for. What was said of
# all of them once need not be said again.
_TABLES = ("mixed", "counts", "large")


class Tryout:
    """Fits of configurations to tiny tables.

    Parameters
    ----------
    problems : mapping of str to Problem
        By task; of the target, the number of classes and the sign of the numbers count.
    metric : Metric, optional
        What will rank the trials, if that is known.
    """

    def __init__(self, problems: Mapping[str, Problem], metric: Metric | None = None) -> None:
        self._problems, self._metric = problems, metric
        self._needs_probabilities = (
            metric is not None and metric.n_classes > 0 and metric.needs_probabilities()
        )
        self._sure: set[tuple[str, str, str, str]] = set()

    def __call__(self, task: str, configuration: Mapping[str, Any]) -> str | None:
        """Fit a configuration, predict from it, and return what is said against that.

        Parameters
        ----------
        task : str
            The task.
        configuration : mapping
            A point of a space.

        Returns
        -------
        str or None
            The first line of the error; empty where there was none, None where the family is for other tasks.
        """
        family, params, preprocess = family_of(configuration)
        problem = self._problems[task]
        if family.incompatibility(params, problem, self._metric):
            return None
        params = {**params, **_shortened(params, family)}
        prepared, reason = json.dumps(_narrowed(preprocess), sort_keys=True), ""
        for table in _TABLES:
            said = self._fit(family, params, problem, prepared, table)
            reason = reason or said
            if not said or (task, family.name, prepared, reason) in self._sure:
                return said and reason
        self._sure.add((task, family.name, prepared, reason))
        return reason

    def _fit(
        self, family: Family, params: dict[str, Any], problem: Problem, preprocess: str, table: str
    ) -> str:
        try:
            with np.errstate(all="ignore"):
                X, y = _prepared(preprocess, problem, table)
                trainer = family.trainer([params], [_SEED], problem, Fold(X, y, (_SEED, 0)))
                trainer.advance(family.last_rung(params, 1), lambda: False)
                (said,) = trainer.predict(X)
        except Exception as error:  # any class of any package, so anything may come
            return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        if self._metric is not None and self._needs_probabilities and said.probabilities is None:
            return f"it gives no probabilities, which {self._metric.name} needs"
        return ""


def _shortened(params: Mapping[str, Any], family: Family) -> dict[str, Any]:
    """Return few iterations for what takes many, under the word for them that is used if a class has several."""
    known = [name for name in family.section.parameters if name in ITERATIONS]
    long = [name for name in known if name in params] or known[:1]
    defaults = family.section.defaults()
    given = {name: params.get(name, defaults[name]) for name in long}
    return {
        name: _ITERATIONS
        for name, value in given.items()
        if not isinstance(value, bool) and (value is None or (isinstance(value, int) and value > _ITERATIONS))
    }


def _narrowed(preprocess: Mapping[str, Any]) -> dict[str, Any]:
    """Return the same with few random features: how many there are makes no difference to what can be trained."""
    kind, features = named(preprocess.get("features") or "none")
    if "n_components" not in features:
        return dict(preprocess)
    fewer = min(features["n_components"], _FEATURES)
    return {**preprocess, "features": {kind: {**features, "n_components": fewer}}}


@lru_cache(maxsize=256)
def _prepared(preprocess: str, problem: Problem, table: str) -> tuple[Array, Array]:
    frame, column_types, y = _table(problem, table)
    prepare = preprocessor(json.loads(preprocess), column_types, task=problem.task)
    return np.ascontiguousarray(prepare.fit_transform(frame, y), dtype=np.float32), y


@lru_cache(maxsize=16)
def _table(problem: Problem, table: str) -> tuple[pd.DataFrame, dict[str, str], Array]:
    """Return typed columns, and a target that follows from the first."""
    rng = np.random.default_rng(_SEED)
    n_rows, n_columns = (400, 12) if table == "large" else (60, 3)
    numbers = rng.normal(size=(n_rows, n_columns))
    signal = numbers[:, 0] + 0.3 * rng.normal(size=n_rows)
    if table == "counts":
        numbers = np.floor(3 * np.abs(numbers))
    if table == "mixed":
        numbers[::7, 1] = np.nan
    frame = pd.DataFrame(numbers, columns=[f"x{i}" for i in range(n_columns)])
    if table != "large":
        frame["kind"] = rng.choice(["a", "b", "c"], size=n_rows)
    columns = TypedColumns()
    typed = columns.fit_transform(frame)
    if problem.n_classes:
        return typed, columns.column_types_, signal.argsort().argsort() * problem.n_classes // n_rows
    return typed, columns.column_types_, signal - signal.min() + np.sign(problem.least)
