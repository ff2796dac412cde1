from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.impute import SimpleImputer

from automl.table import preprocessor
from automl.table.derived import NumericPairs

N = 120
TYPES = {"a": "numeric", "b": "numeric", "flat": "numeric", "c": "categorical", "d": "categorical"}
RAW = {"numeric": {"scale": "none"}}


@pytest.fixture
def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=N), "b": rng.integers(0, 4, N).astype(float)})
    frame["flat"] = np.arange(N) % 2.0
    frame["c"], frame["d"] = rng.choice(["x", "y"], N), rng.choice(["u", "v", None], N)
    frame.loc[::10, "a"] = np.nan
    return frame.astype({"c": "category", "d": "category"})


def by_name(prepare, matrix: np.ndarray) -> dict[str, np.ndarray]:
    return dict(zip(prepare.get_feature_names_out(), matrix.T, strict=True))


def test_pairs_by_hand(table):
    y = np.random.default_rng(1).normal(size=N)
    prepare = preprocessor({**RAW, "features": "pairs"}, TYPES, task="regression")
    train = by_name(prepare, prepare.fit_transform(table, y))
    arithmetic = {name: column for name, column in train.items() if name.startswith("arithmetic")}
    # "flat" has two values only; a quotient by a "b" of zero is missing, so the median.
    operations = {"a + b", "a - b", "a * b", "a / b", "b / a"}
    assert arithmetic.keys() == {f"arithmetic__{name}" for name in operations}
    known = table["a"].notna() & (table["b"] > 0)
    np.testing.assert_allclose(
        arithmetic["arithmetic__a / b"][known], (table["a"] / table["b"])[known], rtol=1e-6
    )
    missing = arithmetic["arithmetic__a / b"][~known]
    assert (missing == missing[0]).all()
    new = table[:4].assign(c=["x", "y", "x", "y"], d=["u", "u", "u", "new"])
    pairs = by_name(prepare, prepare.transform(new))
    means = y[(table["c"] == "x") & (table["d"] == "u")].mean(), y.mean()
    first, second, third, last = pairs["category_pairs__target__c & d"]
    assert first == third != second
    assert abs(first - means[1]) <= abs(means[0] - means[1]) + 1e-6  # shrunk towards the mean
    assert last == pytest.approx(y.mean(), abs=1e-6)
    count = ((table["c"] == "x") & (table["d"] == "u")).sum()
    assert pairs["category_pairs__count__c & d"][0] == pytest.approx(np.log1p(count), rel=1e-6)
    assert pairs["category_pairs__count__c & d"][3] == 0


@pytest.mark.parametrize("scale", ["robust", "squash", "standard", "quantile"])
def test_scaled_quotients_by_nearly_zero_stay_small(table, scale):
    X = table.assign(b=np.r_[1e-4, np.random.default_rng(2).normal(size=N - 1)])
    prepare = preprocessor({"numeric": {"scale": scale}, "features": "pairs"}, TYPES, task="regression")
    train = by_name(prepare, prepare.fit_transform(X, np.arange(N, dtype=float)))
    assert np.ptp(train["arithmetic__a / b"]) > 1
    assert np.abs(train["arithmetic__a / b"]).max() <= N**0.5 + 1e-3


def test_pairs_are_drawn_by_the_seed_and_not_by_the_target(table):
    X = pd.concat([table[["a", "b"]].add_suffix(str(i)) * (i + 1.5) for i in range(5)], axis=1)
    types = dict.fromkeys(X, "numeric")
    settings = {"features": {"pairs": {"max_numeric": 7}}}

    def names(seed, y):
        return preprocessor(settings, types, random_state=seed).fit(X, y).get_feature_names_out().tolist()

    y = np.random.default_rng(1).normal(size=N)
    assert names(1, y) == names(1, -(y**2)) != names(2, y)
    assert sum(name.startswith("arithmetic") for name in names(1, y)) == 7


def test_pairs_keep_informative_columns_only():
    X = pd.DataFrame({"zero": np.r_[np.zeros(195), np.arange(1, 6)], "a": np.arange(200.0)})
    pairs = NumericPairs(SimpleImputer()).fit(X)
    # The product is 0 in nearly all rows; the quotient a / zero is nearly always missing.
    assert not {"zero * a", "zero / a", "a / zero"} & set(pairs.get_feature_names_out())
    assert len(pairs.get_feature_names_out()) == 2


