"""Half-samples: trials are selected on one half of the rows and scored on the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["best_of_each", "means_of_best", "one_of_best", "random_halves"]

Array = npt.NDArray[Any]

_SAME = 1e-12  # relative difference of equal scores


def random_halves(rng: np.random.Generator, n: int, n_resamples: int) -> Array:
    """Return how often each of n rows counts in each resample, two times or never; the second half is the rest."""
    order = rng.random((n_resamples // 2, n)).argsort(axis=1).argsort(axis=1)
    odd = rng.integers(0, 2, size=(n_resamples // 2, 1))
    first = 2 * (order < (n + odd) // 2)
    return np.concatenate([first, 2 - first])


def best_of_each(scores: Array) -> Array:
    """Return which trials are best in each resample, as a mask: several if their scores are equal."""
    known = np.where(np.isfinite(scores), scores, -np.inf)
    most = known.max(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.isfinite(most) & (known >= most - _SAME * np.abs(most)))


def means_of_best(scores: Array, best: Array) -> Array:
    """Return the mean score of the best trials of each resample; NaN where none is defined."""
    known = best & np.isfinite(scores)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(known, scores, 0).sum(axis=1) / known.sum(axis=1))


def one_of_best(rng: np.random.Generator, best: Array) -> Array:
    """Return the number of a best trial of each resample, drawn at random; 0 where none is defined."""
    return np.array([rng.choice(np.flatnonzero(row)) if row.any() else 0 for row in best])
