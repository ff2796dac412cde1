"""Cheaper writes for tests: no syncs of SQLite, and one copy of the code that models carry."""

from __future__ import annotations

import os
import shutil
import sqlite3
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

__all__ = ["link_code", "skip_syncs"]

_IN_MODELS = os.sep + os.path.join("code", "automl", "")


def skip_syncs() -> None:
    """Turn off SQLite's syncs in this process: they guard against a power failure, which no test can cause."""

    def relax(connection: Any, record: Any) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.execute("PRAGMA synchronous = OFF")

    event.listen(Engine, "connect", relax)


def link_code() -> None:
    """Let the models of this process share their files of code, as hard links: each has 300 of them."""
    copyfile = shutil.copyfile
    copies: dict[Any, str] = {}

    def link_or_copy(source: Any, target: Any, *, follow_symlinks: bool = True) -> Any:
        if _IN_MODELS not in os.fspath(target):
            return copyfile(source, target, follow_symlinks=follow_symlinks)
        try:
            os.link(copies[source], target)
        except (KeyError, OSError):  # the first one, or the model with it was deleted
            copyfile(source, target)
            copies[source] = os.path.abspath(target)
        return target

    shutil.copyfile = link_or_copy
