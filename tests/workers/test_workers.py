import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import cloudpickle
import psutil
import pytest
from threadpoolctl import threadpool_info

from automl.errors import SettingError
from automl.metrics import objectives_for
from automl.workers import (
    Crashed,
    Finished,
    ProcessWorkers,
    RungReached,
    ThreadWorkers,
    limit_threads,
    open_workers,
)

ENDLESS = {"max_epochs": 10**7, "batch_size": 1}
SHORT = {"max_epochs": 3}
MODELS = [{"max_epochs": 6, "learning_rate": rate} for rate in (0.001, 0.01, 0.1)]


@pytest.fixture
def processes(context):
    opened = []

    def processes(n_jobs=1, context=context):
        opened.append(ProcessWorkers(context, n_jobs))
        return opened[-1]

    yield processes
    for workers in opened:
        workers.close()


def pids(workers):
    return [job.worker.pid for job in workers._busy.values()]


def until(answer, seconds=20.0):
    """Wait until ``answer()`` is true."""
    end = time.monotonic() + seconds
    while not answer():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.05)


def alive(pid):
    try:
        return psutil.Process(int(pid)).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def refuses(asking):
    """Return whether the worker cannot receive an answer."""
    try:
        asking.reply(set())
    except OSError:
        return True
    return False


def test_open_workers_uses_a_thread_for_one_job(context):
    assert isinstance(open_workers(context, 1), ThreadWorkers)


def test_open_workers_refuses_an_unpicklable_scorer(context):
    lock = threading.Lock()

    def scorer(estimator, X, y):
        with lock:
            return 0.0

    with pytest.raises(SettingError, match="scoring: must be something that can be sent .*n_jobs=1"):
        open_workers(replace(context, objectives=objectives_for([scorer], None, "binary", 2)), 2)
    open_workers(replace(context, objectives=objectives_for([scorer], None, "binary", 2)), 1).close()


def threads():
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


@pytest.mark.parametrize(
    ("n_values", "n_jobs", "at_most", "expected"),
    [
        (999_999, 1, 6, 1), (10**6, 1, 6, 6), (10**6, 2, 6, 3), (10**6, 4, 6, 1), (10**6, 9, 6, 1), (10, 2, 6, 1),
        (10**6, 1, 1, 1), (10**6, 2, 2, 2),
    ],
)  # fmt: skip
def test_limit_threads_divides_the_cores(monkeypatch, n_values, n_jobs, at_most, expected):
    monkeypatch.setattr("joblib.cpu_count", lambda: 6)
    before = threads()
    with limit_threads(n_values, n_jobs, at_most):
        assert threads() == {expected}
    assert threads() == before


@pytest.mark.slow
@pytest.mark.parametrize(("n_jobs", "expected"), [(1, 6), (2, 3)])
def test_worker_process_environment_limits_threads(
    context, cohort, drive, processes, monkeypatch, n_jobs, expected
):
    monkeypatch.setattr("joblib.cpu_count", lambda: 6)

    def scorer(estimator, X, y):
        names = ("OMP_NUM", "OPENBLAS_NUM", "MKL_NUM", "VECLIB_MAXIMUM")
        values = {os.environ.get(f"{name}_THREADS") for name in names}
        if os.environ.get("OMP_WAIT_POLICY") != "PASSIVE" or len(values) != 1:
            return 0.0
        return float(values.pop())

    workers = processes(n_jobs, replace(context, objectives=objectives_for(scorer, None, "binary", 2)))
    workers.submit(cohort(SHORT))
    assert drive(workers, 1)[-1].records[0].score == expected


@pytest.mark.parametrize("kind", ["thread", "process"])
def test_close_stops_cohorts_and_removes_files(context, cohort, kind, processes):
    before = set(threading.enumerate())
    workers = ThreadWorkers(context) if kind == "thread" else processes()
    workers.submit(cohort(ENDLESS))
    request = workers.next(20)
    assert isinstance(request, RungReached)  # the answer never comes
    running = pids(workers) if kind == "process" else []
    start = time.monotonic()
    workers.close()
    assert time.monotonic() - start < 2
    assert set(threading.enumerate()) <= before
    assert not any(alive(pid) for pid in running)
    if kind == "process":
        assert not workers._folder.exists()
    workers.close()


