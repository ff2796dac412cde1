"""Effects of a column: predictions for chosen values of it, with all other columns as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from automl.explain.rows import Array, Part, sample_parts

__all__ = ["Effect", "effect_of"]

_POINTS = 15
_MOST_CATEGORIES = 12
_ROWS = 200
_TAILS = 0.02  # share of rows at each end of a numeric column without a point


@dataclass(frozen=True)
class Effect:
    """Partial dependence of the prediction on a column, and the curves of single rows (ICE).

    Parameters
    ----------
    column : str
        The column.
    values : ndarray of shape (v,)
        Values of the column.
    mean : ndarray of shape (v, c)
        Mean prediction: probabilities of c classes, or one number.
    rows : ndarray of shape (n, v, c)
        Prediction for each row.
    """

    column: str
    values: Array
    mean: Array
    rows: Array


def effect_of(parts: Sequence[Part], column: str, *, seed: int = 0) -> Effect:
    """Return the effect of a column on predictions.

    Parameters
    ----------
    parts : sequence of Part
        Rows and models.
    column : str
        A column of their tables.
    seed : int
        Seed of the sample of 200 rows.

    References
    ----------
    J. Friedman, "Greedy function approximation: a gradient boosting machine", Annals of Statistics 29 (2001).
    A. Goldstein et al., "Peeking inside the black box", Journal of Computational and Graphical Statistics 24 (2015).
    """
    whole = pd.concat([part.frame[column] for part in parts])
    values, kept = _grid(whole), sample_parts(parts, _ROWS, seed)
    by_part = []
    for part in kept:
        repeated = pd.concat([part.frame] * len(values), ignore_index=True)
        # Of the column's own type: a category or a date stays one.
        repeated[column] = values.repeat(len(part.y)).reset_index(drop=True)
        found = part.predict(repeated)
        numbers = found.probabilities if found.probabilities is not None else found.decision
        numbers = found.values if numbers is None else numbers
        by_part.append(np.asarray(numbers, dtype=float).reshape(len(values), len(part.y), -1).swapaxes(0, 1))
    rows = np.concatenate(by_part)
    return Effect(column, values.to_numpy(dtype=object), rows.mean(axis=0), rows)


def _grid(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return the values to predict for: quantiles of numbers and dates, the most frequent ones of others."""
    known = column.dropna()
    kind = column.dtype
    ordered = (
        pd.api.types.is_numeric_dtype(kind) or pd.api.types.is_datetime64_any_dtype(kind)
    ) and not pd.api.types.is_bool_dtype(kind)
    if ordered and known.nunique() > _MOST_CATEGORIES:
        at = known.sort_values().iloc[
            np.unique(
                np.linspace(_TAILS * (len(known) - 1), (1 - _TAILS) * (len(known) - 1), _POINTS).astype(int)
            )
        ]
        return at.drop_duplicates()
    counts = known.value_counts().index[:_MOST_CATEGORIES]
    chosen = known[known.isin(counts)].drop_duplicates()
    return chosen.sort_values() if ordered else chosen
