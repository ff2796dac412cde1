"""The rows that an explanation is about, each with a model that did not see it in training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from automl.metrics import Predictions

__all__ = ["Array", "Part", "sample_parts"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Part:
    """Rows of a table and a model to explain on them.

    Parameters
    ----------
    predict : callable
        Returns the `Predictions` for a table of typed columns.
    frame : DataFrame of shape (n, p)
        The rows.
    y : ndarray of shape (n,)
        Their class codes or numbers.
    rows : ndarray of shape (n,)
        Their labels in the index of the table.
    weight : ndarray of shape (n,) or None
        Row weights of the score.
    """

    predict: Callable[[pd.DataFrame], Predictions]
    frame: pd.DataFrame
    y: Array
    rows: Array
    weight: Array | None = None

    def take(self, positions: Array) -> Part:
        """Return the part with these rows only."""
        weight = None if self.weight is None else self.weight[positions]
        return Part(self.predict, self.frame.iloc[positions], self.y[positions], self.rows[positions], weight)


def sample_parts(parts: Sequence[Part], n_rows: int, seed: int) -> list[Part]:
    """Return the parts with at most ``n_rows`` random rows in all, in proportion to their sizes."""
    total = sum(len(part.y) for part in parts)
    if total <= n_rows:
        return list(parts)
    rng = np.random.default_rng(seed)
    sizes = [max(1, n_rows * len(part.y) // total) for part in parts]
    return [
        part.take(np.sort(rng.choice(len(part.y), size, replace=False)))
        for part, size in zip(parts, sizes, strict=True)
    ]
