"""Whether the order of a column's values tells something about the target."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

__all__ = ["TargetOrder"]

_SCORE = 3.0  # standard deviations above what shuffled rows would give


class TargetOrder:
    """Test whether rows that are sorted by a column have a sorted or clustered target.

    Three tests are made; one of them must exceed what shuffled rows give by three standard deviations:
    Spearman's correlation, or Kruskal and Wallis's test for classes; and the agreement of neighbours (for numbers
    the rank version of von Neumann's ratio, Bartels 1982).

    Parameters
    ----------
    y : array-like of shape (n,)
        The target: classes or numbers; missing values are left out.

    Examples
    --------
    >>> days = np.arange(100.0)
    >>> TargetOrder(days**2 / 7).follows(days), TargetOrder(np.arange(100) * 37 % 100 / 7).follows(days)
    (True, False)
    """

    def __init__(self, y: Any) -> None:
        column = pd.Series(np.asarray(y, dtype=object)).infer_objects()
        self._rows = np.flatnonzero(column.notna())
        column = column.iloc[self._rows]
        numbers = pd.api.types.is_numeric_dtype(column.dtype) and column.dtype != bool
        self._codes = pd.factorize(column)[0]
        self._counts = np.bincount(self._codes)
        many = numbers and len(self._counts) > 20
        self._ranks = column.rank().to_numpy() if many else None

    def follows(self, values: np.ndarray) -> bool:
        """Return whether the target follows the order of a column's distinct values, shape (n,)."""
        order = np.argsort(values[self._rows], kind="stable")
        if len(order) < 3 or len(self._counts) < 2:
            return False
        return bool((self._of_ranks(order) if self._ranks is not None else self._of_classes(order)) > _SCORE)

    def _of_ranks(self, order: np.ndarray) -> float:
        ranks, n = self._ranks[order] - self._ranks.mean(), len(order)  # type: ignore[index, union-attr]
        total = float((ranks**2).sum())
        places = np.arange(n) - (n - 1) / 2
        trend = abs(float(places @ ranks)) / np.sqrt(total * float((places**2).sum())) * np.sqrt(n - 1)
        ratio = float((np.diff(ranks) ** 2).sum()) / total
        return max(float(trend), float((2 - ratio) / np.sqrt(4 / n)))

    def _of_classes(self, order: np.ndarray) -> float:
        codes, counts, n = self._codes[order], self._counts, len(order)
        means = np.bincount(codes, weights=np.arange(n)) / counts - (n - 1) / 2
        spread = 12 / (n * (n + 1)) * float(counts @ means**2)
        freedom = len(counts) - 1
        trend = (spread - freedom) / np.sqrt(2 * freedom)
        share = float((counts / n) @ (counts / n))
        same = int((codes[1:] == codes[:-1]).sum())
        # With two classes the trend has one degree of freedom: its root is normal.
        trend = np.sqrt(spread) if freedom == 1 else trend
        agreement = (same - (n - 1) * share) / np.sqrt((n - 1) * share * (1 - share))
        return max(float(trend), float(agreement))
