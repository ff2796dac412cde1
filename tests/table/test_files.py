"""Files of every format."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import sys
import zipfile

import pandas as pd
import pyarrow as pa
import pytest

from automl.errors import TableError
from automl.table import read_table

FRAME = pd.DataFrame({"a": [1.5, None, 3.0], "zip": ["01067", "10115", "01067"], "b": ["x", "None", "y, z"]})
CSV = FRAME.to_csv(index=False).encode()
LINES = "\n".join(
    json.dumps({k: v for k, v in row.items() if v == v}) for row in FRAME.to_dict("records")
).encode()


def zipped(content):
    import io

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("__MACOSX/._t", b"")
        archive.writestr("t", content)
    return buffer.getvalue()


PACK = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zip": zipped,
    ".zst": lambda content: pa.compress(content, codec="zstd", asbytes=True),
}


def write(path, ending):
    if ending in (".parquet", ".pq"):
        FRAME.to_parquet(path)
    elif ending == ".feather":
        FRAME.to_feather(path)
    elif ending == ".xlsx":
        FRAME.to_excel(path, index=False)
    elif ending == "":
        for part in range(3):
            path.mkdir(exist_ok=True)
            FRAME.iloc[[part]].to_parquet(path / f"part-{part}.parquet")


@pytest.mark.parametrize("ending", [".parquet", ".pq", ".PARQUET", ".feather", ".xlsx", ""])
def test_read_table_reads_binary_formats(ending, tmp_path):
    write(tmp_path / f"t{ending}", ending.lower())
    pd.testing.assert_frame_equal(read_table(tmp_path / f"t{ending}"), FRAME, check_dtype=False)


@pytest.mark.parametrize("packed", PACK)
@pytest.mark.parametrize("ending", [".csv", ".tsv", ".txt", ".jsonl"])
def test_read_table_reads_texts_and_their_compressions(ending, packed, tmp_path):
    content = (
        LINES
        if ending == ".jsonl"
        else CSV.replace(b",", b"\t").replace(b"y\t z", b"y, z")
        if ending == ".tsv"
        else CSV
    )
    (tmp_path / f"t{ending}{packed}").write_bytes(PACK[packed](content))
    found = read_table(tmp_path / f"t{ending}{packed}")
    pd.testing.assert_frame_equal(found[list(FRAME)], FRAME, check_dtype=False)


BAD_FILES = {
    "t.csv.gz": (b"a,b\n1,2\n", "must be readable"),
    "t.csv.zst": (b"a,b\n1,2\n", "must be readable"),
    "t.csv.xz": (b"a,b\n1,2\n", "must be readable"),
    "t.csv.zip": (b"a,b\n1,2\n", "must be readable.*not a zip file"),
    "t.parquet": (b"a,b\n1,2\n", "must be readable"),
    "t.feather": (b"a,b\n1,2\n", "must be readable"),
    "t.xlsx": (b"a,b\n1,2\n", "must be readable"),
    "t.jsonl": (b'{"a": 1}\n{"a": \n', "line 2: "),
    "u.jsonl": (b"[1, 2]\n", "line 1: expected an object, got \\[1, 2\\]"),
    "t.docx": (b"a", r"must end in .csv, .tsv, .txt, .jsonl, .parquet, .pq, .feather, .xlsx, or in .gz.*docx"),
    "t.parquet.gz": (b"a", "must end in"),
    "empty.csv": (b"", "an empty file"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_FILES)
def test_read_table_refuses_files(name, tmp_path):
    content, says = BAD_FILES[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(TableError, match=says):
        read_table(tmp_path / name)


def test_read_table_refuses_folders_and_archives_of_other_files(tmp_path):
    (tmp_path / "notes.md").write_text("a")
    with pytest.raises(TableError, match="a folder must hold .parquet files"):
        read_table(tmp_path)
    with zipfile.ZipFile(tmp_path / "two.csv.zip", "w") as archive:
        archive.writestr("a.csv", "a\n1\n")
        archive.writestr("b.csv", "a\n1\n")
    with pytest.raises(TableError, match="expected one file in the archive, found 2"):
        read_table(tmp_path / "two.csv.zip")


def test_read_table_names_the_sheet_it_reads(tmp_path):
    with pd.ExcelWriter(tmp_path / "t.xlsx") as book:
        FRAME.to_excel(book, sheet_name="sales", index=False)
        FRAME.to_excel(book, sheet_name="notes", index=False)
    with pytest.warns(UserWarning, match='t.xlsx: the first sheet, "sales", is read; there are 1 more'):
        assert len(read_table(tmp_path / "t.xlsx")) == 3


def test_read_table_needs_openpyxl_for_excel(tmp_path, monkeypatch):
    write(tmp_path / "t.xlsx", ".xlsx")
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(TableError, match=r"needs the package openpyxl.*automl-orchestrator\[excel\]"):
        read_table(tmp_path / "t.xlsx")
