from __future__ import annotations

import numpy as np
import pytest
from sklearn.model_selection import TimeSeriesSplit

from automl.errors import SettingError, TableError
from automl.table import Split, default_split, make_folds, stratified_order


@pytest.mark.parametrize(("n", "folds", "valid"), [(100, 5, 20), (6_000, 3, 2_000), (40_000, 1, 4_000)])
@pytest.mark.parametrize("task", ["binary", "regression"])
def test_make_folds_stratifies_and_shuffles(n, folds, valid, task):
    y = (np.arange(n) % 10 == 0).astype(int)
    splits = make_folds(y, task, random_state=1)
    assert len(splits) == folds
    for (train, held_out), (again, _) in zip(splits, make_folds(y, task, random_state=1), strict=True):
        assert abs(len(held_out) - valid) <= 1
        assert np.array_equal(np.union1d(train, held_out), np.arange(n))
        assert len(train) + len(held_out) == n
        assert np.array_equal(train, again)
        if task == "binary":
            assert y[held_out].mean() == pytest.approx(0.1, abs=0.01)
    assert not np.array_equal(splits[0][1], make_folds(y, task, random_state=2)[0][1])


@pytest.mark.parametrize("n", [100, 25_000])
@pytest.mark.parametrize("task", ["binary", "regression"])
def test_make_folds_keeps_groups(n, task):
    groups = np.arange(n) // 5
    for train, valid in make_folds(np.arange(n) % 2, task, groups=groups):
        assert not set(groups[train]) & set(groups[valid])


def test_make_folds_accepts_splitters():
    y = np.arange(12) % 2
    assert [len(valid) for _, valid in make_folds(y, "binary", cv=TimeSeriesSplit(3))] == [3, 3, 3]
    mask = np.arange(12) < 8
    ((train, valid),) = make_folds(y, "binary", cv=[(mask, [11, 9])])
    assert (train.tolist(), valid.tolist()) == (list(range(8)), [9, 11])


@pytest.mark.parametrize(
    ("cv", "says"),
    [
        (1, "from 2 to the number of rows"),
        (13, "from 2 to the number of rows"),
        (True, "must be a number of folds"),
        ("five", "must be a number of folds"),
        ([], "at least one split"),
        ([([0, 1], [])], "both sides must have rows"),
        ([([0, 1], [12])], "rows must be in 0 .. 11"),
        ([([0, 1], [1, 2])], "no row may be on both sides"),
        ([3], "must give"),
        (TimeSeriesSplit(30), "must give"),
    ],
)
def test_make_folds_refuses_bad_splits(cv, says):
    with pytest.raises(SettingError, match=says):
        make_folds(np.arange(12) % 2, "binary", cv=cv)


def test_make_folds_refuses_rare_classes():
    with pytest.raises(TableError, match="at least 5 rows; got 1 with 2"):
        make_folds([0] * 20 + [1] * 2, "binary")
    with pytest.raises(SettingError, match="groups"):
        make_folds([0, 1] * 10, "binary", groups=[1, 2])


def test_make_folds_with_few_groups():
    folds = make_folds([0, 1] * 30, "binary", groups=np.arange(60) // 20)
    assert len(folds) == 3


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_stratified_order_has_stratified_prefixes(task):
    rng = np.random.default_rng(0)
    shares = {"binary": [0.98, 0.02], "multiclass": [0.6, 0.395, 0.005]}.get(task)
    y = rng.normal(size=4_000) if shares is None else rng.choice(len(shares), size=4_000, p=shares)
    order = stratified_order(y, task, (7, 0))
    assert np.array_equal(np.sort(order), np.arange(4_000))
    assert np.array_equal(order, stratified_order(y, task, (7, 0)))
    assert not np.array_equal(order, stratified_order(y, task, (8, 0)))
    for n in (10, 250, 1_000, 2_000):
        sample = y[order[:n]]
        if shares is None:
            assert abs(sample.mean() - y.mean()) < 4 / np.sqrt(n)
            continue
        counts, all_counts = np.bincount(sample, minlength=len(shares)), np.bincount(y)
        assert counts.min() >= 1
        assert np.abs(counts - n * all_counts / len(y)).max() <= len(shares)
    assert np.abs(np.diff(order)).mean() > 1_000  # not the order of the table


def test_default_split_has_fewer_folds_for_large_tables_and_short_times():
    folds = [default_split(n).n_folds for n in (500, 5_000, 5_001, 30_000, 30_001)]
    assert folds == [5, 5, 3, 3, 1]
    assert [default_split(4_000, 100, timeout).n_folds for timeout in (None, 60, 30, 10)] == [5, 5, 3, 1]
    shares = [default_split(n).hold_out for n in (1_000, 4_000, 50_000, 200_000, 10**7)]
    assert shares == pytest.approx([0.2, 0.125, 0.1, 0.05, 0.01])


def test_folds_follow_a_split():
    ((train, valid),) = make_folds([0, 1] * 50, "binary", Split(1, 0.1))
    assert (len(train), len(valid)) == (90, 10)
    assert len(make_folds([0, 1] * 50, "binary", Split(4))) == 4
