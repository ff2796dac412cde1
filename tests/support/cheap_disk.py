"""Cheaper writes for tests: no syncs, and new stores as copies of one."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from sqlalchemy import event
from sqlalchemy.engine import Engine

from automl.tracking import Tracker, store

__all__ = ["copy_stores", "make_store", "skip_syncs", "store_template"]

_IN_PROGRESS = "store-in-progress"

make_store = store._make


def skip_syncs() -> None:
    """Turn off SQLite's syncs in this process: they guard against a power failure, which no test can cause."""

    def relax(connection: Any, record: Any) -> None:
        if isinstance(connection, sqlite3.Connection):
            with suppress(sqlite3.Error):  # not a database: MLflow's own statements fail too
                connection.execute("PRAGMA synchronous = OFF")

    event.listen(Engine, "connect", relax)


def store_template(folder: Path) -> Path:
    """Return an MLflow database in a folder; the first call creates it."""
    file = folder / "store" / "mlflow.db"
    with FileLock(folder / "store.lock"):
        if not file.exists():
            making = folder / _IN_PROGRESS / "mlflow.db"
            making.parent.mkdir()
            Tracker(f"sqlite:///{making}", experiment_name="made once").close("finished")
            making.parent.rename(file.parent)
    return file


def copy_stores(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Let this process copy the database of `store_template` for each new store; `make_store` creates one."""

    def make(file: Path) -> None:
        if file.exists():
            return
        if file.parent.name == _IN_PROGRESS:
            make_store(file)
            return
        new = file.with_name(f"{file.name}.new")
        shutil.copyfile(store_template(folder), new)
        new.replace(file)

    patch.setattr(store, "_make", make)
