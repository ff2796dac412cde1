"""A table and a space whose search has an ensemble."""

from __future__ import annotations

from concurrent.futures import Future

import numpy as np
import pandas as pd
from sklearn.datasets import make_classification, make_regression

SPACE = {
    "space": {
        "model": {
            "choice": {
                "linear": {"learning_rate": {"low": 0.01, "high": 0.3, "log": True}, "max_epochs": 3},
                "decision_tree": {"max_depth": {"low": 4, "high": 9}, "min_samples_leaf": 5},
                "lightgbm": {"n_estimators": 20, "num_leaves": {"low": 2, "high": 8}},
            }
        }
    }
}


def table(task="binary"):
    """Return 1,000 rows on which trees and linear models err apart."""
    if task == "regression":
        X, y = make_regression(1000, 6, noise=20, random_state=0)
        return pd.DataFrame(X).add_prefix("f"), pd.Series(np.where(X[:, 0] > 0, y, -y), name="price")
    X, y = make_classification(1000, 8, n_informative=6, flip_y=0.1, n_classes=3, random_state=0)
    y = np.where(y == 2, 1, y) if task == "binary" else y
    return pd.DataFrame(X).add_prefix("f"), pd.Series(np.array(["no", "yes", "perhaps"])[y], name="answer")


def done(pipeline):
    """Return a fit that has ended."""
    fit = Future()
    fit.set_result(pipeline)
    return fit
