"""Write skops files, and read those of all versions; refuse damaged files and unknown types."""

from __future__ import annotations

from automl.persistence.known_types import KNOWN_TYPES
from automl.persistence.skops_file import load_skops, needed_types, trusted_types
from automl.persistence.skops_writer import dump_skops

__all__ = ["KNOWN_TYPES", "dump_skops", "load_skops", "needed_types", "trusted_types"]
