import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from threadpoolctl import threadpool_info

from automl.errors import SettingError
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
def processes(assignment):
    opened = []

    def processes(n_jobs=1, assignment=assignment):
        opened.append(ProcessWorkers(assignment, n_jobs))
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
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def refuses(asking):
    """Return whether nobody is left to hear an answer."""
    try:
        asking.reply(set())
    except OSError:
        return True
    return False


def plain(record):
    return record.model_dump(exclude={"started", "seconds"})


def test_threads_and_processes_give_the_same_records(assignment, cohort, drive, processes):
    def prune(rung, scores):
        return {min(scores, key=scores.get)} if rung == 2 else set()

    ends, asked = [], []
    for workers in (ThreadWorkers(assignment), processes()):
        for number in range(2):
            workers.submit(cohort(*MODELS, number=number))
            *requests, end = drive(workers, 1, prune)
            asked.append([(request.rung, len(request.scores)) for request in requests])
            assert isinstance(end, Finished)
            ends.append([plain(record) for record in end.records])
        workers.close()
    assert asked == [[(1, 3), (2, 3), (4, 2), (6, 2)]] * 4
    assert ends[0] == ends[2]
    assert ends[1] == ends[3]
    assert sorted(record["state"] for record in ends[0]) == ["complete", "complete", "pruned"]


def test_one_job_runs_in_this_process(assignment):
    assert isinstance(open_workers(assignment, 1), ThreadWorkers)


def test_a_scorer_that_no_process_can_be_sent_is_refused_before_training(assignment):
    lock = threading.Lock()

    def scorer(estimator, X, y):
        with lock:
            return 0.0

    with pytest.raises(SettingError, match="scoring: must be something that can be sent .*n_jobs=1"):
        open_workers(replace(assignment, scoring=[scorer]), 2)
    open_workers(replace(assignment, scoring=[scorer]), 1).close()


def threads():
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


@pytest.mark.parametrize(
    ("n_values", "n_jobs", "at_most", "expected"),
    [
        (999_999, 1, 6, 1), (10**6, 1, 6, 6), (10**6, 2, 6, 3), (10**6, 4, 6, 1), (10**6, 9, 6, 1), (10, 2, 6, 1),
        (10**6, 1, 1, 1), (10**6, 2, 2, 2),
    ],
)  # fmt: skip
def test_jobs_share_out_the_cores_and_a_small_table_has_one_thread(
    monkeypatch, n_values, n_jobs, at_most, expected
):
    monkeypatch.setattr("joblib.cpu_count", lambda: 6)
    before = threads()
    with limit_threads(n_values, n_jobs, at_most):
        assert threads() == {expected}
    assert threads() == before


@pytest.mark.parametrize(("n_jobs", "expected"), [(1, 6), (2, 3)])
def test_a_worker_process_starts_with_its_share_of_the_cores(
    assignment, cohort, drive, processes, monkeypatch, n_jobs, expected
):
    monkeypatch.setattr("joblib.cpu_count", lambda: 6)

    def scorer(estimator, X, y):
        names = ("OMP_NUM", "OPENBLAS_NUM", "MKL_NUM", "VECLIB_MAXIMUM")
        (found,) = {os.environ[f"{name}_THREADS"] for name in names}
        assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"
        return float(found)

    workers = processes(n_jobs, type(assignment)(**{**vars(assignment), "scoring": scorer}))
    workers.submit(cohort(SHORT))
    assert drive(workers, 1)[-1].records[0].score == expected


@pytest.mark.parametrize("kind", ["thread", "process"])
def test_close_ends_whatever_runs_and_leaves_nothing(assignment, cohort, kind, processes):
    before = set(threading.enumerate())
    workers = ThreadWorkers(assignment) if kind == "thread" else processes()
    workers.submit(cohort(ENDLESS))
    request = workers.next(20)
    assert isinstance(request, RungReached)  # it waits for an answer, which never comes
    running = pids(workers) if kind == "process" else []
    start = time.monotonic()
    workers.close()
    assert time.monotonic() - start < 2
    assert set(threading.enumerate()) <= before
    assert not any(alive(pid) for pid in running)
    if kind == "process":
        assert not workers._folder.exists()
    workers.close()  # twice is no harm


def test_close_does_not_wait_for_an_answered_cohort(assignment, cohort):
    workers = ThreadWorkers(assignment)
    workers.submit(cohort(ENDLESS))
    request = workers.next(20)
    request.reply(set())
    start = time.monotonic()
    workers.close()
    assert time.monotonic() - start < 2


def test_a_killed_worker_loses_its_cohort_alone(cohort, drive, processes):
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


def test_a_worker_that_died_idle_is_replaced(cohort, drive, processes):
    workers = processes()
    workers.submit(cohort(SHORT))
    (victim,) = pids(workers)
    drive(workers, 1)
    os.kill(victim, signal.SIGKILL)
    until(lambda: not workers._idle[0].alive())
    workers.submit(cohort(SHORT, number=1))
    assert pids(workers) != [victim]
    assert isinstance(drive(workers, 1)[-1], Finished)


def test_workers_ignore_ctrl_c_from_their_first_moment(cohort, drive, processes, capfd):
    workers = processes()
    workers.submit(cohort(SHORT))
    (pid,) = pids(workers)
    os.kill(pid, signal.SIGINT)
    time.sleep(0.5)
    os.kill(pid, signal.SIGINT)
    assert isinstance(drive(workers, 1)[-1], Finished)
    assert capfd.readouterr().err == ""


def test_a_scorer_that_only_this_file_knows_reaches_the_workers(assignment, cohort, drive, processes):
    made_here = type(assignment)(**{**vars(assignment), "scoring": lambda estimator, X, y: 0.25})
    workers = processes(assignment=made_here)
    workers.submit(cohort(SHORT))
    assert drive(workers, 1)[-1].records[0].score == 0.25


PARENT = """
import pickle, sys
from automl.workers import ProcessWorkers
assignment, cohort = pickle.load(sys.stdin.buffer)
workers = ProcessWorkers(assignment, 1)
workers.submit(cohort)
while True:
    event = workers.next(30)
    pids = [job.worker.pid for job in workers._busy.values()]
    if event.rung == 1:
        print(workers._folder, *pids, flush=True)
    event.reply(set())
"""


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks processes up in /proc")
def test_workers_and_their_folder_go_with_a_killed_parent(assignment, cohort):
    import pickle

    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    with parent:
        parent.stdin.write(pickle.dumps((assignment, cohort(ENDLESS))))
        parent.stdin.close()
        folder, pid = parent.stdout.readline().decode().split()
        assert alive(pid)
        assert Path(folder).is_dir()
        parent.kill()
    until(lambda: not alive(pid))
    until(lambda: not Path(folder).exists())
