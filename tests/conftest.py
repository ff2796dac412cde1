from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from automl.tracking import Tracker
from tests.support.postgres import postgres

__all__ = ["postgres"]

# Programs that tests start elsewhere shall run this checkout too, whatever is installed.
os.environ["PYTHONPATH"] = str(Path(__file__).parents[1])


@pytest.fixture(autouse=True)
def _hears_ctrl_c() -> Iterator[None]:
    """The command line ends deaf to Ctrl-C; tests, and the programs they start, are to hear it again."""
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database; creating one takes seconds, copying it none."""
    file = tmp_path_factory.mktemp("store") / "mlflow.db"
    Tracker(f"sqlite:///{file}", experiment_name="made once").close("finished")
    return file


@pytest.fixture
def folder(empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder in which searches find a database already made."""
    (tmp_path / "mlruns").mkdir()
    shutil.copy(empty_store, tmp_path / "mlruns" / "mlflow.db")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path
