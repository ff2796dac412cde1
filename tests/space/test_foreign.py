"""Default configurations of branches that name a class."""

import pytest

from automl.errors import SpaceError

FOREST = """
space:
  preprocess: {numeric: {scale: [standard, none]}}
  model:
    choice:
      decision_tree: {max_depth: [1, 2]}
      mine:
        estimator: sklearn.ensemble.RandomForestClassifier
        criterion: [log_loss, entropy, gini]
        max_features: [log2, null]
        bootstrap: [false, true]
        max_samples: [null, {low: 0.1, high: 0.9}]
        n_estimators: {low: 10, high: 500}
        min_samples_leaf: {low: 2, high: 5}
"""
DEFAULT = {
    "estimator": "sklearn.ensemble.RandomForestClassifier",
    "criterion": "gini",
    "max_features": "log2",
    "bootstrap": True,
    "max_samples": None,
    "n_estimators": 100,
    "min_samples_leaf": 2,
}


class Recorder:
    """A smoke test with given errors by task; records the configurations of the foreign branch."""

    def __init__(self, **errors):
        self.errors, self.calls = errors, []

    def __call__(self, task, configuration):
        if "mine" not in configuration["model"]:
            return ""
        self.calls.append((task, configuration["model"]["mine"]))
        return self.errors.get(task, "")


def test_default_configuration_has_defaults_and_first_options(load):
    smoke_test = Recorder()
    load(FOREST, smoke_test=smoke_test)
    assert smoke_test.calls == [("binary", DEFAULT)]  # one fit, as it trains


def test_default_configuration_is_drawn_if_the_defaults_are_forbidden(load):
    first, second = Recorder(), Recorder()
    text = FOREST + "forbid: [{model: mine, criterion: gini}, {max_features: log2, bootstrap: false}]\n"
    for smoke_test in (first, second):
        load(text, smoke_test=smoke_test)
    ((_, mine),) = first.calls
    assert mine["criterion"] != "gini"
    assert first.calls == second.calls


def test_branch_that_trains_for_one_task_is_valid(load):
    smoke_test = Recorder(binary="two classes are too few", multiclass=None)
    load(FOREST, smoke_test=smoke_test)
    assert [task for task, _ in smoke_test.calls] == ["binary", "multiclass", "regression"]


def test_branch_that_trains_for_no_task_is_a_fault(load):
    smoke_test = Recorder(binary="not today.", multiclass=None, regression="no numbers")
    with pytest.raises(SpaceError) as caught:
        load(FOREST, smoke_test=smoke_test)
    assert str(caught.value) == (
        "<text>:7 model.mine: its default configuration must train (not today); got estimator: "
        "sklearn.ensemble.RandomForestClassifier, criterion: gini, max_features: log2, bootstrap: true, "
        "max_samples: null, n_estimators: 100, min_samples_leaf: 2, preprocess.numeric.scale: standard. "
        "Change these values, or forbid them."
    )


def test_branch_for_no_task_is_not_tested(load):
    load(FOREST, smoke_test=Recorder(binary=None, multiclass=None, regression=None))


def test_smoke_test_errors_of_our_own_are_raised(load):
    def smoke_test(task, configuration):
        raise RuntimeError("a mistake of ours")

    with pytest.raises(RuntimeError, match="a mistake of ours"):
        load(FOREST, smoke_test=smoke_test)


def test_specialise_excludes_branches_that_do_not_train(load):
    points = "enqueue: [{model: mine, criterion: entropy}, {model: decision_tree, max_depth: 2}]\n"
    space = load(FOREST + points)
    assert space.specialise("binary", smoke_test=Recorder(multiclass="no")).excluded == ()
    left = space.specialise("multiclass", smoke_test=Recorder(multiclass="not today"))
    assert left.excluded == ("mine: not today",)
    assert list(left.size().dimensions) == ["decision_tree"]
    assert [point.written["model"] for point in left.enqueue] == ["decision_tree"]
    alone = load(FOREST.replace("      decision_tree: {max_depth: [1, 2]}\n", ""))
    with pytest.raises(SpaceError, match="must have a family for binary; got mine: not today"):
        alone.specialise("binary", smoke_test=Recorder(binary="not today"))
