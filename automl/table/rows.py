"""The rows of a training table: what belongs to each row besides the columns, and the rows that are left out."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from sklearn.utils import _safe_indexing

from automl.errors import Fault, InputError, SettingError, TableError, nearest
from automl.table.columns import TypedColumns
from automl.table.frames import as_frame
from automl.table.target import as_series
from automl.table.task import numbers_of
from automl.table.weights import weights_faults

__all__ = ["RareClasses", "TrainingRows", "training_rows"]

RareClasses = Literal["error", "merge", "drop"]

_MERGED = "other"


@dataclass(frozen=True, eq=False)
class TrainingRows:
    """The rows of a training table.

    Parameters
    ----------
    X : table of n rows
        The columns, without those of weights and groups.
    y : Series of shape (n,)
        The target.
    sample_weight, groups, time : ndarray of shape (n,) or None
        Weight, group and time of each row.
    merged : dict
        Rare labels and the label they were merged into.
    """

    X: Any
    y: Any
    sample_weight: np.ndarray | None = None
    groups: np.ndarray | None = None
    time: np.ndarray | None = None
    merged: dict[Any, Any] = field(default_factory=dict)

    def take(self, mask: np.ndarray) -> TrainingRows:
        """Return the rows where ``mask`` of shape (n,) is true."""
        if mask.all():
            return self
        rows = np.flatnonzero(mask)
        return replace(
            self,
            X=_part(self.X, rows, ()),
            y=self.y.iloc[rows],
            sample_weight=_of(self.sample_weight, rows),
            groups=_of(self.groups, rows),
            time=_of(self.time, rows),
        )

    def with_target(self, *, drop_missing: bool) -> TrainingRows:
        """Return the rows with a target; without ``drop_missing`` all rows, so that a check finds the others."""
        missing = self.y.isna().to_numpy()
        if not drop_missing or not missing.any() or missing.all():
            return self
        _warn(self.y, missing, "without a value")
        return self.take(~missing)

    def as_numbers(self) -> TrainingRows:
        """Return the rows with a target of numbers, for texts that are numbers; rows of "NA" and the like are left out.

        A target of other texts is returned unchanged.
        """
        numbers = numbers_of(self.y) if self.y.dtype == object else None
        if numbers is None:
            return self
        missing = np.isnan(numbers)
        if missing.any():
            rows = np.flatnonzero(missing)[:3]
            shown = ", ".join(f'"{self.y.iloc[row]}" (row {self.y.index[row]})' for row in rows)
            _warn(self.y, missing, f"without a number, such as {shown},")
        y = pd.Series(numbers, index=self.y.index, name=self.y.name)
        return replace(self, y=y).take(~missing)

    def without_rare(self, rare_classes: RareClasses, n_folds: int) -> TrainingRows:
        """Return the rows with the classes of fewer than ``n_folds`` rows merged into one, or left out.

        Raises
        ------
        SettingError
            If labels that are no texts are to be merged.
        """
        counts = self.y.value_counts()
        rare = counts.index[counts < n_folds]
        if rare_classes == "error" or not len(rare):
            return self
        few = self.y.isin(rare).to_numpy()
        shown = ", ".join(map(repr, rare[:5].tolist())) + (", ..." if len(rare) > 5 else "")
        if rare_classes == "drop":
            _warn(self.y, few, f"of classes with fewer than {n_folds} rows, {shown},")
            return self.take(~few)
        if not all(isinstance(label, str) for label in counts.index):
            rule, remedy = "must have labels that are texts to merge rare ones", 'Give rare_classes="drop".'
            raise SettingError(Fault(_where(self.y), rule, shown, remedy))
        merged = int((few | (self.y == _MERGED).to_numpy()).sum())
        if merged < n_folds:
            rule = f"rare classes must have at least {n_folds} rows together to be merged"
            remedy = 'Give rare_classes="drop", or use fewer folds (cv).'
            raise SettingError(Fault(_where(self.y), rule, f"{merged}, of {shown}", remedy))
        warnings.warn(
            f'{_where(self.y)}: classes with fewer than {n_folds} rows became "{_MERGED}": {shown}',
            stacklevel=2,
        )
        return replace(self, y=self.y.mask(few, _MERGED), merged=dict.fromkeys(rare.tolist(), _MERGED))


def training_rows(
    X: Any,
    y: Any,
    *,
    sample_weight: Any = None,
    groups: Any = None,
    time_column: str | None = None,
) -> TrainingRows:
    """Return the rows of a table.

    Parameters
    ----------
    X, y
        The table and the target.
    sample_weight, groups : array-like of shape (n,) or str, optional
        Values by row, or the name of a column of ``X``, which is no feature then.
    time_column : str, optional
        Name of the column of ``X`` that orders the rows; it stays a feature.

    Raises
    ------
    InputError
        If a column is missing, or values are of another length or kind.
    """
    column = as_series(y)
    named = {
        name: value
        for name, value in (
            ("sample_weight", sample_weight),
            ("groups", groups),
            ("time_column", time_column),
        )
        if isinstance(value, str)
    }
    faults: list[Fault] = []
    if named:
        frame = as_frame(X)
        known = list(frame.columns)
        faults += [
            Fault(name, "must be a column of the table", f'"{value}"', nearest(value, known))
            for name, value in named.items()
            if value not in known
        ]
        if faults:
            raise SettingError(faults)
        sample_weight = frame[sample_weight] if isinstance(sample_weight, str) else sample_weight
        groups = frame[groups] if isinstance(groups, str) else groups
    no_features = tuple(value for name, value in named.items() if name != "time_column")
    if groups is not None and len(groups) != len(column):
        faults.append(Fault("groups", f"must have one value a row, {len(column)}", f"{len(groups)}"))
    elif groups is not None:
        faults += _group_faults(groups)
    if sample_weight is not None:
        faults += weights_faults(sample_weight, len(column))
    time = None
    if time_column is not None:
        try:
            time = _times(frame, time_column)
        except InputError as error:
            faults += error.faults
    if faults:
        raise SettingError(faults)
    return TrainingRows(
        _part(X, None, no_features),
        column,
        None if sample_weight is None else np.asarray(sample_weight, dtype=float),
        None if groups is None else np.asarray(groups),
        time,
    )


def _group_faults(groups: Any) -> list[Fault]:
    column = pd.Series(np.asarray(groups))
    if missing := int(column.isna().sum()):
        remedy = "Fill them in, or leave these rows out."
        return [
            Fault("groups", "must have a value in every row", f"{missing} of {len(column)} without", remedy)
        ]
    if column.nunique() < 2:
        return [
            Fault(
                "groups", "must have at least two groups", "one", "Leave groups out, or give another column."
            )
        ]
    return []


def _part(X: Any, rows: np.ndarray | None, no_features: Sequence[str]) -> Any:
    """Return the rows of a table with these numbers, None for all, without some columns."""
    if rows is None and not no_features:
        return X
    attrs = dict(getattr(X, "attrs", {}))
    used = as_frame(X).drop(columns=list(no_features)) if no_features else X
    used = used if rows is None else _safe_indexing(used, rows)
    if attrs:
        used.attrs = attrs
    return used


def _of(values: np.ndarray | None, rows: np.ndarray) -> np.ndarray | None:
    return None if values is None else values[rows]


def _times(frame: pd.DataFrame, name: str) -> np.ndarray:
    """Return the values of a column of dates or numbers, none missing.

    Raises
    ------
    TableError
        If it holds other values, or some are missing.
    """
    where, rule = f'time_column "{name}"', "must hold a date or a number in every row"
    column = frame[name]
    if column.dtype.kind not in "iufM":
        columns = TypedColumns().fit(frame[[name]])
        if columns.column_types_[name] not in ("datetime", "numeric"):
            raise TableError(Fault(where, rule, f"{columns.column_types_[name]} values"))
        column = columns.transform(frame[[name]])[name]
    if missing := int(column.isna().sum()):
        raise TableError(Fault(where, rule, f"{missing} of {len(column)} rows without"))
    return column.to_numpy()


def _warn(y: pd.Series, dropped: np.ndarray, what: str) -> None:
    warnings.warn(f"{_where(y)}: {int(dropped.sum())} of {len(y)} rows {what} were left out", stacklevel=3)


def _where(y: pd.Series) -> str:
    return f'target "{y.name}"'
