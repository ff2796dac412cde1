"""Every type that fitted pipelines are made of: `python -m tests.support.known_types` writes the list of automl.

The list is automl/persistence/known_types.py. It holds

- the types in pipelines of every family, preprocessing and task, and in every classifier and regressor of
  scikit-learn that a space can name, all fitted here;
- their siblings, which other parameters of the same classes lead to (`_siblings`);
- no functions, and no class that calls a function or imports a class given as a parameter.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import replace
from importlib import import_module
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import skops.io
from scipy.sparse import csr_matrix
from sklearn.pipeline import Pipeline
from sklearn.utils import all_estimators

from automl.constraints import OneOf, Union, Variants
from automl.ensemble import CalibratedClassifier, EnsembleClassifier, EnsembleRegressor
from automl.families import FAMILIES, Problem, TargetScale
from automl.families.label_encoding import LabelEncodedClassifier
from automl.families.transformed import transformed
from automl.table import PREPROCESS, SparseColumns, TypedColumns, preprocessor

FILE = Path(__file__).parents[2] / "automl" / "persistence" / "known_types.py"
# Of standard Python; skops trusts plain values by itself.
CONTAINERS = {"collections.OrderedDict", "collections.defaultdict"}
# Classes that call functions which a file could bring along.
NOT_TRUSTED = {
    "functools.partial",
    "sklearn.metrics._dist_metrics.PyFuncDistance",
    "sklearn.metrics._dist_metrics.PyFuncDistance64",
}
NOT_TRUSTED |= {"sklearn.metrics._dist_metrics.PyFuncDistance32"}
TASKS = {"binary": 2, "multiclass": 3, "regression": None}
ROWS = 60


def table() -> pd.DataFrame:
    """Return columns of each type, and one of many categories."""
    rng = np.random.default_rng(0)
    words = np.array(["red", "green", "blue", "big", "small", "old", "new", "cat", "dog"])
    X = pd.DataFrame(
        {
            "number": rng.normal(size=ROWS),
            "spike": np.where(np.arange(ROWS) % 9 == 0, 5.5, 0.0),
            "whole": rng.integers(0, 9, ROWS),
            "category": rng.choice(list("abc"), ROWS),
            "many": [f"place {i % 45}" for i in range(ROWS)],
            "flag": rng.choice([True, False, None], ROWS),
            "date": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 2000, ROWS), unit="h"),
            "text": [" ".join(rng.choice(words, 6)) for _ in range(ROWS)],
        }
    )
    X.loc[::7, ["number", "category"]] = None
    return X


def target(task: str) -> np.ndarray:
    """Return labels, or positive numbers."""
    classes = TASKS[task]
    if classes is None:
        return np.random.default_rng(1).random(ROWS) + 0.1
    return np.array(["a", "b", "c"])[np.arange(ROWS) % classes]


def pipelines() -> Iterator[tuple[str, Any]]:
    """Yield fitted pipelines and ensembles: every family and every preprocessing for every task."""
    X = table()
    columns = TypedColumns(text=True).fit(X)
    for task, n_classes in TASKS.items():
        y = target(task)
        problem = Problem(task) if n_classes is None else Problem(task, n_classes)
        models = {
            name: family.estimator(_small(family), 0, problem)
            for name, family in FAMILIES.items()
            if not family.incompatibility({}, problem)
        }
        if n_classes is not None:
            models["label encoded"] = LabelEncodedClassifier(models["decision_tree"])
        else:
            models["scaled target"] = TargetScale(1.0, 2.0).wrap(models["decision_tree"])
        cases = [(name, {}, model) for name, model in models.items()]
        for configuration in _preprocessing():
            family = transformed(_suitable(configuration), configuration)
            cases.append((str(configuration), configuration, family.estimator(_small(family), 0, problem)))
        coded = replace(problem, categories=(255,))
        cases += [
            (
                f"native {name}",
                {"categorical": {"encode": "native"}},
                family.estimator(_small(family), 0, coded),
            )
            for name, family in FAMILIES.items()
            if "native" in family.category_codes
        ]
        for name, configuration, model in cases:
            prepare = preprocessor(configuration, columns.column_types_, task=task)
            steps = [("columns", TypedColumns(text=True)), ("prepare", prepare), ("model", model)]
            yield f"{task} {name}", Pipeline(steps).fit(X, y)
        steps = [("prepare", preprocessor({}, columns.column_types_, task=task)), ("model", models["linear"])]
        make = EnsembleRegressor if n_classes is None else EnsembleClassifier
        if n_classes is not None:
            whole = Pipeline([("columns", TypedColumns(text=True)), *steps])
            yield f"{task} calibrated", CalibratedClassifier(whole).fit(X, y)
        yield f"{task} ensemble", make(TypedColumns(text=True), [Pipeline(steps)], [1]).fit(X, y)


def sparse_pipeline() -> Pipeline:
    """Return a pipeline fitted to a sparse table."""
    scaler = preprocessor({}, {"x0": "sparse"}, task="binary")
    model = FAMILIES["linear"].estimator({"max_epochs": 1}, 0, Problem("binary", 2))
    steps = [("columns", SparseColumns()), ("prepare", scaler), ("model", model)]
    return Pipeline(steps).fit(csr_matrix(np.eye(ROWS)), target("binary"))


def _suitable(configuration: dict[str, Any]) -> Any:
    """Return a family that takes the columns of a preprocessing."""
    missing = configuration.get("numeric", {}).get("impute") == "none"
    native = configuration.get("categorical", {}).get("encode") == "native"
    return FAMILIES["decision_tree" if missing or native else "linear"]


def _small(family: Any) -> dict[str, Any]:
    """Return parameters that train fast."""
    wanted = {"max_epochs": 1, "max_iter": 2, "n_estimators": 2}
    return {name: value for name, value in wanted.items() if name in family.section.parameters}


def _preprocessing() -> Iterator[dict[str, Any]]:
    """Yield configurations that name each value of each preprocessing parameter once."""
    for part, parameter in PREPROCESS.parameters.items():
        if isinstance(parameter.constraint, Variants):
            yield from ({part: name} for name in parameter.constraint.options)
            continue
        for name, inner in parameter.constraint.parameters.items():
            rules = inner.constraint.options if isinstance(inner.constraint, Union) else (inner.constraint,)
            for rule in rules:
                if isinstance(rule, OneOf):
                    yield from ({part: {name: value}} for value in rule.values)


def sklearn_models() -> Iterator[tuple[str, Any]]:
    """Yield the fitted classifiers and regressors of scikit-learn that can be made without arguments."""
    rng = np.random.default_rng(0)
    X = rng.random((ROWS, 4))
    for kind, tasks in (("classifier", ("binary", "multiclass")), ("regressor", ("regression",))):
        for (name, make), task in product(all_estimators(type_filter=kind), tasks):
            few = {"max_iter": 5} if name.startswith("HistGradient") else {}
            try:
                model = make(**few).fit(X, target(task))
            except (AttributeError, TypeError, ValueError):  # needs an inner estimator, several targets, ...
                continue
            yield f"{task} {name}", model


def _siblings() -> Iterator[type]:
    """Yield the types beside those seen: kernels, distances, trees of neighbours, calibrations, losses."""
    families = {
        "sklearn.gaussian_process.kernels": "Kernel",
        "sklearn.metrics._dist_metrics": "DistanceMetric",
        "sklearn.neighbors._kd_tree": "BinaryTree",
        "sklearn.neighbors._ball_tree": "BinaryTree",
        "sklearn.neural_network._stochastic_optimizers": "Optimizer",
        "sklearn._loss.loss": "Loss",
        "sklearn._loss.link": "Link",
        "sklearn.calibration": "_SigmoidCalibration",
    }
    for name, base in families.items():
        for _, found in inspect.getmembers(import_module(name), inspect.isclass):
            if found.__module__ == name and any(base in parent.__name__ for parent in found.__mro__):
                yield found
    yield from (np.dtype, np.ndarray, np.ma.MaskedArray, np.random.RandomState, np.random.Generator)
    yield from (np.float64, np.float32, np.int64, np.int32, np.bool_, np.str_)


def types_in(model: Any) -> set[str]:
    """Return the types of a model that skops does not trust by itself."""
    return set(skops.io.get_untrusted_types(data=skops.io.dumps(model)))


def is_type(name: str) -> bool:
    """Return whether a full name is that of a class."""
    module, _, own = name.rpartition(".")
    return isinstance(getattr(import_module(module), own), type)


def models() -> Iterator[tuple[str, Any]]:
    """Yield all models whose types are known."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield from (*pipelines(), ("sparse", sparse_pipeline()), *sklearn_models())


def collect(models: Iterable[tuple[str, Any]]) -> list[str]:
    """Return the full names of all types in models, and of their siblings."""
    found = {f"{one.__module__}.{one.__name__}" for one in _siblings()} | CONTAINERS
    for _, model in models:
        found |= {name for name in types_in(model) if is_type(name)}
    return sorted(found - NOT_TRUSTED)


if __name__ == "__main__":
    lines = "".join(f'        "{name}",\n' for name in collect(models()))
    FILE.write_text(
        '"""Types that models may hold: written by `python -m tests.support.known_types`, not by hand."""\n\n'
        "from __future__ import annotations\n\n"
        '__all__ = ["KNOWN_TYPES"]\n\n'
        f"KNOWN_TYPES = frozenset(\n    {{\n{lines}    }}\n)\n"
    )
