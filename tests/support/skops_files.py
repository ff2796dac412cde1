"""Skops files changed by hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import skops.io

__all__ = ["SCHEMA", "edit_schema", "node_of", "read_members", "write_members", "write_schema"]

SCHEMA = "schema.json"


def node_of(value: Any) -> dict[str, Any]:
    """Return the schema of a value that needs no array."""
    with ZipFile(BytesIO(skops.io.dumps(value))) as file:
        return dict(json.loads(file.read(SCHEMA)))


def read_members(file: Path) -> dict[str, bytes]:
    """Return the members of a skops file by name."""
    with ZipFile(file) as source:
        return {name: source.read(name) for name in source.namelist()}


def write_members(file: Path, members: Mapping[str, str | bytes]) -> None:
    """Replace a skops file; a new file is written faster than an old one is cut and filled."""
    data = BytesIO()
    with ZipFile(data, "w") as target:
        for name, content in members.items():
            target.writestr(name, content)
    file.unlink()
    file.write_bytes(data.getvalue())


def write_schema(file: Path, text: str | bytes) -> None:
    """Replace the schema of a skops file."""
    write_members(file, {**read_members(file), SCHEMA: text})


def edit_schema(file: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change the schema of a skops file in place."""
    with ZipFile(file) as source:
        schema = json.loads(source.read(SCHEMA))
    change(schema)
    write_schema(file, json.dumps(schema))
