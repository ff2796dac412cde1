"""Skops files changed by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import skops.io

__all__ = ["edit_schema", "node_of", "write_schema"]


def node_of(value: Any) -> dict[str, Any]:
    """Return the schema of a value that needs no array."""
    import io

    with ZipFile(io.BytesIO(skops.io.dumps(value))) as file:
        return dict(json.loads(file.read("schema.json")))


def write_schema(file: Path, text: str | bytes) -> None:
    """Replace the schema of a skops file."""
    with ZipFile(file) as source:
        members = {name: source.read(name) for name in source.namelist()}
    with ZipFile(file, "w") as target:
        for name, content in {**members, "schema.json": text}.items():
            target.writestr(name, content)


def edit_schema(file: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change the schema of a skops file in place."""
    with ZipFile(file) as source:
        schema = json.loads(source.read("schema.json"))
    change(schema)
    write_schema(file, json.dumps(schema))
