"""Importance of raw columns: the loss of score when their values are shuffled."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t as student

from automl.explain.rows import Array, Part
from automl.metrics import Metric

__all__ = ["column_groups", "permutation_importance"]

_SAME = 0.98  # correlation of ranks, from which two numeric columns are copies
_LEVEL = 0.95


def permutation_importance(
    parts: Sequence[Part],
    metric: Metric,
    *,
    n_repeats: int = 5,
    seed: int = 0,
    deadline: float = float("inf"),
) -> pd.DataFrame:
    """Return how much the score falls when a raw column is shuffled.

    Columns that are copies of each other are shuffled together: a model that can use either of them would not miss
    one. Repeats are left out once the time is up; each column has one at least.

    Parameters
    ----------
    parts : sequence of Part
        Rows, with models that did not see them.
    metric : Metric
        The score.
    n_repeats : int
        Shuffles of each column in each part.
    seed : int
        Seed of the shuffles.
    deadline : float
        Time of `time.monotonic` at which no further repeat starts.

    Returns
    -------
    DataFrame
        One row a column or group of copies, most important first: ``importance`` (mean loss of score), the ends
        ``low`` and ``high`` of its 95 % interval (Student's t over the parts), and ``columns`` (a list); the index is
        the name.

    References
    ----------
    L. Breiman, "Random forests", Machine Learning 45 (2001).
    """
    groups = column_groups(pd.concat([part.frame for part in parts]))
    base = [metric(part.y, part.predict(part.frame), part.weight) for part in parts]
    losses = np.full((len(groups), n_repeats, len(parts)), np.nan)
    for repeat in range(n_repeats):
        if repeat and time.monotonic() > deadline:
            break
        rngs = [np.random.default_rng([seed, repeat, n]) for n in range(len(parts))]
        orders = [rng.permutation(len(part.y)) for rng, part in zip(rngs, parts, strict=True)]
        for g, columns in enumerate(groups):
            for n, part in enumerate(parts):
                shuffled = part.predict(_shuffled(part.frame, columns, orders[n]))
                losses[g, repeat, n] = base[n] - metric(part.y, shuffled, part.weight)
    return _table(groups, losses)


def column_groups(frame: pd.DataFrame) -> list[list[str]]:
    """Return the columns of a table, copies together.

    Numeric columns are copies if their ranks correlate by 0.98 or more; other columns if their values map one to one.

    Examples
    --------
    >>> frame = pd.DataFrame({"metres": [1.0, 2, 4, 3], "feet": [3.3, 6.6, 13.1, 9.8], "town": ["a", "b", "a", "a"]})
    >>> column_groups(frame)
    [['metres', 'feet'], ['town']]
    """
    numeric = [name for name in frame if pd.api.types.is_numeric_dtype(frame[name].dtype)]
    ranked = frame[numeric].rank()
    ranks = (ranked - ranked.mean()).fillna(0).to_numpy(dtype=float)
    lengths = np.sqrt((ranks**2).sum(axis=0))
    ranks = ranks / np.where(lengths > 0, lengths, 1)
    near = np.abs(ranks.T @ ranks) >= _SAME
    codes = {name: pd.factorize(frame[name])[0] for name in frame if name not in numeric}
    groups: list[list[str]] = []
    for name in frame:
        for group in groups:
            first = group[0]
            both_numeric = name in numeric and first in numeric
            if (both_numeric and near[numeric.index(name), numeric.index(first)]) or (
                not both_numeric
                and name in codes
                and first in codes
                and _one_to_one(codes[name], codes[first])
            ):
                group.append(str(name))
                break
        else:
            groups.append([str(name)])
    return groups


def _one_to_one(first: Array, second: Array) -> bool:
    """Return whether two columns of codes differ only in the codes, one to one."""
    # Codes are numbered in the order of their first rows, so copies have the same ones.
    return bool(np.array_equal(first, second))


def _shuffled(frame: pd.DataFrame, columns: Sequence[str], order: Array) -> pd.DataFrame:
    changed: dict[Any, Any] = {name: frame[name].iloc[order].set_axis(frame.index) for name in columns}
    return frame.assign(**changed)


def _table(groups: Sequence[Sequence[str]], losses: Array) -> pd.DataFrame:
    """Return means and intervals of losses (groups, repeats, parts)."""
    by_part = np.nanmean(losses, axis=1)
    if by_part.shape[1] < 3:  # too few models to see how they differ
        by_part = losses.reshape(len(groups), -1)
    n = np.isfinite(by_part).sum(axis=1)
    mean = np.nanmean(by_part, axis=1)
    spread = np.array(
        [np.nanstd(row, ddof=1) if count > 1 else np.nan for row, count in zip(by_part, n, strict=True)]
    )
    half = student.ppf((1 + _LEVEL) / 2, np.maximum(1, n - 1)) * spread / np.sqrt(n)
    table = pd.DataFrame(
        {
            "importance": mean,
            "low": mean - half,
            "high": mean + half,
            "columns": [list(group) for group in groups],
        },
        index=pd.Index([" = ".join(group) for group in groups], name="column"),
    )
    return table.sort_values("importance", ascending=False, kind="stable")
