"""A seeded random sample of the rows of a Parquet table, stratified by the target."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd

from automl.table.parquet_files import ParquetTable

__all__ = ["draw_rows"]

_MAX_STRATA = 1_000  # distinct values, above which the target is a number
_MIN_STRATUM = 20  # rows of each class that the sample has, if the table has them
_ALL = "all"


def draw_rows(table: ParquetTable, target: str, n_rows: int, seed: int) -> pd.DataFrame:
    """Return a random sample of the rows, in the order of the table.

    Each class of the target has its share of the sample, but at least 20 rows. The rows of a class are spread over the
    table: every block gives its share. The sample depends on the table, the size and the seed only.

    Parameters
    ----------
    table : ParquetTable
        The table.
    target : str
        Name of the target.
    n_rows : int
        Rows of the sample.
    seed : int
        Seed.
    """
    counts = _count(table, target)
    total = sum(counts.values())
    quota = {
        value: min(count, max(_MIN_STRATUM, round(n_rows * count / total))) for value, count in counts.items()
    }
    seen: Counter[Any] = Counter()
    parts = []
    for block in table.blocks():
        rng = np.random.default_rng([seed, block.start])
        chosen = []
        for value, rows in _strata(block.frame[target], counts).items():
            before, after = seen[value], seen[value] + len(rows)
            wanted = _share(after, quota[value], counts[value]) - _share(before, quota[value], counts[value])
            chosen.append(rng.choice(rows, wanted, replace=False))
            seen[value] = after
        parts.append(block.frame.iloc[np.sort(np.concatenate(chosen))])
    sample = pd.concat([part for part in parts if len(part)], ignore_index=True)
    for name in table.categories:  # blocks with other categories have become texts
        sample[name] = sample[name].astype("category")
    return sample


def _share(rows: int, quota: int, count: int) -> int:
    """Return the rows of the sample among the first ``rows`` of a class."""
    return rows * quota // count


def _count(table: ParquetTable, target: str) -> Counter[Any]:
    """Return the rows of each value of the target; of all rows together if it is a number."""
    counts: Counter[Any] = Counter()
    for block in table.blocks([target]):
        counts.update({value: len(rows) for value, rows in _groups(block.frame[target]).items()})
        if len(counts) > _MAX_STRATA:
            return Counter({_ALL: table.n_rows})
    return counts


def _strata(target: pd.Series, counts: Counter[Any]) -> dict[Any, np.ndarray]:
    """Return the positions of the rows of each stratum."""
    return {_ALL: np.arange(len(target))} if list(counts) == [_ALL] else _groups(target)


def _groups(target: pd.Series) -> dict[Any, np.ndarray]:
    """Return the positions of each value, as text; missing values together."""
    codes, values = pd.factorize(target, use_na_sentinel=False)
    order = np.argsort(codes, kind="stable")
    ends = np.cumsum(np.bincount(codes, minlength=len(values)))
    names = ["missing" if pd.isna(value) else f"value {_text(value)}" for value in values]
    return dict(zip(names, np.split(order, ends[:-1]), strict=True))


def _text(value: Any) -> str:
    """Return the text of a value, equal for 1 and 1.0: a block with missing values has floats."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
