"""Texts of separated values, each with the columns that come of it."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

from automl.errors import TableError
from automl.table import TypedColumns, read_table

# Name: bytes, then each column with its kind and its typed values.
FILES = {
    "comma": (b"a,b\n1,x\n2,y\n", {"a": ("numeric", [1, 2]), "b": ("categorical", ["x", "y"])}),
    "semicolon": (b"a;b\n1;x\n2;y\n", {"a": ("numeric", [1, 2]), "b": ("categorical", ["x", "y"])}),
    "tab": (b"a\tb\n1\tx\n2\ty\n", {"a": ("numeric", [1, 2]), "b": ("categorical", ["x", "y"])}),
    "pipe": (b"a|b\n1|x\n2|y\n", {"a": ("numeric", [1, 2]), "b": ("categorical", ["x", "y"])}),
    "separator named in the first line": (b"sep=;\r\na;b\r\n1,5;x\r\n2,5;y\r\n", {"a": ("numeric", [1.5, 2.5])}),
    "commas inside of a semicolon file": (b"a;b, c\n1;x, y\n2;z\n", {"b, c": ("categorical", ["x, y", "z"])}),
    "one column": (b"a\n1\n2\n", {"a": ("numeric", [1, 2])}),
    "carriage returns": (b"a,b\r\n1,x\r\n2,y\r\n", {"b": ("categorical", ["x", "y"])}),
    "byte order mark": ("\ufeffa,b\n1,ü\n2,y\n".encode(), {"a": ("numeric", [1, 2]), "b": ("categorical", ["ü", "y"])}),
    "utf-16": ("a,b\n1,ü\n2,y\n".encode("utf-16"), {"a": ("numeric", [1, 2]), "b": ("categorical", ["ü", "y"])}),
    "utf-16 without a mark": ("a,b\n1,x\n2,y\n".encode("utf-16-le"), {"b": ("categorical", ["x", "y"])}),
    "quoted newline": (b'a,b\n1,"x\nz"\n2,y\n', {"b": ("categorical", ["x\nz", "y"])}),
    "quoted separator": (b'a,b\n1,"x, z"\n2,y\n', {"b": ("categorical", ["x, z", "y"])}),
    "quoted quote": (b'a,b\n1,"x ""z"""\n2,y\n', {"b": ("categorical", ['x "z"', "y"])}),
    "single quote mark": (b'a,b\n1,5" pipe\n2,y\n', {"b": ("categorical", ['5" pipe', "y"])}),
    "header with a newline": (b'"a\nz",b\n1,x\n2,y\n', {"a\nz": ("numeric", [1, 2])}),
    "blanks around names": (b"a, b\n1,x\n2,y\n", {"b": ("categorical", ["x", "y"])}),
    "separator after each line": (b"a,b,\n1,x,\n2,y,\n", {"a": ("numeric", [1, 2]), "b": ("categorical", ["x", "y"])}),
    "separator after each row": (b"a,b\n1,x,\n2,y,\n", {"a": ("numeric", [1, 2]), "b": ("categorical", ["x", "y"])}),
    "short rows": (b"a,b,c\n1,x,3\n2\n3,y,5\n", {"a": ("numeric", [1, 2, 3]), "c": ("numeric", [3, np.nan, 5])}),
    "blank lines": (b"a,b\n1,x\n\n2,y\n\n", {"a": ("numeric", [1, 2])}),
    "no name": (b",b\n1,x\n2,y\n", {"Unnamed: 0": ("numeric", [1, 2])}),
    "missing cells": (b"a,b\n1,x\n,\n2,y\n", {"b": ("categorical", ["x", None, "y"])}),
    "None is a category": (b"a,b\n1,None\n2,Mild\n", {"b": ("categorical", ["None", "Mild"])}),
    "NA is a category": (b"a,b\n1,NA\n2,DE\n", {"b": ("categorical", ["NA", "DE"])}),
    "nan is a category": (b"a,b\n1,nan\n2,roti\n", {"b": ("categorical", ["nan", "roti"])}),
    "NA among numbers": (b"a\nNA\n1\n2.5\n", {"a": ("numeric", [np.nan, 1, 2.5])}),
    "None among numbers": (b"a\nNone\n1\n2\n", {"a": ("numeric", [np.nan, 1, 2])}),
    "#N/A of a spreadsheet": (b"a\n#N/A\n1\n#DIV/0!\n2\n", {"a": ("numeric", [np.nan, 1, np.nan, 2])}),
    "NA among dates": (b"a\nNA\n2020-01-01\n2020-01-02\n", {"a": ("datetime", [None, "2020-01-01", "2020-01-02"])}),
    "NA among truth values": (b"a\nyes\nNA\nno\n", {"a": ("boolean", [1, np.nan, 0])}),
    "postcodes": (b"a\n01067\n10115\n80331\n", {"a": ("categorical", ["01067", "10115", "80331"])}),
    "decimal commas": (b'a;b\n1,5;x\n2,25;y\n', {"a": ("numeric", [1.5, 2.25])}),
    "decimal commas of three digits": (b"a;b\n1,500;x\n2,250;y\n", {"a": ("numeric", [1.5, 2.25])}),
    "thousands with commas": (b'a,b\n"1,500",x\n"2,250",y\n', {"a": ("numeric", [1500, 2250])}),
    "thousands with points": (b"a;b\n1.500;x\n2.250,5;y\n", {"a": ("numeric", [1500, 2250.5])}),
    "three decimals": (b"a,b\n1.500,x\n2.250,y\n", {"a": ("numeric", [1.5, 2.25])}),
    "currency": (b'a,b\n"$1,200",x\n$90.50,y\n', {"a": ("numeric", [1200, 90.5])}),
    "percent": (b"a,b\n45%,x\n4.5 %,y\n", {"a": ("numeric", [0.45, 0.045])}),
    "true and false": (b"a\ntrue\nFALSE\nTrue\n", {"a": ("boolean", [1, 0, 1])}),
    "true, false and nothing": (b"a,b\ntrue,1\n,2\nfalse,3\n", {"a": ("boolean", [1, np.nan, 0])}),
    "exponents": (b"a\n1e3\n-2.5E-1\n+3\n", {"a": ("numeric", [1000, -0.25, 3])}),
    "hexadecimal": (b"a\n0x10\n0x11\n", {"a": ("categorical", ["0x10", "0x11"])}),
    "infinite": (b"a\n1\ninf\n-inf\n2\n", {"a": ("numeric", [1, np.nan, np.nan, 2])}),
    "times of the day": (b"a\n07:05\n23:30\n", {"a": ("numeric", [25500, 84600])}),
    "a zero byte": (b"a,b\n1,x\x00\n2,y\n", {"a": ("numeric", [1, 2])}),
    "large integers": (b"a\n12345678901234567890\n1\n", {"a": ("numeric", [12345678901234567890.0, 1])}),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_read_table_reads_texts(name, tmp_path):
    content, expected = FILES[name]
    (tmp_path / "t.csv").write_bytes(content)
    frame = read_table(tmp_path / "t.csv")
    columns = TypedColumns().fit(frame)
    typed = columns.transform(frame)
    assert {name: columns.column_types_[name] for name in expected} == {
        name: kind for name, (kind, _) in expected.items()
    }
    for column, (kind, values) in expected.items():
        if kind == "categorical":
            assert typed[column].astype(object).where(typed[column].notna(), None).tolist() == values
        elif kind == "datetime":
            assert typed[column].equals(
                pd.Series(pd.to_datetime(values), dtype="datetime64[us]", name=column)
            )
        else:
            np.testing.assert_array_equal(typed[column], np.array(values, dtype=float))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'a,b\n1,"2\n3,4\n', "EOF inside string"),
        (b"a,b\n1,2\n3,4,5\n", "line 3, saw 3. Give separator= or encoding="),
        (b"name\nSmith, John\nDoe, Jane\n", "Expected 1 fields in line 2, saw 2"),
        (b"a,a\n1,2\n", '"a" repeated'),
        (b"\xff\xfea", "must be readable"),
    ],
)
def test_read_table_refuses_texts(content, says, tmp_path):
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(TableError) as error:
        read_table(tmp_path / "t.csv")
    assert says in str(error.value)


