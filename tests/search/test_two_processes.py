"""Two processes search one study; one of them may be killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter

import optuna
import pytest
from optuna.trial import TrialState

from automl.errors import SettingError
from automl.search import sync
from automl.study import known_studies, load_study, read_records
from automl.study.optuna_private import storage_of
from tests.support import ROOT
from tests.support.kill_and_resume import check_mlflow

N_TRIALS = 30
SEARCH = """
import json, sys
import automl.workers.thread_worker as thread
from tests.support.kill_and_resume import search
from tests.support import ROOT

trained, evaluate = [], thread.evaluate

def recorded(context, prepared, cohort, *more):
    trained.extend(trial.number for trial in cohort.trials)
    return evaluate(context, prepared, cohort, *more)

thread.evaluate = recorded

def wait(study, trial, calls=[]):
    calls.append(trial)
    if len(calls) == 1:
        print("first trial", flush=True)
        sys.stdin.readline()

found = search(int(sys.argv[2]), int(sys.argv[3]), sys.argv[1], callbacks=[wait])
print(json.dumps([sorted(found.leaderboard_.trial.dropna().tolist()), trained]))
"""


@pytest.fixture(params=["journal", pytest.param("postgres", marks=pytest.mark.postgres)])
def storage(request, folder):
    """Return a journal, or a database without the study of an earlier test."""
    if request.param == "journal":
        return folder / "s.journal"
    url = request.getfixturevalue("postgres")
    if "s" in known_studies(url):
        optuna.delete_study(study_name="s", storage=storage_of(load_study("s", url)))
    return url


def start(storage, jobs=1):
    """Start a search that prints a line after its first trial and waits for input."""
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


def running_owners(trials):
    return Counter(trial.user_attrs.get("owner") for trial in trials if trial.state == TrialState.RUNNING)


@pytest.mark.slow
def test_two_processes_finish_after_one_is_killed(storage):
    one, two = start(storage), start(storage)
    try:
        assert [child.stdout.readline() for child in (one, two)] == ["first trial\n"] * 2
        trials = load_study("s", storage).get_trials()
        assert len(running_owners(trials)) == 2
        with pytest.raises(SettingError, match="must not be searched by another process at the same time"):
            sync("s", storage)
        dead = next(owner for owner in running_owners(trials) if owner.endswith(f"-{two.pid}"))
        os.kill(two.pid, signal.SIGKILL)
        orphaned = [trial.number for trial in trials if running_owners([trial])[dead]]
        printed, errors = one.communicate("continue\n", timeout=1800)
    finally:
        one.kill()
        two.kill()
        two.communicate()
    assert one.returncode == 0, errors
    assert json.loads(printed)[0] == list(range(N_TRIALS))
    study = load_study("s", storage)
    records = {record.number: record for record in read_records(study)}
    ended = study.get_trials()
    assert sorted(records) == list(range(N_TRIALS))
    assert {trial.state for trial in ended} <= {TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL}
    assert all(trial.user_attrs["owner"] != dead for trial in ended if trial.number in orphaned)
    trained = [str(record.configuration) for record in records.values() if "same" not in record.reason]
    assert len(trained) == len(set(trained))
    check_mlflow(study.user_attrs["run_id"], records)


@pytest.mark.slow
def test_two_processes_train_no_trial_twice(storage):
    children = [start(storage), start(storage)]
    try:
        assert [child.stdout.readline() for child in children] == ["first trial\n"] * 2
        for child in children:  # both before the wait
            child.stdin.write("continue\n")
            child.stdin.flush()
        printed, errors = zip(*(child.communicate(timeout=1800) for child in children), strict=True)
    finally:
        for child in children:
            child.kill()
    assert [child.returncode for child in children] == [0, 0], errors
    trained = [set(json.loads(line)[1]) for line in printed]
    times = Counter(number for line in printed for number in json.loads(line)[1])
    assert set(times.values()) == {1}
    assert min(map(len, trained)) > N_TRIALS // 10
    ended = load_study("s", storage).get_trials()
    shared = [trial for trial in ended if "surplus" not in trial.user_attrs]
    records = {record.number: record for record in read_records(load_study("s", storage))}
    assert {trial.number for trial in shared} == records.keys()
    assert len(records) == N_TRIALS
    assert {trial.state for trial in ended} <= {TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL}
    known = {number for number, record in records.items() if "same" in record.reason}
    assert times.keys() == records.keys() - known
    configurations = [str(records[number].configuration) for number in times]
    assert len(configurations) == len(set(configurations))
