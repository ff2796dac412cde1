from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.metrics.pairwise import rbf_kernel

from automl.constraints import Section
from automl.errors import SpaceError, TableError
from automl.table import PREPROCESS, TypedColumns, prepare, prepare_matrices, preprocessor

N = 60


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "n": np.where(np.arange(N) % 7 == 0, np.nan, rng.normal(1e6, 10, N)),
            "spike": np.where(np.arange(N) < 5, 1e5, 0.0),
            "b": rng.choice([True, False, None], N),
            "c": rng.choice(["a", "b", "c", None], N, p=[0.6, 0.2, 0.1, 0.1]),
            "d": pd.date_range("2020-01-30", periods=N, freq="25h"),
        }
    )
    X.loc[3, "d"] = None
    return X


CONFIGURATIONS = [
    {
        "numeric": {"scale": scale, "impute": impute},
        "categorical": {"encode": encode},
        "datetime": {"encode": dates},
    }
    for (scale, encode), (impute, dates) in zip(
        product(["standard", "robust", "minmax", "quantile", "none"], ["onehot", "ordinal", "target"]),
        [("median", "cyclic"), ("mean", "calendar"), ("most_frequent", "cyclic")] * 5,
        strict=True,
    )
]


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize("configuration", [{}, *CONFIGURATIONS], ids=str)
def test_preprocessor_gives_finite_matrices(table, configuration, task):
    y = np.arange(N) % {"binary": 2, "multiclass": 3, "regression": 10}[task]
    columns = TypedColumns().fit(table)
    prepare = preprocessor(configuration, columns.column_types_, task=task)
    train = prepare.fit_transform(columns.transform(table[:40]), y[:40])
    valid = prepare.transform(columns.transform(table[40:].assign(c="unseen")))
    assert train.dtype == valid.dtype == np.float32
    assert train.flags.c_contiguous
    assert np.isfinite(train).all()
    assert np.isfinite(valid).all()
    names = prepare.get_feature_names_out().tolist()
    assert len(names) == len(set(names)) == train.shape[1] == valid.shape[1]
    if configuration.get("numeric", {"scale": "standard"})["scale"] != "none":
        assert np.abs(train).max() < 10
    assert len(clone(prepare).transformers) == len(prepare.transformers)


def test_preprocessor_learns_from_training_rows(table):
    columns = TypedColumns().fit(table)
    typed = columns.transform(table)
    prepare = preprocessor({}, columns.column_types_).fit(typed[:40])
    alone = prepare.transform(typed[40:50])
    np.testing.assert_array_equal(prepare.transform(typed[40:])[:10], alone)
    changed = typed[:40].assign(n=typed["n"][:40] * 2)
    assert not np.array_equal(
        preprocessor({}, columns.column_types_).fit(changed).transform(typed[40:50]), alone
    )


def test_onehot_by_hand():
    X = pd.DataFrame({"c": ["a", "a", "b", "c", None, "a", None]}, dtype="category")
    prepare = preprocessor({"categorical": {"max_categories": 3}}, {"c": "categorical"}).fit(X)
    names = ["categorical__c_a", "categorical__c_nan", "categorical__c_infrequent_sklearn"]
    assert prepare.get_feature_names_out().tolist() == names
    new = pd.DataFrame({"c": ["c", "new", None, "a"]}, dtype="category")
    assert prepare.transform(new).tolist() == [[0, 0, 1], [0, 0, 1], [0, 1, 0], [1, 0, 0]]


def test_target_encoding_is_cross_fitted():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"c": [f"k{i}" for i in rng.integers(0, 300, 600)]}, dtype="category")
    y = rng.integers(0, 2, 600)
    configuration = {"categorical": {"encode": "target"}, "numeric": {"scale": "none"}}
    prepare = preprocessor(configuration, {"c": "categorical"}, task="binary")
    inside = prepare.fit_transform(X, y)[:, 0]
    assert abs(np.corrcoef(inside, y)[0, 1]) < 0.2 < np.corrcoef(prepare.transform(X)[:, 0], y)[0, 1]
    unseen = pd.DataFrame({"c": ["new"]}, dtype="category")
    assert prepare.transform(unseen)[0, 0] == pytest.approx(y.mean(), abs=1e-6)
    np.testing.assert_array_equal(clone(prepare).fit_transform(X, y)[:, 0], inside)


