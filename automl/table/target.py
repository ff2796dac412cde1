"""The target: infer the task, and encode labels as numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from automl.errors import Fault, SettingError, TableError, nearest
from automl.table.converters import label as text_of
from automl.table.task import Task, TaskHint, infer_task, numbers_of

__all__ = ["Target", "as_series", "asked_task", "class_faults", "code_of", "target_faults"]

_SEVERAL = (
    "Search each column alone: sklearn.multioutput.MultiOutputRegressor(Search(...)) does so for numbers."
)


@dataclass(frozen=True, eq=False)
class Target:
    """A target encoded as numbers, with its labels. Use `Target.of` to create one.

    Parameters
    ----------
    task : {"binary", "multiclass", "regression"}
        The task.
    values : ndarray of shape (n,)
        Class codes 0 .. c - 1 (int64), or the numbers (float64).
    classes : ndarray of shape (c,) or None
        The labels of the codes, sorted; None for regression.
    name : str
        The target's name.
    reason : str
        Reason of the task.
    positive : int
        Code of the positive class of two; the other has the code ``1 - positive``.
    merged : mapping
        Rare labels and the label they were merged into.

    Examples
    --------
    >>> target = Target.of(["late", "on time", "late"])
    >>> target.task, target.values.tolist(), target.decode([1, 0]).tolist()
    ('binary', [0, 1, 0], ['on time', 'late'])
    """

    task: Task
    values: np.ndarray
    classes: np.ndarray | None
    name: str
    reason: str = ""
    positive: int = 1
    merged: Mapping[Any, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        y: Any,
        name: str | None = None,
        *,
        task: Task | None = None,
        hint: TaskHint | None = None,
        positive_class: Any = None,
    ) -> Target:
        """Infer the task of a target and encode it.

        Without ``task``, texts, booleans and categories are classes; numbers with fractions are a regression;
        integers are classes if there are two of them, or at most 20 with 10 rows each on average. Texts that are
        numbers are judged as numbers; as classes they stay texts.

        Parameters
        ----------
        y : array-like of shape (n,)
            Texts, booleans, numbers or categories, none missing.
        name : str, optional
            The target's name; by default that of the Series, or "y".
        task : {"binary", "multiclass", "regression"}, optional
            The task, if the rule above would be wrong.
        hint : TaskHint, optional
            The kind of target that the scorer or the space needs.
        positive_class : label, optional
            The positive class of two; by default the second one of the sorted labels.

        Raises
        ------
        TableError
            If values are missing or infinite, there is a single class, or the values do not fit the task.
        SettingError
            If there is no such positive class, or there are not two classes.
        """
        column = as_series(y, name)
        task = asked_task(y, task)
        if faults := target_faults(column, task):
            raise TableError(faults)
        inferred, reason = infer_task(column, task, hint)
        if inferred == "regression":
            _refuse_positive(positive_class, "a regression")
            return cls("regression", _as_floats(column), None, str(column.name), reason)
        classes = np.sort(column.unique() if column.dtype != bool else np.array([False, True]))
        codes = pd.Index(classes).get_indexer(pd.Index(column)).astype(np.int64)
        if len(classes) > 2:
            _refuse_positive(positive_class, f"{len(classes)} classes")
            return cls("multiclass", codes, classes, str(column.name), reason)
        positive = 1 if positive_class is None else code_of(classes, positive_class, "positive_class")
        return cls("binary", codes, classes, str(column.name), reason, positive)

    @property
    def positive_class(self) -> Any:
        """The label of the positive class; None unless there are two."""
        return self.classes[self.positive] if self.task == "binary" and self.classes is not None else None

    def encode(self, y: Any) -> np.ndarray:
        """Return codes or numbers for values of the same target, shape (n,).

        Raises
        ------
        TableError
            If a label is not one of `classes`, or a value is not a number.
        """
        column = as_series(y, self.name)
        if self.classes is None:
            if faults := _value_faults(column, "regression"):
                raise TableError(faults)
            return _as_floats(column)
        if self.merged:
            column = column.map(lambda value: self.merged.get(value, value))
        codes: np.ndarray = pd.Index(self.classes).get_indexer(pd.Index(column)).astype(np.int64)
        if (codes < 0).any():
            rule = f"labels must be among the {len(self.classes)} seen in training"
            raise TableError(Fault(_where(column), rule, _shown(column[codes < 0])))
        return codes

    def known(self, y: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows whose value can be encoded, as positions, and their codes or numbers.

        Rows without a value, and those of a label that is not one of `classes`, are left out.
        """
        column = as_series(y, self.name)
        rows = np.flatnonzero(column.notna())
        column = column.iloc[rows]
        if self.classes is None:
            numbers = numbers_of(column) if column.dtype == object else column.to_numpy(dtype=float)
            if numbers is None:  # too many other values to be a target; the numbers among them count
                plain = column.map(lambda value: None if isinstance(value, bool) else value)
                numbers = pd.to_numeric(plain, errors="coerce").to_numpy(dtype=float)
            values = np.asarray(numbers, dtype=float)
            good = np.isfinite(values)
        else:
            if self.merged:
                column = column.map(lambda value: self.merged.get(value, value))
            values = pd.Index(self.classes).get_indexer(pd.Index(column))
            good = values >= 0
        return rows[good], values[good]

    def decode(self, codes: Any) -> np.ndarray:
        """Return the labels of class codes, or the numbers as they are, shape (n,)."""
        if self.classes is None:
            return np.asarray(codes, dtype=float)
        labels: np.ndarray = self.classes[np.asarray(codes, dtype=np.int64)]
        return labels


