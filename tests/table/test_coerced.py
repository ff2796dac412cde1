"""A few cells of another type in a column of numbers or dates."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from automl.errors import TableError
from automl.table import TypedColumns, read_table

N = 2000
NUMBERS = [f"{number:.2f}" for number in np.random.default_rng(0).normal(50, 9, N)]
DAYS = pd.date_range("2015-01-01", periods=N).strftime("%d.%m.%Y").tolist()


def with_cells(cells: list[str], others: dict[int, str]) -> pd.DataFrame:
    """Return a table whose column ``v`` has other cells in these rows."""
    return pd.DataFrame(
        {"v": [others.get(row, cell) for row, cell in enumerate(cells)], "w": range(len(cells))}
    )


COERCED = {
    "two of 2,000 numbers": (with_cells(NUMBERS, {17: "12,5 kg", 203: "n/a?"}), '"12,5 kg" (row 17), "n/a?" (row 203)'),
    "one of 25 numbers": (with_cells(NUMBERS[:25], {3: "unknown"}), '1 of 25 cells are no numbers and become missing'),
    "no such day": (with_cells(DAYS, {9: "31.02.2020"}), 'no dates and become missing: "31.02.2020" (row 9)'),
    "the unit in the first row": (with_cells(NUMBERS, {0: "in kg"}), '"in kg" (row 0)'),
    "twenty of 2,000": (with_cells(NUMBERS, dict.fromkeys(range(0, 200, 10), "?!")), "and 15 more"),
}  # fmt: skip
KEPT = {
    "few distinct numbers": (with_cells(["1", "2", "3", "4"] * 500, {7: "4+"}), "categorical"),
    "a code among numbers": (with_cells([str(i % 90) for i in range(N)], {5: "007"}), "categorical"),
    "a word for missing": (with_cells(NUMBERS, {5: "N/A", 6: "?"}), "numeric"),
}


@pytest.mark.parametrize("name", COERCED)
def test_few_other_cells_become_missing_with_a_warning(name, tmp_path):
    table, says = COERCED[name]
    with pytest.warns(UserWarning, match="become missing") as warned:
        typed = TypedColumns().fit_transform(table)
    assert len(warned) == 1
    assert says in str(warned[0].message)
    assert typed["v"].dtype.kind in "fM"
    assert typed["v"].isna().sum() == int(str(warned[0].message).split()[2].replace(",", ""))
    table.to_csv(tmp_path / "t.csv", index=False)
    with pytest.warns(UserWarning, match="become missing") as again:
        pd.testing.assert_frame_equal(TypedColumns().fit_transform(read_table(tmp_path / "t.csv")), typed)
    assert str(again[0].message) == str(warned[0].message)


@pytest.mark.parametrize("name", KEPT)
def test_other_cells_keep_texts(name):
    table, kind = KEPT[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert TypedColumns().fit(table).column_types_["v"] == kind


MANY = with_cells(NUMBERS, dict.fromkeys(range(100), "?!"))


def test_many_other_cells_make_texts_with_a_warning():
    with pytest.warns(
        UserWarning, match="100 of 2,000 cells are no numbers and make it a column of texts"
    ) as warned:
        assert TypedColumns().fit(MANY).column_types_["v"] == "categorical"
    assert 'or have them missing: columns={"v": "numeric"}.' in str(warned[0].message)
    with pytest.warns(UserWarning, match="100 of 2,000 cells are no numbers and become missing"):
        assert TypedColumns(types={"v": "numeric"}).fit_transform(MANY)["v"].isna().sum() == 100
    words = with_cells(NUMBERS, dict.fromkeys(range(1100), "?!"))
    with pytest.raises(TableError, match='must hold numeric values, as requested; got "\\?!"'):
        TypedColumns(types={"v": "numeric"}).fit_transform(words)


def test_other_cells_of_new_rows_follow_training():
    table, _ = COERCED["two of 2,000 numbers"]
    with pytest.warns(UserWarning, match="2 of 2,000 cells"):
        columns = TypedColumns().fit(table)
    new = pd.DataFrame({"v": ["1.5", "much"], "w": [1, 2]}, index=["a", "b"])
    with pytest.warns(UserWarning, match="1 of 2 cells"):
        again = clone(columns.fixed()).fit(new)
    for fitted in (columns, again):
        with pytest.warns(UserWarning, match=r'"much" \(row b\)'):
            assert fitted.transform(new)["v"].tolist()[:1] == [1.5]
    clean = TypedColumns().fit(with_cells(NUMBERS, {}))
    with pytest.raises(TableError, match='must hold numeric values, as in training; got "much"'):
        clean.transform(new)


def test_other_cells_are_categories_on_request():
    table, _ = COERCED["two of 2,000 numbers"]
    typed = TypedColumns(types={"v": "categorical"}).fit_transform(table)
    assert typed["v"].isna().sum() == 0
    assert typed["v"][17] == "12,5 kg"
