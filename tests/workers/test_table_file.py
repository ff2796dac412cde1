"""The typed table in a file that workers map into memory."""

from __future__ import annotations

import numpy as np
import pandas as pd
import psutil
import pytest

from automl.workers.table_file import columns_reader, read_table_file, write_table_file


def make_table(n_categories):
    rng = np.random.default_rng(0)
    columns = {"first": rng.normal(size=50), "text": ["a word or two"] * 50}
    for i in range(n_categories):
        labels = [f"{i}-{k}" for k in range(200 if i == 3 else 4)]
        columns[f"c{i}"] = pd.Categorical.from_codes(rng.integers(-1, len(labels), 50), labels)
    columns["last"] = rng.normal(size=50)
    return pd.DataFrame(columns, index=range(10, 60))


@pytest.mark.parametrize("n_categories", [0, 3, 1_500])
def test_table_file_returns_the_table(tmp_path, n_categories):
    table = make_table(n_categories)
    write_table_file(table, tmp_path / "table")
    found = read_table_file(tmp_path / "table")
    assert list(found) == list(table)
    assert (found.dtypes == table.dtypes).all()
    assert found.index.equals(table.index)
    assert all(found[name].astype(str).tolist() == table[name].astype(str).tolist() for name in table)


@pytest.mark.parametrize("n_categories", [3, 1_500])
def test_columns_reader_returns_some_columns_and_loads_many_once(tmp_path, n_categories):
    table = make_table(n_categories)
    write_table_file(table, tmp_path / "table")
    read = columns_reader(tmp_path / "table")
    if n_categories > 100:
        (tmp_path / "table").unlink()  # what is mapped stays
    for names in (["last", "c2"], ["text", "c0", "first"]):
        found = read(names)
        assert list(found) == names
        assert found.index.equals(table.index)
        assert all(found[name].astype(str).tolist() == table[name].astype(str).tolist() for name in names)


@pytest.mark.skipif(not hasattr(psutil.Process, "num_fds"), reason="the system does not count open files")
def test_table_file_of_many_columns_needs_few_open_files(tmp_path):
    write_table_file(make_table(1_500), tmp_path / "table")
    before = psutil.Process().num_fds()
    table = read_table_file(tmp_path / "table")
    assert psutil.Process().num_fds() < before + 20
    assert table.shape == (50, 1_503)
