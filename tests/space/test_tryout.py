"""What cannot train together is found by few fits, whatever stands beside it."""

import itertools
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl.errors import SpaceError
from automl.space.covering import Covering
from automl.space.grid import by_family
from automl.space.tryout import untrainable

FOREST = """
space:
  preprocess: {numeric: {scale: [standard, none]}}
  model:
    choice:
      decision_tree: {max_depth: [1, 2]}
      mine:
        estimator: sklearn.ensemble.RandomForestClassifier
        criterion: [gini, entropy, log_loss]
        max_features: [sqrt, log2, null]
        bootstrap: [true, false]
        max_samples: [null, {low: 0.1, high: 0.9}]
        n_estimators: {low: 10, high: 500}
"""
PLACES = {
    "scale": ("preprocess.numeric.scale", ["standard", "none"]),
    "criterion": ("model.mine.criterion", ["gini", "entropy", "log_loss"]),
    "max_features": ("model.mine.max_features", ["sqrt", "log2", None]),
    "bootstrap": ("model.mine.bootstrap", [True, False]),
}


def value_of(configuration, key):
    mine = configuration["model"]["mine"]
    return configuration["preprocess"]["numeric"]["scale"] if key == "scale" else mine[key]


def refusing(*combinations):
    """Fits that fail where all values of one of the combinations come together."""

    def tries(task, configuration):
        broken = (
            combination
            for combination in combinations
            if all(value_of(configuration, key) == value for key, value in combination.items())
        )
        return next((f"no {sorted(combination)}" for combination in broken), "")

    return tries


def plain(misfits):
    return sorted(str(misfit.rule) for misfit in misfits)


@pytest.mark.parametrize(
    ("combination", "rule"),
    [
        ({"criterion": "gini"}, "{model: mine, criterion: gini}"),
        (
            {"criterion": "gini", "max_features": None},
            "{model: mine, criterion: gini, max_features: null}",
        ),
        ({"scale": "none", "bootstrap": False}, "{model: mine, scale: none, bootstrap: false}"),
        (
            {"criterion": "gini", "max_features": None, "bootstrap": False},
            "{model: mine, criterion: gini, max_features: null, bootstrap: false}",
        ),
    ],
)
def test_the_fewest_values_are_blamed(load, combination, rule):
    space = load(FOREST)
    assert plain(untrainable(space.root, (), ("binary",), refusing(combination), 60)) == [rule]


def test_both_ends_of_a_range_mean_all_of_it(load):
    def tries(task, configuration):
        mine = configuration["model"]["mine"]
        return "max_samples needs bootstrap" if mine["max_samples"] and not mine["bootstrap"] else ""

    (misfit,) = untrainable(load(FOREST).root, (), ("binary",), tries, 60)
    assert str(misfit.rule) == "{model: mine, bootstrap: false, max_samples: {above: 0}}"
    assert misfit.came == "bootstrap: false with max_samples: {above: 0}"


def test_values_refused_in_the_same_words_are_told_together(load):
    def tries(task, configuration):
        mine = configuration["model"]["mine"]
        bad = mine["criterion"] != "gini" and mine["bootstrap"]
        return f"{mine['criterion']} takes no bootstrap" if bad else ""

    (misfit,) = untrainable(load(FOREST).root, (), ("binary",), tries, 60)
    assert misfit.rule.forbids({"model": "mine", "criterion": "entropy", "bootstrap": True})
    assert misfit.rule.forbids({"model": "mine", "criterion": "log_loss", "bootstrap": True})
    assert not misfit.rule.forbids({"model": "mine", "criterion": "gini", "bootstrap": True})


pairs = st.lists(
    st.sets(st.sampled_from(sorted(PLACES)), min_size=1, max_size=2).flatmap(
        lambda keys: st.fixed_dictionaries({key: st.sampled_from(PLACES[key][1]) for key in sorted(keys)})
    ),
    max_size=4,
)


@settings(max_examples=60, deadline=None)
@given(combinations=pairs)
def test_whatever_two_values_do_not_train_is_found_and_nothing_else_is_blamed(load, combinations):
    space, tries = load(FOREST), refusing(*combinations)
    found = untrainable(space.root, (), ("binary",), tries, 60)
    rules = [misfit.rule for misfit in found]
    for values in itertools.product(*(values for _, values in PLACES.values())):
        params = {"model": "mine"} | {
            path: value for (path, _), value in zip(PLACES.values(), values, strict=True)
        }
        mine = {key: params[path] for key, (path, _) in PLACES.items() if key != "scale"}
        configuration = {
            "preprocess": {"numeric": {"scale": params[PLACES["scale"][0]]}},
            "model": {"mine": mine},
        }
        fails = bool(tries("binary", configuration))
        assert fails == any(rule is None or rule.forbids(params) for rule in rules), (params, plain(found))


