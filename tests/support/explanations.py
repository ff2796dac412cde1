"""An explanation for tests of figures and of the report."""

from __future__ import annotations

import numpy as np
import pandas as pd

from automl.explain import Part, explain
from automl.metrics import Predictions, metric_for

EVIL = "$\\frac$<b>"


def explanation(classes=None):
    """Return the explanation of a model of numbers, or of three classes, with a column named `EVIL`."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"a": rng.normal(size=90), "b": rng.normal(size=90), EVIL: rng.choice(["x", "y"], 90)}
    )
    codes = np.digitize(frame["a"], [-0.5, 0.5])

    def predict(rows):
        if classes is None:
            return Predictions(rows["a"].to_numpy() + (rows[EVIL] == "x").to_numpy())
        found = np.eye(3)[np.digitize(rows["a"], [-0.5, 0.5])] * 0.7 + 0.1
        return Predictions(found.argmax(axis=1), found)

    y = frame["a"].to_numpy() * 1.1 if classes is None else codes
    metric = metric_for("r2", "regression") if classes is None else metric_for("accuracy", "multiclass", 3)
    parts = [Part(predict, frame.iloc[at::3], y[at::3], np.arange(30)) for at in range(3)]
    return explain(parts, metric, classes=classes, decode=lambda found: found, source="trial 3", top=3)
