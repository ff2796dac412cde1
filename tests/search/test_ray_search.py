"""Searches on a Ray cluster of two nodes: the same results as here, and nothing lost."""

import gc
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

import automl
from automl.study import load_study, read_records
from tests.support import kill_and_resume
from tests.support.ray_cluster import TOKEN, add_node
from tests.support.tables import small

pytestmark = [pytest.mark.slow, pytest.mark.serial]
SPACE = {"space": kill_and_resume.SPACE["space"]}
SETTINGS = {"n_trials": 24, "timeout": None, "cv": 3, "n_jobs": 2, "study_name": "s"}
LAST = 3  # number of the trial after which a search waits to be killed
DRIVER = """
import json, sys, time
from automl import Search
from tests.support.tables import small
space, engine, settings, last = json.load(sys.stdin)
def wait(study, trial):
    time.sleep(600 if trial.number >= last else 0)
Search(space, engine=engine, progress=False, callbacks=[wait], **settings).fit(*small())
"""


def board(search):
    return search.leaderboard_.drop(columns=["run_id", "seconds"], errors="ignore")


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """Return the leaderboard of a search on this machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("local"))
        return board(automl.Search(SPACE, progress=False, **SETTINGS).fit(*small()))


def test_killed_search_on_ray_is_resumed_as_local_processes_do_it(
    folder, local, ray_cluster, monkeypatch, capfd
):
    kill_when_it_waits(start_driver("ray", RAY_ADDRESS=ray_cluster.address))
    monkeypatch.setattr("automl.tracking.progress._LINE_SECONDS", 0.0)
    search = automl.Search(SPACE, engine="ray", **SETTINGS).fit(*small())
    lines = capfd.readouterr().err
    assert board(search).equals(local)
    assert re.search(r"[12] nodes?, [12] of 2 slots", lines)
    assert search.out_of_fold_.predictions(search.best_trial_.number) is not None
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 10
    assert not [path for path in files if TOKEN.encode() in path.read_bytes()]
    assert TOKEN not in lines
    logs = [path for path in Path(ray_cluster.head_node.get_logs_dir_path()).rglob("*") if path.is_file()]
    assert len(logs) > 5
    assert not [path for path in logs if TOKEN.encode() in path.read_bytes()]


def start_driver(engine, **environment):
    """Start a search in another process, which waits after a few trials."""
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER], stdin=subprocess.PIPE, env={**os.environ, **environment}
    )
    driver.stdin.write(json.dumps([SPACE, engine, SETTINGS, LAST]).encode())
    driver.stdin.close()
    return driver


def kill_when_it_waits(driver):
    end = time.monotonic() + 300
    while len(done := finished()) <= LAST:
        assert driver.poll() is None
        assert time.monotonic() < end
        time.sleep(0.05)
    driver.kill()
    driver.wait()
    assert len(done) < SETTINGS["n_trials"]


def finished():
    try:
        return read_records(load_study("s"))
    except (automl.AutomlError, KeyError):
        return []


def test_ctrl_c_ends_a_search_on_ray(folder, ray_cluster):
    def interrupt(study, trial):
        if trial.number == 3:
            os.kill(os.getpid(), signal.SIGINT)

    search = automl.Search(
        SPACE, engine="ray", progress=False, callbacks=[interrupt], **{**SETTINGS, "n_trials": 500}
    ).fit(*small())
    assert 4 <= search.leaderboard_.trial.count() < 100
    assert search.best_estimator_ is not None


def test_trial_that_kills_its_worker_fails_alone(folder, ray_cluster, monkeypatch):
    from automl.workers.ray_workers import RayWorkers

    here, submit, cohorts = os.getpid(), RayWorkers.submit, []

    def scorer(estimator, X, y):  # sent by value
        probabilities = estimator.predict_proba(X)[:, 1]
        if os.getpid() != here and np.ptp(probabilities) < 1e-6:  # it has learned nothing
            os.kill(os.getpid(), signal.SIGKILL)
        return roc_auc_score(y, probabilities)

    def keep(workers, cohort):
        cohorts.append([trial.number for trial in cohort.trials])
        submit(workers, cohort)

    monkeypatch.setattr(RayWorkers, "submit", keep)
    rates = [1e-12, *np.geomspace(0.01, 1.0, 23).tolist()]  # a cohort has an eighth of the trials
    model = {"linear": {"learning_rate": rates, "max_epochs": 4}}
    settings = {**SETTINGS, "n_trials": len(rates), "n_jobs": 1}
    search = automl.Search(
        {"space": {"model": model}}, engine="ray", scoring=scorer, sampler="grid", pruner="none",
        refit=False, progress=False, **settings,
    )  # fmt: skip
    search.fit(*small())
    records = read_records(load_study("s"))
    (failed,) = [one for one in records if one.state != "complete"]
    assert len(records) == len(rates)
    assert failed.family_params["learning_rate"] == 1e-12
    assert failed.state == "failed"
    assert failed.reason.startswith("the worker process is gone: ")
    attempts = [cohort for cohort in cohorts if failed.number in cohort]
    assert attempts[0] == attempts[1]
    assert len(attempts[0]) > 1
    assert attempts[-1] == [failed.number]


@pytest.fixture
def place_is(monkeypatch, capfd):
    """Return a function that says whether the progress has shown a place of training."""
    monkeypatch.setattr("automl.tracking.progress._LINE_SECONDS", 0.0)
    lines = []

    def place_is(place):
        lines.append(capfd.readouterr().err)
        return f" on {place}" in "".join(lines)

    return place_is


def test_lost_node_changes_no_leaderboard(folder, local, ray_cluster, place_is):
    lost = []

    def lose(study, trial):
        if not lost and trial.number >= LAST and place_is("2 nodes, 2 of 2 slots"):
            lost.append(next(iter(ray_cluster.worker_nodes)))
            ray_cluster.remove_node(lost[0], allow_graceful=False)
        elif not lost:
            time.sleep(0.5)  # the second worker is starting

    try:
        search = automl.Search(SPACE, engine="ray", callbacks=[lose], **SETTINGS).fit(*small())
    finally:
        if lost:
            add_node(ray_cluster, num_cpus=1)
    assert len(lost) == 1
    assert board(search).equals(local)


def test_joining_node_is_used_by_a_search_with_timeout(folder, ray_cluster, place_is):
    added = []

    def join(study, trial):
        if not added:
            assert not place_is("3 nodes, 3 of 3 slots")
            added.append(add_node(ray_cluster, num_cpus=1))
        elif place_is("3 nodes, 3 of 3 slots"):
            study.stop()
        else:
            time.sleep(1.0)  # leaves the cores to the worker that is starting

    try:
        search = automl.Search(SPACE, engine="ray", timeout=120, cv=3, refit=False, callbacks=[join]).fit(
            *small()
        )
    finally:
        for node in added:
            ray_cluster.remove_node(node)
    assert place_is("3 nodes, 3 of 3 slots")
    assert search.best_trial_.score > 0.5


@pytest.fixture
def client_port():
    """Start another cluster, of one node; return the port of its server for clients."""
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    cluster = Cluster()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # Ray leaves the log files of this server open
        add_node(cluster, num_cpus=2, include_dashboard=False, ray_client_server_port=port)
        gc.collect()
    yield port
    cluster.shutdown()


def test_search_of_a_ray_client_is_resumed_on_another_cluster(folder, local, ray_cluster, client_port):
    driver = start_driver(f"ray://127.0.0.1:{client_port}")
    kill_when_it_waits(driver)
    search = automl.Search(SPACE, engine="ray", progress=False, **SETTINGS).fit(*small())
    assert board(search).equals(local)
