"""Classes that moved since a model was written: old and new path, and the rewriting of old model files."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

__all__ = ["MOVED", "with_current_paths"]

MOVED: dict[str, str] = {
    "automl.descent.estimators.GradientDescentClassifier": "automl.descent.sklearn.GradientDescentClassifier",
    "automl.descent.estimators.GradientDescentRegressor": "automl.descent.sklearn.GradientDescentRegressor",
}
"""Old path of a class to its path now. Add a line when a class that exported models hold is moved or renamed."""

_SCHEMA = "schema.json"


def with_current_paths(data: bytes, moved: Mapping[str, str] = MOVED) -> bytes:
    """Return a skops file in which the class paths of `MOVED` are those of today.

    Parameters
    ----------
    data : bytes
        Content of a skops file.
    moved : mapping of str to str
        Old path to new path.

    Returns
    -------
    bytes
        The same content where nothing had moved.
    """

    def renamed(node: dict[str, Any]) -> dict[str, Any]:
        new = moved.get(f"{node.get('__module__')}.{node.get('__class__')}")
        if new is not None:
            node["__module__"], _, node["__class__"] = new.rpartition(".")
        return node

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        schema = archive.read(_SCHEMA).decode()
        if not any(old.rpartition(".")[0] in schema for old in moved):
            return data
        schema = json.dumps(json.loads(schema, object_hook=renamed))
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as copy:
            for item in archive.infolist():
                copy.writestr(item.filename, schema if item.filename == _SCHEMA else archive.read(item))
    return out.getvalue()
