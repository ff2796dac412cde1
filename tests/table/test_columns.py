from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from automl.errors import TableError
from automl.table import TypedColumns

N = 30


def kind(cells, name="c", **options):
    return TypedColumns().fit(pd.DataFrame({name: pd.Series(cells, **options)})).column_types_[name]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1.5", " ", "-2e3", "NA"] * 8, "numeric"),
        ([1, None, 2.5] * 10, "numeric"),
        ([Decimal("1.5"), None, Decimal(2)] * 10, "numeric"),
        (pd.to_timedelta(range(N), unit="s"), "numeric"),
        ([1.0, None] * 10, "numeric"),
        ([7 * i for i in range(N)], "numeric"),
        (range(19), "numeric"),
        (["01067", "10115"] * 10, "categorical"),
        ([1, "a", 2.0] * 10, "categorical"),
        (["1.2.3", "2.0.1"] * 10, "categorical"),
        (["12", "about 12"] * 10, "categorical"),
        (pd.Categorical([1, 2] * 10), "categorical"),
        ([f"code {i}" for i in range(19)], "categorical"),
        (["Yes", "no", ""] * 10, "boolean"),
        ([True, None, False] * 10, "boolean"),
        (["2013-01-01T10:00:00Z", "2013-01-02 10:00", ""] * 5, "datetime"),
        (["13.01.2020", "01.02.2020"] * 5, "datetime"),
        ([dt.date(2020, 1, 1), dt.date(2020, 2, 1)] * 5, "datetime"),
        (pd.date_range("2020", periods=N, tz="Europe/Paris"), "datetime"),
        (pd.period_range("2020", periods=N, freq="M"), "datetime"),
        ([f"flight {i} was late because of snow" for i in range(N)], "text"),
        ([f"7590-VH{i}" for i in range(N)], "identifier"),
        ([f"customer {i}" for i in range(N)], "identifier"),
        ([f"7590-VH{i}" for i in range(N - 2)] + ["7590-VH0"] * 2, "categorical"),  # one seen three times
        ([f"7590-VH{i}" for i in range(N - 1)] + [None], "identifier"),
        ([f"Mr. Owen {'abcdefghij'[i // 10] * 3}{'abcdefghij'[i % 10]}" for i in range(N)], "text"),
        (range(N), "identifier"),
        (["a"] * N, "constant"),
        ([None] * N, "constant"),
        (["", " "] * N, "constant"),
    ],
)
def test_column_type_of_values(cells, expected):
    assert kind(cells) == expected


@pytest.mark.parametrize(
    ("name", "expected"), [("PID", "identifier"), ("house_id", "identifier"), ("paid", "numeric")]
)
def test_column_type_of_id_columns(name, expected):
    assert kind([526_301_100 + 37 * i for i in range(N)], name) == expected


@pytest.fixture
def table():
    return pd.DataFrame(
        {
            "n": [1.5, 2.0, np.nan] * 10,
            "b": [True, False, True] * 10,
            "c": ["a", "b", None] * 10,
            "d": pd.date_range("2020", periods=N),
            "i": range(N),
            "k": 1,
        }
    )


@pytest.mark.parametrize(
    "other",
    [
        lambda X: X.astype(str),
        lambda X: X.astype(object),
        lambda X: X.convert_dtypes(),
        lambda X: X[X.columns[::-1]],
        lambda X: X.to_numpy(),
        lambda X: X.astype({"b": "category", "c": "category"}),
        lambda X: X.assign(b=X.b.astype(int), n=X.n.astype("float32")),
        lambda X: X.assign(b=X.b.map({True: "Yes", False: "no"}), d=X.d.dt.tz_localize("UTC")),
    ],
)
def test_transform_is_equal_for_other_dtypes(table, other):
    columns = TypedColumns().fit(table)
    expected = columns.transform(table)
    assert columns.get_feature_names_out().tolist() == expected.columns.tolist() == ["n", "b", "c", "d"]
    assert [str(dtype) for dtype in expected.dtypes] == ["float64", "float64", "category", "datetime64[us]"]
    pd.testing.assert_frame_equal(columns.transform(other(table)), expected, check_categorical=False)


def test_transform_accepts_unseen_and_missing(table):
    columns = TypedColumns().fit(table)
    typed = columns.transform(table.assign(c="zzz", b="perhaps", n=np.inf, d=None))
    assert typed["c"].tolist() == ["zzz"] * N
    assert typed[["b", "n", "d"]].isna().all(axis=None)


def test_transform_lists_all_faults(table):
    columns = TypedColumns().fit(table)
    with pytest.raises(TableError) as error:
        columns.transform(table.rename(columns={"n": "nn", "i": "ii"}))
    message = str(error.value)
    assert 'column "n": must be in the table' in message
    assert 'column "i"' not in message, "a dropped column is not needed"
    with pytest.raises(TableError) as error:
        columns.transform(table.assign(n="abc", d=5, b=7, c=[[1]] * N))
    assert len(error.value.faults) == 4
    wide = np.hstack([table.to_numpy(), table.to_numpy()])
    for wrong in (table.to_numpy()[:, :3], wide, pd.concat([table, table[["n"]]], axis=1), table["n"]):
        with pytest.raises(TableError):
            columns.transform(wrong)


def test_typed_columns_follow_scikit_learn(table):
    A = np.random.default_rng(0).normal(size=(N, 3))
    columns = TypedColumns().fit(A)
    assert columns.transform(A).columns.tolist() == ["x0", "x1", "x2"]
    assert columns.transform(pd.DataFrame(A, columns=list("abc"))).shape == (N, 3)
    assert np.shares_memory(columns.transform(A)["x1"].to_numpy(), A)
    fitted = TypedColumns().set_output(transform="pandas").fit(table)
    assert fitted.n_features_in_ == 6
    assert fitted.feature_names_in_.tolist() == list(table)
    assert fitted.transform(table).shape == (N, 4)
    assert not hasattr(clone(fitted), "column_types_")


def test_fit_refuses_repeated_names(table):
    with pytest.raises(TableError, match="repeated"):
        TypedColumns().fit(pd.concat([table, table], axis=1))
    with pytest.raises(TableError, match='2 faults:\ncolumn "l".*\ncolumn "z"'):
        TypedColumns().fit(table.assign(l=[[1]] * N, z=1j))


def test_typed_columns_need_rows():
    columns = TypedColumns().fit(pd.DataFrame({"a": [1.5, 2.5, 3.5]}))
    with pytest.raises(TableError, match="at least one row"):
        columns.transform(pd.DataFrame({"a": []}))


def test_transform_copies_no_numbers():
    X = np.random.default_rng(0).normal(size=(50, 3))
    frame = TypedColumns().fit_transform(X)
    assert all(np.shares_memory(frame[name].to_numpy(), X) for name in frame)
