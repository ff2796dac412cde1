"""Read skops files: rename classes that have moved and refuse types that are not trusted."""

from __future__ import annotations

from automl.persistence.moved import MOVED
from automl.persistence.skops_file import with_current_names

__all__ = ["MOVED", "with_current_names"]
