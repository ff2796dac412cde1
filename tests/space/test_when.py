"""Conditions of initial points on the table."""

from __future__ import annotations

import pytest

from automl.families import load_space
from automl.space import TableFacts

TEXT = """
space: {model: {choice: {decision_tree: {max_depth: [1, 2, 3, 4, 5, 6]}}}}
enqueue:
  - {max_depth: 1}
  - {max_depth: 2, when: {rows: {max: 100}}}
  - {max_depth: 3, when: {rows: {min: 101}, columns: {min: 2, max: 5}}}
  - {max_depth: 4, when: {task: regression}}
  - {max_depth: 5, when: {task: [binary, multiclass], classes: {max: 3}}}
  - {max_depth: 1, when: {task: binary}}
"""
TABLES = {
    (100, 5, "binary", 2): {1, 2, 5},
    (101, 5, "binary", 2): {1, 3, 5},
    (101, 6, "binary", 2): {1, 5},
    (101, 1, "multiclass", 4): {1},
    (101, 2, "multiclass", 3): {1, 3, 5},
    (10, 2, "regression", 0): {1, 2, 4},
}


@pytest.mark.parametrize("table", TABLES, ids=str)
def test_condition_keeps_the_initial_points_of_a_table(table):
    rows, columns, task, classes = table
    space = load_space(TEXT).for_table(TableFacts(task, rows, columns, classes))
    depths = [point.written["max_depth"] for point in space.enqueue]
    assert set(depths) == TABLES[table]
    assert len(depths) == len(set(depths))
    assert len(space.initial_params) == len(depths)


def test_condition_survives_yaml_and_specialising():
    space = load_space(TEXT)
    conditions = [str(point.when) for point in space.enqueue]
    assert conditions[1] == "{rows: {max: 100}}"
    again = load_space(space.to_yaml())
    assert [str(point.when) for point in again.enqueue] == conditions
    assert [str(point.when) for point in space.specialise("binary").enqueue] == conditions
    assert "when: {task: regression}" in str(space.enqueue[3])


def test_search_tries_only_the_points_of_its_table(folder):
    import automl
    from tests.support.tables import cancer

    X, y = cancer()
    settings = {"n_trials": 3, "timeout": None, "cv": 2, "n_jobs": 1, "progress": False, "refit": False}
    search = automl.Search(TEXT, **settings).fit(X, y)
    tried = {params["model.decision_tree.max_depth"] for params in (t.params for t in search.study_.trials)}
    assert {1, 5} <= tried


def test_initial_point_names_the_preprocessing_of_its_family_only():
    shared = {"numeric": {"scale": ["standard", "robust", "none"]}}
    choice = {"decision_tree": {"preprocess": {"numeric": {"scale": ["none", "robust"]}}}, "extra_trees": {}}
    points = [{"model": "decision_tree", "scale": "robust"}, {"model": "extra_trees", "scale": "robust"}]
    space = load_space({"space": {"preprocess": shared, "model": {"choice": choice}}, "enqueue": points})
    assert [set(point.values) - {"model"} for point in space.enqueue] == [
        {"model.decision_tree.preprocess.numeric.scale"},
        {"preprocess.numeric.scale"},
    ]


def test_many_initial_points_without_a_place_are_dropped():
    point = {"model": "decision_tree", "max_depth": 1, "min_samples_leaf": 2, "min_samples_split": 3}
    points = [{**point, "max_depth": depth} for depth in range(1, 40)]
    tree = {name: {"low": 1, "high": 50} for name in ("max_depth", "min_samples_leaf")}
    choice = {"decision_tree": {**tree, "min_samples_split": [2, 3]}, "extra_trees": {}}
    space = load_space({"space": {"model": {"choice": choice}}, "enqueue": points})
    assert len(space.enqueue) == 39
    left = space.specialise("binary", lambda task, family, params: "no" if family == "decision_tree" else "")
    assert left.enqueue == ()
