"""``python -m automl.descent``: compile now, so that the first search on a machine does not have to."""

from __future__ import annotations

import time

import numpy as np

from automl.descent import ACTIVATIONS, LOSSES, Architecture, TrainConfig, Training
from automl.descent.kernels import uses_numba


def compile_all() -> None:
    """Train tiny cohorts of every loss with probabilities and every activation, which fills Numba's cache."""
    X, codes = np.eye(40, dtype=np.float32), np.arange(40)
    for name, loss in LOSSES.items():
        if not loss.probabilities:
            continue
        classes = 2 if "binary" in loss.tasks else 3
        for hidden, activation in (((), "relu"), *(((4,), activation) for activation in ACTIVATIONS)):
            config = TrainConfig(max_epochs=1, activation=activation, dropout=0.5 if hidden else 0.0)
            # few trials and many lay out the product in different ways
            for configs in ([config], [config] * 9):
                outputs = 1 if classes == 2 else classes
                Training(Architecture(name, hidden), configs, X, codes % classes, n_outputs=outputs).advance(
                    1
                )


if __name__ == "__main__":
    start = time.process_time()
    compile_all()
    seconds = time.process_time() - start
    print(
        f"compiled or read in {seconds:.1f} s" if uses_numba() else "Numba is not installed or switched off."
    )
