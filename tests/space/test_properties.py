"""Properties of generated spaces."""

from itertools import islice

import numpy as np
import optuna
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from automl.errors import SpaceError

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def ranges(low, high, whole=False):
    """Ranges inside low .. high, in the language's words or W&B's."""
    ends = st.integers(low, high) if whole else st.floats(low, high, allow_subnormal=False)

    def words(pair, log, step, names):
        a, b = sorted(pair)
        found = {names[0]: a, names[1]: b}
        if log and a > 0:
            return found | {"log": True}
        return found | ({"step": step * (b - a)} if step and b > a and not whole else {})

    return st.builds(
        words,
        st.tuples(ends, ends),
        st.booleans(),
        st.sampled_from([None, 0.25, 0.3]),
        st.sampled_from([("low", "high"), ("min", "max")]),
    )


def choices(values, *more):
    """One value, a list of values and ranges, or the same with weights."""
    lists = st.lists(st.one_of(values, *more), min_size=1, max_size=4, unique_by=repr)
    weighted = lists.flatmap(
        lambda items: st.builds(
            lambda weights: {"values": items, "weights": weights},
            st.lists(st.floats(0.1, 10), min_size=len(items), max_size=len(items)),
        )
    )
    return st.one_of(values, *more, lists, weighted)


def branches(**kinds):
    """Some of the kinds, each with some of its keys."""
    groups = {name: st.fixed_dictionaries({}, optional=keys) for name, keys in kinds.items()}
    some = st.fixed_dictionaries({}, optional=groups).filter(bool)
    return st.builds(lambda chosen: {"choice": chosen}, some)


SHARES = st.floats(0, 0.99, allow_subnormal=False)
WHOLE = st.integers(1, 1000)
PREPROCESS = st.fixed_dictionaries(
    {},
    optional={
        "numeric": st.fixed_dictionaries(
            {},
            optional={
                "impute": choices(st.sampled_from(["median", "mean"])),
                "scale": choices(st.sampled_from(["standard", "robust", "quantile"])),
            },
        ),
    },
)
DESCENT = {
    "loss": choices(st.sampled_from(["logistic", "hinge", "squared"])),
    "optimizer": st.one_of(
        choices(st.sampled_from(["sgd", "adam"])),
        branches(
            sgd={},
            adam={"beta1": choices(SHARES), "beta2": choices(SHARES, ranges(0.5, 0.9))},
            momentum={"nesterov": choices(st.booleans())},
        ),
    ),
    "learning_rate": choices(st.floats(1e-6, 10), ranges(1e-6, 10)),
    "batch_size": choices(st.one_of(WHOLE, st.just("full")), ranges(1, 1000, whole=True)),
    "l2": choices(st.sampled_from([0, 0.0, 1e-4, 1]), ranges(0, 1)),
    "preprocess": PREPROCESS,
}
TREE = {
    "max_depth": choices(st.one_of(WHOLE, st.none()), ranges(1, 64, whole=True)),
    "min_samples_leaf": choices(st.one_of(WHOLE, st.floats(0.01, 0.5)), ranges(0.01, 0.5)),
    "preprocess": PREPROCESS,
}
SIZES = st.lists(WHOLE, min_size=1, max_size=3)
DOCUMENTS = st.fixed_dictionaries(
    {
        "space": st.fixed_dictionaries(
            {
                "model": branches(
                    linear=DESCENT,
                    mlp={**DESCENT, "hidden_layer_sizes": st.lists(SIZES, min_size=1, max_size=3)},
                    decision_tree=TREE,
                )
            },
            optional={"preprocess": PREPROCESS},
        )
    },
    optional={
        "name": st.text(LETTERS, min_size=1),
        "about": st.text(min_size=1, max_size=30).filter(str.isprintable),
        "task": st.lists(st.sampled_from(["binary", "multiclass", "regression"]), min_size=1, unique=True),
    },
)


def loaded(load, document):
    """Nearly all documents above are sound; choices that stand twice, or ends that meet, are not."""
    try:
        return load(document)
    except SpaceError:
        return None


@QUICK
@given(DOCUMENTS, st.integers(0, 2**32))
def test_sample_round_trips_through_a_trial(load, document, seed):
    space = loaded(load, document)
    if space is None:
        return
    rng = np.random.default_rng(seed)
    for _ in range(3):
        configuration = space.sample(rng)
        space.validate(configuration)
        trial = optuna.trial.FixedTrial(space.to_trial(configuration))
        assert space.suggest(trial) == configuration
        assert trial.params == space.to_trial(configuration)


@QUICK
@given(DOCUMENTS)
def test_yaml_round_trip(load, document):
    space = loaded(load, document)
    if space is None:
        return
    again = load(space.to_yaml() + "\n")
    assert again == space
    assert again.digest() == space.digest()
    plain = {key: document[key] for key in document.keys() & {"space", "task"}}
    assert load(yaml.safe_dump(plain)).digest() == space.digest()
    assert not space.diff(again)


@QUICK
@given(DOCUMENTS, st.randoms(use_true_random=False))
def test_digest_ignores_order(load, document, random):
    def shuffled(value):
        if isinstance(value, dict):
            items = list(value.items())
            random.shuffle(items)
            return {key: shuffled(item) for key, item in items}
        return value

    space = loaded(load, document)
    if space is not None:
        assert load(shuffled(document)).digest() == space.digest()


@QUICK
@given(DOCUMENTS)
def test_grid_points_are_valid_and_counted(load, document):
    space = loaded(load, document)
    if space is None:
        return
    points = space.size().points
    for configuration in islice(space.grid(2), 50):
        space.validate(configuration)
    if points is not None and points <= 200:
        assert len(list(space.grid(200))) == points


@QUICK
@given(DOCUMENTS, DOCUMENTS, st.integers(0, 1000))
def test_diff_that_keeps_values_keeps_trials(load, one, other, seed):
    old, new = loaded(load, one), loaded(load, other)
    if old is None or new is None:
        return
    if all(change.keeps for change in old.diff(new)):
        rng = np.random.default_rng(seed)
        assert all(new.accepts(old.sample(rng)) for _ in range(5))
