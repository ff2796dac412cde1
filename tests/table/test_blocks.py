"""`RowBlocks`: the rows of a file of any format, a block at a time."""

from __future__ import annotations

import pandas as pd
import pytest

from automl.errors import Fault, TableError
from automl.table import RowBlocks

ROWS = pd.DataFrame({"a": range(1_500), "town": ["Bern", "Łódź", "Cork"] * 500})
FAULT = Fault('column "a"', "must hold numeric values", '"much"')


@pytest.fixture
def small(monkeypatch):
    """Text above 1,000 bytes is large, and blocks have 600 rows."""
    monkeypatch.setattr("automl.table.blocks._LARGE", 1_000)
    monkeypatch.setattr("automl.table.parquet_files._MAX_BLOCK_ROWS", 600)


def error_in(rows, block):
    with pytest.raises(TableError) as found, rows.errors_within(block):
        raise TableError(FAULT)
    return str(found.value)


def test_row_blocks_read_large_text_as_read_table_does(small, tmp_path):
    ROWS.to_csv(tmp_path / "t.csv", sep="\t", encoding="cp1250", index=False)
    with RowBlocks(tmp_path / "t.csv", separator="tab", encoding="cp1250") as rows:
        assert rows.streams
        found = [block.frame for block in rows]
    assert [len(frame) for frame in found] == [600, 600, 300]
    assert pd.concat(found)["town"].tolist() == ROWS["town"].tolist()


def test_errors_have_the_rows_of_large_text(small, tmp_path):
    ROWS.to_csv(tmp_path / "t.csv", index=False)
    with RowBlocks(tmp_path / "t.csv") as rows:
        messages = [error_in(rows, block) for block in rows]
    assert messages[2] == f"{tmp_path / 't.csv'}, rows 1201 to 1500, {FAULT}"


def test_errors_have_the_row_groups_of_a_parquet_file(small, tmp_path):
    ROWS.to_parquet(tmp_path / "t.parquet", row_group_size=600, index=False)
    with RowBlocks(tmp_path / "t.parquet") as rows:
        messages = [error_in(rows, block) for block in rows]
    assert messages[1] == f"{tmp_path / 't.parquet'}, row group 1, {FAULT}"


def test_errors_have_no_place_in_a_file_that_is_read_whole(tmp_path):
    ROWS.to_csv(tmp_path / "t.csv", index=False)
    with RowBlocks(tmp_path / "t.csv") as rows:
        assert [error_in(rows, block) for block in rows] == [str(FAULT)]


def test_scratch_bytes_are_those_of_large_text(small, tmp_path):
    ROWS.to_csv(tmp_path / "t.csv", index=False)
    ROWS[:3].to_csv(tmp_path / "small.csv", index=False)
    ROWS.to_parquet(tmp_path / "t.parquet", index=False)
    found = {name: RowBlocks.scratch_bytes(tmp_path / name) for name in ("t.csv", "small.csv", "t.parquet")}
    assert found == {"t.csv": (tmp_path / "t.csv").stat().st_size, "small.csv": 0, "t.parquet": 0}
