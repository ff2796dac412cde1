from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from automl.table import TypedColumns, check_table
from automl.table.order import TargetOrder

N = 200
RNG = np.random.default_rng(0)
COUNTS = np.arange(N)
SHUFFLED = RNG.permutation(N)
NOISE = RNG.normal(size=N)

FOLLOWS = {
    "a trend": (COUNTS * 0.05 + NOISE, True),
    "a falling trend": (-COUNTS * 0.05 + NOISE, True),
    "a wave": (np.sin(COUNTS / 10) + NOISE / 10, True),
    "noise": (NOISE, False),
    "two classes, sorted": (COUNTS > 120, True),
    "two classes, in blocks": (np.where(COUNTS // 20 % 2, "up", "down"), True),
    "two classes, shuffled": (SHUFFLED > 120, False),
    "classes, sorted": (np.array(["a", "b", "c"])[COUNTS // 67], True),
    "classes, shuffled": (np.array(["a", "b", "c"])[SHUFFLED // 67], False),
    "one class": (np.zeros(N), False),
    "missing": (pd.Series([None] * N), False),
}


@pytest.mark.parametrize("name", FOLLOWS)
def test_target_order_follows_a_counter(name):
    y, expected = FOLLOWS[name]
    assert TargetOrder(y).follows(COUNTS.astype(float)) is expected
    mixed = RNG.permutation(N)
    assert TargetOrder(np.asarray(y)[mixed]).follows(COUNTS[mixed].astype(float)) is expected


def test_target_order_rarely_errs():
    hits = [TargetOrder(RNG.permutation(N) % 3).follows(COUNTS.astype(float)) for _ in range(300)]
    assert sum(hits) < 10


TREND, OTHER = FOLLOWS["a trend"][0], {"other": NOISE}


@pytest.mark.parametrize(
    ("columns", "y", "kind"),
    [
        ({"day": COUNTS} | OTHER, TREND, "numeric"),
        ({"day": COUNTS.astype(str)} | OTHER, TREND, "numeric"),
        ({"day": COUNTS} | OTHER, NOISE, "identifier"),
        ({"day": COUNTS}, NOISE, "numeric"),  # dropping it would leave the table empty
        ({"code": [f"7590-VH{i}" for i in COUNTS]}, NOISE, "categorical"),
        ({"code": [f"7590-VH{i}" for i in COUNTS]} | OTHER, NOISE, "identifier"),
        ({"id": COUNTS} | OTHER, TREND, "identifier"),
        ({"Unnamed: 0": COUNTS} | OTHER, TREND, "identifier"),
        ({"parcel_id": 500_000 + 37 * COUNTS} | OTHER, NOISE, "identifier"),
        ({"parcel_id": 500_000 + 37 * COUNTS} | OTHER, TREND, "numeric"),
        ({"income": 500_000 + 37 * SHUFFLED} | OTHER, NOISE, "numeric"),
        ({"customer": np.repeat(COUNTS[: N // 2], 2)} | OTHER, NOISE, "numeric"),
        ({"customer": [f"C{i // 3}" for i in COUNTS]} | OTHER, NOISE, "categorical"),
        ({"height": COUNTS / 2} | OTHER, NOISE, "numeric"),
        ({"when": pd.date_range("2020-01-01", periods=N)} | OTHER, NOISE, "datetime"),
    ],
)
def test_identifiers_are_columns_that_cannot_help(columns, y, kind):
    columns = pd.DataFrame(columns)
    assert check_table(columns, y, n_folds=2)[0].column_types_[columns.columns[0]] == kind


@pytest.mark.parametrize(("values", "kind"), [(range(30), "identifier"), (range(0, 60, 2), "numeric")])
def test_small_tables_have_measures_of_distinct_values(values, kind):
    assert TypedColumns().fit(pd.DataFrame({"a": values, "b": NOISE[:30]})).column_types_["a"] == kind