def as_series(y: Any, name: str | None = None) -> pd.Series:
    """Return the target as a Series of plain values: categories and nullable types undone.

    Raises
    ------
    TableError
        Where it is not one column.
    """
    if isinstance(y, pd.DataFrame) and y.shape[1] == 1:
        y = y.iloc[:, 0]
    if not isinstance(y, pd.Series):
        array = y if isinstance(y, list | tuple) else np.asarray(y)
        array = (
            array.ravel()
            if isinstance(array, np.ndarray) and array.ndim == 2 and array.shape[1] == 1
            else array
        )
        if np.ndim(array) != 1:
            came = f"{type(y).__name__} with {np.ndim(array)} axes"
            remedy = _SEVERAL if np.ndim(array) == 2 else "y should be a 1d array."
            raise TableError(Fault(name or "y", "must be one column of values", came, remedy))
        y = pd.Series(array, dtype=None if len(array) else object)
    label = name if name is not None else y.name if y.name is not None else "y"
    if isinstance(y.dtype, pd.DatetimeTZDtype):
        y = y.dt.tz_localize(None)
    if isinstance(y.dtype, pd.CategoricalDtype):
        y = y.astype(object)
    if y.dtype != object and not isinstance(y.dtype, np.dtype):
        y = y.astype(object).where(y.notna(), np.nan)
    column = y.infer_objects() if y.dtype == object else y
    # pandas infers its own type for texts; labels and predictions are plain objects.
    column = column if isinstance(column.dtype, np.dtype) else column.astype(object)
    named: pd.Series = column.rename(str(label))
    return named


def asked_task(y: Any, task: Task | None) -> Task | None:
    """Return the requested task: by name, or by pandas' category dtype."""
    if task is None and isinstance(getattr(y, "dtype", None), pd.CategoricalDtype):
        return "binary" if pd.Series(y).nunique() == 2 else "multiclass"
    return task


