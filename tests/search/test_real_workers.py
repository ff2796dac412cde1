"""The search loop with real workers, a real study and real cohorts."""

import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pandas as pd
import pytest

from automl.families import Problem, load_space
from automl.metrics import objectives_for
from automl.records import SearchRecord
from automl.search import Admission, Budget, Loop, Observers, SearchSpec
from automl.study import Session, create_study, make_pruner, make_sampler
from automl.table import TypedColumns, make_folds
from automl.tracking import NullProgress
from automl.workers import (
    WorkerContext,
    open_workers,
)
from tests.support.scripted import (
    ScriptedTracker,
)
from tests.support.trials import TIMES

SPACE = {
    "space": {
        "model": {
            "choice": {
                "linear": {"learning_rate": {"low": 1e-3, "high": 1, "log": True}, "max_epochs": 6},
                "decision_tree": {"max_depth": {"low": 1, "high": 6}},
            }
        }
    }
}


def real_loop(n_jobs, storage, pruner="median", epoch_steps=1, **limits):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(120, 4)), columns=list("abcd"))
    y = (X["a"] + rng.normal(size=120) > 0).to_numpy().astype(int)
    columns = TypedColumns()
    frame = columns.fit_transform(X)
    problem, folds = Problem("binary", 2), make_folds(y, "binary", 3, 0, None)
    objectives = objectives_for("roc_auc", None, "binary", 2)
    about = SearchRecord(
        study_name="s", task="binary", target="y", scoring="roc_auc", space="s", space_digest="0",
        n_rows=120, n_columns=4, n_folds=3, random_state=0, epoch_steps=epoch_steps,
    )  # fmt: skip
    study = create_study("s", storage, sampler=make_sampler("tpe", 0), pruner=make_pruner(pruner))
    spec = SearchSpec(facts=about, settings={"refit": False, **limits})
    context = WorkerContext(frame, columns.column_types_, y, problem, folds, objectives, 0, epoch_steps)
    workers, tracker = open_workers(context, n_jobs), ScriptedTracker()
    return Loop(
        spec,
        Session(study, load_space(SPACE), about),
        workers,
        Admission(spec, Budget(**limits), workers, tracker),
        Observers(tracker, NullProgress()),
    )


@pytest.mark.slow
@pytest.mark.parametrize("epoch_steps", [1, 4])
def test_loop_gives_the_same_records_with_two_jobs(tmp_path, epoch_steps):
    found = []
    for n_jobs in (1, 2):
        # this pruner also compares with running trials
        search = real_loop(
            n_jobs, tmp_path / f"{n_jobs}.journal", "successive_halving", epoch_steps, n_trials=32
        )
        search.run()
        found.append([one.model_dump(exclude=TIMES) for one in search.records])
    assert sorted(one["number"] for one in found[0]) == list(range(32))
    assert "pruned" in {one["state"] for one in found[0]}
    for one, other in zip(*found, strict=True):
        assert one == other


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs process groups")
def test_loop_prints_nothing_when_interrupted(tmp_path):
    script = textwrap.dedent(f"""
        import importlib.util, sys
        spec = importlib.util.spec_from_file_location("test_loop", {__file__!r})
        tests = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(tests)
        tests.SPACE["space"]["model"]["choice"] = {{"linear": {{"max_epochs": {{"low": 10**5, "high": 2 * 10**5}}}}}}
        search = tests.real_loop(2, {str(tmp_path / "s.journal")!r}, "none", timeout=60)
        report = search._session.report
        search._session.report = lambda *args: print("rung", flush=True) or report(*args)
        search.run()
        print(search.interrupted, {{one.reason for one in search.records}}, flush=True)
    """)
    child = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    with child:
        assert child.stdout.readline() == "rung\n"
        os.killpg(child.pid, signal.SIGINT)
        out, err = child.communicate(timeout=30)
    assert err == ""
    assert out.splitlines()[-1] == "True {'the search was interrupted'}"
    assert child.returncode == 0
