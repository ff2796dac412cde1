"""A command line in this process, and a folder with tables."""

from __future__ import annotations

import pytest

from tests.support.tables import penguins


@pytest.fixture
def table(folder):
    X, y = penguins()
    X.assign(species=y).to_csv(folder / "penguins.csv.gz", index=False)
    X.to_parquet(folder / "rows.parquet")
    (folder / "tree.yaml").write_text(
        "space: {model: {choice: {decision_tree: {max_depth: {low: 1, high: 4}}}}}\n"
    )
    return folder
