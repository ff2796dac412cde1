"""The first pipeline step: bring every table to the columns and types of the training table."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from copy import copy
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from automl.errors import Fault, TableError, nearest
from automl.table.column_types import column_format, column_type, usable_columns
from automl.table.converters import as_booleans, as_dates, as_labels, as_numbers, as_texts
from automl.table.frames import as_frame, has_names, quoted, repeated_names
from automl.table.order import TargetOrder

__all__ = ["TypedColumns"]

_WIDE = 500  # columns

# Attributes of `TypedColumns` as models of version 0.1.0 name them, and those that they lack.
_OLD_ATTRIBUTES = {"kinds_": "column_types_", "layouts_": "date_formats_", "named_": "had_names_"}
_NEW_ATTRIBUTES: dict[str, Any] = {"types": None, "formats": None, "number_formats_": {}}


class TypedColumns(TransformerMixin, BaseEstimator):
    """Infer the type of each column, and convert every later table to the same types.

    Numbers and dates written as text become numbers and dates; blanks and infinite numbers become missing
    values. Constant columns, identifiers and free text are dropped. See `column_types.column_type`.

    Parameters
    ----------
    text : bool
        Whether free text is kept.
    types : dict of str to str, optional
        Types of columns by name: numeric, categorical, boolean, datetime, text or drop. Others are inferred.
    formats : dict of str to str, optional
        Formats of columns in ``types``: the `strptime` format of dates, or "," for decimal commas.

    Attributes
    ----------
    column_types_ : dict of str to str
        Each column's type: numeric, categorical, boolean, datetime, text, or (dropped) constant, identifier, drop.
    date_formats_ : dict of str to str
        The date format of each datetime column.
    number_formats_ : dict of str to str
        The decimal sign of each numeric column of texts with decimal commas.
    had_names_ : bool
        Whether the columns of the training table had names.
    n_features_in_ : int
        The number of input columns, dropped ones included.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names.

    Examples
    --------
    >>> import pandas as pd
    >>> X = pd.DataFrame({"delay": ["1.5", " "], "left": ["2013-01-01", None], "to": ["A", "B"]})
    >>> columns = TypedColumns().fit(X)
    >>> columns.column_types_
    {'delay': 'numeric', 'left': 'datetime', 'to': 'categorical'}
    >>> columns.transform(X)["delay"].tolist()
    [1.5, nan]
    """

    def __init__(
        self,
        text: bool = False,
        types: Mapping[str, str] | None = None,
        formats: Mapping[str, str] | None = None,
    ) -> None:
        self.text = text
        self.types = types
        self.formats = formats

    def fit(self, X: Any, y: Any = None) -> TypedColumns:
        """Infer the types of the columns that ``types`` does not name.

        Parameters
        ----------
        X : DataFrame, or another table that `as_frame` takes
            The raw table.
        y : array-like of shape (n,), optional
            The target. An integer column that counts the rows is used if the target follows its order.

        Raises
        ------
        TableError
            If names repeat, values are not plain, or a column of ``types`` that is used is missing.
        """
        types = dict(self.types or {})
        frame = self._with_names(X, types, None)
        faults = repeated_names(frame)
        if len(frame) == 0:
            faults.append(Fault("X", "must have at least one row", "no rows"))
        faults += self._missing(frame, usable_columns(types, text=self.text))
        if faults:
            raise TableError(faults)
        decimal = getattr(X, "attrs", {}).get("decimal", ".")
        target = None if y is None or len(y) != len(frame) else TargetOrder(y)
        column_types: dict[str, str] = {}
        formats: dict[str, str] = {}
        for name, column in zip(map(str, frame.columns), map(frame.__getitem__, frame.columns), strict=True):
            try:
                column_types[name], formats[name] = self._type_of(column, target, decimal)
            except TypeError as error:
                rule, remedy = "cells must be plain values", "Flatten or drop the column."
                faults.append(Fault(f'column "{name}"', rule, str(error), remedy))
        if faults:
            raise TableError(faults)
        if target is not None and not usable_columns(column_types, text=True):
            column_types |= _learnable(frame, column_types, types)
        self.column_types_ = column_types
        self.date_formats_ = {
            name: formats[name] for name, kind in column_types.items() if kind == "datetime"
        }
        self.number_formats_ = {
            name: formats[name] for name, kind in column_types.items() if kind == "numeric" and formats[name]
        }
        self.had_names_ = has_names(X)
        self.n_features_in_ = len(column_types)
        self.feature_names_in_ = np.array(list(column_types), dtype=object)
        return self

    @property
    def kinds_(self) -> dict[str, str]:
        """The name of ``column_types_`` in version 0.1.0."""
        return self.column_types_

    def fixed(self) -> TypedColumns:
        """Return a fitted copy whose clones keep these types and formats when they are fitted on other rows."""
        check_is_fitted(self)
        same = copy(self)
        same.types, same.formats = self.column_types_, self.date_formats_ | self.number_formats_
        return same

    def transform(self, X: Any) -> pd.DataFrame:
        """Return the usable columns, each converted to its type.

        Parameters
        ----------
        X : DataFrame, or another table that `as_frame` takes
            A table with the columns seen in `fit`, in any order and of any convertible dtype. Dropped columns may
            be missing. A table without names matches by position.

        Returns
        -------
        DataFrame of shape (n, number of columns kept)
            numeric and boolean columns as float64, datetime columns as datetime64[us] in UTC, categorical
            columns as pandas categories of texts, text columns as texts; NaN, NaT or "" where missing.

        Raises
        ------
        TableError
            Lists every missing and inconvertible column.

        Warns
        -----
        UserWarning
            If there are columns that the training table did not have; they are ignored.
        """
        check_is_fitted(self)
        frame = self._with_known_names(X)
        if not len(frame):
            raise TableError(Fault("X", "must have at least one row", "none"))
        converted, faults = {}, []
        for name in usable_columns(self.column_types_, text=self.text):
            try:
                converted[name], bad = self._convert(frame[name], self.column_types_[name])
            except TypeError as error:
                bad = [str(error)]
            if bad:
                rule = f"must hold {self.column_types_[name]} values, as in training"
                faults.append(Fault(f'column "{name}"', rule, quoted(bad)))
        if faults:
            raise TableError(faults)
        # Copied to one block, rows and columns of a wide table are selected many times faster.
        return pd.DataFrame(converted, index=frame.index, copy=len(converted) > _WIDE)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the columns kept, shape (number of columns kept,)."""
        check_is_fitted(self)
        return np.array(usable_columns(self.column_types_, text=self.text), dtype=object)

    def __setstate__(self, state: dict[str, Any]) -> None:
        known = {_OLD_ATTRIBUTES.get(name, name): value for name, value in state.items()}
        super().__setstate__(_NEW_ATTRIBUTES | known)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.string = tags.input_tags.categorical = True
        return tags

    def _convert(self, column: pd.Series, kind: str) -> tuple[np.ndarray | pd.Categorical, list[str]]:
        if kind == "datetime":
            return as_dates(column, self.date_formats_[str(column.name)])
        if kind == "categorical":
            return as_labels(column)
        if kind == "text":
            return as_texts(column)
        if kind == "boolean":
            return as_booleans(column)
        return as_numbers(column, self.number_formats_.get(str(column.name), "."))

    def _type_of(self, column: pd.Series, target: TargetOrder | None, decimal: str) -> tuple[str, str]:
        kind = (self.types or {}).get(str(column.name))
        if kind is None:
            return column_type(column, target, decimal=decimal)
        name, formats = str(column.name), self.formats
        if formats is None or (kind == "datetime" and name not in formats):
            return kind, column_format(column, kind, decimal=decimal)
        return kind, formats.get(name, "")

    def _with_known_names(self, X: Any) -> pd.DataFrame:
        frame = self._with_names(X, self.column_types_, self.had_names_)
        faults = repeated_names(frame)
        extra = [name for name in dict.fromkeys(frame.columns) if name not in self.column_types_]
        faults += self._missing(frame, usable_columns(self.column_types_, text=self.text), extra)
        if faults:
            raise TableError(faults)
        if extra:
            message = f"Columns that the training table did not have are ignored: {quoted(extra)}."
            warnings.warn(message, stacklevel=2)
        return frame

    def _with_names(self, X: Any, types: Mapping[str, str], named_before: bool | None) -> pd.DataFrame:
        """Return a table with the names of known columns; one without names matches by position."""
        frame, known, named = as_frame(X), list(types), has_names(X)
        by_name = named if named_before is None else named and named_before
        if not known or by_name or ((named or named_before is None) and set(known) <= set(frame.columns)):
            return frame
        for names in (known, usable_columns(types, text=self.text)):
            if frame.shape[1] == len(names):
                return frame.set_axis(names, axis=1)
        rule = f"a table without names must have the {len(known)} columns of the training table"
        remedy = (
            f"X has {frame.shape[1]} features, but TypedColumns is expecting {len(known)} features as input."
        )
        raise TableError(Fault("X", rule, f"{frame.shape[1]} columns", remedy))

    @staticmethod
    def _missing(frame: pd.DataFrame, needed: list[str], extra: list[str] | None = None) -> list[Fault]:
        there = set(frame.columns)
        return [
            Fault(
                f'column "{name}"',
                "must be in the table, as in training",
                "no such column",
                nearest(name, extra) if extra else "",
            )
            for name in needed
            if name not in there
        ]


def _learnable(
    frame: pd.DataFrame, column_types: Mapping[str, str], types: Mapping[str, str]
) -> dict[str, str]:
    """Return types for identifiers of a table that has nothing else: numbers if there are any, or categories."""
    names = [name for name, kind in column_types.items() if kind == "identifier" and name not in types]
    numbers = [name for name in names if not as_numbers(frame[name])[1]]
    return dict.fromkeys(numbers, "numeric") if numbers else dict.fromkeys(names, "categorical")
