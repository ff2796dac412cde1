"""Differences between two spaces."""

import pytest


def test_diff_lists_changes(load):
    old = load(
        "space:\n  model: {choice: {linear: {l2: {low: 0, high: 1}, loss: [hinge, logistic]}, mlp: {}}}"
    )
    new = load(
        "space:\n  model: {choice: {linear: {l2: {low: 0, high: 2}, loss: hinge, l1: 0}, decision_tree: {}}}"
    )
    assert [str(change) for change in old.diff(new)] == [
        "widened  model.linear.l2: 0 to 1 -> 0 to 2",
        "narrowed model.linear.loss: hinge | logistic -> hinge",
        "came     model.linear.l1: 0",
        "went     model.mlp: nothing to choose",
        "came     model.decision_tree: nothing to choose",
    ]
    assert [change.keeps for change in old.diff(new)] == [True, False, False, False, True]
    assert not new.accepts({"model": {"linear": {"l2": 0.5, "loss": "hinge"}}})
    assert new.accepts({"model": {"linear": {"l2": 0.5, "loss": "hinge", "l1": 0}}})


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        ("[1, 2]", "{low: 1, high: 8}", "widened"),
        ("{low: 1, high: 8, step: 2}", "{low: 1, high: 8}", "widened"),
        ("{low: 1, high: 8}", "{low: 1, high: 8, step: 2}", "narrowed"),
        ("{low: 1, high: 3}", "[1, 2, 3]", "changed"),  # the same values, another way to propose them
        ("{low: 1, high: 3}", "[1, 3]", "narrowed"),
        ("null", "[null, {low: 1, high: 3}]", "widened"),
        ("[{low: 1, high: 3}, null]", "{low: 2, high: 3}", "narrowed"),
        ("{low: 1, high: 8}", "{low: 1, high: 8, log: true}", "changed"),
        ("{low: 1, high: 8}", "{low: 4, high: 16}", "changed"),
    ],
)
def test_diff_compares_values(load, before, after, kind):
    old, new = (
        load(f"space:\n  model: {{decision_tree: {{max_depth: {text}}}}}\n") for text in (before, after)
    )
    (change,) = old.diff(new)
    assert (change.kind, change.path) == (kind, "model.decision_tree.max_depth")
