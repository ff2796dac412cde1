"""A command line in this process, and a folder with tables."""

from __future__ import annotations

import sys

import pytest

from automl.cli import main
from tests.support.tables import penguins


@pytest.fixture
def run(monkeypatch, capsys):
    """Run a command line; return its exit code and output."""

    def run(*words: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["automl", *map(str, words)])
        with pytest.raises(SystemExit) as stop:
            main()
        printed = capsys.readouterr()
        return int(stop.value.code or 0), printed.out + printed.err

    return run


@pytest.fixture
def table(folder):
    X, y = penguins()
    X.assign(species=y).to_csv(folder / "penguins.csv.gz", index=False)
    X.to_parquet(folder / "rows.parquet")
    (folder / "tree.yaml").write_text(
        "space: {model: {choice: {decision_tree: {max_depth: {low: 1, high: 4}}}}}\n"
    )
    return folder
