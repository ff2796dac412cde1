"""``python -m automl.descent``: compile now what Numba would compile in the first search of a machine."""

from __future__ import annotations

import time

import numpy as np

from automl.descent import Architecture, TrainConfig, Training
from automl.descent.accelerated import uses_numba


def compile_all() -> None:
    """Train tiny cohorts that need every compiled twin, and so leave them in Numba's cache."""
    X, codes = np.eye(40, dtype=np.float32), np.arange(40)
    for loss, classes, n_outputs in (("logistic", 2, 1), ("softmax", 3, 3)):
        for hidden, activation in (((), "relu"), ((4,), "relu"), ((4,), "tanh")):
            config = TrainConfig(max_epochs=1, activation=activation, dropout=0.5 if hidden else 0.0)
            # few trials and many, which read their rows in different ways
            for configs in ([config], [config] * 9):
                y = codes % classes
                Training(Architecture(loss, hidden), configs, X, y, n_outputs=n_outputs).advance(1)


if __name__ == "__main__":
    start = time.process_time()
    compile_all()
    took = time.process_time() - start
    print(f"compiled or read in {took:.1f} s" if uses_numba() else "Numba is not installed, or switched off.")
