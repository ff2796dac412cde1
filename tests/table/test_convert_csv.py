"""Separated text that becomes a Parquet file a part at a time: the table is that of `read_table`."""

from __future__ import annotations

import bz2
import gzip
import zipfile

import pandas as pd
import pyarrow.parquet as pq
import pytest

from automl.errors import TableError
from automl.table import ParquetTable, TypedColumns, csv_to_parquet, read_table

TEXTS = {
    "comma": b"a,b\n1,x\n2,y\n",
    "separator named in the first line": b"sep=;\r\na;b\r\n1,5;x\r\n2,5;y\r\n",
    "missing cells": b"a,b,c\n1,,true\n,y,\n3,z,false\n",
    "codes": b"zip,n\n01067,1.5\n10115,2.5\n",
    "marked numbers": b"a,b\n1.5,x\nNA,y\n?,z\n",
    "byte order mark": "\ufeffa,b\n1,ü\n2,y\n".encode(),
    "utf-16": "a,b\n1,ü\n2,y\n".encode("utf-16"),
    "quoted newline": b'a,b\n1,"x\nz"\n2,y\n',
    "separator at the end of lines": b"a,b\n1,x,\n2,y,\n",
    "column without a name": b",b\n1,x\n2,y\n",
    "short rows": b"a,b,c\n1,x,true\n2\n3,z\n4,z,false\n",
    "short rows everywhere": b"a,b,c\n1,x\n2,y\n",
    "short rows, quoted newline": b'sep=;\na;b;c\n1;"x\nz";true\n2;y\n3;y;false\n',
    "short rows, utf-16": "a,b,c\n1,ü,true\n2,y\n3,y,false\n".encode("utf-16"),
    "short rows, byte order mark": "\ufeffa,b,c\n1,ü,true\n2,y\n3,y,false\n".encode(),
}


def converted(tmp_path, content, name="t.csv"):
    (tmp_path / name).write_bytes(content)
    csv_to_parquet(tmp_path / name, tmp_path / "t.parquet")
    return pd.read_parquet(tmp_path / "t.parquet")


@pytest.mark.parametrize("name", TEXTS)
def test_conversion_has_the_values_of_read_table(tmp_path, name):
    found = converted(tmp_path, TEXTS[name])
    expected = read_table(tmp_path / "t.csv")
    assert list(found) == list(expected)
    types = [TypedColumns().fit(frame) for frame in (found, expected)]
    assert types[0].column_types_ == types[1].column_types_
    for column in expected:
        assert found[column].astype("str").tolist() == expected[column].astype("str").tolist(), column


@pytest.mark.parametrize("pack", [(gzip.compress, ".gz"), (bz2.compress, ".bz2")])
def test_conversion_unpacks(tmp_path, pack):
    compress, ending = pack
    assert converted(tmp_path, compress(TEXTS["comma"]), f"t.csv{ending}")["a"].tolist() == [1, 2]


def test_conversion_unpacks_the_one_file_of_an_archive_with_folders(tmp_path):
    with zipfile.ZipFile(tmp_path / "t.csv.zip", "w") as archive:
        archive.mkdir("data")
        archive.writestr("data/t.csv", TEXTS["comma"])
    csv_to_parquet(tmp_path / "t.csv.zip", tmp_path / "t.parquet")
    assert pd.read_parquet(tmp_path / "t.parquet")["a"].tolist() == [1, 2]
    assert read_table(tmp_path / "t.csv.zip")["a"].tolist() == [1, 2]


def test_conversion_refuses_an_archive_of_two_files_as_read_table_does(tmp_path):
    with zipfile.ZipFile(tmp_path / "t.csv.zip", "w") as archive:
        archive.writestr("a.csv", TEXTS["comma"])
        archive.writestr("b.csv", TEXTS["comma"])
    for read in (read_table, lambda file: csv_to_parquet(file, tmp_path / "t.parquet")):
        with pytest.raises(TableError, match="expected one file in the archive, found 2"):
            read(tmp_path / "t.csv.zip")


