"""Warnings of cells of another type than the others of their column."""

from __future__ import annotations

import warnings

import numpy as np

from automl.table.converters import RawColumn

__all__ = ["warn_of_coerced", "warn_of_odd"]

_EXAMPLES = 5
_KINDS = {"numeric": "numbers", "datetime": "dates"}


def warn_of_coerced(raw: RawColumn, kind: str, other: np.ndarray) -> None:
    """Warn that some cells of a column of numbers or dates become missing.

    Parameters
    ----------
    raw : RawColumn
        The column.
    kind : {"numeric", "datetime"}
        Its type.
    other : ndarray of shape (n,)
        Rows of another type.
    """
    remedy = f'Correct them, or keep all texts: columns={{"{raw.name}": "categorical"}}.'
    _warn(raw, kind, other, "become missing", remedy)


def warn_of_odd(raw: RawColumn, kind: str, other: np.ndarray) -> None:
    """Warn that a column is no column of numbers or dates, because too many cells are none."""
    remedy = f'Correct them, or have them missing: columns={{"{raw.name}": "{kind}"}}.'
    _warn(raw, kind, other, "make it a column of texts", remedy)


def _warn(raw: RawColumn, kind: str, other: np.ndarray, what: str, remedy: str) -> None:
    rows = np.flatnonzero(other)
    labels = raw.column.index[rows[:_EXAMPLES]]
    cells = [f'"{raw.column.iloc[row]}" (row {label})' for row, label in zip(rows, labels, strict=False)]
    more = f" and {len(rows) - _EXAMPLES:,} more" if len(rows) > _EXAMPLES else ""
    warnings.warn(
        f'column "{raw.name}": {len(rows):,} of {len(raw.column):,} cells are no {_KINDS[kind]} and {what}: '
        f"{', '.join(cells)}{more}. {remedy}",
        stacklevel=6,
    )
