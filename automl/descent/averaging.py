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
    """

    def __init__(self, configs: Sequence[Any], p: int) -> None:
        self._starts = np.array([config.max_epochs * (1 - config.average) for config in configs])
        self._mean = np.zeros((len(configs), p), np.float32)
        self._counts = np.zeros(len(configs), np.intp)

    def select(self, mask: Array) -> None:
        """Keep the trials where ``mask`` ``(k,)`` is true."""
        self._starts, self._counts, self._mean = self._starts[mask], self._counts[mask], self._mean[mask]

    def update(self, theta: Array, epochs: int) -> None:
        """Add the weights ``(k, p)`` after ``epochs`` epochs to the means of the trials that average by then."""
        averages = epochs > self._starts
        self._counts = self._counts + averages
        share = averages / np.maximum(self._counts, 1)
        self._mean += share[:, None].astype(np.float32) * (theta - self._mean)

    def weights(self, theta: Array) -> Array:
        """Return the parameters ``(k, p)`` to predict with: the means where there are any, else ``theta``."""
        return np.where(self._counts[:, None] > 0, self._mean, theta)

    def state_of(self, i: int) -> tuple[Array, int]:
        """Return the mean ``(p,)`` of a trial and the number of epochs that it is over."""
        return self._mean[i].copy(), int(self._counts[i])

    def load_state(self, i: int, mean: Array | None, count: int) -> None:
        """Continue a trial from a state; without a mean from an empty one."""
        self._counts[i] = count
        if mean is not None:
            self._mean[i] = mean
