"""Raw table to typed columns to prepared matrices, and how rows are split."""

from __future__ import annotations

from automl.table.check import check_table
from automl.table.columns import TypedColumns
from automl.table.prepare import PREPROCESS, preprocessor
from automl.table.read import read_table
from automl.table.splits import Folds, default_folds, make_folds
from automl.table.target import Target
from automl.table.transformers import DateParts, Float32, NormalScores, SpreadScaler

__all__ = [
    "PREPROCESS",
    "TRUSTED",
    "DateParts",
    "Float32",
    "Folds",
    "NormalScores",
    "SpreadScaler",
    "Target",
    "TypedColumns",
    "check_table",
    "default_folds",
    "make_folds",
    "preprocessor",
    "read_table",
]

# The types of a fitted pipeline that skops must be told to trust.
TRUSTED: tuple[str, ...] = tuple(
    f"{kind.__module__}.{kind.__qualname__}"
    for kind in (TypedColumns, DateParts, Float32, NormalScores, SpreadScaler)
)