def test_every_two_values_meet(load):
    part = dict(by_family(load(FOREST).root))["mine"]
    covering = Covering(part, lambda params: False, lambda path: path.endswith("n_estimators"))
    points = list(_all(covering.points()))
    assert len(points) < 20  # of 2 * 3 * 3 * 2 * 3
    for first, second in itertools.combinations(range(len(covering.spots)), 2):
        met = {(point[first], point[second]) for point in points}
        assert len(met) == len(covering.values[first]) * len(covering.values[second])
    assert {covering.params(point)["model.mine.n_estimators"] for point in points} == {10}


def _all(points):
    point = next(points)
    while True:
        yield point
        try:
            point = points.send(True)
        except StopIteration:
            return


def test_what_the_space_forbids_is_not_tried(load):
    asked = []

    def tries(task, configuration):
        asked.append(configuration["model"]["mine"])
        return ""

    space = load(FOREST + "forbid: [{model: mine, bootstrap: false, criterion: [gini, entropy]}]\n")
    assert untrainable(space.root, space.forbid, ("binary",), tries, 60) == []
    assert {mine["criterion"] for mine in asked if not mine["bootstrap"]} == {"log_loss"}


def test_what_trains_for_one_of_the_tasks_is_no_fault(load):
    def tries(task, configuration):
        return "only two" if task == "multiclass" else ""

    root = load(FOREST).root
    assert untrainable(root, (), ("binary", "multiclass"), tries, 60) == []
    (misfit,) = untrainable(root, (), ("multiclass",), tries, 60)
    assert (misfit.rule, misfit.reason) == (None, "only two")


def test_a_class_that_takes_its_time_does_not_hold_up_the_load(load):
    free = threading.Event()

    def tries(task, configuration):
        free.wait(60)
        return ""

    began = time.monotonic()
    assert untrainable(load(FOREST).root, (), ("binary",), tries, 0.2) == []
    assert time.monotonic() - began < 5
    free.set()


def test_what_failed_is_told_even_where_there_was_no_time_to_find_out_why(load):
    free, asked = threading.Event(), []

    def tries(task, configuration):
        asked.append(configuration["model"]["mine"])
        if len(asked) > 1:
            free.wait(60)
        return "not so"

    (misfit,) = untrainable(load(FOREST).root, (), ("binary",), tries, 0.3)
    free.set()
    params = {f"model.mine.{key}": value for key, value in asked[0].items()}
    assert misfit.reason == "not so"
    assert misfit.rule.forbids({"model": "mine", "preprocess.numeric.scale": "standard", **params})
    assert not misfit.rule.forbids(
        {"model": "mine", "preprocess.numeric.scale": "standard", **params, "model.mine.criterion": "no"}
    )


def test_an_error_of_our_own_is_not_lost_on_the_thread(load):
    def tries(task, configuration):
        raise RuntimeError("a mistake of ours")

    with pytest.raises(RuntimeError, match="a mistake of ours"):
        untrainable(load(FOREST).root, (), ("binary",), tries, 60)


def test_a_task_leaves_out_what_does_not_train_for_it_and_says_so(load):
    def tries(task, configuration):
        if "mine" not in configuration["model"] or task == "binary":
            return ""
        return "" if configuration["model"]["mine"]["criterion"] == "gini" else "gini alone"

    space = load(FOREST + "enqueue: [{model: mine, criterion: entropy}, {model: mine, criterion: gini}]\n")
    assert space.specialise("binary", tries=tries).excluded == ()
    left = space.specialise("multiclass", tries=tries)
    assert left.excluded == ("mine with criterion: [entropy, log_loss]: gini alone",)
    assert [start.written["criterion"] for start in left.enqueue] == ["gini"]
    rng = np.random.default_rng(0)
    models = [left.sample(rng)["model"] for _ in range(100)]
    assert {model["mine"]["criterion"] for model in models if "mine" in model} == {"gini"}
    alone = load(FOREST).specialise("binary", tries=lambda task, configuration: "not today")
    assert list(alone.size().dimensions) == ["decision_tree"]
    assert alone.excluded == ("mine: not today",)
    with pytest.raises(SpaceError, match="must have a family for binary"):
        load(FOREST.replace("      decision_tree: {max_depth: [1, 2]}\n", "")).specialise(
            "binary", tries=lambda task, configuration: "not today"
        )
