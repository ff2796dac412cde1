"""The first pipeline step: bring every table to the columns and types of the training table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from automl.errors import Fault, TableError, nearest
from automl.table.column_types import column_type, usable_columns
from automl.table.converters import as_booleans, as_dates, as_labels, as_numbers, as_texts

__all__ = ["TypedColumns", "as_frame", "repeated_names"]

_WIDE = 500  # columns

# Attributes of `TypedColumns` as models of version 0.1.0 name them.
_OLD_ATTRIBUTES = {"kinds_": "column_types_", "layouts_": "date_formats_", "named_": "had_names_"}


def as_frame(X: Any) -> pd.DataFrame:
    """Return a DataFrame with string column names; columns of an array are ``x0``, ``x1``, ....

    Parameters
    ----------
    X : DataFrame, or array-like of shape (n, d)
        The table.

    Raises
    ------
    TableError
        If it is not two-dimensional or has no columns.
    """
    if isinstance(X, pd.DataFrame):
        frame = X.set_axis([str(name) for name in X.columns], axis=1)
    else:
        array = np.asarray(X)
        if array.ndim != 2:
            came = f"{type(X).__name__} with {array.ndim} axes"
            raise TableError(
                Fault("X", "must be a table of rows and columns", came, "Give a DataFrame or a 2-d array.")
            )
        frame = pd.DataFrame(array, columns=[f"x{i}" for i in range(array.shape[1])], copy=False)
    if frame.shape[1] == 0:
        raise TableError(Fault("X", "must have at least one column", "no columns"))
    return frame


def repeated_names(frame: pd.DataFrame) -> list[Fault]:
    """Return a fault if column names repeat."""
    repeated = list(dict.fromkeys(frame.columns[frame.columns.duplicated()]))
    if not repeated:
        return []
    return [Fault("X", "every column name must occur once", f"{_quoted(repeated)} repeated", "Rename them.")]


class TypedColumns(TransformerMixin, BaseEstimator):
    """Infer the type of each column, and convert every later table to the same types.

    Numbers and dates written as text become numbers and dates; blanks and infinite numbers become missing
    values. Constant columns, identifiers and free text are dropped. See `column_types.column_type`.

    Parameters
    ----------
    text : bool
        Whether free text is kept.

    Attributes
    ----------
    column_types_ : dict of str to str
        Each column's type: numeric, categorical, boolean, datetime, text, or (dropped) constant, identifier.
    date_formats_ : dict of str to str
        The date format of each datetime column.
    had_names_ : bool
        Whether the training table was a DataFrame.
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

    def __init__(self, text: bool = False) -> None:
        self.text = text

    def fit(self, X: Any, y: Any = None) -> TypedColumns:
        """Infer each column's type.

        Parameters
        ----------
        X : DataFrame, or array-like of shape (n, d)
            The raw table.
        y : object
            Not used.

        Raises
        ------
        TableError
            If names repeat, or values are not plain.
        """
        frame = as_frame(X)
        faults = repeated_names(frame)
        if len(frame) == 0:
            faults.append(Fault("X", "must have at least one row", "no rows"))
        if faults:
            raise TableError(faults)
        column_types: dict[str, str] = {}
        date_formats: dict[str, str] = {}
        for name in frame.columns:
            try:
                column_types[name], layout = column_type(frame[name])
            except TypeError as error:
                faults.append(
                    Fault(
                        f'column "{name}"',
                        "cells must be plain values",
                        str(error),
                        "Flatten or drop the column.",
                    )
                )
                continue
            if layout:
                date_formats[name] = layout
        if faults:
            raise TableError(faults)
        self.column_types_ = column_types
        self.date_formats_ = date_formats
        self.had_names_ = isinstance(X, pd.DataFrame)
        self.n_features_in_ = len(column_types)
        self.feature_names_in_ = np.array(list(column_types), dtype=object)
        return self

    def transform(self, X: Any) -> pd.DataFrame:
        """Return the usable columns, each converted to its type.

        Parameters
        ----------
        X : DataFrame, or array-like of shape (n, n_features_in_)
            A table with the columns seen in `fit`, in any order and of any convertible dtype.

        Returns
        -------
        DataFrame of shape (n, number of columns kept)
            numeric and boolean columns as float64, datetime columns as datetime64[us] in UTC, categorical
            columns as pandas categories of texts, text columns as texts; NaN, NaT or "" where missing.

        Raises
        ------
        TableError
            Lists every missing, extra and inconvertible column.
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
                faults.append(Fault(f'column "{name}"', rule, _quoted(bad)))
        if faults:
            raise TableError(faults)
        # Copied to one block, rows and columns of a wide table are selected many times faster.
        return pd.DataFrame(converted, index=frame.index, copy=len(converted) > _WIDE)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the columns kept, shape (number of columns kept,)."""
        check_is_fitted(self)
        return np.array(usable_columns(self.column_types_, text=self.text), dtype=object)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__({_OLD_ATTRIBUTES.get(name, name): value for name, value in state.items()})

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
        return as_booleans(column) if kind == "boolean" else as_numbers(column)

    def _with_known_names(self, X: Any) -> pd.DataFrame:
        frame, known = as_frame(X), list(self.column_types_)
        # A model trained on a DataFrame also takes an array, and vice versa: columns match by position.
        by_place = self.had_names_ != isinstance(X, pd.DataFrame) and not set(known) <= set(frame.columns)
        if by_place and frame.shape[1] == len(known):
            return frame.set_axis(known, axis=1)
        faults = repeated_names(frame)
        extra = [name for name in dict.fromkeys(frame.columns) if name not in self.column_types_]
        missing = [name for name in known if name not in frame.columns]
        if by_place:
            rule = f"must have the {len(known)} columns of the training table"
            faults.append(Fault("X", rule, f"{frame.shape[1]} columns"))
        else:
            rule = "must be in the table, as in training"
            faults += [
                Fault(f'column "{name}"', rule, "no such column", nearest(name, extra) if extra else "")
                for name in missing
            ]
            if extra:
                rule, remedy = "must have only the columns of the training table", "Drop or rename them."
                faults.append(Fault("X", rule, f"also {_quoted(extra)}", remedy))
        if faults:
            raise TableError(faults)
        return frame


def _quoted(names: list[str], most: int = 5) -> str:
    shown = ", ".join(f'"{name}"' for name in names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
