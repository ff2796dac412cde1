from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import sklearn.preprocessing._encoders
import skops.io
from sklearn.base import clone

from automl.persistence import KNOWN_TYPES
from automl.table import preprocessor
from automl.table.encoders import ENCODERS, SAME, NativeCodes, OneHot

N = 200
TASKS = {"binary": 2, "multiclass": 3, "regression": 9}
TYPES = {"city": "categorical", "size": "categorical"}
FIXED = [name for name, row in ENCODERS.items() if row.n_codes is None]


def cities(n: int = N) -> pd.DataFrame:
    """60 cities, three sizes, both with missing values."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "city": [f"{'Upper' if i % 2 else 'Lower'} Town {i}" for i in rng.integers(0, 60, n)],
            "size": rng.choice(["S", "M", "L"], n),
        }
    )
    frame.loc[::17, :] = None
    return frame.astype("category")


def target(task: str, n: int = N) -> np.ndarray:
    return np.arange(n) % TASKS[task]


def fitted(categorical: dict, task: str = "binary"):
    prepare = preprocessor({"categorical": categorical}, TYPES, task=task, random_state=3)
    return prepare, prepare.fit_transform(cities(), target(task))


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize(
    ("encode", "high"),
    [*((name, SAME) for name in ENCODERS), *(("onehot", name) for name in FIXED), ("embed", "target_count")],
)
def test_encoders_give_finite_columns(encode, high, task):
    prepare, train = fitted({"encode": encode, "high_cardinality": high}, task)
    new = pd.DataFrame(
        {"city": ["Upper Town 1", "new town", None], "size": ["S", "new", None]}, dtype="category"
    )
    valid = prepare.transform(new)
    names = prepare.get_feature_names_out().tolist()
    assert train.shape == (N, len(names))
    assert valid.shape == (3, len(names))
    assert len(set(names)) == len(names)
    assert train.dtype == valid.dtype == np.float32
    assert np.isfinite(valid[0]).all()
    if encode != "native":  # native codes keep missing and unseen categories as missing
        assert np.isfinite(train).all()
        assert np.isfinite(valid).all()
    for i in range(3):  # one row at a time
        np.testing.assert_array_equal(prepare.transform(new[i : i + 1])[0], valid[i])
    np.testing.assert_array_equal(clone(prepare).fit_transform(cities(), target(task)), train)


@pytest.mark.parametrize("encode", FIXED)
def test_encoders_are_exported(encode):
    prepare, _ = fitted({"encode": "onehot", "high_cardinality": encode})
    file = skops.io.dumps(prepare)
    assert set(skops.io.get_untrusted_types(data=file)) <= KNOWN_TYPES
    loaded = skops.io.loads(file, trusted=sorted(KNOWN_TYPES))
    np.testing.assert_array_equal(loaded.transform(cities()[:9]), prepare.transform(cities()[:9]))


@pytest.mark.parametrize("encode", FIXED)
def test_encoders_ignore_validation_rows(encode):
    settings = {"categorical": {"encode": "onehot", "high_cardinality": encode}}
    X, y, rows = cities(), target("regression"), np.arange(150)
    poisoned, poisoned_y = X.astype(object), y.copy()
    poisoned.iloc[150:] = "Upper Town 1"
    poisoned_y[150:] = 1e6
    matrices = [
        preprocessor(settings, TYPES, task="regression").fit_transform(frame.iloc[rows], values[rows])
        for frame, values in ((X, y), (poisoned.astype("category"), poisoned_y))
    ]
    np.testing.assert_array_equal(*matrices)


@pytest.mark.parametrize("encode", ["target", "target_count", "target_string"])
def test_target_encoders_do_not_leak_a_row_to_itself(encode):
    X = pd.DataFrame({"id": [f"k{i}" for i in range(N)]}, dtype="category")
    y = np.random.default_rng(0).normal(size=N)
    settings = {"categorical": {"high_cardinality": encode}}
    prepare = preprocessor(settings, {"id": "categorical"}, task="regression")
    train = prepare.fit_transform(X, y)[:, 0]
    # Every category occurs once, so a cross-fitted code is the mean of the other folds.
    assert len(np.unique(train)) <= 5
    assert abs(np.corrcoef(train, y)[0, 1]) < 0.3


def test_high_cardinality_encodes_columns_by_their_number_of_categories():
    most = cities()["city"].nunique()
    settings = {"high_cardinality": "target_count", "cardinality_threshold": most}
    prepare, _ = fitted(settings)
    assert not [name for name in prepare.get_feature_names_out() if "high__" in name]
    prepare, train = fitted({**settings, "cardinality_threshold": most - 1})
    assert prepare.get_feature_names_out().tolist() == [
        "categorical__low__size_L",
        "categorical__low__size_M",
        "categorical__low__size_S",
        "categorical__low__size_nan",
        "categorical__high__target__city",
        "categorical__high__count__city",
    ]
    rows = cities()["city"].map(cities()["city"].value_counts()).to_numpy(dtype=float)
    order = np.argsort(rows[~np.isnan(rows)], kind="stable")
    assert (np.diff(train[~np.isnan(rows), 5][order]) >= -1e-6).all()


def test_high_cardinality_adds_columns_beside_codes():
    prepare, train = fitted({"encode": "embed", "high_cardinality": "target_count"})
    codes, _ = fitted({"encode": "embed"})
    names = ["high_cardinality__high__target__city", "high_cardinality__high__count__city"]
    assert prepare.get_feature_names_out().tolist() == [*names, *codes.get_feature_names_out()]
    np.testing.assert_array_equal(train[:, 2:], codes.transform(cities()))
    few = {"encode": "embed", "high_cardinality": "target_count", "cardinality_threshold": 99}
    np.testing.assert_array_equal(fitted(few)[1], codes.transform(cities()))


def test_encoders_follow_the_seed():
    seeds = [
        preprocessor({"categorical": {"encode": "target_count"}}, TYPES, task="binary", random_state=seed)
        for seed in (1, 1, 2)
    ]
    one, same, other = (prepare.fit_transform(cities(), target("binary")) for prepare in seeds)
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize(
    ("own", "theirs"),
    [
        (NativeCodes, {"handle_unknown": "use_encoded_value", "unknown_value": np.nan}),
        (OneHot, {"handle_unknown": "infrequent_if_exist", "sparse_output": False}),
    ],
)
@pytest.mark.parametrize("as_category", [False, True])
def test_encoders_count_only_where_categories_are_merged(own, theirs, as_category, monkeypatch):
    X = pd.DataFrame({"a": list("xxyyz") * 9, "b": ["u", None, "v"] * 15}, dtype=object)
    new = pd.DataFrame({"a": ["x", "q", None], "b": ["w", "u", None]}, dtype=object)
    X, new = (X.astype("category"), new.astype("category")) if as_category else (X, new)
    library = own.__mro__[2]
    for most in (2, 3, 10):
        expected = library(max_categories=most, **theirs).fit(X)
        with monkeypatch.context() as patch:
            if most > 3:
                patch.setattr("sklearn.utils._encode._get_counts", None)
            found = own(max_categories=most, **theirs).fit(X)
        assert found.get_params() == expected.get_params()
        assert found.get_feature_names_out().tolist() == expected.get_feature_names_out().tolist()
        for table in (X, new):
            np.testing.assert_array_equal(found.transform(table), expected.transform(table))


@pytest.mark.parametrize("own", [NativeCodes, OneHot])
def test_encoders_do_not_check_the_columns_of_typed_tables(own, monkeypatch):
    texts = pd.DataFrame({"a": list("xxyyz") * 9, "b": ["u", None, "v"] * 15}, dtype=object)
    numbers = pd.DataFrame({"a": [1, 2, 2] * 15}).astype("category")
    checked = []
    check = sklearn.preprocessing._encoders.check_array
    monkeypatch.setattr(
        "sklearn.preprocessing._encoders.check_array",
        lambda X, **kwargs: checked.append(X) or check(X, **kwargs),
    )
    own().fit_transform(texts.astype("category"))
    assert not checked
    assert own().fit(numbers).categories_[0].dtype == "int64"
    assert len(checked) == 1
