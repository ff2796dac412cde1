from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from automl.errors import TableError
from automl.table import Target, TypedColumns, check_leaks

N = 60
RNG = np.random.default_rng(0)
CLASSES = np.array(["no", "yes"])[RNG.permutation(N) % 2]
LEVELS = np.array(["low", "mid", "high"])[RNG.permutation(N) % 3]
PRICES = RNG.lognormal(size=N).round(3)


def leaks(column, y, n=N):
    frame = pd.DataFrame({"c": column, "other": RNG.normal(size=N)}).head(n)
    columns = TypedColumns().fit(frame)
    y = pd.Series(y, name="y").head(n)
    check_leaks(columns.transform(frame), columns.column_types_, Target.of(y), y.name)


@pytest.mark.parametrize(
    ("column", "y"),
    [
        (CLASSES, CLASSES),
        ((CLASSES == "yes").astype(int), CLASSES),
        (CLASSES == "no", CLASSES),
        (pd.Series(CLASSES).replace("no", None), CLASSES),
        (pd.Series(LEVELS).map({"low": 10, "mid": 5, "high": 7}), LEVELS),
        (pd.Series(LEVELS).map({"low": "2020-01-01", "mid": "2021-01-01", "high": "2022-01-01"}), LEVELS),
        (PRICES, PRICES),
        (-PRICES * 1.19 + 5, PRICES),
        (np.log(PRICES), PRICES),
    ],
)
def test_check_leaks_warns_of_the_target_in_other_words(column, y):
    with pytest.warns(
        UserWarning, match='target "y" is among the columns in other words: "c" is a one-to-one'
    ):
        leaks(column, y)
    leaks(column, y, n=19)  # too few rows to tell


@pytest.mark.parametrize(
    ("column", "y"),
    [
        (np.where(RNG.random(N) < 0.05, "yes", CLASSES), CLASSES),
        (RNG.normal(size=N), CLASSES),
        (LEVELS == "low", LEVELS),
        (PRICES + 0.1 * RNG.normal(size=N), PRICES),
        (RNG.permutation(PRICES), PRICES),
        (PRICES.round(), PRICES),
    ],
)
def test_check_leaks_leaves_other_columns(column, y):
    leaks(column, y)


def test_check_leaks_refuses_the_name_of_the_target():
    frame = pd.DataFrame({"price": PRICES, "other": PRICES})
    with pytest.raises(
        TableError, match='target "price": must not be among the columns.*fit\\(X, "price"\\)'
    ):
        check_leaks(frame, {"price": "numeric", "other": "numeric"}, Target.of(CLASSES), "price")
