"""Tiny fits of configurations, to find classes that do not train at all."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from contextlib import redirect_stdout
from functools import partial
from io import StringIO
from typing import Any

import numpy as np
import pandas as pd

from automl.constraints import named
from automl.errors import SpaceError
from automl.families.base import Family
from automl.families.catalog import FAMILIES, family_of
from automl.families.estimator_family import ITERATIONS
from automl.families.inputs import prepared_problem
from automl.families.problem import Array, Fold, Problem
from automl.metrics import Metric, Predictions
from automl.table import TypedColumns, preprocessor
from automl.time_limit import fit_in_time

__all__ = ["SmokeTest"]

_ITERATIONS = 3
_FEATURES = 20
_SEED = 0
# A configuration is at fault only if it trains on none of these tables: some classes need many rows, others
# non-negative numbers, or columns that are not linearly dependent.
_TABLES = ("mixed", "counts", "large")


class SmokeTest:
    """Fits a configuration to tiny tables and returns its error.

    Parameters
    ----------
    problems : mapping of str to Problem
        The problem of each task; the number of classes and the sign of the target count.
    metric : Metric, optional
        The metric that ranks the trials, if it is known.
    """

    def __init__(self, problems: Mapping[str, Problem], metric: Metric | None = None) -> None:
        self._problems, self._metric = problems, metric

    def __call__(self, task: str, configuration: Mapping[str, Any]) -> str | None:
        """Fit a configuration and predict with it.

        Parameters
        ----------
        task : str
            The task.
        configuration : mapping
            A configuration of a space.

        Returns
        -------
        str or None
            The first line of the error; empty if there is none, None if the family is for other tasks. The catalog's
            families are not fitted, apart from forests with ``max_samples``.

        Raises
        ------
        TimeoutError
            If a fit takes too long; it would for other tables and tasks too.
        """
        family, params, preprocess = family_of(configuration)
        if family.incompatibility(params, self._problems[task], self._metric):
            return None
        try:
            prepared_problem(family, self._problems[task], preprocess, {"": "categorical"})
        except SpaceError as error:
            return error.faults[0].rule
        if family.name in FAMILIES and "max_samples" not in params:  # forests reject it without bootstrap
            return ""
        errors = []
        for table in _TABLES:
            errors.append(self._error(family, params, self._problems[task], _reduced(preprocess), table))
            if not errors[-1]:
                return ""
        return errors[0]

    def _error(
        self,
        family: Family,
        params: Mapping[str, Any],
        problem: Problem,
        preprocess: Mapping[str, Any],
        table: str,
    ) -> str:
        short = {**params, **_few_iterations(params, family)}
        try:
            with np.errstate(all="ignore"), warnings.catch_warnings(), redirect_stdout(StringIO()):
                warnings.simplefilter("ignore")
                frame, types, y = _make_table(problem, table)
                prepare = preprocessor(preprocess, types, task=problem.task)
                X = np.ascontiguousarray(prepare.fit_transform(frame, y), dtype=np.float32)
                call = partial(_predictions, family, short, problem, X, y)
                predictions = call() if family.name in FAMILIES else fit_in_time(call)
        except TimeoutError as error:
            raise TimeoutError(f"fitting {len(y)} rows {error}") from None
        except Exception as error:  # the class may raise any error
            return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        metric = self._metric
        needed = metric is not None and metric.n_classes > 0 and metric.needs_probabilities()
        if metric is not None and needed and predictions.probabilities is None:
            return f"it gives no probabilities, which {metric.name} needs"
        return ""


@np.errstate(all="ignore")
def _predictions(family: Family, params: dict[str, Any], problem: Problem, X: Array, y: Array) -> Predictions:
    """Fit a configuration to a table, and predict the same rows."""
    trainer = family.trainer([params], [_SEED], problem, Fold(X, y, (_SEED, 0)))
    trainer.advance(family.last_rung(params, 1), lambda: False)
    (predictions,) = trainer.predict(X)
    return predictions


def _few_iterations(params: Mapping[str, Any], family: Family) -> dict[str, Any]:
    """Return a small number for each parameter that counts iterations."""
    known = [name for name in family.section.parameters if name in ITERATIONS]
    given = [name for name in known if name in params] or known[:1]
    defaults = family.section.defaults()
    values = {name: params.get(name, defaults[name]) for name in given}
    return {
        name: _ITERATIONS
        for name, value in values.items()
        if not isinstance(value, bool) and (value is None or (isinstance(value, int) and value > _ITERATIONS))
    }


def _reduced(preprocess: Mapping[str, Any]) -> dict[str, Any]:
    """Return the same preprocessing with few random features; their number does not change whether it trains."""
    kind, features = named(preprocess.get("features") or "none")
    if "n_components" not in features:
        return dict(preprocess)
    few = min(features["n_components"], _FEATURES)
    return {**preprocess, "features": {kind: {**features, "n_components": few}}}


def _make_table(problem: Problem, table: str) -> tuple[pd.DataFrame, dict[str, str], Array]:
    """Return typed columns, their types, and a target that follows from the first column."""
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
