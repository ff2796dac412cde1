"""Any table, written to a file and read again, has the same kinds and values."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from automl.table import TypedColumns, read_table

WORDS = st.text(
    st.characters(codec="utf-8", exclude_characters="\0\r", exclude_categories=["Cs", "Cc"]),
    min_size=1,
    max_size=8,
)
LABELS = st.sampled_from(
    ["None", "NA", "nan", "null", "yes", "no", "01067", "1,5", "$3", "1.500", "x;y", 'a "b"', "-"]
)
DAYS = st.datetimes(pd.Timestamp("1900-01-01"), pd.Timestamp("2100-01-01"))
CELLS = {
    "float": (st.floats(width=64), "float64"),
    "fraction": (st.decimals(-10_000, 10_000, places=2).map(float), "float64"),
    "integer": (st.integers(-(2**63), 2**63 - 1), "int64"),
    "count": (st.integers(0, 60), "int64"),
    "nullable": (st.none() | st.integers(-1000, 1000), "Int64"),
    "boolean": (st.booleans(), "bool"),
    "gappy boolean": (st.none() | st.booleans(), "boolean"),
    "word": (st.none() | WORDS, object),
    "label": (st.none() | LABELS, object),
    "date": (DAYS.map(lambda day: day.replace(hour=0, minute=0, second=0, microsecond=0)), "datetime64[us]"),
    "moment": (st.none() | DAYS, "datetime64[us]"),
    "zoned": (DAYS, "datetime64[us, Asia/Tokyo]"),
    "amount": (st.none() | st.decimals(-10_000, 10_000, places=2), object),
    "clock": (st.none() | st.times().map(lambda time: time.replace(microsecond=0)), object),
    "duration": (st.timedeltas(dt.timedelta(-9999), dt.timedelta(9999)), "timedelta64[us]"),
}


@st.composite
def frames(draw):
    """Draw a table of 1 to 40 rows with a column for some of the kinds."""
    n = draw(st.integers(1, 40))
    kinds = draw(st.lists(st.sampled_from(sorted(CELLS)), min_size=2, max_size=6))
    columns = {}
    for i, kind in enumerate(kinds):
        cells, dtype = CELLS[kind]
        name = f"{kind} {i}" if draw(st.booleans()) else f"{draw(WORDS).strip()}{i}"  # names are trimmed
        columns[name] = pd.Series(draw(st.lists(cells, min_size=n, max_size=n)), dtype=dtype)
    return pd.DataFrame(columns)


@pytest.mark.parametrize("ending", [".csv", ".tsv.gz", ".parquet"])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(frame=frames())
def test_read_table_gives_the_kinds_and_values_of_the_frame(ending, tmp_path, frame):
    file = tmp_path / f"t{ending}"
    if ending == ".parquet":
        frame.to_parquet(file)
    else:
        frame.to_csv(file, index=False, sep="," if ending == ".csv" else "\t")
    found = read_table(file)
    expected, columns = TypedColumns(text=True).fit(frame), TypedColumns(text=True).fit(found)
    assert columns.column_types_ == expected.column_types_
    values, typed = expected.transform(frame), columns.transform(found)
    pd.testing.assert_frame_equal(typed, values, check_exact=True)
    # The other way round: each model takes the other table.
    pd.testing.assert_frame_equal(expected.transform(found), values, check_exact=True)


def test_round_trip_is_exact_for_floats(tmp_path):
    numbers = np.random.default_rng(0).normal(size=1000) * 10.0 ** np.arange(-20, 20).repeat(25)
    pd.DataFrame({"a": numbers, "b": numbers}).to_csv(tmp_path / "t.csv", index=False)
    np.testing.assert_array_equal(read_table(tmp_path / "t.csv")["a"], numbers)
