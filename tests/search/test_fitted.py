"""Predictions of a fitted search for the rows of a file."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import automl

SPACE = {"space": {"model": {"decision_tree": {"max_depth": 3}}}}
READING = {"encoding": "cp1250", "separator": "tab"}
SETTINGS = {"n_trials": 1, "timeout": None, "n_jobs": 1, "cv": 2, "progress": False, "ensemble": False}


def make_rows(n=240):
    """Rows whose target depends on the town; its name differs between cp1250 and cp1252."""
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"size": rng.normal(size=n), "town": rng.choice(["Łódź", "Gdańsk"], n)})
    unusual = np.arange(n) % 10 == 0  # a target that the town gives away is refused
    return rows.assign(target=np.where((rows["town"] == "Łódź") ^ unusual, "yes", "no"))


def is_as_for_rows(found, search, rows):
    expected = np.where(rows["town"] == "Łódź", "yes", "no")
    assert np.mean(found == expected) > 0.9
    return found.tolist() == search.predict(rows.drop(columns="target")).tolist()


@pytest.fixture
def rows(folder):
    rows = make_rows()
    rows.to_csv("a.csv", sep="\t", encoding="cp1250", index=False)
    rows.to_csv("b.csv", sep="\t", encoding="cp1250", index=False)
    return rows


def test_predict_reads_a_file_with_the_settings_of_the_search(rows):
    search = automl.Search(SPACE, **READING, **SETTINGS).fit("a.csv", "target")
    assert is_as_for_rows(search.predict("b.csv"), search, rows)
    assert (search.predict_proba("b.csv") == search.predict_proba(rows.drop(columns="target"))).all()


def test_predict_reads_a_file_as_the_table_of_the_search_was_read(rows):
    X, y = automl.read_table("a.csv", "target", **READING)
    search = automl.Search(SPACE, **SETTINGS).fit(X, y)
    assert is_as_for_rows(search.predict("b.csv"), search, rows)
    rows.to_csv("c.csv", sep=";", encoding="utf-8", index=False)
    search.set_params(encoding="utf-8", separator=";")
    assert is_as_for_rows(search.predict("c.csv"), search, rows)


@pytest.fixture
def search(rows):
    return automl.Search(SPACE, scratch="scratch", **SETTINGS)


def test_predict_converts_large_text_in_the_scratch_folder(search, rows, folder, monkeypatch):
    (folder / "scratch").mkdir()
    search.fit(rows.drop(columns="target"), rows["target"])
    made, make, before = [], tempfile.mkdtemp, tempfile.tempdir

    def mkdtemp(*args, **kwargs):
        made.append(Path(make(*args, **kwargs)))
        return str(made[-1])

    monkeypatch.setattr(tempfile, "mkdtemp", mkdtemp)
    monkeypatch.setattr("automl.table.blocks._LARGE", 1_000)
    search.set_params(**READING)
    assert is_as_for_rows(search.predict("b.csv"), search, rows)
    assert [path.parent for path in made] == [folder / "scratch"]
    assert list((folder / "scratch").iterdir()) == []
    assert tempfile.tempdir == before


def test_predict_needs_no_scratch_folder_for_a_file_that_is_read_directly(search, rows, folder):
    (folder / "scratch").mkdir()
    search.fit(rows.drop(columns="target"), rows["target"])
    (folder / "scratch").rmdir()
    rows.to_parquet("b.parquet", index=False)
    assert is_as_for_rows(search.predict("b.parquet"), search, rows)


def test_predict_names_the_row_group_of_a_cell_of_another_type(rows, folder):
    search = automl.Search(SPACE, **SETTINGS).fit(rows.drop(columns="target"), rows["target"])
    (folder / "parts").mkdir()
    texts = rows.astype({"size": "str"})
    texts.to_parquet("parts/0.parquet", index=False)
    texts.assign(size="much").to_parquet("parts/1.parquet", row_group_size=80, index=False)
    rule = r'1.parquet, row groups 0 to 2, column "size": must hold numeric values, as in training'
    with pytest.raises(automl.TableError, match=rule):
        search.predict("parts")
