"""The plan of a search."""

import time

import numpy as np
import pandas as pd

from automl.search import make_plan


def test_plan_of_a_wide_table_takes_a_second():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(300, 4_000)), columns=[f"g{i}" for i in range(4_000)])
    settings = {"space": "tabular", "scoring": None, "cv": None, "groups": None, "random_state": 0}
    start = time.process_time()
    plan = make_plan(X, np.where(X["g0"] > 0, "a", "b"), timeout=15, **settings)
    assert time.process_time() - start < 5  # 14 s where the time grows with the square of the columns
    assert len(plan.folds) == 1
    assert make_plan(X.iloc[:, :20], np.where(X["g0"] > 0, "a", "b"), **settings).hold_out == 0.2
