"""Tables in memory, each with the columns that come of it."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy import sparse

from automl.errors import TableError
from automl.table import TypedColumns, as_frame, split_target

N = 24
NUMBERS = [i * 37 % 24 / 2 for i in range(N)]
TOWNS = ["Bern", "Cork", None, "Aachen"] * 6
DAYS = pd.date_range("2020-01-01", periods=N, freq="D")
BASE = pd.DataFrame({"n": NUMBERS, "c": TOWNS, "d": DAYS, "b": [True, False] * 12})

TABLES = {
    "pandas": BASE,
    "pandas nullable": BASE.convert_dtypes(),
    "pandas with pyarrow": BASE.convert_dtypes(dtype_backend="pyarrow"),
    "pandas objects": BASE.astype(object),
    "pandas sparse": BASE.assign(n=pd.arrays.SparseArray(NUMBERS, fill_value=0.0)),
    "pandas texts": BASE.assign(n=BASE.n.astype(str), d=BASE.d.astype(str), b=BASE.b.astype(str)),
    "decimal.Decimal": BASE.assign(n=[Decimal(str(number)) for number in NUMBERS]),
    "datetime.date": BASE.assign(d=[day.date() for day in DAYS]),
    "float32": BASE.astype({"n": "float32"}),
    "index of texts": BASE.set_index(pd.Index([f"row {i}" for i in range(N)])),
    "polars": pl.from_pandas(BASE),
    "polars, lazy": pl.from_pandas(BASE).lazy(),
    "polars dates and categories": pl.from_pandas(BASE).with_columns(
        pl.col("d").cast(pl.Date), pl.col("c").cast(pl.Categorical), pl.col("n").cast(pl.Decimal(10, 2))
    ),
    "pyarrow": pa.Table.from_pandas(BASE, preserve_index=False),
    "pyarrow dictionary": pa.table({name: pa.array(BASE[name]) for name in "ndb"})
    .append_column("c", pa.array(TOWNS).dictionary_encode()).select(["n", "c", "d", "b"]),
    "list of dict": BASE.to_dict("records"),
    "record array": BASE.astype({"c": object}).to_records(index=False),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_typed_columns_are_equal_for_every_kind_of_table(name):
    columns = TypedColumns().fit(TABLES[name])
    assert columns.column_types_ == {"n": "numeric", "c": "categorical", "d": "datetime", "b": "boolean"}
    expected = TypedColumns().fit_transform(BASE).reset_index(drop=True)
    typed = columns.transform(TABLES[name]).reset_index(drop=True)
    pd.testing.assert_frame_equal(typed, expected, check_categorical=False)
    other = TypedColumns().fit(BASE).transform(TABLES[name]).reset_index(drop=True)
    pd.testing.assert_frame_equal(other, expected, check_categorical=False)


# Dtype of a column: the column, its kind and its values.
DTYPES = {
    "int8": (pd.array([1, 2] * 12, "int8"), "numeric", [1, 2] * 12),
    "UInt16 with gaps": (pd.array([1, None, 3] * 8, "UInt16"), "numeric", [1, np.nan, 3] * 8),
    "float16": (np.array([0.5, 1.5] * 12, "float16"), "numeric", [0.5, 1.5] * 12),
    "timedelta": (pd.to_timedelta([90, 30] * 12, unit="s"), "numeric", [90, 30] * 12),
    "timedelta objects": ([dt.timedelta(seconds=s) for s in (90, 30)] * 12, "numeric", [90, 30] * 12),
    "arrow int": (pd.array([1, None] * 12, "int64[pyarrow]"), "numeric", [1, np.nan] * 12),
    "arrow decimal": (
        pd.array([Decimal("1.5"), None] * 12, pd.ArrowDtype(pa.decimal128(5, 2))), "numeric", [1.5, np.nan] * 12,
    ),
    "arrow text": (pd.array(["1,5", "2,5"] * 12, "string[pyarrow]"), "numeric", [1.5, 2.5] * 12),
    "sparse int": (pd.arrays.SparseArray([0, 1] * 12), "numeric", [0, 1] * 12),
    "sparse bool": (pd.arrays.SparseArray([False, True] * 12), "boolean", [0, 1] * 12),
    "nullable boolean": (pd.array([True, None, False] * 8, "boolean"), "boolean", [1, np.nan, 0] * 8),
    "arrow bool": (pd.array([True, None] * 12, "bool[pyarrow]"), "boolean", [1, np.nan] * 12),
    "category of texts": (pd.Categorical(["x", None] * 12), "categorical", ["x", None] * 12),
    "category of integers": (pd.Categorical([1, 2] * 12), "categorical", ["1", "2"] * 12),
    "interval": (pd.cut(range(N), 2, labels=None), "categorical", None),
    "period": (pd.period_range("2020-01", periods=N, freq="M"), "datetime", None),
    "time zone": (pd.date_range("2020-01-01", periods=N, tz="Asia/Tokyo"), "datetime", None),
    "arrow timestamp": (pd.array(DAYS, "timestamp[us][pyarrow]"), "datetime", list(DAYS)),
    "arrow date": (pd.array([day.date() for day in DAYS], "date32[pyarrow]"), "datetime", list(DAYS)),
    "numpy text": (np.array(["x", "y"] * 12), "categorical", ["x", "y"] * 12),
    "time of day": ([dt.time(8, 30), dt.time(9)] * 12, "numeric", [30_600.0, 32_400.0] * 12),
    "bytes": ([b"x", b"y"] * 12, "categorical", None),
}  # fmt: skip


@pytest.mark.parametrize("name", DTYPES)
def test_typed_columns_take_every_dtype(name):
    cells, kind, values = DTYPES[name]
    frame = pd.DataFrame({"a": cells, "other": NUMBERS})
    columns = TypedColumns().fit(frame)
    typed = columns.transform(frame)["a"]
    assert columns.column_types_["a"] == kind
    if kind == "categorical" and values is not None:
        assert typed.astype(object).where(typed.notna(), None).tolist() == values
    elif values is not None:
        np.testing.assert_array_equal(typed, np.array(values, dtype=typed.dtype))


@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.csc_array, sparse.lil_matrix, sparse.coo_array])
def test_as_frame_takes_sparse_matrices(kind):
    dense = np.eye(5, 3)
    np.testing.assert_array_equal(as_frame(kind(dense)), dense)


@pytest.mark.parametrize(
    ("X", "says"),
    [
        (
            sparse.csr_matrix((100_000, 100_000)),
            "fit in 2 GB as dense numbers; got 100,000 x 100,000, 80.0 GB. Reduce",
        ),
        ([1, 2, 3], "list with 1 axes. Reshape your data"),
        (pd.Series([1, 2]), "Series with 1 axes"),
        (pl.Series([1, 2]), "Series with 1 axes"),
        ({"a": [1]}, "dict with 0 axes"),
        (np.zeros((2, 2, 2)), "3 axes"),
        (pd.DataFrame(index=range(3)), "at least one column"),
        (pl.DataFrame(), "at least one column"),
        ([{}, {}], "at least one column"),
    ],
)
def test_as_frame_refuses_other_objects(X, says):
    with pytest.raises(TableError) as error:
        as_frame(X)
    assert says in str(error.value)


@pytest.mark.parametrize(
    "table", [BASE, pl.from_pandas(BASE), pa.Table.from_pandas(BASE), BASE.to_dict("records")]
)
def test_split_target_takes_a_name(table):
    X, y = split_target(table, "b")
    assert list(X.columns) == ["n", "c", "d"]
    assert (y.name, y.tolist()) == ("b", BASE.b.tolist())
    with pytest.raises(
        TableError, match='y: the target must be a column of the table; got "bb". Did you mean "b"'
    ):
        split_target(table, "bb")
