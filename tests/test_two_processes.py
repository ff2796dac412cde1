"""Two processes that search one study, and one of them dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from optuna.trial import TrialState

from automl.errors import SettingError
from automl.resume import sync
from automl.study import load_study, read_records
from tests.kill_and_resume import check_mlflow

ROOT = Path(__file__).parents[1]
N_TRIALS = 120
SEARCH = """
import json, sys
from tests.kill_and_resume import search

def wait(study, trial, told=[]):
    if not told:
        told.append(print("told one", flush=True))
        sys.stdin.readline()

found = search(int(sys.argv[2]), int(sys.argv[3]), sys.argv[1], callbacks=[wait])
print(json.dumps(sorted(found.leaderboard_.trial.tolist())))
"""


def start(storage, jobs=1):
    """Start a search that tells its first trial, says so, and goes on when it is told to."""
    command = [sys.executable, "-c", SEARCH, str(storage), str(N_TRIALS), str(jobs)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def owners(found):
    return Counter(one.user_attrs.get("owner") for one in found if one.state == TrialState.RUNNING)


@pytest.mark.parametrize("kind", ["journal", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_two_processes_share_a_study_and_the_one_left_finishes(request, folder, kind):
    storage = folder / "s.journal" if kind == "journal" else request.getfixturevalue("postgres")
    one, two = start(storage), start(storage)
    try:
        assert [child.stdout.readline() for child in (one, two)] == ["told one\n"] * 2
        trials = load_study("s", storage).get_trials()
        assert len(owners(trials)) == 2
        with pytest.raises(SettingError, match="must not be searched by another process at the same time"):
            sync("s", storage)
        dead = next(owner for owner in owners(trials) if owner.endswith(f"-{two.pid}"))
        os.kill(two.pid, signal.SIGKILL)
        left = [trial.number for trial in trials if owners([trial])[dead]]
        printed, errors = one.communicate("go on\n", timeout=1800)
    finally:
        one.kill()
        two.kill()
        two.communicate()
    assert one.returncode == 0, errors
    assert json.loads(printed) == list(range(N_TRIALS))
    study = load_study("s", storage)
    records = {record.number: record for record in read_records(study)}
    ended = study.get_trials()
    assert sorted(records) == list(range(N_TRIALS))
    assert {trial.state for trial in ended} <= {TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL}
    assert all(trial.user_attrs["owner"] != dead for trial in ended if trial.number in left)
    trained = [str(record.configuration) for record in records.values() if "same" not in record.reason]
    assert len(trained) == len(set(trained))
    check_mlflow(study.user_attrs["run_id"], records)