@pytest.mark.parametrize(("word", "separator"), [("tab", "\t"), ("\\t", "\t"), ("|", "|")])
def test_conversion_takes_the_separators_of_read_table(tmp_path, word, separator):
    (tmp_path / "t.csv").write_text(f"a{separator}b,c;d\n1{separator}x\n")
    csv_to_parquet(tmp_path / "t.csv", tmp_path / "t.parquet", separator=word)
    found = pd.read_parquet(tmp_path / "t.parquet")
    assert list(found) == list(read_table(tmp_path / "t.csv", separator=word)) == ["a", "b,c;d"]


@pytest.mark.parametrize("given", [{"separator": "semicolon"}, {"separator": '"'}, {"encoding": "latin-99"}])
def test_conversion_refuses_what_read_table_refuses(tmp_path, given):
    (tmp_path / "t.csv").write_bytes(TEXTS["comma"])
    for read in (read_table, lambda file, **given: csv_to_parquet(file, tmp_path / "t.parquet", **given)):
        with pytest.raises(TableError, match="separator: must be one character|unknown encoding: latin-99"):
            read(tmp_path / "t.csv", **given)


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setattr("automl.table.convert_csv._PART_BYTES", 4_000)


@pytest.mark.parametrize(
    ("late", "type_"), [("2.5", "double"), ("much", "large_string"), ("007", "large_string")]
)
def test_conversion_widens_a_type_that_a_later_row_contradicts(tmp_path, small_parts, late, type_):
    rows = "".join(f"{i},x\n" for i in range(1, 3_000))
    found = converted(tmp_path, f"a,b\n{rows}{late},y\n".encode())
    assert str(pq.read_schema(tmp_path / "t.parquet").field("a").type) == type_
    assert pq.read_metadata(tmp_path / "t.parquet").num_row_groups > 2
    assert found["a"].astype("str").iloc[-1] == late
    assert len(found) == 3_000


def test_conversion_keeps_whole_numbers_with_gaps(tmp_path, small_parts):
    rows = "".join(f"{i},x\n" for i in range(1, 2_000))
    found = converted(tmp_path, f"a,b\n{rows},y\n".encode())
    assert str(pq.read_schema(tmp_path / "t.parquet").field("a").type) == "int64"
    assert found["a"].isna().sum() == 1


def test_conversion_falls_back_to_windows_1252(tmp_path, small_parts):
    rows = "x,1\n" * 3_000
    with pytest.warns(UserWarning, match="read as cp1252"):
        found = converted(tmp_path, f"town,n\n{rows}Köln,2\n".encode("cp1252"))
    assert found["town"].iloc[-1] == "Köln"


def test_conversion_fills_up_rows_that_are_short_late_in_the_file(tmp_path, small_parts):
    rows = "1,x,2.5\n" * 3_000
    with pytest.warns(UserWarning, match="read as cp1252"):
        found = converted(tmp_path, f"a,b,c\n{rows}2,Köln\n3\n{rows}".encode("cp1252"))
    assert len(found) == 6_002
    assert found.iloc[[3_000, 3_001]].astype("object").where(found.notna(), None).to_numpy().tolist() == [
        [2, "Köln", None],
        [3, None, None],
    ]
    assert pq.read_metadata(tmp_path / "t.parquet").num_row_groups > 2


def test_conversion_names_the_line_of_a_long_row_below_short_rows(tmp_path, small_parts):
    rows = "1,x\n" * 3_000
    with pytest.raises(TableError, match="Expected 2 fields in line 3003, saw 3"):
        converted(tmp_path, f"a,b\n2\n{rows}1,2,3\n".encode())
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]


def test_conversion_notes_decimal_commas(tmp_path):
    converted(tmp_path, b"a;b\n1,5;x\n2,5;y\n")
    assert ParquetTable(tmp_path / "t.parquet").decimal == ","


def test_conversion_leaves_nothing_after_an_error(tmp_path, small_parts):
    rows = "1,x\n" * 3_000
    with pytest.raises(
        TableError, match=r"t.csv: must be readable as separated text; got .*Expected 2 columns, got 3"
    ):
        converted(tmp_path, f"a,b\n{rows}1,2,3\n".encode())
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]
