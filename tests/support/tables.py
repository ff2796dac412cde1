"""Small real tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as parquet
from palmerpenguins import load_penguins_raw
from sklearn.datasets import load_breast_cancer, load_diabetes

from automl.descent import LOSSES


def cancer() -> tuple[pd.DataFrame, pd.Series]:
    """Binary, text labels, 569 rows, numbers only."""
    data = load_breast_cancer(as_frame=True)
    return data.data, data.target.map({0: "malignant", 1: "benign"}).rename("diagnosis")


def penguins() -> tuple[pd.DataFrame, pd.Series]:
    """Three species, 344 rows: numbers with gaps, categories with gaps, dates, a constant, an identifier."""
    raw = load_penguins_raw()
    X = raw.drop(columns=["Species", "Sample Number", "studyName"])
    X["Date Egg"] = pd.to_datetime(X["Date Egg"])
    return X, raw["Species"].str.split().str[0].rename("species")


def diabetes() -> tuple[pd.DataFrame, pd.Series]:
    """Regression, 442 rows."""
    X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    return X, y.rename("progression")


def small(n: int = 60) -> tuple[pd.DataFrame, pd.Series]:
    """Binary and easy to learn."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=n), "b": rng.choice(["x", "y"], size=n)})
    return X, (X["a"] + rng.normal(scale=0.3, size=n) > 0).rename("up")


def loss_table(loss: str) -> tuple[np.ndarray, np.ndarray, int]:
    """Return read-only rows, targets and the number of outputs for a loss: 60 rows, 4 columns."""
    # With seed 7, rounding would decide which rows lie within the insensitive margin.
    rng = np.random.default_rng(10 if loss == "epsilon_insensitive" else 7)
    X = rng.normal(size=(60, 4)).astype(np.float32)
    score = X @ [1.0, -2.0, 0.5, 0.0] + 0.3 * rng.normal(size=60)
    X.flags.writeable = False
    if "regression" in LOSSES[loss].tasks:
        return X, np.exp(score / 3), 1
    if "binary" in LOSSES[loss].tasks:
        return X, (score > 0).astype(int), 1
    return X, np.digitize(score, [-1, 1]), 3


def break_row_group(file: Path, number: int) -> None:
    """Overwrite the start of a row group of a Parquet file."""
    column = parquet.read_metadata(file).row_group(number).column(0)
    content = bytearray(file.read_bytes())
    start = column.dictionary_page_offset or column.data_page_offset
    content[start : start + 40] = bytes(40)
    file.write_bytes(content)