def test_pairs_without_columns_are_empty(table):
    for settings in ({"max_numeric": 0, "max_categorical": 0}, {}):
        frame = table[["flat", "c"]]
        prepare = preprocessor(
            {"features": {"pairs": settings}}, {"flat": "numeric", "c": "categorical"}, task="binary"
        )
        matrix = prepare.fit_transform(frame, np.arange(N) % 2)
        assert matrix.shape == prepare.transform(frame).shape == (N, 4 - 1)
    flats = pd.DataFrame({"a": np.arange(N) % 2.0, "b": np.arange(N) // 2 % 2.0})
    prepare = preprocessor({"features": "pairs"}, {"a": "numeric", "b": "numeric"}).fit(flats)
    assert prepare.transform(flats).shape == (N, 2)


def test_pairs_of_large_numbers_stay_finite():
    X = pd.DataFrame({"a": [1e100, -1e100, 1.0, 2.0] * 5, "b": [1e100, 1e-100, 3.0, 4.0] * 5})
    prepare = preprocessor({"features": "pairs"}, {"a": "numeric", "b": "numeric"})
    assert np.isfinite(prepare.fit_transform(X)).all()


def test_pairs_train_the_same_again(table):
    y = np.arange(N) % 3
    prepare = preprocessor({"features": "pairs"}, TYPES, task="multiclass")
    np.testing.assert_array_equal(prepare.fit_transform(table, y), clone(prepare).fit_transform(table, y))
    for i in range(3):
        np.testing.assert_allclose(
            prepare.transform(table[i : i + 1])[0], prepare.transform(table)[i], rtol=1e-6
        )


def test_discrete_numbers_also_give_a_column_for_each_value(table):
    settings = {"numeric": {"scale": "none", "discrete": "onehot"}}
    prepare = preprocessor(settings, TYPES).fit(table)
    names = prepare.get_feature_names_out().tolist()
    assert names[:7] == [
        "numeric__a",
        "numeric__b",
        "numeric__flat",
        "discrete__b_0.0",
        "discrete__b_1.0",
        "discrete__b_2.0",
        "discrete__b_3.0",
    ]
    new = prepare.transform(table[:3].assign(b=[2.0, 9.0, np.nan]))
    assert new[:, 3:7].tolist() == [[0, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]]


def test_discrete_numbers_also_give_target_means():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"zip": rng.integers(10_000, 10_060, 600) * 1.0, "wind": rng.normal(size=600)})
    frame["row"] = np.arange(600.0)
    y = (frame["zip"] * 7919 % 13).to_numpy()  # nothing that a line or a few splits follow
    settings = {"numeric": {"scale": "none", "discrete": "target"}}
    prepare = preprocessor(settings, dict.fromkeys(frame, "numeric"), task="regression")
    train = by_name(prepare, prepare.fit_transform(frame, y))
    assert list(train)[3:] == ["discrete__target__zip", "discrete__count__zip"]
    assert np.corrcoef(train["discrete__target__zip"], y)[0, 1] > 0.9
    unseen = by_name(prepare, prepare.transform(frame[:2].assign(zip=[1.0, np.nan])))
    np.testing.assert_allclose(unseen["discrete__target__zip"], y.mean(), rtol=1e-5)
    np.testing.assert_array_equal(unseen["discrete__count__zip"], 0)


def test_pairs_go_with_missing_numbers_and_native_codes(table):
    settings = {"numeric": {"impute": "none", "scale": "none"}, "categorical": {"encode": "native"}}
    y = np.arange(N) % 2
    plain = preprocessor(settings, TYPES, task="binary")
    codes = by_name(plain, plain.fit_transform(table, y))
    prepare = preprocessor({**settings, "features": "pairs"}, TYPES, task="binary")
    train = by_name(prepare, prepare.fit_transform(table, y))
    missing = table["a"].isna().to_numpy()
    np.testing.assert_array_equal(np.isnan(train["arithmetic__a + b"]), missing)
    assert list(train)[-2:] == ["categorical__c", "categorical__d"]  # where a model looks for codes
    np.testing.assert_array_equal(train["categorical__d"], codes["categorical__d"])
    assert np.isfinite(train["category_pairs__target__c & d"]).all()
