"""The difference of two trials that were scored on the same folds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import t as student

__all__ = ["paired_interval"]


def paired_interval(
    first: Sequence[float], second: Sequence[float], level: float = 0.95
) -> tuple[float, float, float]:
    """Return the mean difference ``first - second`` of fold scores, and the ends of its interval.

    The variance is corrected for training rows that folds share. With one fold the ends are infinite.

    Parameters
    ----------
    first, second : sequence of float
        Scores in the same folds. A trial that was stopped may lack the last ones: only folds of both are compared.
    level : float
        Level of the interval.

    References
    ----------
    C. Nadeau and Y. Bengio, "Inference for the generalization error", Machine Learning 52 (2003).

    Examples
    --------
    >>> [round(value, 3) for value in paired_interval([0.8, 0.82, 0.81], [0.7, 0.73, 0.7])]
    [0.1, 0.061, 0.139]
    >>> [round(value, 3) for value in paired_interval([0.8, 0.82, 0.81], [0.7])]
    [0.1, -inf, inf]
    """
    n = min(len(first), len(second))
    differences = np.subtract(first[:n], second[:n])
    mean = float(np.mean(differences))
    if n < 2:
        return mean, float("-inf"), float("inf")
    error = np.sqrt((1 / n + 1 / (n - 1)) * np.var(differences, ddof=1))
    half = float(student.ppf((1 + level) / 2, n - 1) * error)
    return mean, mean - half, mean + half
