"""Random parameters of real classes: the space loads or is refused."""

from contextlib import suppress

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from automl.errors import SpaceError
from automl.families import load_space

NUMBERS = st.one_of(
    st.integers(-3, 200), st.floats(allow_nan=True, allow_infinity=True), st.sampled_from([0, 1, 0.5, 1e-300])
)
VALUES = st.one_of(
    NUMBERS, st.none(), st.booleans(), st.sampled_from(["sqrt", "gini", "l1", "auto", "no", ""])
)
NODES = st.one_of(
    VALUES,
    st.lists(VALUES, max_size=4),
    st.fixed_dictionaries({"low": NUMBERS, "high": NUMBERS}),
    st.lists(st.lists(VALUES, max_size=2), max_size=2),
)
CLASSES = {
    "sklearn.tree.ExtraTreeClassifier": [
        "max_depth",
        "criterion",
        "max_features",
        "class_weight",
        "splitter",
    ],
    "sklearn.linear_model.SGDRegressor": ["loss", "penalty", "alpha", "learning_rate", "eta0", "power_t"],
    "sklearn.svm.LinearSVC": ["penalty", "loss", "dual", "C", "tol"],
    "sklearn.neighbors.KNeighborsRegressor": ["n_neighbors", "metric", "p", "leaf_size", "weights"],
}
BRANCHES = st.sampled_from(sorted(CLASSES)).flatmap(
    lambda path: st.dictionaries(st.sampled_from(CLASSES[path]), NODES, max_size=3).map(
        lambda params: {"estimator": path, **params}
    )
)
PREPROCESS = st.sampled_from(
    [
        {},
        {"numeric": {"scale": ["minmax", "none"]}},
        {"features": {"rbf": {"gamma": 1e300, "n_components": 10**9}}},
        {"features": {"rbf": {"gamma": "scale"}}},
    ]
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(BRANCHES, PREPROCESS)
def test_any_branch_loads_or_is_refused(branch, preprocess):
    with suppress(SpaceError):
        space = load_space({"space": {"preprocess": preprocess, "model": {"choice": {"mine": branch}}}})
        space.sample(np.random.default_rng(0))
