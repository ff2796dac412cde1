"""Merging a file over its includes."""

import pytest

from automl.errors import SpaceError

BASE = """
name: base
space:
  model:
    choice:
      linear: {learning_rate: {low: 0.001, high: 1, log: true}, l2: 0.1}
      decision_tree: {max_depth: [2, 4]}
    weights: [3, 1]
"""


@pytest.fixture
def model(load, tmp_path):
    """Return the model's part of a file that includes `BASE`."""
    (tmp_path / "base.yaml").write_text(BASE)

    def model(text: str):
        (tmp_path / "mine.yaml").write_text(f"include: base.yaml\nspace:\n  model: {text}\n")
        return load(tmp_path / "mine.yaml").to_dict()["space"]["model"]

    return model


def test_include_adds_branches(model):
    found = model("{choice: {mlp: {l2: 0.2}}}")
    assert list(found["choice"]) == ["linear", "decision_tree", "mlp"]
    assert found["choice"]["mlp"] == {"l2": 0.2}
    assert found["weights"] == {"linear": 3.0, "decision_tree": 1.0, "mlp": 1.0}


def test_include_keeps_the_other_keys_of_a_branch(model):
    found = model("{choice: {linear: {l2: 0.5}}}")["choice"]
    assert found["linear"] == {"l2": 0.5, "learning_rate": {"low": 0.001, "high": 1.0, "log": True}}
    assert found["decision_tree"] == {"max_depth": [2, 4]}


def test_include_with_replace_drops_the_branches(model):
    assert model("{replace: true, choice: {mlp: {l2: 0.2}}}") == {"choice": {"mlp": {"l2": 0.2}}}
    assert len(model("{replace: false, choice: {mlp: {l2: 0.2}}}")["choice"]) == 3


@pytest.mark.parametrize("text", ["decision_tree", "[decision_tree]", "{decision_tree: {}}"])
def test_include_by_names_keeps_these_branches(model, text):
    assert model(text) == {"choice": {"decision_tree": {"max_depth": [2, 4]}}}


def test_include_by_names_merges_and_adds(model):
    found = model("[{decision_tree: {max_depth: 3}}, mlp]")
    assert found == {"choice": {"decision_tree": {"max_depth": 3}, "mlp": {}}}


def test_include_replaces_lists_of_values_and_ranges(model):
    found = model("{choice: {decision_tree: {max_depth: [8]}, linear: {learning_rate: 0.5}}}")["choice"]
    assert found["decision_tree"]["max_depth"] == 8
    assert found["linear"]["learning_rate"] == 0.5


def test_include_adds_weights_by_name(model):
    found = model("{choice: {mlp: {}}, weights: {mlp: 5}}")
    assert found["weights"] == {"linear": 3.0, "decision_tree": 1.0, "mlp": 5.0}


def test_replace_must_be_true_or_false(load):
    with pytest.raises(SpaceError, match="`replace` must be true or false; got 3"):
        load("space:\n  model: {replace: 3, choice: {mlp: {}}}\n")
