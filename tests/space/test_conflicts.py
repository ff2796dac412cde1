"""Conflicts: what failed trials teach about later proposals."""

import itertools

import pytest

from automl.space.conflicts import Conflicts, Outcome, learned_conflicts

FOREST = """
space:
  preprocess: {numeric: {scale: [standard, none]}}
  model:
    choice:
      decision_tree: {max_depth: [1, 2]}
      mine:
        estimator: sklearn.ensemble.RandomForestClassifier
        criterion: [gini, entropy, log_loss]
        bootstrap: [true, false]
        max_samples: [null, {low: 0.1, high: 0.9}]
        n_estimators: {low: 10, high: 500}
"""


def values(**items):
    return frozenset(items.items())


def failure(error="no", **items):
    return Outcome(values(**items), error)


def trained(**items):
    return Outcome(values(**items))


def forest(scale="standard", criterion="gini", bootstrap=True, max_samples=None, n_estimators=10):
    params = {"criterion": criterion, "bootstrap": bootstrap, "max_samples": max_samples}
    model = {"estimator": "sklearn.ensemble.RandomForestClassifier", **params, "n_estimators": n_estimators}
    return {"preprocess": {"numeric": {"scale": scale}}, "model": {"mine": model}}


def traceback(error="ValueError: no"):
    return f"Traceback (most recent call last):\n  File ...\n{error}\n"


@pytest.mark.parametrize(
    ("outcomes", "conflicts"),
    [
        ([failure(a=1, b=1)], []),
        ([failure(a=1, b=1), failure(a=1, b=1)], [values(a=1, b=1)]),
        ([failure(a=1, b=1), failure(a=1, b=2)], []),
        ([failure(a=1, b=1), failure(a=1, b=2), trained(a=2, b=1)], [values(a=1)]),
        ([failure(a=1, b=1), failure(a=1, b=2), trained(a=1, b=3)], []),
        ([failure(a=1, b=1), failure(a=1, b=1), failure(a=2, b=2), trained(a=1, b=3)], [values(a=1, b=1)]),
        ([failure(a=1, b=1), failure("other", a=1, b=2), trained(a=2, b=1)], []),
        ([failure(a=1, b=1), failure(a=1, b=1), trained(a=1, b=1)], []),
        ([failure()] * 4, []),
        ([failure()] * 5, [values()]),
        ([*[failure()] * 9, trained()], []),
    ],
)
def test_learned_conflicts_are_shared_by_failures_alone(outcomes, conflicts):
    for order in itertools.islice(itertools.permutations(outcomes), 24):
        assert list(learned_conflicts(order)) == conflicts


def test_conflicts_never_repeat_a_failed_configuration(load):
    conflicts = Conflicts(load(FOREST))
    assert not conflicts.reason(forest())
    conflicts.add(forest(), "diverged in epoch 2")
    assert conflicts.reason(forest()) == "it failed before"
    assert not conflicts.reason(forest(n_estimators=11))
    conflicts.add({"model": {"old": {"a": 1}}}, traceback())  # of another space
    assert conflicts.reason({"model": {"old": {"a": 1}}})


def test_conflicts_name_values_and_error(load):
    conflicts = Conflicts(load(FOREST))
    conflicts.add(forest(), "")
    conflicts.add(forest(scale="none", bootstrap=False), "")
    conflicts.add(forest(bootstrap=False, max_samples=0.5), traceback())
    assert not conflicts.reason(forest(bootstrap=False, max_samples=0.3))
    conflicts.add(forest(scale="none", criterion="entropy", bootstrap=False, max_samples=0.7), traceback())
    assert conflicts.reason(forest(criterion="log_loss", bootstrap=False, max_samples=0.3)) == (
        "{model.mine.bootstrap: false, model.mine.max_samples: 0.1..0.9} failed before: ValueError: no"
    )
    assert not conflicts.reason(forest(max_samples=0.3))
    assert not conflicts.reason(forest(criterion="entropy", bootstrap=False))
    assert not conflicts.reason({**forest(), "model": {"decision_tree": {"max_depth": 1}}})


@pytest.mark.parametrize(
    "reason", ["diverged", "took longer", traceback("MemoryError"), traceback("OSError: no")]
)
def test_conflicts_ignore_failures_that_values_do_not_explain(load, reason):
    conflicts = Conflicts(load(FOREST))
    for n_estimators in range(10, 20):
        conflicts.add(forest(n_estimators=n_estimators), reason)
    assert not conflicts.reason(forest(n_estimators=20))


def test_conflicts_are_lifted_by_a_trial_that_trains(load):
    conflicts = Conflicts(load(FOREST))
    for n_estimators in (10, 11):
        conflicts.add(forest(n_estimators=n_estimators), traceback())
    assert conflicts.reason(forest(n_estimators=12))
    conflicts.add(forest(n_estimators=13), "")
    assert not conflicts.reason(forest(n_estimators=12))


def test_conflicts_exclude_a_family_that_always_fails(load):
    conflicts = Conflicts(load("space: {model: {choice: {linear: {l2: {low: 0, high: 1}}, mlp: {}}}}\n"))
    for index in range(5):
        assert not conflicts.reason({"model": {"linear": {"l2": 0.9}}})
        conflicts.add({"model": {"linear": {"l2": index / 10}}}, traceback())
    assert conflicts.reason({"model": {"linear": {"l2": 0.9}}})
    assert not conflicts.reason({"model": {"mlp": {}}})
