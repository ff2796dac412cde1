"""Every key whose value is a list: unknown, empty, wrong and repeated members are faults, never exceptions."""

import copy
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from automl.errors import SpaceError

DOCUMENT = {
    "task": ["binary", "multiclass"],
    "define": {"base": {"l2": 0.1}, "more": {"dropout": 0.5}},
    "space": {
        "preprocess": {"numeric": {"scale": ["standard", "robust"]}},
        "model": {
            "choice": {
                "linear": {
                    "use": ["base", "more"],
                    "loss": {"choice": ["logistic", "hinge"]},
                    "optimizer": [{"sgd": {}}, "adam"],
                    "batch_size": {"values": [16, 32], "weights": [1, 2]},
                },
                "mlp": {"hidden_layer_sizes": [[64], [128, 64]]},
            }
        },
    },
    "forbid": [{"loss": ["hinge", "logistic"], "batch_size": 16}],
    "enqueue": [{"model": "linear", "loss": "hinge"}],
}
LINEAR = ("space", "model", "choice", "linear")
LISTS = {
    "task": ("task",),
    "include": ("include",),
    "use": (*LINEAR, "use"),
    "scale": ("space", "preprocess", "numeric", "scale"),
    "loss": (*LINEAR, "loss", "choice"),
    "optimizer": (*LINEAR, "optimizer"),
    "values": (*LINEAR, "batch_size", "values"),
    "weights": (*LINEAR, "batch_size", "weights"),
    "hidden_layer_sizes": ("space", "model", "choice", "mlp", "hidden_layer_sizes"),
    "model": ("space", "model", "choice"),
    "forbid": ("forbid",),
    "enqueue": ("enqueue",),
    "rule": ("forbid", 0, "loss"),
}
MEMBERS = {
    "unknown": "clustering",
    "empty": "",
    "null": None,
    "list": [["x"]],
    "mapping": {"x": {}},
    "none": [],
}


def with_list(path, items):
    document = copy.deepcopy(DOCUMENT)
    at = document
    for key in path[:-1]:
        at = at[key]
    before = at.get(path[-1], [])
    at[path[-1]] = items(list(before))
    return document


def compatible_with_classification(task, family, params):
    return "" if task != "regression" else "no numbers"


CASES = [(name, member) for name in LISTS for member in MEMBERS]
CASES.remove(("hidden_layer_sizes", "none"))  # no hidden layer is a valid value


@pytest.mark.parametrize(("name", "member"), CASES)
def test_wrong_member_is_a_fault(load, name, member):
    document = with_list(LISTS[name], lambda before: [*before, MEMBERS[member]])
    with pytest.raises(SpaceError):
        load(document, incompatibility=compatible_with_classification)


@pytest.mark.parametrize(("name", "member"), CASES)
def test_wrong_member_alone_is_a_fault(load, name, member):
    with pytest.raises(SpaceError):
        load(
            with_list(LISTS[name], lambda _: [MEMBERS[member]]),
            incompatibility=compatible_with_classification,
        )


@pytest.mark.parametrize("name", sorted(LISTS.keys() - {"weights", "include", "model"}))
def test_repeated_member_is_a_fault(load, name):
    with pytest.raises(SpaceError, match="again|must name each kind once"):
        load(with_list(LISTS[name], lambda before: [*before, before[0]]))


def test_repeated_include_and_branch_are_faults(load, tmp_path):
    (tmp_path / "base.yaml").write_text("space: {model: [linear, linear]}\n")
    (tmp_path / "mine.yaml").write_text("include: [base.yaml, base.yaml]\n")
    with pytest.raises(SpaceError) as caught:
        load(tmp_path / "mine.yaml")
    assert "mine.yaml:1 include: a file must be included once; got base.yaml again." in str(caught.value)
    assert "base.yaml:1 model: a choice must occur once; got linear again." in str(caught.value)


def test_included_rules_may_repeat(load, tmp_path):
    rule = "forbid: [{l2: 0.2}]\n"
    (tmp_path / "base.yaml").write_text("space: {model: {linear: {l2: [0.1, 0.2]}}}\n" + rule)
    (tmp_path / "other.yaml").write_text("include: base.yaml\n")
    (tmp_path / "mine.yaml").write_text("include: [base.yaml, other.yaml]\n")
    assert len(load(tmp_path / "mine.yaml").forbid) == 2


@pytest.mark.parametrize("items", [[], None])
def test_lists_of_rules_may_be_empty(load, items):
    assert load({**DOCUMENT, "forbid": items, "enqueue": items}).forbid == ()


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 200)
    | st.floats()
    | st.sampled_from(
        ["binary", "clustering", "", "base", "hinge", "linear", "1e999", "adam", "choice", "use"]
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["use", "low", "high", "loss", "choice", "values", "x"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(sorted(LISTS)), PLAIN | st.lists(PLAIN, max_size=4))
def test_any_list_loads_or_is_refused(load, name, items):
    with suppress(SpaceError):
        load(with_list(LISTS[name], lambda _: items), incompatibility=compatible_with_classification)
