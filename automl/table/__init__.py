"""Raw table to typed columns to prepared matrices, and how rows are split."""

from __future__ import annotations

from automl.table.check import check_table
from automl.table.columns import TypedColumns, as_frame
from automl.table.kinds import usable
from automl.table.prepare import AT_ONCE, IMPUTE, PREPROCESS, prepared, preprocessor
from automl.table.read import read_table
from automl.table.splits import Folds, default_folds, fair_order, make_folds
from automl.table.target import Target

__all__ = [
    "AT_ONCE",
    "IMPUTE",
    "PREPROCESS",
    "Folds",
    "Target",
    "TypedColumns",
    "as_frame",
    "check_table",
    "default_folds",
    "fair_order",
    "make_folds",
    "prepared",
    "preprocessor",
    "read_table",
    "usable",
]
