"""Files that the commands read: encodings, separators, no rows."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest

from automl.cli import main
from automl.search import large_table
from automl.study import load_study, read_search

SPACE = "space: {model: {decision_tree: {max_depth: 3}}}\n"
LABELS = ["trudne", "łatwe"]


def run(*words: object) -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["automl", *map(str, words)])
        with pytest.raises(SystemExit) as stop:
            main()
    return int(stop.value.code or 0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model of a table in cp1250 whose separator must be named."""
    folder = tmp_path_factory.mktemp("reading")
    rng = np.random.default_rng(0)
    size = rng.normal(size=80).round(3)
    miasto = rng.choice(["Łódź", "Gdańsk"], 80)
    table = pd.DataFrame({"size": size, "miasto": miasto, "poziom": np.where(size > 0, *LABELS)})
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        table.to_csv("t.csv", index=False, sep=":", encoding="cp1250")
        table.head(0).to_csv("empty.csv", index=False, sep=":", encoding="cp1250")
        (folder / "tree.yaml").write_text(SPACE)
        given = ("--encoding", "cp1250", "--separator", ":")
        words = ("--space", "tree.yaml", "--n-trials", 1, "--n-jobs", 1, "--study-name", "s", "--no-progress")
        assert run("search", "t.csv", "--target", "poziom", "-o", "model", *words, *given) == 0
    return folder


@pytest.fixture
def inside(folder, monkeypatch):
    monkeypatch.chdir(folder)


@pytest.mark.usefixtures("inside")
def test_resume_reads_the_file_as_the_search_did():
    facts = read_search(load_study("s"))
    assert facts.reading == {"encoding": "cp1250", "separator": ":"}
    assert facts.columns == {"size": "numeric", "miasto": "categorical"}
    assert run("resume", "s", "--n-trials", 1, "--no-progress") == 0


@pytest.mark.usefixtures("inside")
def test_predict_takes_the_encoding_and_the_separator(capsys):
    given = ("--encoding", "cp1250", "--separator", ":")
    assert run("predict", "model", "t.csv", "-o", "out.csv", "--proba", "--keep", "miasto", *given) == 0
    out = pd.read_csv("out.csv")
    assert list(out.columns) == ["row", "miasto", "prediction", *(f"probability_{name}" for name in LABELS)]
    assert set(out.prediction) == set(LABELS)
    assert set(out.miasto) == {"Łódź", "Gdańsk"}
    assert run("predict", "model", "t.csv", "-o", "out.csv", "--encoding", "cp1250") == 2
    assert 'column "size": must be in the table' in capsys.readouterr().err
    assert run("evaluate", "model", "t.csv", *given) == 0
    assert "accuracy" in capsys.readouterr().out


@pytest.mark.usefixtures("inside")
def test_search_takes_the_type_of_a_column():
    zips = pd.DataFrame(
        {"zip": [10115, 20095] * 40, "a=b": np.arange(80.0), "y": ["no", "no", "yes", "yes"] * 20}
    )
    zips.to_csv("zips.csv", index=False)
    words = ("--space", "tree.yaml", "--n-trials", 1, "--n-jobs", 1, "--study-name", "zips", "--no-progress")
    types = ("--column", "zip=categorical", "--column", "a=b=drop")
    assert run("search", "zips.csv", "--target", "y", *types, *words) == 0
    facts = read_search(load_study("zips"))
    assert facts.columns["zip"] == "categorical"
    assert any("column a=b: dropped on request" in text for text in facts.left_out)


@pytest.mark.usefixtures("inside")
@pytest.mark.parametrize("output", ["none.csv", "none.parquet"])
def test_predict_writes_a_header_for_a_file_without_rows(output):
    given = ("--encoding", "cp1250", "--separator", ":", "--proba", "--keep", "miasto")
    assert run("predict", "model", "empty.csv", "-o", output, *given) == 0
    out = pd.read_csv(output) if output.endswith("csv") else pd.read_parquet(output)
    assert list(out.columns) == ["row", "miasto", "prediction", *(f"probability_{name}" for name in LABELS)]
    assert len(out) == 0


@pytest.mark.usefixtures("inside")
def test_predict_refuses_an_unknown_encoding(capsys):
    assert run("predict", "model", "t.csv", "-o", "out.csv", "--encoding", "cp12500") == 2
    assert "unknown encoding: cp12500" in capsys.readouterr().err


def test_search_says_that_its_scores_are_of_a_sample(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(large_table, "_memory", lambda settings: (1e12, 1_000_000.0))
    size = np.random.default_rng(0).normal(size=9_000)
    table = pd.DataFrame({"size": size, "level": np.where(size > 0, "high", "low")})
    table.to_parquet("t.parquet", row_group_size=1_000, index=False)
    (tmp_path / "tree.yaml").write_text(SPACE)
    words = ("--space", "tree.yaml", "--n-trials", 1, "--n-jobs", 1, "--study-name", "s", "--no-progress")
    assert run("search", "t.parquet", "--target", "level", *words) == 0
    facts = read_search(load_study("s"))
    sample = f"scores are of a sample: {facts.n_rows:,} of 9,000 rows were searched"
    assert 2_000 <= facts.n_rows < 9_000
    assert f"{sample}; the best pipeline was fitted to 9,000\n" in capsys.readouterr().out
    assert run("leaderboard", "s") == 0
    assert f"{sample}\n" in capsys.readouterr().out
