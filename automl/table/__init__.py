"""Raw table to typed columns to prepared matrices, and how rows are split."""

from __future__ import annotations

from automl.table.blocks import RowBlocks
from automl.table.check import check_table
from automl.table.column_types import usable_columns
from automl.table.columns import TypedColumns
from automl.table.convert_csv import csv_bytes, csv_to_parquet
from automl.table.csv_text import read_csv_text
from automl.table.encoders import CODED
from automl.table.frames import as_frame, split_target
from automl.table.leaks import check_leaks
from automl.table.options import IMPUTE, PREPROCESS, TEXT_ENCODERS, category_codes, irrelevant_options
from automl.table.parquet_files import Block, ParquetTable, is_parquet
from automl.table.prepare import BLOCK_VALUES, prepare_matrices, preprocessor
from automl.table.read import read_table
from automl.table.row_sample import draw_rows
from automl.table.rows import RareClasses, TrainingRows, training_rows
from automl.table.sparse import SparseColumns, SparseTable, array_bytes, as_sparse, is_sparse
from automl.table.splits import Folds, Split, default_split, is_time, make_folds, stratified_order
from automl.table.target import Target, as_series
from automl.table.target_transform import TARGET_TRANSFORMS, TargetTransform
from automl.table.task import Inferred, Kind, Task, TaskHint, infer_task, numbers_of
from automl.table.training import TargetSettings
from automl.table.weights import RowWeights

__all__ = [
    "BLOCK_VALUES",
    "Block",
    "CODED",
    "Folds",
    "Split",
    "IMPUTE",
    "Inferred",
    "Kind",
    "PREPROCESS",
    "ParquetTable",
    "RareClasses",
    "RowBlocks",
    "RowWeights",
    "SparseColumns",
    "SparseTable",
    "Target",
    "Task",
    "TargetSettings",
    "TargetTransform",
    "TARGET_TRANSFORMS",
    "TEXT_ENCODERS",
    "TaskHint",
    "TrainingRows",
    "TypedColumns",
    "array_bytes",
    "as_frame",
    "as_series",
    "as_sparse",
    "category_codes",
    "check_leaks",
    "check_table",
    "irrelevant_options",
    "csv_bytes",
    "csv_to_parquet",
    "default_split",
    "draw_rows",
    "infer_task",
    "is_parquet",
    "is_sparse",
    "is_time",
    "make_folds",
    "numbers_of",
    "prepare_matrices",
    "preprocessor",
    "read_csv_text",
    "read_table",
    "split_target",
    "stratified_order",
    "training_rows",
    "usable_columns",
]