def test_close_does_not_wait_for_training(context, cohort):
    workers = ThreadWorkers(context)
    workers.submit(cohort(ENDLESS))
    request = workers.next(20)
    request.reply(set())
    start = time.monotonic()
    workers.close()
    assert time.monotonic() - start < 2


@pytest.mark.slow
def test_killed_worker_crashes_one_cohort(cohort, drive, processes):
    workers = processes(2)
    workers.submit(cohort(ENDLESS, number=0))
    asking = workers.next(30)
    (victim,) = pids(workers)
    workers.submit(cohort(*MODELS, number=1))
    os.kill(victim, signal.SIGKILL)
    until(lambda: refuses(asking))
    ends = {event.cohort.id: event for event in drive(workers, 2) if not isinstance(event, RungReached)}
    assert isinstance(ends[0], Crashed)
    assert "killed by SIGKILL" in ends[0].reason
    assert [record.state for record in ends[1].records] == ["complete"] * 3
    workers.submit(cohort(SHORT, number=2))
    assert [type(event) for event in drive(workers, 1)][-1] is Finished
    assert workers.next(0) is None


@pytest.mark.slow
def test_dead_idle_worker_is_replaced(cohort, drive, processes):
    workers = processes()
    workers.submit(cohort(SHORT))
    (victim,) = pids(workers)
    drive(workers, 1)
    os.kill(victim, signal.SIGKILL)
    until(lambda: not workers._idle[0].alive())
    workers.submit(cohort(SHORT, number=1))
    assert pids(workers) != [victim]
    assert isinstance(drive(workers, 1)[-1], Finished)


def test_worker_processes_ignore_ctrl_c(cohort, drive, processes, capfd):
    workers = processes()
    workers.submit(cohort(SHORT))
    (pid,) = pids(workers)
    os.kill(pid, signal.SIGINT)
    time.sleep(0.5)
    os.kill(pid, signal.SIGINT)
    assert isinstance(drive(workers, 1)[-1], Finished)
    assert capfd.readouterr().err == ""


def test_worker_processes_print_no_warnings(cohort, drive, processes, capfd):
    unfinished = {"estimator": "sklearn.linear_model.LogisticRegression", "max_iter": 1, "C": 1e6}
    wild = {
        "hidden_layer_sizes": [8],
        "learning_rate": 1e30,
        "optimizer": "sgd",
        "batch_size": 4,
        "max_epochs": 8,
    }
    workers = processes()
    for number, model in enumerate(({"logistic": unfinished}, {"mlp": wild})):
        workers.submit(cohort(model, number=number))
        (record,) = drive(workers, 1)[-1].records
        assert record.state == ("failed" if number else "complete")
    assert "finite" in record.reason or "diverged" in record.reason or "nan" in record.reason
    assert capfd.readouterr() == ("", "")


def test_process_workers_accept_a_lambda_scorer(context, cohort, drive, processes):
    made_here = replace(context, objectives=objectives_for(lambda estimator, X, y: 0.25, None, "binary", 2))
    workers = processes(context=made_here)
    workers.submit(cohort(SHORT))
    assert drive(workers, 1)[-1].records[0].score == 0.25


PARENT = """
import pickle, sys
from automl.workers import ProcessWorkers
context, cohort = pickle.load(sys.stdin.buffer)
workers = ProcessWorkers(context, 1)
workers.submit(cohort)
while True:
    event = workers.next(30)
    pids = [job.worker.pid for job in workers._busy.values()]
    if event.rung == 1:
        print(workers._folder, *pids, flush=True)
    event.reply(set())
"""


def test_worker_processes_end_with_a_killed_parent(context, cohort):
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    with parent:
        parent.stdin.write(cloudpickle.dumps((context, cohort(ENDLESS))))
        parent.stdin.close()
        folder, pid = parent.stdout.readline().decode().split()
        assert alive(pid)
        assert Path(folder).is_dir()
        parent.kill()
    until(lambda: not alive(pid))
    until(lambda: not Path(folder).exists())
