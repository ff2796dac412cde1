"""An SQLite store that was moved or copied with its artifacts: MLflow keeps absolute paths, which then are wrong."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlsplit

__all__ = ["relocate"]

# Where MLflow's database names a folder of artifacts.
_COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
_TIMEOUT = 30.0  # seconds that another process may hold the database


def relocate(file: Path, folder: Path) -> int:
    """Point a moved store to the artifacts beside it, and return the number of places changed.

    An experiment moved if its artifacts are recorded in another folder than those of the store, but are found in the
    latter. Artifacts that the user placed elsewhere stay there.

    Parameters
    ----------
    file : Path
        The database of MLflow.
    folder : Path
        The folder beside it that holds a folder of artifacts for each experiment.
    """
    changed = 0
    with closing(sqlite3.connect(file, timeout=_TIMEOUT)) as database, database:
        for (location,) in database.execute("SELECT artifact_location FROM experiments").fetchall():
            old = _parent(str(location))
            if old is None or not _moved(old, folder, Path(unquote(str(location))).name):
                continue
            for table, column in _COLUMNS:
                # Only whole folder names match.
                query = (
                    f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?"
                )
                before = f"{old}/"
                values = (f"{folder.as_uri()}/", len(before) + 1, len(before), before)
                changed += database.execute(query, values).rowcount
    return changed


def _parent(location: str) -> str | None:
    """Return the folder above an experiment's, as a ``file:`` URI; None for another kind of place."""
    return location.rpartition("/")[0] if location.startswith("file:///") else None


def _moved(old: str, folder: Path, name: str) -> bool:
    recorded = Path(unquote(urlsplit(old).path))
    return recorded.resolve() != folder.resolve() and (folder / name).is_dir()
