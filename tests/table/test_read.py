from __future__ import annotations

import gzip

import pandas as pd
import pytest

from automl.errors import TableError
from automl.table import read_table

FRAME = pd.DataFrame({"a": [1.5, None], "b": ["x", "y, z"], "late": [True, False]})


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.parquet", "T.CSV"])
def test_read_table_reads_every_format(tmp_path, name):
    path = tmp_path / name
    FRAME.to_parquet(path) if name.endswith("parquet") else FRAME.to_csv(path, index=False)
    X, y = read_table(path, target="late")
    pd.testing.assert_frame_equal(X, FRAME[["a", "b"]])
    pd.testing.assert_series_equal(y, FRAME["late"])
    assert list(read_table(str(path)).columns) == ["a", "b", "late"]


@pytest.mark.parametrize("text", ["a;b\n1;2,5\n", "a\tb\n1\t2\n", "\ufeffa,b\n1,2\n"])
def test_read_table_detects_separators(tmp_path, text):
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    assert list(read_table(tmp_path / "t.csv").columns) == ["a", "b"]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("t.csv", b"", "an empty file"),
        ("t.csv", b"\n\n", "an empty file"),
        ("t.csv.gz", gzip.compress(b"", mtime=0), "an empty file"),
        ("t.csv", b'a,b\n1,"2\n', "must be readable"),
        ("t.csv", b"a,b\n1,2\n3,4,5\n", "must be readable"),
        ("t.csv", b"a,b\n1,2,3\n4,5,6\n", "Expected 2 fields in line 2, saw 3"),
        ("t.csv", b"a,b,a\n1,2,3\n", '"a" repeated'),
        ("t.csv.gz", b"a,b\n1,2\n", "must be readable"),
        ("t.parquet", b"a,b\n1,2\n", "must be readable"),
        ("t.xls", b"a", "must end in .csv, .tsv, .txt, .jsonl, .parquet"),
        ("t.csv", b"dep_delay,arr_delay\n1,2\n", 'Did you mean "arr_delay"?'),
    ],
)
def test_read_table_refuses_bad_files(tmp_path, name, content, says):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(TableError) as error:
        read_table(path, target="arr_dely" if b"arr" in content else None)
    assert says in str(error.value)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("name", ["t.csv", "t.parquet"])
def test_read_table_refuses_a_target_without_rows(tmp_path, name):
    empty = FRAME.head(0)
    empty.to_csv(tmp_path / name, index=False) if name == "t.csv" else empty.to_parquet(tmp_path / name)
    assert read_table(tmp_path / name).shape == (0, 3)
    with pytest.raises(TableError, match="column names only"):
        read_table(tmp_path / name, target="late")


def test_read_table_suggests_close_names(tmp_path):
    (tmp_path / "flights.csv").write_text("a\n1\n")
    with pytest.raises(TableError, match=r'no such file. Did you mean "flights.csv"'):
        read_table(tmp_path / "fligths.csv")
    with pytest.raises(TableError, match="a folder"):
        read_table(tmp_path.rename(tmp_path.with_suffix(".csv")))
