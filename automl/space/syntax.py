"""The keywords of the language, and how values are written in messages."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = [
    "CHOICE_KEYWORDS",
    "DOCUMENT_KEYS",
    "EXPONENT",
    "FAMILY_PARAM",
    "NODE_KEYWORDS",
    "PREPROCESS_PARAM",
    "RANGE_KEYWORDS",
    "REPLACE",
    "SYNONYMS",
    "TASKS",
    "VERSION",
    "join",
    "show",
]

VERSION = 1
TASKS = ("binary", "multiclass", "regression")
DOCUMENT_KEYS = (
    "version",
    "name",
    "about",
    "task",
    "include",
    "define",
    "space",
    "forbid",
    "enqueue",
    "constraints",
    "columns",
    "positive_class",
)
RANGE_KEYWORDS = ("low", "high", "log", "step", "integer", "fidelity")
CHOICE_KEYWORDS = ("values", "choice", "weights")
REPLACE = "replace"  # beside `choice`: the branches of an included file are dropped
SYNONYMS = {"min": "low", "max": "high", "choices": "values"}  # of W&B's sweeps and of Optuna
NODE_KEYWORDS = frozenset({*RANGE_KEYWORDS, *CHOICE_KEYWORDS, *SYNONYMS, "value"})
EXPONENT = re.compile(r"[-+]?[0-9][0-9_]*(\.[0-9_]*)?[eE][-+]?[0-9]+")  # YAML 1.1 reads 1e-4 as text

# The two top-level keys with a meaning of their own: a choice of families, and the section shared by all of them.
FAMILY_PARAM = "model"
PREPROCESS_PARAM = "preprocess"

_MAX_SHOWN = 80  # characters
_MAX_BITS = 200  # of an integer; Python refuses to write those of more than 4,300 digits
_MAX_ITEMS = 20


def join(path: str, key: str) -> str:
    """Return the dotted path of ``key`` under ``path``."""
    return f"{path}.{key}" if path else key


def show(value: Any) -> str:
    """Format a value for a message: as in YAML, at most 80 characters.

    Examples
    --------
    >>> show(None), show(True), show([1, 2]), show("adam"), show("")
    ('null', 'true', '[1, 2]', 'adam', '""')
    """
    text = _show(value)
    return text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 3]}..."


def _show(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, int) and value.bit_length() > _MAX_BITS:
        return f"an integer of {value.bit_length():,} bits"
    if isinstance(value, str):
        printable = value.strip() and value.isprintable()
        return value if printable else f'"{value.encode("unicode_escape").decode()}"'
    if isinstance(value, Mapping):
        items = list(value.items())[:_MAX_ITEMS]
        return "{" + ", ".join(f"{key}: {_show(item)}" for key, item in items) + "}"
    if isinstance(value, Sequence):
        return "[" + ", ".join(_show(item) for item in value[:_MAX_ITEMS]) + "]"
    return str(value)