def test_cyclic_dates_by_hand():
    X = pd.DataFrame({"d": pd.to_datetime(["2020-01-06 00:00", "2020-01-12 23:59", "2020-07-06 12:00"])})
    configuration = {"numeric": {"scale": "none"}}
    prepare = preprocessor(configuration, {"d": "datetime"}).fit(X)
    values = dict(zip(prepare.get_feature_names_out(), prepare.transform(X).T, strict=True))
    np.testing.assert_allclose(values["datetime__d_days"], [0, 6 + 1439 / 1440, 182.5], rtol=1e-6)
    # A week starts on Monday; its last minute is next to its first, and noon is opposite midnight.
    np.testing.assert_allclose(values["datetime__d_week_cos"][:2], 1, atol=1e-5)
    np.testing.assert_allclose(values["datetime__d_day_cos"], [1, 1, -1], atol=1e-4)


def test_preprocessor_keeps_empty_columns():
    X = pd.DataFrame({"n": [np.nan] * 4, "d": pd.to_datetime([None] * 4), "c": pd.Categorical([None] * 4)})
    column_types = {"n": "numeric", "d": "datetime", "c": "categorical"}
    prepare = preprocessor({}, column_types).fit(X)
    full = X.assign(n=1.0, d=pd.Timestamp("2020-01-01"), c=pd.Categorical(["a"] * 4))
    assert prepare.transform(full).shape == prepare.transform(X).shape
    assert np.isfinite(prepare.transform(full)).all()


def test_rbf_approximates_the_kernel(table):
    columns = TypedColumns().fit(table)
    typed = columns.transform(table)
    plain = preprocessor({}, columns.column_types_).fit_transform(typed)
    features = {"rbf": {"gamma": 0.1, "n_components": 4000}}
    prepare = preprocessor({"features": features}, columns.column_types_)
    mapped = prepare.fit_transform(typed)
    assert mapped.dtype == np.float32
    assert mapped.flags.c_contiguous
    assert mapped.shape == (N, 4000)
    np.testing.assert_allclose(mapped @ mapped.T, rbf_kernel(plain, gamma=0.1), atol=0.1)
    np.testing.assert_array_equal(clone(prepare).fit_transform(typed), mapped)
    assert len(set(prepare.get_feature_names_out())) == 4000
    few = preprocessor({"features": "rbf"}, columns.column_types_).fit(typed[:40])
    assert few.transform(typed[40:]).shape == (N - 40, 100)
    none = preprocessor({"features": {"none": {}}}, columns.column_types_).fit_transform(typed)
    np.testing.assert_array_equal(none, plain)


def test_preprocessor_lists_unknown_settings():
    with pytest.raises(SpaceError) as error:
        preprocessor({"numerik": {}, "numeric": {"scale": "huge", "imput": "mean"}}, {"a": "numeric"})
    assert len(error.value.faults) == 3
    assert 'Did you mean "numeric"?' in str(error.value)
    with pytest.raises(SpaceError, match="preprocess.features: must be one of none, rbf"):
        preprocessor({"features": {"rbf": {"gamma": 0}}}, {"a": "numeric"})
    with pytest.raises(TableError, match="must have a column to learn from"):
        preprocessor({}, {"a": "constant"})


def test_preprocess_defaults_are_valid():
    for part in PREPROCESS.parameters.values():
        assert part.constraint.accepts(part.default)
        if isinstance(part.constraint, Section):
            assert part.constraint.accepts(part.constraint.defaults())
    assert PREPROCESS.accepts(CONFIGURATIONS[0])
    assert not PREPROCESS.accepts({"numeric": {"scale": "huge"}})


@pytest.mark.parametrize(
    ("configuration", "n"),
    [
        ({"features": {"rbf": {"n_components": 5}}}, 60),
        ({"categorical": {"encode": "target"}, "numeric": {"scale": "none"}}, 60),
        ({"numeric": {"scale": "quantile"}}, 12_000),  # below 10,000 rows all of them are taken
    ],
    ids=["features", "folds", "rows"],
)
def test_preprocessor_follows_the_seed(configuration, n):
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.exponential(size=n), "c": rng.choice(["x", "y", "z"], n)})
    y = (X["a"] + rng.normal(size=n) > 1).to_numpy().astype(int)
    column_types = {"a": "numeric", "c": "categorical"}

    def matrix(random_state):
        prepare = preprocessor(configuration, column_types, task="binary", random_state=random_state)
        return prepare.fit_transform(X, y)

    np.testing.assert_array_equal(matrix(7), matrix(7))
    assert not np.array_equal(matrix(7), matrix(8))


