"""Raw table to typed columns to prepare_matrices matrices, and how rows are split."""

from __future__ import annotations

from automl.table.check import check_table
from automl.table.column_types import usable_columns
from automl.table.columns import TypedColumns, as_frame
from automl.table.options import IMPUTE, PREPROCESS, category_codes
from automl.table.prepare import BLOCK_VALUES, prepare_matrices, preprocessor
from automl.table.read import read_table
from automl.table.splits import Folds, default_folds, make_folds, stratified_order
from automl.table.target import Target

__all__ = [
    "BLOCK_VALUES",
    "IMPUTE",
    "PREPROCESS",
    "Folds",
    "Target",
    "TypedColumns",
    "as_frame",
    "category_codes",
    "check_table",
    "default_folds",
    "stratified_order",
    "make_folds",
    "prepare_matrices",
    "preprocessor",
    "read_table",
    "usable_columns",
]
