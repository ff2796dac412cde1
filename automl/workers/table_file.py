"""The typed table in a file that workers map into memory."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import joblib
import numpy as np
import pandas as pd

from automl.families import Array

__all__ = ["columns_reader", "read_table_file", "write_table_file"]

_MANY = 100  # columns of categories that are arrays of their own; each mapped array is an open file


@dataclass(frozen=True)
class _Packed:
    """A table whose codes of categories are columns of a few arrays.

    Parameters
    ----------
    names : list of str
        All columns, in order.
    others : DataFrame
        The other columns.
    codes : dict of str to ndarray of shape (n, k)
        Codes by their type.
    places : dict of str to (str, int)
        Type and position of the codes of each column.
    pickled : bytes
        ``dtypes``, pickled: joblib would take ten times as long for thousands of them.
    """

    names: list[str]
    others: pd.DataFrame
    codes: dict[str, Array]
    places: dict[str, tuple[str, int]]
    pickled: bytes

    @cached_property
    def dtypes(self) -> dict[str, pd.CategoricalDtype]:
        """The categories of each column."""
        found: dict[str, pd.CategoricalDtype] = pickle.loads(self.pickled)
        return found

    @classmethod
    def of(cls, frame: pd.DataFrame) -> _Packed:
        dtypes = {name: of for name, of in frame.dtypes.items() if isinstance(of, pd.CategoricalDtype)}
        columns = {str(name): cast(pd.Categorical, frame[name].array).codes for name in dtypes}
        by_type: dict[str, list[str]] = {}
        for name, column in columns.items():
            by_type.setdefault(column.dtype.name, []).append(name)
        codes = {
            of: np.asfortranarray(np.column_stack([columns[name] for name in names]))
            for of, names in by_type.items()
        }
        places = {name: (of, i) for of, names in by_type.items() for i, name in enumerate(names)}
        others = frame.drop(columns=list(dtypes))
        return cls(list(frame.columns), others, codes, places, pickle.dumps(dtypes))

    def frame(self, names: Sequence[str] | None = None) -> pd.DataFrame:
        """Return the table, or some of its columns."""
        columns: dict[str, Any] = {}
        for name in self.names if names is None else names:
            if name not in self.places:
                columns[name] = self.others[name]
                continue
            of, position = self.places[name]
            codes = self.codes[of][:, position]
            columns[name] = pd.Categorical.from_codes(
                cast(Any, codes), dtype=self.dtypes[name], validate=False
            )
        return pd.DataFrame(columns, index=self.others.index, copy=False)


def write_table_file(frame: pd.DataFrame, file: Path) -> None:
    """Write a typed table."""
    many = sum(isinstance(of, pd.CategoricalDtype) for of in frame.dtypes) > _MANY
    joblib.dump(_Packed.of(frame) if many else frame, file)


def read_table_file(file: Path) -> pd.DataFrame:
    """Return a typed table whose values are mapped from the file."""
    found = joblib.load(file, mmap_mode="r")
    return cast(pd.DataFrame, found.frame() if isinstance(found, _Packed) else found)


def columns_reader(file: Path) -> Callable[[list[str]], pd.DataFrame]:
    """Return a function that returns some columns of a typed table.

    Each call maps the file again, because pages of a mapped file stay in memory. A table with many columns of
    categories is loaded once: its codes are small, and loading it takes long.
    """
    found = joblib.load(file, mmap_mode="r")
    if isinstance(found, _Packed):
        return found.frame
    del found
    return lambda names: read_table_file(file)[names]
