"""Split rows for validation, once before the first trial."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.model_selection import (
    GroupKFold,
    GroupShuffleSplit,
    KFold,
    ShuffleSplit,
    StratifiedGroupKFold,
    StratifiedKFold,
    StratifiedShuffleSplit,
    TimeSeriesSplit,
)

from automl.errors import Fault, SettingError, TableError
from automl.table.target import class_faults

__all__ = ["Folds", "Split", "default_split", "is_time", "stratified_order", "make_folds"]

Folds = list[tuple[np.ndarray, np.ndarray]]

_CELLS_PER_SECOND = 50_000  # cells of all folds together, for each second of the time limit
_HOLD_OUT_ROWS = 10_000  # validation rows of a large table; many trials are compared on them
_TIME = re.compile(r"time(?::([1-9][0-9]*))?")


@dataclass(frozen=True)
class Split:
    """Random folds, or one holdout.

    Parameters
    ----------
    n_folds : int
        Number of folds; 1 is a holdout.
    hold_out : float
        Share of the rows that a holdout validates on.
    """

    n_folds: int
    hold_out: float = 0.2


def default_split(n_rows: int, n_columns: int = 1, timeout: float | None = None) -> Split:
    """Return 5 folds up to 5,000 rows, 3 up to 30,000, otherwise a holdout; fewer folds if time is short.

    Folds are too many for the time limit if they have more than 50,000 cells together for each of its seconds. A
    holdout has a fifth to a tenth of a small table's rows (as AutoGluon's), and 10,000 rows of a large one, at least
    one in a hundred.

    Parameters
    ----------
    n_rows, n_columns : int
        Size of the table.
    timeout : float or None
        Seconds of the search.

    Examples
    --------
    >>> [default_split(n).n_folds for n in (1_000, 10_000, 100_000)]
    [5, 3, 1]
    >>> default_split(500, 8_000, timeout=60)
    Split(n_folds=1, hold_out=0.2)
    >>> default_split(1_000_000).hold_out
    0.01
    """
    n_folds = 5 if n_rows <= 5_000 else 3 if n_rows <= 30_000 else 1
    most = np.inf if timeout is None else _CELLS_PER_SECOND * timeout
    while n_folds > 1 and n_folds * n_rows * n_columns > most:
        n_folds -= 2
    if n_rows < 5_000:
        return Split(n_folds, max(0.1, min(0.2, 500 / n_rows)))
    return Split(n_folds, max(0.01, min(0.1, _HOLD_OUT_ROWS / n_rows)))


def is_time(cv: Any) -> bool:
    """Return whether ``cv`` asks for validation rows that are later than the training rows.

    Examples
    --------
    >>> is_time("time"), is_time("time:3"), is_time("times"), is_time(5)
    (True, True, False, False)
    """
    return isinstance(cv, str) and _TIME.fullmatch(cv) is not None


def make_folds(
    y_values: Any,
    task: str,
    cv: Any = None,
    random_state: int | None = 0,
    groups: Any = None,
    time: Any = None,
) -> Folds:
    """Split rows into training and validation rows, shuffled and stratified by class.

    Parameters
    ----------
    y_values : array-like of shape (n,)
        Class codes or numbers.
    task : {"binary", "multiclass", "regression"}
        The task of the target.
    cv : int, "time", Split, splitter, iterable of (train, validation) or None
        The number of folds, a scikit-learn splitter, or the splits themselves (indices or masks). None: see
        `default_split`. "time", or "time:3" for three folds: each fold is validated on rows that are later than its
        training rows, as by scikit-learn's ``TimeSeriesSplit``.
    random_state : int or None
        Seed of the shuffle.
    groups : array-like of shape (n,), optional
        Rows of one group are never split between training and validation.
    time : array-like of shape (n,), optional
        Orders the rows for "time"; by default they are in order.

    Returns
    -------
    list of (ndarray, ndarray)
        Sorted row numbers to train on and to validate on.

    Raises
    ------
    SettingError
        If ``cv`` is none of these, or its splits are invalid.
    TableError
        If a class has fewer rows than there are folds.

    Examples
    --------
    >>> [len(valid) for _, valid in make_folds([0, 1] * 10, "binary", cv=5)]
    [4, 4, 4, 4, 4]
    """
    y = np.asarray(y_values)
    if groups is not None and len(groups) != len(y):
        raise SettingError(Fault("groups", f"must have one value a row, {len(y)}", f"{len(groups)}"))
    cv = default_split(len(y)) if cv is None else cv
    if isinstance(cv, int | np.integer | Split) and not isinstance(cv, bool):
        split = cv if isinstance(cv, Split) else Split(int(cv))
        n_folds = split.n_folds
        if cv is split and groups is not None:
            n_folds = min(n_folds, len(set(groups)))
        if cv is not split and not 2 <= n_folds <= len(y):
            raise SettingError(Fault("cv", f"must be from 2 to the number of rows, {len(y)}", str(cv)))
        if task != "regression":
            codes = y.astype(np.int64)
            if faults := class_faults(codes, np.arange(codes.max() + 1), max(2, n_folds), "y"):
                raise TableError(faults)
        splitter = _splitter(n_folds, task, random_state, groups is not None, split.hold_out)
        splits = splitter.split(np.zeros(len(y)), y, groups)
    elif is_time(cv):
        splits = _in_time(len(y), cv, time, groups)
    elif hasattr(cv, "split") and not isinstance(cv, str):
        splits = cv.split(np.zeros((len(y), 1)), y, groups)
    elif isinstance(cv, Iterable) and not isinstance(cv, str):
        splits = iter(cv)
    else:
        rule = (
            'must be a number of folds, "time", a scikit-learn splitter or an iterable of (train, validation)'
        )
        raise SettingError(Fault("cv", rule, repr(cv)))
    return _checked(splits, len(y))


def stratified_order(y: np.ndarray, task: str, seed: Sequence[int]) -> np.ndarray:
    """Return a row order whose every prefix is a random sample, stratified by class.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Class codes or numbers.
    task : {"binary", "multiclass", "regression"}
        The task of the target.
    seed : sequence of int
        Seed of the order.

    Returns
    -------
    ndarray of shape (n,)
        Row numbers; the first ones contain every class.

    Examples
    --------
    >>> y = np.array([0] * 9 + [1] * 3)
    >>> [int(y[stratified_order(y, "binary", (0,))[:n]].sum()) for n in (2, 4, 8, 12)]
    [1, 1, 2, 3]
    """
    order = np.random.default_rng(seed).permutation(len(y))
    if task == "regression":
        return order
    by_class = order[np.argsort(y[order], kind="stable")]
    counts = np.bincount(y)
    # The j-th row of a class of m rows is placed at j / m, so every prefix has the class proportions.
    within = np.arange(len(y)) - np.repeat(np.cumsum(counts) - counts, counts)
    return by_class[np.argsort(within / np.repeat(counts, counts), kind="stable")]


def _in_time(n_rows: int, cv: str, time: Any, groups: Any) -> Iterable[tuple[np.ndarray, np.ndarray]]:
    """Return splits whose validation rows are later than their training rows; equal times stay in row order."""
    if groups is not None:
        remedy = 'Leave groups out, or give a splitter as cv, such as one of "sklearn.model_selection".'
        raise SettingError(Fault("cv", "must be a number or a splitter with groups", f'"{cv}"', remedy))
    found = _TIME.fullmatch(cv)
    given = found.group(1) if found is not None else None
    n_folds = max(2, default_split(n_rows).n_folds) if given is None else int(given)
    if not 2 <= n_folds < n_rows:
        raise SettingError(Fault("cv", f"must have from 2 to {n_rows - 1} folds in time", f'"{cv}"'))
    order = np.arange(n_rows) if time is None else np.argsort(np.asarray(time), kind="stable")
    return ((order[train], order[valid]) for train, valid in TimeSeriesSplit(n_folds).split(order))


def _splitter(n_folds: int, task: str, random_state: int | None, grouped: bool, hold_out: float) -> Any:
    if n_folds == 1:
        splitters = (GroupShuffleSplit,) * 2 if grouped else (ShuffleSplit, StratifiedShuffleSplit)
        return splitters[task != "regression"](1, test_size=hold_out, random_state=random_state)
    splitters = (GroupKFold, StratifiedGroupKFold) if grouped else (KFold, StratifiedKFold)
    return splitters[task != "regression"](n_folds, shuffle=True, random_state=random_state)


def _checked(splits: Any, n: int) -> Folds:
    folds: Folds = []
    try:
        for train, valid in splits:
            folds.append((_row_numbers(train), _row_numbers(valid)))
    except (TypeError, ValueError, IndexError) as error:
        raise SettingError(
            Fault("cv", "must give (train, validation) rows for this table", str(error))
        ) from error
    faults = [] if folds else [Fault("cv", "must give at least one split", "none")]
    for i, (train, valid) in enumerate(folds):
        rows = np.concatenate([train, valid])
        if len(train) == 0 or len(valid) == 0:
            faults.append(
                Fault(f"cv, split {i}", "both sides must have rows", f"{len(train)} and {len(valid)}")
            )
        elif rows.min() < 0 or rows.max() >= n:
            faults.append(
                Fault(f"cv, split {i}", f"rows must be in 0 .. {n - 1}", f"{rows.min()} .. {rows.max()}")
            )
        elif both := len(np.intersect1d(train, valid)):
            faults.append(Fault(f"cv, split {i}", "no row may be on both sides", f"{both} rows on both"))
    if faults:
        raise SettingError(faults)
    return folds


def _row_numbers(rows: Any) -> np.ndarray:
    rows = np.asarray(rows)
    return np.flatnonzero(rows) if rows.dtype == bool else np.sort(rows.astype(np.intp))
