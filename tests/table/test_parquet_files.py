"""Parquet tables that are read a block of rows at a time."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from automl.errors import TableError
from automl.table import ParquetTable, draw_rows
from tests.support.tables import break_row_group


def frame(n=3_000):
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "a": rng.normal(size=n),
            "zip": rng.choice(["01067", "10115", None], n),
            "kind": pd.Categorical(rng.choice(["1", "2"], n)),
            "target": rng.choice(["no", "yes", "rare"], n, p=[0.9, 0.09, 0.01]),
        }
    )


def folder_of(tmp_path, *parts):
    for number, part in enumerate(parts):
        part.to_parquet(tmp_path / f"part-{number}.parquet", row_group_size=400, index=False)
    return tmp_path


def test_blocks_hold_all_rows_in_order(tmp_path):
    whole = frame()
    table = ParquetTable(folder_of(tmp_path, whole[:1_100], whole[1_100:]))
    blocks = list(table.blocks())
    assert table.n_rows == 3_000
    assert [block.start for block in blocks] == [0, 1_100]
    assert blocks[1].place.endswith("part-1.parquet, row groups 0 to 4")
    read = pd.concat([block.frame.astype({"kind": "str"}) for block in blocks], ignore_index=True)
    pd.testing.assert_frame_equal(read, whole.astype({"kind": "str"}))


def test_blocks_have_a_bounded_number_of_rows(tmp_path):
    file = tmp_path / "wide.parquet"
    pq.write_table(pa.table({f"x{i}": np.zeros(1_500) for i in range(8_000)}), file, row_group_size=700)
    blocks = list(ParquetTable(file).blocks(["x1", "x0"]))
    assert [len(block.frame) for block in blocks] == [512, 512, 476]
    assert list(blocks[0].frame) == ["x1", "x0"]


def test_folders_with_values_are_columns(tmp_path):
    for year in ("2023", "2024"):
        (tmp_path / f"year={year}").mkdir()
        frame(20).to_parquet(tmp_path / f"year={year}" / "rows.parquet")
    table = ParquetTable(tmp_path)
    years = pd.concat([block.frame["year"] for block in table.blocks()])
    assert years.value_counts().to_dict() == {"2023": 20, "2024": 20}


def test_table_names_a_file_without_a_column(tmp_path):
    folder_of(tmp_path, frame(50), frame(50).drop(columns="zip"))
    with pytest.raises(
        TableError, match=r'part-1.parquet: must have the column "zip", as part-0.parquet has'
    ):
        ParquetTable(tmp_path)


def test_table_names_a_file_with_another_type(tmp_path):
    folder_of(tmp_path, frame(50), frame(50).assign(a="much"))
    with pytest.raises(TableError, match=r'part-1.parquet: column "a" must hold numbers in every row group'):
        ParquetTable(tmp_path)


def test_table_takes_numbers_of_other_widths(tmp_path):
    folder_of(tmp_path, frame(50).assign(a=1), frame(50), frame(50).assign(a=None))
    assert ParquetTable(tmp_path).n_rows == 150


def test_table_names_a_broken_file(tmp_path):
    folder_of(tmp_path, frame(50))
    (tmp_path / "part-1.parquet").write_bytes(b"PAR1 nothing PAR1")
    with pytest.raises(TableError, match=r"part-1.parquet: must be a Parquet file"):
        ParquetTable(tmp_path)


def test_blocks_name_a_broken_row_group(tmp_path):
    file = tmp_path / "broken.parquet"
    frame().to_parquet(file, row_group_size=1_000)
    break_row_group(file, 1)
    with pytest.raises(TableError, match=r"broken.parquet, row group 1: must be readable"):
        list(ParquetTable(file).blocks())


def test_sample_keeps_the_shares_of_classes(tmp_path):
    whole = frame(20_000)
    table = ParquetTable(folder_of(tmp_path, whole[:7_000], whole[7_000:]))
    counts = whole["target"].value_counts()
    sample = draw_rows(table, "target", 1_000, seed=0)
    found = sample["target"].value_counts()
    assert found["rare"] == 20  # their share would be about 10
    assert found["no"] == round(1_000 * counts["no"] / 20_000)
    assert sample["kind"].dtype == "category"
    # A sample of distinct rows of the table.
    assert sample["a"].is_unique
    assert sample["a"].isin(whole["a"]).all()


def test_sample_depends_on_the_seed_alone(tmp_path):
    table = ParquetTable(folder_of(tmp_path, frame()))
    first, same, other = (draw_rows(table, "target", 500, seed) for seed in (0, 0, 1))
    pd.testing.assert_frame_equal(first, same)
    assert not first.equals(other)


def test_sample_of_a_number_has_the_size_asked_for(tmp_path):
    table = ParquetTable(folder_of(tmp_path, frame()))
    assert len(draw_rows(table, "a", 500, seed=0)) == 500
