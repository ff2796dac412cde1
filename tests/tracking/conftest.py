from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from automl.records import SearchRecord
from automl.tracking import Tracker


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database; creating one takes seconds, copying it none."""
    file = tmp_path_factory.mktemp("store") / "mlflow.db"
    Tracker(f"sqlite:///{file}", experiment_name="made once").close("finished")
    return file


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
