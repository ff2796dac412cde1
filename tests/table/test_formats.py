"""Numbers and dates as people write them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from automl.errors import TableError
from automl.table import TypedColumns
from automl.table.date_texts import find_dates, parse_dates
from automl.table.number_texts import find_numbers, parse_numbers

DAY = pd.Timestamp("2020-06-15")

DATES = [
    ("2020-06-15", DAY),
    ("2020/06/15", DAY),
    ("2020/6/5", pd.Timestamp("2020-06-05")),
    ("2020-06-15T10:30:00Z", DAY + pd.Timedelta("10h30min")),
    ("2020-06-15 10:30:00+02:00", DAY + pd.Timedelta("8h30min")),
    ("2020-06-15 10:30:00.250", DAY + pd.Timedelta("10:30:00.25")),
    ("15.06.2020", DAY),
    ("15.6.2020", DAY),
    ("15.06.20", DAY),
    ("15.06.2020 10:30", DAY + pd.Timedelta("10h30min")),
    ("06/15/2020", DAY),
    ("15/06/2020", DAY),
    ("06/15/20", DAY),
    ("15/06/20", DAY),
    ("6/15/20 9:05", DAY + pd.Timedelta("9h5min")),
    ("06/15/2020 10:30 PM", DAY + pd.Timedelta("22h30min")),
    ("06/15/2020, 10:30:11 am", DAY + pd.Timedelta("10:30:11")),
    ("15-06-2020", DAY),
    ("15-Jun-2020", DAY),
    ("15-Jun-20", DAY),
    ("15 Jun 2020", DAY),
    ("15 June 2020", DAY),
    ("15. June 2020", DAY),
    ("Jun 15, 2020", DAY),
    ("June 15, 2020", DAY),
    ("Jun 15 2020", DAY),
    ("15/Jun/2020:10:30:00 +0200", DAY + pd.Timedelta("8h30min")),
    ("Mon, 15 Jun 2020 10:30:00 +0000", DAY + pd.Timedelta("10h30min")),
]
NUMBERS = [
    ("1,234.50", 1234.5), ("1,234,567", 1234567), ("12,34,567", 1234567), ("1 234.5", 1234.5), ("1'234.5", 1234.5),
    ("1\u00a0234", 1234), ("$1,200", 1200), ("-$3.50", -3.5), ("$-3.50", -3.5), ("€ 5", 5), ("12.50 EUR", 12.5),
    ("US$7", 7), ("45%", 0.45), ("4.5 %", 0.045), ("(1,234)", -1234), ("−5", -5), ("+7", 7), (".5", 0.5), ("5.", 5),
    ("1.5e3", 1500), ("-1E-3", -0.001), ("3 days", 259200), ("0 days 00:01:30", 90), ("-1 days +23:00:00", -3600),
    ("10:30", 37800), ("07:05", 25500), ("7:05:30", 25530), ("23:59:59.5", 86399.5),
]  # fmt: skip
COMMAS = [
    ("1,5", 1.5), ("1.234,50", 1234.5), ("1.234.567", 1234567), ("1 234,5", 1234.5), ("1\u202f234,5", 1234.5),
    ("1'234,5", 1234.5), ("12,50 €", 12.5), ("-4,5 %", -0.045), (",5", 0.5), ("7", 7), ("1,5E-3", 0.0015),
]  # fmt: skip
NO_NUMBERS = [
    "1.2.3",
    "12 kg",
    "1-2",
    "24:30",
    "3:2",
    "1,23,4",
    "a1",
    "",
    "0x1F",
    "1 2",
    "192.168.1.1",
    "1/2",
    "+",
    "$",
]


@pytest.mark.parametrize(("text", "date"), DATES)
def test_date_format_reads_dates(text, date):
    texts = np.array([text, "NA"], dtype=object)
    found = parse_dates(texts, find_dates(texts).layout)
    assert pd.Timestamp(found[0]) == date
    assert np.isnat(found[1])


@pytest.mark.parametrize(
    "texts",
    [
        ["1.2.3"],
        ["2020"],
        ["20200615"],
        ["2019-20", "2020-21"],
        ["15.13.20"],
        ["10:30"],
        ["May"],
        [""],
        ["NA"],
    ],
)
def test_date_format_leaves_other_texts(texts):
    assert find_dates(texts) is None or find_dates(texts).other.any()


@pytest.mark.parametrize(
    ("texts", "layout"),
    [
        (["01/02/2020", "03/04/2020"], "%m/%d/%Y"),  # no value decides
        (["01/02/2020", "13/04/2020"], "%d/%m/%Y"),
        (["01-02-2020", "03-04-2020"], "%d-%m-%Y"),
        (["01-02-2020", "03-24-2020"], "%m-%d-%Y"),
        (["May 5, 2020", "June 5, 2020"], "%B %d, %Y"),
        (["2020-01-02", "2020-01-02 10:00"], "ISO8601"),
    ],
)
def test_date_format_is_decided_by_all_values(texts, layout):
    assert find_dates(texts).layout == layout


@pytest.mark.parametrize(("text", "number"), NUMBERS)
def test_parse_numbers_reads_points(text, number):
    texts = np.array([text, "8.25"], dtype=object)
    assert (find_numbers(texts).decimal, find_numbers(texts).other.any()) == (".", False)
    assert parse_numbers(texts).tolist() == [number, 8.25]


@pytest.mark.parametrize(("text", "number"), COMMAS)
def test_parse_numbers_reads_commas(text, number):
    texts = np.array([text, "8,25"], dtype=object)
    assert (find_numbers(texts).decimal, find_numbers(texts).other.any()) == (",", False)
    assert parse_numbers(texts, ",").tolist() == [number, 8.25]


@pytest.mark.parametrize("text", NO_NUMBERS)
def test_parse_numbers_leaves_other_texts(text):
    texts = np.array([text], dtype=object)
    assert np.isnan(parse_numbers(texts)).all()
    assert find_numbers(texts) is None


@pytest.mark.parametrize("texts", [["1.5", "2,5"], ["01067", "10115"], ["NA"], ["5", "five"]])
def test_decimal_sign_needs_one_format(texts):
    assert find_numbers(texts) is None or find_numbers(texts).other.any()


def test_formats_of_training_are_used_to_predict():
    X = pd.DataFrame({"price": ["1,5", "2,25", "1.000"], "day": ["13/01/2020", "01/02/2020", "03/04/2020"]})
    columns = TypedColumns().fit(X)
    new = pd.DataFrame({"price": ["2.000", "3,5", "4"], "day": ["05/06/2020", "2020-06-05", ""]})
    typed = columns.transform(new)
    assert typed["price"].tolist() == [2000, 3.5, 4]
    assert typed["day"].tolist()[:2] == [pd.Timestamp("2020-06-05")] * 2
    again = columns.fixed().fit(new)  # other rows alone would mean June 5th or May 6th
    pd.testing.assert_frame_equal(again.transform(new), typed)
    with pytest.raises(
        TableError, match='column "price": must hold numeric values, as in training; got "cheap"'
    ):
        columns.transform(new.assign(price="cheap"))


@pytest.mark.parametrize(
    ("cells", "kind", "values"),
    [
        (["1", "2"], "categorical", ["1", "2"]),
        ([1, 2], "categorical", ["1", "2"]),
        (["01", "02"], "numeric", [1, 2]),
        (["1,5", "NA"], "numeric", [1.5, np.nan]),
        (["20200615", "20200616"], "datetime", [DAY, DAY + pd.Timedelta("1D")]),
        ([20200615, 20200616], "datetime", [DAY, DAY + pd.Timedelta("1D")]),
        (["15.06.20", ""], "datetime", [DAY, pd.NaT]),
    ],
)
def test_typed_columns_follow_requests(cells, kind, values):
    frame = pd.DataFrame({"a": cells, "b": [0.5, 1.5]})
    typed = TypedColumns(types={"a": kind}).fit_transform(frame)["a"]
    assert typed.tolist() == values or typed.equals(pd.Series(values, dtype=typed.dtype, name="a"))
    assert TypedColumns(types={"a": "drop"}).fit_transform(frame).columns.tolist() == ["b"]
