"""Read skops files of any version, and refuse what is damaged or not trusted."""

from __future__ import annotations

from automl.persistence.known_types import KNOWN_TYPES
from automl.persistence.skops_file import load_skops, needed_types

__all__ = ["KNOWN_TYPES", "load_skops", "needed_types"]
