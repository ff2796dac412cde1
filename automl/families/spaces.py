"""Search spaces with the vocabulary and the checks of the families."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np

from automl.errors import SpaceError
from automl.families.catalog import FAMILIES, structural, vocabulary
from automl.families.estimator_family import EstimatorFamily
from automl.families.problem import Problem
from automl.families.smoke import SmokeTest
from automl.metrics import COSTS, Metric
from automl.space import Incompatibility, Space
from automl.space import SmokeTest as Test
from automl.space import load_space as load

__all__ = ["incompatibility_check", "load_space", "smoke_test", "space_kind"]

_PROBLEMS = {
    "binary": Problem("binary", 2),
    "multiclass": Problem("multiclass", 3),
    "regression": Problem("regression"),
}


def load_space(
    source: str | Path | Mapping[str, Any] | Space,
    *,
    allow_imports: Iterable[str] = (),
    allow_includes: str | Path | Iterable[str | Path] = (),
) -> Space:
    """Read and check a search space.

    Parameters
    ----------
    source : str, path, dict or Space
        The name of a shipped space (``"tabular"``), a YAML file, YAML text, the same as a dict, or a loaded space.
    allow_imports : str or iterable of str
        Packages, besides scikit-learn, automl, lightgbm, xgboost and catboost, that ``estimator:`` may import classes
        from. An import runs the package: allow only packages that you trust.
    allow_includes : str, path or iterable of them
        Folders, besides that of the including file, whose files ``include`` may name.

    Returns
    -------
    Space

    Raises
    ------
    SpaceError
        With every fault of the space.

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
        allow_includes=allow_includes,
        structural=structural,
        incompatibility=lambda task, family, params: _reason(family, params, _PROBLEMS[task], None),
        smoke_test=SmokeTest(_PROBLEMS),
    )


def incompatibility_check(problem: Problem, *metrics: Metric) -> Incompatibility:
    """Return ``check(task, family, params)``: why a family or a parameter is not for a problem; empty if it is.

    A family whose package is not installed is for no problem.
    """

    def check(task: str, family: str, params: Mapping[str, Any]) -> str:
        package = FAMILIES[family].package if family in FAMILIES else ""
        if package and find_spec(package) is None:
            return f"it needs {package}: pip install 'automl-orchestrator[boosting]'"
        reasons = (_reason(family, params, problem, metric) for metric in metrics)
        return next(filter(None, reasons), "")

    return check


def space_kind(space: Space, n_classes: int) -> Literal["classification", "regression", ""]:
    """Return the kind of target that a space supports; empty if it supports both kinds, or neither."""
    classes = Problem("binary" if n_classes == 2 else "multiclass", n_classes)
    fits_classes, fits_numbers = _fits(space, classes), _fits(space, Problem("regression"))
    if fits_classes == fits_numbers:
        return ""
    return "classification" if fits_classes else "regression"


def _fits(space: Space, problem: Problem) -> bool:
    try:
        space.specialise(problem.task, lambda task, family, params: _reason(family, params, problem, None))
    except SpaceError:
        return False
    return True


def smoke_test(problem: Problem, metric: Metric) -> Test:
    """Return the test of `Space.specialise` for a problem: the error of a tiny fit of a configuration."""
    small = replace(problem, n_classes=min(problem.n_classes, 3), least=float(np.sign(problem.least)))
    return SmokeTest({problem.task: small}, metric)


def _reason(name: str, params: Mapping[str, Any], problem: Problem, metric: Metric | None) -> str:
    """Return why a family is not for a problem; a branch with ``estimator`` is checked by its class alone."""
    path = params.get("estimator")
    if name not in FAMILIES and not path:
        return ""
    family = FAMILIES[name] if name in FAMILIES else EstimatorFamily(name, str(path))
    if problem.sparse and not family.takes_sparse:
        return f"{name} takes no sparse table"
    return family.incompatibility(dict(params) if name in FAMILIES else {}, problem, metric)
