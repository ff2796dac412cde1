"""Narrowing a space to a task and a table."""

import pytest

from automl.errors import SpaceError


def test_specialise_keeps_compatible_values(load):
    def fits(task, family, params):
        if family == "decision_tree" and task == "regression":
            return "no trees today"
        return "for classes" if task == "regression" and params.get("loss") in ("hinge", "logistic") else ""

    text = """
space:
  model:
    choice:
      linear: {loss: [hinge, squared, logistic], l2: 0.1}
      mlp: {loss: hinge}
      decision_tree: {}
    weights: {linear: 2}
enqueue: [{model: linear, loss: squared}, {model: linear, loss: hinge}, {model: decision_tree}]
"""
    space = load(text)
    left = space.specialise("regression", fits)
    assert left.tasks == ("regression",)
    assert left.to_dict()["space"] == {"model": {"choice": {"linear": {"loss": "squared", "l2": 0.1}}}}
    assert [point.values for point in left.enqueue] == [{"model": "linear", "model.linear.loss": "squared"}]
    assert space.specialise("binary", fits).root == space.root
    with pytest.raises(SpaceError, match="must be for binary; got a space for regression"):
        left.specialise("binary")
    with pytest.raises(SpaceError, match="must have a family for regression.*linear: too small"):
        space.specialise("regression", lambda task, family, params: "too small")
    ruled = load(text[: text.index("enqueue")] + "forbid: [{loss: squared}, {model: mlp}]\n")
    assert ruled.specialise("binary").forbid == ruled.forbid
    with pytest.raises(SpaceError, match="must have configurations that are not forbidden"):
        ruled.specialise("regression", fits)


def test_require_excludes_other_values(load):
    text = """
space:
  preprocess: {categorical: {encode: [onehot, target]}, numeric: {scale: none}}
  model:
    choice:
      linear: {l2: 0.1}
      mlp: {preprocess: {categorical: {encode: {values: [target, ordinal], weights: [1, 3]}}}}
      decision_tree: {preprocess: {numeric: {scale: none}}}
      hist_gradient_boosting: {preprocess: {categorical: {encode: ordinal}}}
    weights: {linear: 2}
enqueue: [{model: linear, categorical.encode: target}, {model: linear, categorical.encode: onehot}]
"""
    left = load(text).require("categorical.encode", ["target"], "no way")
    shared = {"categorical": {"encode": "target"}, "numeric": {"scale": "none"}}
    families = {"linear": {"l2": 0.1}, "mlp": {"preprocess": {"categorical": {"encode": "target"}}}}
    model = {"choice": families, "weights": {"linear": 2, "mlp": 1}}
    point = {"model": "linear", "categorical.encode": "target"}
    assert left == load({"space": {"preprocess": shared, "model": model}, "enqueue": [point]})
    assert left.excluded == (
        "preprocess.categorical.encode: onehot: no way",
        "mlp with preprocess.categorical.encode: ordinal: no way",
        "decision_tree: no way",
        "hist_gradient_boosting: no way",
    )
    assert left.specialise("binary").excluded == left.excluded
    with pytest.raises(SpaceError, match="a family with categorical.encode: target; got no way"):
        load("{space: {model: linear}}\n").require("categorical.encode", ["target"], "no way")


def test_drop_irrelevant_removes_choices(load):
    text = """
space:
  preprocess: {categorical: {encode: [onehot, target]}, numeric: {scale: [none, robust]}}
  model:
    choice:
      linear: {l2: [0, 0.1]}
      mlp: {preprocess: {categorical: {encode: [target, ordinal]}, numeric: {scale: standard}}}
      decision_tree: {preprocess: {categorical: {encode: ordinal}}}
forbid:
  - {model: mlp, categorical.encode: target}
  - {model: linear, l2: 0, scale: robust}
enqueue: [{model: linear, encode: onehot, scale: robust, l2: 0.1}, {encode: target}]
"""
    left = load(text).drop_irrelevant({"categorical": "no such column"})
    model = {
        "linear": {"l2": [0, 0.1]},
        "mlp": {"preprocess": {"numeric": {"scale": "standard"}}},
        "decision_tree": {"preprocess": {}},
    }
    space = {
        "preprocess": {"numeric": {"scale": ["none", "robust"]}},
        "model": {"choice": model},
    }
    rule = {"model": "linear", "l2": 0, "scale": "robust"}
    point = {"model": "linear", "scale": "robust", "l2": 0.1}
    assert left == load({"space": space, "forbid": [rule], "enqueue": [point]})
    assert left.excluded == (
        "preprocess.categorical.encode: no such column",
        "model.mlp.preprocess.categorical.encode: no such column",
    )
    assert left.drop_irrelevant({"categorical": "again"}) is left
    scaled = left.drop_irrelevant({"numeric.scale": "trees alone"})
    assert scaled.excluded[2:] == ("preprocess.numeric.scale: trees alone",)
    assert scaled.forbid == ()
    assert [point.values for point in scaled.enqueue] == [{"model": "linear", "model.linear.l2": 0.1}]