def code_of(classes: np.ndarray, label: Any, where: str) -> int:
    """Return the code of a label, which may be written as text.

    Raises
    ------
    SettingError
        If there is no such label.

    Examples
    --------
    >>> code_of(np.array([0, 1]), "1", "positive_class")
    1
    """
    texts = [text_of(one) for one in classes.tolist()]
    if text_of(label) in texts:
        return texts.index(text_of(label))
    rule = f"must be a label of the target: {', '.join(map(repr, classes.tolist()[:10]))}"
    raise SettingError(Fault(where, rule, repr(label), nearest(text_of(label), texts)))


def _refuse_positive(positive_class: Any, target: str) -> None:
    if positive_class is not None:
        came = f"{positive_class!r} for {target}"
        raise SettingError(Fault("positive_class", "must be left out unless there are two classes", came))


def _as_floats(column: pd.Series) -> np.ndarray:
    numbers = numbers_of(column)
    return column.to_numpy(dtype=float) if numbers is None else numbers


def target_faults(column: pd.Series, task: Task | None = None) -> list[Fault]:
    """Return the faults of a training target, a Series from `as_series`."""
    if faults := _value_faults(column, task):
        return faults
    where, known = _where(column), column.nunique()
    if known == 1:
        regression = infer_task(column, task).task == "regression"
        what = "value" if regression else "class"
        came = f"one {what} only, {_shown(column)}"
        return [Fault(where, "must have at least two classes, or values", came)]
    if (task == "binary" and known != 2) or (task == "multiclass" and known == 2):
        return [Fault(where, f"must fit task={task!r}", f"{known} classes")]
    return []


def _value_faults(column: pd.Series, task: str | None) -> list[Fault]:
    """Return the faults of single values; new values of a known target can have them, too."""
    where, n = _where(column), len(column)
    if n == 0:
        return [Fault(where, "must have values", "none")]
    if column.dtype.kind not in "biufO":
        return [Fault(where, "must be numbers, texts, booleans or categories", str(column.dtype))]
    if missing := int(column.isna().sum()):
        rule, remedy = "must have a value in every row", "Drop those rows, or fill them in."
        return [Fault(where, rule, f"{missing} of {n} rows without", remedy)]
    if column.dtype != object:
        if endless := int(np.isinf(column.to_numpy(dtype=float)).sum()):
            return [Fault(where, "must be finite", f"{endless} of {n} values infinite", "Drop those rows.")]
        return []
    types = sorted({type(value).__name__ for value in column})
    if len(types) > 1:
        return [Fault(where, "labels must be of one type", ", ".join(types), "Write all of them as text.")]
    if not all(map(pd.api.types.is_hashable, column)):
        return [Fault(where, "must hold plain values", types[0])]
    if task == "regression":
        numbers = numbers_of(column)
        if numbers is None or np.isnan(numbers).any():
            return [Fault(where, "must be numbers for a regression", _shown(column))]
    return []


def class_faults(values: np.ndarray, classes: np.ndarray, n_folds: int, name: str) -> list[Fault]:
    """Return a fault if a class has fewer rows than there are folds.

    Parameters
    ----------
    values : ndarray of shape (n,)
        Class codes.
    classes : ndarray of shape (c,)
        Their labels.
    n_folds : int
        Rows a class must have.
    name : str
        The target's name.
    """
    rows = np.bincount(values, minlength=len(classes))
    rare = np.flatnonzero(rows < n_folds)
    if len(rare) == 0:
        return []
    came = ", ".join(f"{classes.tolist()[i]!r} with {rows[i]}" for i in rare[:5])
    came += f" and {len(rare) - 5} more classes" if len(rare) > 5 else ""
    remedy = 'Give rare_classes="drop" or "merge", or use fewer folds (cv).'
    return [Fault(f'target "{name}"', f"every class must have at least {n_folds} rows", came, remedy)]


def _shown(values: pd.Series) -> str:
    """Return up to five distinct values for a message."""
    return ", ".join(repr(value) for value in values.unique()[:5].tolist())


def _where(column: pd.Series) -> str:
    return f'target "{column.name}"'
