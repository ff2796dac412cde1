"""The words of the language, each in one place."""

from __future__ import annotations

__all__ = ["CHOICE_WORDS", "DOCUMENT", "NODE_WORDS", "RANGE_WORDS", "SYNONYMS", "TASKS", "VERSION"]

VERSION = 1
TASKS = ("binary", "multiclass", "regression")
DOCUMENT = (
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
)
RANGE_WORDS = ("low", "high", "log", "step", "integer", "fidelity")
CHOICE_WORDS = ("values", "choice", "weights")
SYNONYMS = {"min": "low", "max": "high", "choices": "values"}  # of W&B's sweeps, and of Optuna
NODE_WORDS = frozenset({*RANGE_WORDS, *CHOICE_WORDS, *SYNONYMS, "value"})