NOTES = pd.DataFrame(
    {"note": ["late, because of snow", "", "late", "snow snow"], "say": ["...", "", "!", "?"]}
)


def test_tfidf_by_hand():
    configuration = {"text": {"encode": "tfidf", "max_words": 3}}
    prepare = preprocessor(configuration, {"note": "text", "say": "text"}).fit(NOTES)
    names = prepare.get_feature_names_out().tolist()
    assert names == ["text__note_because", "text__note_late", "text__note_snow"]  # none of what holds no word
    matrix = prepare.transform(NOTES)
    assert matrix.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(matrix, axis=1), [1, 0, 1, 1], rtol=1e-6)
    rare, common, _ = matrix[0]
    assert rare > common
    np.testing.assert_allclose(matrix[2:], [[0, 1, 0], [0, 0, 1]])
    unseen = pd.DataFrame({"note": ["fog", "late fog"], "say": ["", "word"]})
    np.testing.assert_allclose(prepare.transform(unseen), [[0, 0, 0], [0, 1, 0]])


def test_preprocessor_drops_text_by_default():
    X = NOTES.assign(a=[1.0, 2.0, 3.0, 4.0])
    column_types = {"note": "text", "say": "text", "a": "numeric"}
    assert preprocessor({}, column_types).fit(X).get_feature_names_out().tolist() == ["numeric__a"]
    with pytest.raises(TableError, match="must have a column to learn from"):
        preprocessor({}, {"note": "text"})


def test_typed_columns_keep_text_on_request():
    X = pd.DataFrame(
        {"note": [f"flight {i} was late because of snow" if i else None for i in range(30)], "a": range(30)}
    )
    X["a"] = X["a"] * 0.5
    assert TypedColumns().fit_transform(X).columns.tolist() == ["a"]
    columns = TypedColumns(text=True)
    typed = columns.fit_transform(X)
    assert columns.get_feature_names_out().tolist() == typed.columns.tolist() == ["note", "a"]
    assert typed["note"].iloc[:2].tolist() == ["", "flight 1 was late because of snow"]
    assert columns.transform(X.assign(note=7))["note"].iloc[0] == "7"


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize(
    "configuration", [{}, {"features": {"rbf": {"n_components": 7}}}, *CONFIGURATIONS], ids=str
)
def test_prepare_matrices_in_blocks_is_equal(table, configuration, task, monkeypatch):
    y = np.arange(N) % {"binary": 2, "multiclass": 3, "regression": 10}[task]
    table["n2"], table["b2"], table["c2"] = (
        table["n"] ** 2,
        table["b"][::-1].to_numpy(),
        table["c"][::-1].to_numpy(),
    )
    columns = TypedColumns().fit(table)
    frame, rows = columns.transform(table), [np.arange(5, 50), np.arange(50, N)]
    whole = preprocessor(configuration, columns.column_types_, task=task)
    expected = [whole.fit_transform(frame.iloc[rows[0]], y[rows[0]]), whole.transform(frame.iloc[rows[1]])]
    for width in (1, 2, 3, 100):
        monkeypatch.setattr(prepare, "BLOCK_VALUES", width * len(rows[0]))
        asked = []

        def read(names, asked=asked):
            asked.append(len(names))
            return frame[names]

        found = prepare_matrices(configuration, columns.column_types_, read, y, rows, task=task)
        assert max(asked) <= width or "features" in configuration
        for pieces, matrix in zip(found, expected, strict=True):
            assert all(piece.dtype == np.float32 for piece in pieces if piece.dtype != bool)
            np.testing.assert_allclose(np.hstack(pieces), matrix, rtol=1e-5, atol=1e-5)
        monkeypatch.setattr(prepare, "_PIPELINE_BLOCK_VALUES", width * N)
        split = preprocessor(configuration, columns.column_types_, task=task, n_rows=N)
        np.testing.assert_allclose(
            split.fit_transform(frame.iloc[rows[0]], y[rows[0]]), expected[0], rtol=1e-5, atol=1e-5
        )
