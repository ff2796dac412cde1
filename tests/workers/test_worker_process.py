"""Worker processes of a script without ``if __name__ == "__main__"``."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import numpy as np
import pandas as pd
from automl.families import Problem
from automl.metrics import objectives_for
from automl.records import TrialSpec
from automl.table import TypedColumns, make_folds
from automl.workers import Cohort, Finished, ProcessWorkers, WorkerContext

print("started", flush=True)

class Constant:
    def __call__(self, estimator, X, y):
        return score()

def score():
    return 0.25

rng = np.random.default_rng(0)
X = pd.DataFrame(rng.normal(size=(60, 3)), columns=["a", "b", "c"])
y = (X["a"] > 0).to_numpy().astype(int)
columns = TypedColumns()
context = WorkerContext(
    frame=columns.fit_transform(X),
    column_types=columns.column_types_,
    y=y,
    problem=Problem("binary", 2),
    folds=make_folds(y, "binary", 2, 0, None),
    objectives=objectives_for(Constant(), None, "binary", 2),
    random_state=0,
)
workers = ProcessWorkers(context, 1)
trial = TrialSpec(number=0, configuration={"model": {"linear": {"max_epochs": 1}}}, params={}, seed=0)
workers.submit(Cohort(0, (trial,)))
while not isinstance(event := workers.next(60), Finished):
    event.reply(set())
print(event.records[0].score, flush=True)
workers.close()
"""


@pytest.mark.slow
def test_unguarded_script_sends_its_own_scorer(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    result = subprocess.run(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.stdout.split() == ["started", "0.25"], result.stderr
    assert result.stderr == ""
