"""Read a skops file as this version names its classes."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, ZipFile

from automl.persistence.moved import MOVED

__all__ = ["with_current_names"]

_SCHEMA = "schema.json"


def with_current_names(file: Path) -> Path | io.BytesIO:
    """Return a skops file, or a copy in memory where classes in it have moved.

    Parameters
    ----------
    file : Path
        A file written by skops.
    """
    with ZipFile(file) as source:
        schema = json.loads(source.read(_SCHEMA))
        if not _rename(schema):
            return file
        copy = io.BytesIO()
        with ZipFile(copy, "w", ZIP_STORED) as target:
            for name in source.namelist():
                target.writestr(name, json.dumps(schema) if name == _SCHEMA else source.read(name))
    copy.seek(0)
    return copy


def _rename(schema: Any) -> bool:
    """Rename moved classes in place and return whether there were any."""
    found, rest = False, [schema]
    while rest:
        node = rest.pop()
        if isinstance(node, dict):
            new = MOVED.get(f"{node.get('__module__')}.{node.get('__class__')}")
            if new is not None:
                found = True
                node["__module__"], _, node["__class__"] = new.rpartition(".")
            rest += node.values()
        elif isinstance(node, list):
            rest += node
    return found
