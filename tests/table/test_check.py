from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from automl.errors import TableError
from automl.table import check_table

N = 30
X = pd.DataFrame({"a": np.linspace(0, 1, N), "b": ["x", "y", "z"] * 10})
Y = np.array(["in", "out"])[np.arange(N) % 2]


def test_check_table_accepts_good_tables():
    columns, _ = check_table(X, Y)
    assert columns.column_types_ == {"a": "numeric", "b": "categorical"}
    assert columns.transform(X).shape == (N, 2)
    assert list(check_table(X.to_numpy(), Y, n_folds=15)[0].column_types_.values()) == [
        "numeric",
        "categorical",
    ]


@pytest.mark.parametrize(
    ("X", "y", "options", "says"),
    [
        (X[:5], Y[:5], {"n_folds": 2}, ["at least 10 rows; got n_samples=5"]),
        (X, Y[1:], {}, ["30 and 29"]),
        (X, Y, {"n_folds": 16}, ["at least 16 rows; got 'in' with 15, 'out' with 15"]),
        (X, ["a"] * 28 + ["b"] * 2, {}, ["at least 5 rows; got 'b' with 2"]),
        (X[[]], Y, {}, ["at least one column"]),
        (X["a"], Y, {}, ["rows and columns"]),
        (pd.DataFrame({"l": ["same"] * N, "k": 1}), Y, {}, ['"l" (constant), "k" (constant)']),
        (X.assign(c=[[1]] * N), Y, {}, ['column "c"', "plain values"]),
        (
            pd.concat([X, X], axis=1),
            [np.inf, 1.5] * 15,
            {},
            ["2 faults", '"a", "b" repeated', "15 of 30 values"],
        ),
    ],
)
def test_check_table_lists_all_faults(X, y, options, says):
    with pytest.raises(TableError) as error:
        check_table(X, y, **options)
    assert all(part in str(error.value) for part in says), str(error.value)
