"""Raw table to typed columns to prepared matrices, and how rows are split."""

from __future__ import annotations

from automl.table.categories import CategoryCodes, OneHot
from automl.table.check import check_table
from automl.table.columns import TypedColumns, as_frame
from automl.table.numeric import MissingFlags, Numbers
from automl.table.prepare import PREPROCESS, preprocessor
from automl.table.read import read_table
from automl.table.splits import Folds, default_folds, make_folds
from automl.table.target import Target
from automl.table.transformers import DateParts, Float32, NormalScores

__all__ = [
    "PREPROCESS",
    "TRUSTED",
    "CategoryCodes",
    "DateParts",
    "Float32",
    "Folds",
    "MissingFlags",
    "NormalScores",
    "Numbers",
    "OneHot",
    "Target",
    "TypedColumns",
    "as_frame",
    "check_table",
    "default_folds",
    "make_folds",
    "preprocessor",
    "read_table",
]

# The types of a fitted pipeline that skops must be told to trust: ours, and what scikit-learn's imputer and target
# encoder hold that skops does not know.
TRUSTED: tuple[str, ...] = (
    *(
        f"{kind.__module__}.{kind.__qualname__}"
        for kind in (
            TypedColumns,
            CategoryCodes,
            OneHot,
            Numbers,
            MissingFlags,
            DateParts,
            Float32,
            NormalScores,
        )
    ),
    "numpy.dtype",
    "sklearn.model_selection._split.KFold",
)
