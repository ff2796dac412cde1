"""The study that a search continues, as far as it is known before the search opens it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from automl.errors import AutomlError
from automl.records import SearchRecord
from automl.study import load_study, read_search

__all__ = ["known_facts"]


def known_facts(settings: Mapping[str, Any]) -> SearchRecord | None:
    """Return the facts of the study that a search continues; None for a new study."""
    if not settings["resume"] or settings["study_name"] is None:
        return None
    try:
        return read_search(load_study(settings["study_name"], settings["storage"]))
    except AutomlError:  # no such study; opening it for the search reports a storage that cannot be used
        return None
