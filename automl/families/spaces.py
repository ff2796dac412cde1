"""Spaces read by the vocabulary of the families, and held against what the families can do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from automl.families.base import Problem
from automl.families.catalog import FAMILIES, structural, vocabulary
from automl.families.sklearn import EstimatorFamily
from automl.families.tryout import Tryout
from automl.metrics import COSTS, Metric
from automl.space import Fits, Space, Tries
from automl.space import load_space as load

__all__ = ["incompatibility_check", "load_space", "smoke_test"]

_PROBLEMS = {
    "binary": Problem("binary", 2),
    "multiclass": Problem("multiclass", 3),
    "regression": Problem("regression"),
}


def load_space(source: str | Path | Mapping[str, Any] | Space, *, allow_imports: Iterable[str] = ()) -> Space:
    """Read and check a search space.

    Parameters
    ----------
    source : str, path, dict or Space
        The name of a space that ships (``"tabular"``), a YAML file, YAML text, the same as a dict, or a space
        already read.
    allow_imports : str or iterable of str
        Packages, besides scikit-learn, automl, lightgbm, xgboost and catboost, that ``estimator:`` may name
        classes of. To import a package is to run it: allow those you trust.

    Returns
    -------
    Space

    Raises
    ------
    SpaceError
        With every fault that the space has.

    Examples
    --------
    >>> space = load_space({"space": {"model": {"choice": {"decision_tree": {"max_depth": [2, 4]}}}}})
    >>> space.params({"model": {"decision_tree": {"max_depth": 4}}})
    {'model': 'decision_tree', 'model.decision_tree.max_depth': 4}
    """
    return load(
        source,
        vocabulary=vocabulary(),
        limits=COSTS,
        allow_imports=allow_imports,
        structural=structural,
        fits=lambda task, family, params: _unfit(family, params, _PROBLEMS[task], None),
        tries=Tryout(_PROBLEMS),
    )


def incompatibility_check(problem: Problem, *metrics: Metric) -> Fits:
    """Return ``fits(task, family, params)`` that says why a family's parameters cannot serve; empty if they can."""

    def fits(task: str, family: str, params: Mapping[str, Any]) -> str:
        reasons = (_unfit(family, params, problem, metric) for metric in metrics)
        return next(filter(None, reasons), "")

    return fits


def _unfit(name: str, params: Mapping[str, Any], problem: Problem, metric: Metric | None) -> str:
    """Return why a family cannot serve; a branch with ``estimator`` is asked about its class alone."""
    if name in FAMILIES:
        return FAMILIES[name].incompatibility(dict(params), problem, metric)
    path = params.get("estimator")
    return EstimatorFamily(name, path).incompatibility({}, problem, metric) if path else ""


def smoke_test(problem: Problem, metric: Metric) -> Tries:
    """Return ``tries(task, configuration)`` that fits a configuration to next to nothing; see `Space.specialise`."""
    small = replace(problem, n_classes=min(problem.n_classes, 3), least=float(np.sign(problem.least)))
    return Tryout({problem.task: small}, metric)
