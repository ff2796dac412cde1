"""Averages of weights over the last epochs of training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from automl.descent.kernels import Array

__all__ = ["WeightAverage"]


class WeightAverage:
    """Mean weights of several trials over the last share ``average`` of their epochs.

    Parameters
    ----------
    configs : sequence of TrainConfig
        Settings of the trials.
    p : int
        Parameters of a trial.

    Attributes
    ----------
    mean : ndarray of shape (k, p) or None
        Means so far; None where no trial averages.
    counts : ndarray of shape (k,)
        Epochs that each mean is over.
    """

    def __init__(self, configs: Sequence[Any], p: int) -> None:
        self._starts = np.array([config.max_epochs * (1 - config.average) for config in configs])
        averages = any(config.average > 0 for config in configs)
        self.mean = np.zeros((len(configs), p), np.float32) if averages else None
        self.counts = np.zeros(len(configs), np.intp)

    def select(self, mask: Array) -> None:
        """Keep the trials where ``mask`` ``(k,)`` is true."""
        self._starts, self.counts = self._starts[mask], self.counts[mask]
        if self.mean is not None:
            self.mean = self.mean[mask]

    def update(self, theta: Array, epochs: int) -> None:
        """Add the weights ``(k, p)`` after ``epochs`` epochs to the means of the trials that average by then."""
        if self.mean is None:
            return
        averages = epochs > self._starts
        self.counts = self.counts + averages
        share = averages / np.maximum(self.counts, 1)
        self.mean += share[:, None].astype(np.float32) * (theta - self.mean)

    def weights(self, theta: Array) -> Array:
        """Return the parameters ``(k, p)`` to predict with: the means where there are any, else ``theta``."""
        if self.mean is None:
            return theta
        return np.where(self.counts[:, None] > 0, self.mean, theta)