def test_read_table_guesses_and_takes_encodings(tmp_path):
    (tmp_path / "t.csv").write_bytes("a,town\n1,Köln\n2,Łódź\n".encode("cp1250"))
    with pytest.warns(UserWarning, match='not UTF-8 and is read as cp1252.*encoding="cp1250"'):
        assert read_table(tmp_path / "t.csv")["town"][0] == "Köln"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        named = read_table(tmp_path / "t.csv", encoding="cp1250")
    assert named["town"].tolist() == ["Köln", "Łódź"]
    with pytest.raises(TableError, match="unknown encoding: latin-99"):
        read_table(tmp_path / "t.csv", encoding="latin-99")


def test_read_table_takes_a_separator(tmp_path):
    (tmp_path / "t.txt").write_text("a:b\n1:x\n2:y\n")
    assert read_table(tmp_path / "t.txt", separator=":")["b"].tolist() == ["x", "y"]


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["1", "2", "3"], [1, 2, 3]),
        (["1,5", "2,25", "3"], [1.5, 2.25, 3]),
        (["$1,200", "$90", "$5"], [1200, 90, 5]),
        (["None", "Mild", "None"], ["None", "Mild", "None"]),
        (["NA", "Mild", ""], ["NA", "Mild", np.nan]),
        (["1", "NA", "3"], [1, np.nan, 3]),
        (["True", "False", "True"], [True, False, True]),
        (["01", "02", "10"], ["01", "02", "10"]),
        (["yes", "no", "yes"], ["yes", "no", "yes"]),
    ],
)
def test_read_table_types_the_target(cells, values, tmp_path):
    (tmp_path / "t.csv").write_text("x;y\n" + "".join(f"{i};{cell}\n" for i, cell in enumerate(cells)))
    found = read_table(tmp_path / "t.csv", target="y")[1]
    pd.testing.assert_series_equal(found, pd.Series(values, name="y"), check_dtype=False)


def test_read_table_reads_long_rows_and_wide_tables(tmp_path):
    (tmp_path / "long.csv").write_text("a,b\n1," + "x" * 5_000_000 + "\n2,y\n")
    assert read_table(tmp_path / "long.csv")["b"].str.len().tolist() == [5_000_000, 1]
    names = [f"column {i}" for i in range(10_000)]
    (tmp_path / "wide.csv").write_text("\n".join([",".join(names), *[",".join("1" * 10_000)] * 12]))
    assert read_table(tmp_path / "wide.csv").shape == (12, 10_000)
