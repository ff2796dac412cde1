from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from automl.records import SearchRecord


@pytest.fixture
def store(empty_store: Path, tmp_path: Path) -> str:
    file = tmp_path / "mlruns" / "mlflow.db"
    file.parent.mkdir()
    shutil.copy(empty_store, file)
    return f"sqlite:///{file}"


@pytest.fixture
def search() -> SearchRecord:
    return SearchRecord(
        study_name="flights",
        task="binary",
        target="late",
        scoring="roc_auc",
        space="tabular",
        space_digest="3f2a",
        n_rows=1000,
        n_columns=12,
        n_folds=3,
        random_state=0,
    )
