"""Read skops files of all versions; refuse damaged files and unknown types."""

from __future__ import annotations

from automl.persistence.known_types import KNOWN_TYPES
from automl.persistence.skops_file import load_skops, needed_types, trusted_types

__all__ = ["KNOWN_TYPES", "load_skops", "needed_types", "trusted_types"]
