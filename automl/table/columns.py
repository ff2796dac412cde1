"""The first pipeline step: bring every table to the columns and types of the training table."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from automl.errors import Fault, TableError, nearest
from automl.table.coerced import warn_of_coerced, warn_of_odd
from automl.table.column_types import (
    DROPPED,
    ColumnType,
    column_format,
    column_type,
    odd_cells,
    usable_columns,
)
from automl.table.converters import Converted, RawColumn
from automl.table.frames import as_frame, has_names, quoted, repeated_names
from automl.table.order import TargetOrder
from automl.table.threads import map_columns

__all__ = ["TypedColumns"]

_WIDE = 500  # columns

# Attributes of `TypedColumns` as models of version 0.1.0 name them, and those that they lack.
_OLD_ATTRIBUTES = {"kinds_": "column_types_", "layouts_": "date_formats_", "named_": "had_names_"}
_NEW_ATTRIBUTES: dict[str, Any] = {
    "types": None,
    "formats": None,
    "coerce": (),
    "number_formats_": {},
    "coerced_": [],
}


class _TypedColumn(NamedTuple):
    """A column with its type, and its values if they were asked for."""

    raw: RawColumn
    found: ColumnType
    converted: Converted | None = None
    odd: tuple[str, np.ndarray] | None = None  # see `odd_cells`
    error: str = ""  # the values are not plain


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
    coerce : sequence of str
        Columns in ``types`` whose cells of another type become missing.

    Attributes
    ----------
    column_types_ : dict of str to str
        Each column's type: numeric, categorical, boolean, datetime, text, or (dropped) constant, identifier, drop.
    date_formats_ : dict of str to str
        The date format of each datetime column.
    number_formats_ : dict of str to str
        The decimal sign of each numeric column of texts with decimal commas.
    coerced_ : list of str
        Columns of numbers or dates with a few cells of another type; these cells become missing.
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
        coerce: Sequence[str] = (),
    ) -> None:
        self.text = text
        self.types = types
        self.formats = formats
        self.coerce = coerce

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

        Warns
        -----
        UserWarning
            Of the cells in ``coerced_`` columns that become missing.
        """
        self._fit(X, y, convert=False)
        return self

    def fit_transform(self, X: Any, y: Any = None, **_: Any) -> pd.DataFrame:
        """Infer the types, and return the usable columns; faster than `fit` and `transform`, which see all cells twice.

        Parameters, errors and warnings are those of `fit` and `transform`.
        """
        frame, columns = self._fit(X, y, convert=True)
        return self._converted_frame(frame, columns, "as requested")

    def _fit(self, X: Any, y: Any, *, convert: bool) -> tuple[pd.DataFrame, dict[str, _TypedColumn]]:
        """Set the attributes, and return the columns by name."""
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

        def typed(name: str) -> _TypedColumn:
            raw = RawColumn(frame[name])
            try:
                found = self._type_of(raw, target, decimal)
                kept = convert and (found.kind not in DROPPED or (self.text and found.kind == "text"))
                odd = None if raw.name in types else odd_cells(raw, found)
                return _TypedColumn(raw.bare(), found, self._convert(raw, found) if kept else None, odd)
            except TypeError as error:
                return _TypedColumn(raw, ColumnType("drop"), error=str(error))

        read = map_columns(typed, frame.columns, frame.size)
        rule, remedy = "cells must be plain values", "Flatten or drop the column."
        faults = [Fault(f'column "{one.raw.name}"', rule, one.error, remedy) for one in read if one.error]
        if faults:
            raise TableError(faults)
        columns = {one.raw.name: one for one in read}
        found = {name: one.found for name, one in columns.items()}
        if target is not None and not usable_columns(
            {name: one.kind for name, one in found.items()}, text=True
        ):
            found |= _learnable(columns, types)
        self.column_types_ = {name: one.kind for name, one in found.items()}
        self.date_formats_ = {name: one.layout for name, one in found.items() if one.kind == "datetime"}
        self.number_formats_ = {
            name: one.layout for name, one in found.items() if one.kind == "numeric" and one.layout
        }
        self.coerced_ = [name for name, one in found.items() if one.coerced]
        self.had_names_ = has_names(X)
        self.n_features_in_ = len(found)
        self.feature_names_in_ = np.array(list(found), dtype=object)
        for one in read:
            if one.odd is not None:
                warn_of_odd(one.raw, *one.odd)
        if not convert:
            for name in self.coerced_:
                other = self._convert(columns[name].raw, found[name]).other
                if other is not None:
                    warn_of_coerced(columns[name].raw, found[name].kind, other)
        return frame, columns

    @property
    def kinds_(self) -> dict[str, str]:
        """The name of ``column_types_`` in version 0.1.0."""
        return self.column_types_

    def fixed(self) -> TypedColumns:
        """Return a fitted copy whose clones keep these types and formats when they are fitted on other rows."""
        check_is_fitted(self)
        same = copy(self)
        same.types, same.formats = self.column_types_, self.date_formats_ | self.number_formats_
        same.coerce = list(self.coerced_)
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

        def typed(name: str) -> _TypedColumn:
            raw, found = RawColumn(frame[name]), self._known_type(name)
            try:
                return _TypedColumn(raw.bare(), found, self._convert(raw, found))
            except TypeError as error:
                return _TypedColumn(raw, found, error=str(error))

        names = usable_columns(self.column_types_, text=self.text)
        read = map_columns(typed, names, len(frame) * len(names))
        return self._converted_frame(frame, {one.raw.name: one for one in read}, "as in training")

    def _converted_frame(
        self, frame: pd.DataFrame, columns: Mapping[str, _TypedColumn], reason: str
    ) -> pd.DataFrame:
        """Return the usable columns, and warn of cells that became missing.

        Raises
        ------
        TableError
            Lists the other columns with values of another type.
        """
        values, faults, coerced = {}, [], []
        for name in usable_columns(self.column_types_, text=self.text):
            raw, _, converted, _, error = columns[name]
            found, bad = self._known_type(name), [error] if error else []
            if not error:
                converted = converted or self._convert(raw, found)
                values[name] = converted.values
                if converted.other is not None and found.coerced:
                    coerced.append((raw, found.kind, converted.other))
                elif converted.other is not None:
                    bad = raw.examples(converted.other)
            if bad:
                rule = f"must hold {found.kind} values, {reason}"
                faults.append(Fault(f'column "{name}"', rule, quoted(bad)))
        if faults:
            raise TableError(faults)
        for one in coerced:
            warn_of_coerced(*one)
        # Copied to one block, rows and columns of a wide table are selected many times faster.
        return pd.DataFrame(values, index=frame.index, copy=len(values) > _WIDE)

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

    @staticmethod
    def _convert(raw: RawColumn, found: ColumnType) -> Converted:
        if found.kind == "datetime":
            return raw.dates(found.layout)
        if found.kind == "categorical":
            return raw.labels()
        if found.kind == "text":
            return raw.strings()
        if found.kind == "boolean":
            return raw.booleans()
        return raw.numbers(found.layout or ".", strict=found.coerced)

    def _known_type(self, name: str) -> ColumnType:
        """Return the type of a column after `fit`."""
        kind = self.column_types_[name]
        layout = (self.date_formats_ if kind == "datetime" else self.number_formats_).get(name, "")
        return ColumnType(kind, layout, name in self.coerced_)

    def _type_of(self, raw: RawColumn, target: TargetOrder | None, decimal: str) -> ColumnType:
        kind, name, formats = (self.types or {}).get(raw.name), raw.name, self.formats
        if kind is None:
            return column_type(raw, target, decimal=decimal)
        if formats is None or (kind == "datetime" and name not in formats):
            return column_format(raw, kind, decimal=decimal)
        return ColumnType(kind, formats.get(name, ""), name in self.coerce)

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


def _learnable(columns: Mapping[str, _TypedColumn], types: Mapping[str, str]) -> dict[str, ColumnType]:
    """Return types for identifiers of a table that has nothing else: numbers if there are any, or categories."""
    names = [name for name, one in columns.items() if one.found.kind == "identifier" and name not in types]
    numbers = [name for name in names if columns[name].raw.numbers().other is None]
    kind = "numeric" if numbers else "categorical"
    return dict.fromkeys(numbers or names, ColumnType(kind))
