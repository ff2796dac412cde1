"""Declarative AutoML search: say what may be tried, see everything that was tried, keep the best pipeline.

Public names are imported at first use, so ``import automl`` is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from automl.version import __version__

if TYPE_CHECKING:
    from automl.errors import (
        AutomlError,
        InputError,
        NoModelError,
        SettingError,
        SpaceError,
        StoreError,
        TableError,
    )
    from automl.export import load_model, predict_file
    from automl.families import load_space
    from automl.persistence import trusted_types
    from automl.search import Search
    from automl.space import Branch, Choice, Float, Int, Space
    from automl.table import read_table

__all__ = [
    "AutomlError",
    "Branch",
    "Choice",
    "Float",
    "InputError",
    "Int",
    "NoModelError",
    "Search",
    "SettingError",
    "Space",
    "SpaceError",
    "StoreError",
    "TableError",
    "__version__",
    "load_model",
    "load_space",
    "predict_file",
    "read_table",
    "trusted_types",
]

_HOMES = {
    "AutomlError": "automl.errors",
    "Branch": "automl.space",
    "Choice": "automl.space",
    "Float": "automl.space",
    "InputError": "automl.errors",
    "Int": "automl.space",
    "NoModelError": "automl.errors",
    "Search": "automl.search",
    "SettingError": "automl.errors",
    "Space": "automl.space",
    "SpaceError": "automl.errors",
    "StoreError": "automl.errors",
    "TableError": "automl.errors",
    "load_model": "automl.export",
    "load_space": "automl.families",
    "predict_file": "automl.export",
    "read_table": "automl.table",
    "trusted_types": "automl.persistence",
}


if not TYPE_CHECKING:  # type checkers would accept any name of a module with __getattr__

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module 'automl' has no attribute {name!r}")
        value = getattr(import_module(_HOMES[name]), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted(__all__)
