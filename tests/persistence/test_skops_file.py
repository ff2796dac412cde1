from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from numpy.testing import measure
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import DecisionTreeClassifier

import automl
from automl.errors import SettingError
from automl.persistence import load_skops
from tests.support.skops_files import edit_schema, node_of

X = np.random.default_rng(0).random((40, 3))
Y = np.arange(40) % 2


def dump(model: Any, folder: Path) -> Path:
    skops.io.dump(model, folder / "model.skops")
    return folder / "model.skops"


def test_load_skops_runs_no_code_of_a_file_on_predict(tmp_path: Path) -> None:
    """numpy.testing.measure compiles and runs its argument: all names in this file are those of numpy and sklearn."""
    pipeline = make_pipeline(FunctionTransformer(measure), LinearRegression().fit(X, Y))
    file = dump(pipeline, tmp_path)
    with pytest.raises(SettingError, match=r"known types .* got numpy.testing._private.utils.measure"):
        load_skops(file)
    model = load_skops(file, trusted=["numpy"])
    ran = tmp_path / "ran"
    with pytest.raises(ValueError, match="Expected 2D array"):
        model.predict(f"open({str(ran)!r}, 'w').close()")
    assert ran.exists()  # the file does contain an exploit


@pytest.mark.parametrize(
    "function",
    [measure, np.load, np.fromfile, automl.load_space, automl.load_model, make_pipeline, eval, exec, print],
    ids=lambda one: one.__name__,
)
def test_load_skops_refuses_functions(function: Callable[..., Any], tmp_path: Path) -> None:
    file = dump(make_pipeline(FunctionTransformer(function), LinearRegression().fit(X, Y)), tmp_path)
    with pytest.raises(SettingError, match="must hold known types"):
        load_skops(file)


@pytest.mark.parametrize(
    "value",
    [
        functools.partial(np.sum, axis=0),
        operator.methodcaller("tofile", "x"),
        operator.attrgetter("__class__"),
        LinearRegression().fit,
        np.memmap,
        np.lib.npyio.NpzFile,
        SelectKBest(),
        Path("x"),
    ],
    ids=lambda one: type(one).__name__,
)
def test_load_skops_refuses_what_calls_functions(value: Any, tmp_path: Path) -> None:
    model = LinearRegression().fit(X, Y)
    model.extra_ = value
    with pytest.raises(SettingError, match="must hold known types"):
        load_skops(dump(model, tmp_path))


@pytest.mark.parametrize(
    "loader", ["ConstructorFromReduceNode", "ListNode", "TupleNode", "ObjectNode", "TypeNode"]
)
def test_load_skops_makes_no_array_in_a_file(loader: str, tmp_path: Path) -> None:
    file, written = dump(LinearRegression().fit(X, Y), tmp_path), tmp_path / "written"
    node = node_of((str(written), "uint8", "w+", 0, (4,)))
    content = node["content"] if loader in ("ListNode", "TupleNode") else node
    crafted = {"__class__": "memmap", "__module__": "numpy", "__loader__": loader, "content": content}
    edit_schema(file, lambda schema: schema["content"]["content"].update(coef_=crafted))
    with pytest.raises(SettingError, match="must hold known types .* got numpy.memmap"):
        load_skops(file)
    assert not written.exists()


def test_load_skops_trusts_what_is_named(tmp_path: Path) -> None:
    file = dump(make_pipeline(FunctionTransformer(np.asarray), LinearRegression().fit(X, Y)), tmp_path)
    with pytest.raises(SettingError, match="pass them: trusted=") as error:
        load_skops(file)
    name = error.value.faults[0].came
    for trusted in ([name], [name.partition(".")[0]]):
        assert load_skops(file, trusted=trusted).predict(X).shape == (40,)


def test_load_skops_allows_the_plain_functions_of_numpy(tmp_path: Path) -> None:
    file = dump(make_pipeline(FunctionTransformer(np.log1p), LinearRegression().fit(X, Y)), tmp_path)
    assert load_skops(file).predict(X).shape == (40,)


def test_load_skops_refuses_an_estimator_without_predict(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="a FunctionTransformer without predict"):
        load_skops(dump(FunctionTransformer(), tmp_path))


TREES = [
    DecisionTreeClassifier(),
    RandomForestClassifier(3),
    GradientBoostingClassifier(n_estimators=3),
    HistGradientBoostingClassifier(max_iter=3, min_samples_leaf=2),
]


def nodes_of(model: Any) -> np.ndarray:
    if isinstance(model, HistGradientBoostingClassifier):
        return model._predictors[0][0].nodes
    tree = model.tree_ if hasattr(model, "tree_") else np.ravel(model.estimators_)[0].tree_
    return tree.__getstate__()["nodes"]


@pytest.mark.parametrize("change", ["outside", "backwards", "column", "narrow"])
@pytest.mark.parametrize("model", TREES, ids=lambda one: type(one).__name__)
def test_load_skops_refuses_trees_that_would_crash(model: Any, change: str, tmp_path: Path) -> None:
    """The native code of scikit-learn reads whatever memory these indices point to."""
    model = model.fit(X, Y)
    nodes = nodes_of(model)
    left, feature = ("left", "feature_idx") if "left" in nodes.dtype.names else ("left_child", "feature")
    if change == "narrow":
        model.n_features_in_ = 0
    elif change == "column":
        nodes[feature][0] = 10**6
    else:
        nodes[left][0] = 10**6 if change == "outside" else 0
    if not isinstance(model, HistGradientBoostingClassifier) and change != "narrow":
        tree = model.tree_ if hasattr(model, "tree_") else np.ravel(model.estimators_)[0].tree_
        tree.__setstate__({**tree.__getstate__(), "nodes": nodes})
    with pytest.raises(SettingError, match="a tree"):
        load_skops(dump(model, tmp_path))


@pytest.mark.parametrize("algorithm", ["kd_tree", "ball_tree"])
def test_load_skops_checks_trees_of_neighbors(algorithm: str, tmp_path: Path) -> None:
    model = KNeighborsClassifier(algorithm=algorithm).fit(X, Y)
    assert load_skops(dump(model, tmp_path)).predict(X).shape == (40,)
    state = list(model._tree.__getstate__())
    state[1] = state[1] + 10**6
    model._tree.__setstate__(tuple(state))
    with pytest.raises(SettingError, match="a tree of neighbors"):
        load_skops(dump(model, tmp_path))
