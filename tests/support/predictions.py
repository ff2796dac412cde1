"""Predictions for tests of metrics."""

import numpy as np

from automl.metrics import Predictions

RNG = np.random.default_rng(0)


def class_predictions(n_classes, n=60):
    """Return a target of ``n_classes`` codes and random predictions for it."""
    y = np.arange(n) % n_classes
    probabilities = RNG.dirichlet(np.ones(n_classes), size=n)
    return y, Predictions(probabilities.argmax(axis=1), probabilities)
