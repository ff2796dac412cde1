from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler


@pytest.fixture(scope="session")
def table() -> pd.DataFrame:
    """Numbers with gaps, whole numbers, text, booleans and dates."""
    rng = np.random.default_rng(0)
    n = 120
    return pd.DataFrame(
        {
            "size": np.where(rng.random(n) < 0.1, np.nan, rng.normal(size=n)),
            "count": rng.integers(0, 9, n),
            "colour": rng.choice(["red", "green", "blue"], n),
            "kind": pd.Categorical(rng.choice(["a", "b"], n)),
            "flag": rng.random(n) < 0.5,
            "day": pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.integers(0, 365, n), "D"),
        }
    )


@pytest.fixture(scope="session")
def fit(table: pd.DataFrame) -> Callable[[str], Pipeline]:
    """A fitted pipeline by name."""
    models: dict[str, Any] = {
        "logistic": LogisticRegression(),
        "boosting": HistGradientBoostingClassifier(max_iter=10),
        "ridge": Ridge(),
    }

    def fitted(name: str) -> Pipeline:
        prepare = make_column_transformer(
            (make_pipeline(SimpleImputer(), StandardScaler()), ["size", "count"]),
            (OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["colour", "kind", "flag"]),
        )
        y = table["count"] + table["size"].fillna(0)
        labels = np.where(y > 4, "late", "in time")
        return make_pipeline(prepare, models[name]).fit(table, y if name == "ridge" else labels)

    return fitted
