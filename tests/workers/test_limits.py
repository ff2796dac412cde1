"""Limits of time and memory, with real processes that exceed them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from automl.errors import SettingError
from automl.families import FAMILIES
from automl.records import TrialSpec
from automl.workers import Cohort, Finished, Killed, ProcessWorkers, ThreadWorkers, cohort_bytes, open_workers
from automl.workers.memory import parse_bytes, process_tree_rss

ENDLESS = {"max_epochs": 10**7}
GREEDY = """\
import time
from sklearn.tree import DecisionTreeClassifier

KEPT = []

class Greedy(DecisionTreeClassifier):
    def __init__(self, seconds=0.0, takes=0, keeps=0):
        super().__init__()
        self.seconds, self.takes, self.keeps = seconds, takes, keeps

    def fit(self, X, y):
        KEPT.append(b"x" * self.keeps)
        taken = b"x" * self.takes
        time.sleep(self.seconds)
        return super().fit(X, y)
"""


@pytest.fixture
def greedy(tmp_path, monkeypatch):
    """Return cohorts of a class with the given time and memory."""
    (tmp_path / "greedy.py").write_text(GREEDY)
    monkeypatch.syspath_prepend(tmp_path)

    def cohort(number=0, trial_timeout=float("inf"), **params):
        model = {"greedy": {"estimator": "greedy.Greedy", **params}}
        proposal = TrialSpec(number=number, configuration={"model": model}, params={}, seed=0)
        return Cohort(number, (proposal,), trial_timeout=trial_timeout)

    yield cohort
    sys.modules.pop("greedy", None)


@pytest.fixture
def processes(context):
    opened = []

    def processes(share=float("inf")):
        here = process_tree_rss([os.getpid()])[os.getpid()]
        opened.append(ProcessWorkers(context, 1, here + share))
        return opened[-1]

    yield processes
    for workers in opened:
        workers.close()


def pids(workers):
    return [job.worker.pid for job in workers._busy.values()] + [worker.pid for worker in workers._idle]


@pytest.mark.slow
def test_trial_timeout_kills_one_fit(greedy, drive, processes):
    workers = processes()
    workers.submit(greedy(0, trial_timeout=30))
    assert isinstance(drive(workers, 1)[-1], Finished)  # start the process and load the table
    (before,) = pids(workers)
    start = time.monotonic()
    workers.submit(greedy(1, trial_timeout=0.5, seconds=60))
    killed = drive(workers, 1)[-1]
    assert 0.5 < time.monotonic() - start < 5
    assert isinstance(killed, Killed)
    assert (killed.cohort.id, killed.limit) == (1, "trial_timeout")
    assert killed.reason == "took longer than trial_timeout, 0.5 s"
    assert 1 <= killed.seconds < 5
    workers.submit(greedy(2, trial_timeout=30))
    assert [record.state for record in drive(workers, 1)[-1].records] == ["complete"]
    assert pids(workers) != [before]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["thread", "process"])
def test_trial_timeout_prunes_cohort_members(context, cohort, drive, processes, kind):
    workers = ThreadWorkers(context) if kind == "thread" else processes()
    workers.submit(replace(cohort(ENDLESS, ENDLESS, {"max_epochs": 2}), trial_timeout=1.5))
    end = drive(workers, 1)[-1]
    workers.close()
    assert isinstance(end, Finished)
    assert [record.state for record in end.records] == ["pruned", "pruned", "complete"]
    for record in end.records[:2]:
        assert record.reason == "took longer than trial_timeout, 1.5 s"
        assert record.score == record.curve.scores[-1]
        assert 1.5 <= record.seconds < 4
        assert record.lasting


@pytest.mark.slow
def test_memory_limit_kills_a_worker(greedy, drive, processes):
    workers = processes(share=300_000_000)
    workers.submit(greedy(seconds=60, takes=400_000_000))
    killed = drive(workers, 1)[-1]
    assert isinstance(killed, Killed)
    assert killed.limit == "memory_limit"
    assert "of memory, and may have " in killed.reason
    workers.submit(greedy(1))
    assert isinstance(drive(workers, 1)[-1], Finished)


@pytest.mark.slow
def test_worker_with_much_memory_is_replaced(greedy, drive, processes):
    workers, seen = processes(share=600_000_000), []
    for number, keeps in enumerate((0, 0, 80_000_000, 0)):  # bytes kept by each fold
        workers.submit(greedy(number, keeps=keeps))
        seen += pids(workers)
        assert isinstance(drive(workers, 1)[-1], Finished)
    assert seen[0] == seen[1] == seen[2] != seen[3]


def test_process_tree_rss_includes_descendants():
    script = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"
    held = "held = b'x' * 200_000_000; print('there', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", script, held], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"there\n"
        found = process_tree_rss([process.pid, os.getpid()])
        alone = process_tree_rss([os.getpid()])[os.getpid()]
        process.stdin.close()
    assert 200_000_000 < found[process.pid] < 260_000_000
    assert alone > found[process.pid]


def test_open_workers_uses_processes_for_limits(context):
    for settings in ({"killable": True}, {"memory_limit": 10**10}):
        workers = open_workers(context, 1, **settings)
        workers.close()
        assert isinstance(workers, ProcessWorkers)


@pytest.mark.parametrize("wrong", ["much", "-1GB", "", 0, "0"])
def test_parse_bytes_refuses_other_values(wrong):
    with pytest.raises(SettingError, match=r"memory_limit: must be a number of bytes.*memory_limit=\"4GB\""):
        parse_bytes(wrong)


def test_cohort_bytes_grow_with_sizes():
    mlp = FAMILIES["mlp"]

    def needs(k=1, n_rows=10_000, **params):
        return cohort_bytes(mlp, [params] * k, n_rows, 10, 3)

    assert needs() < needs(k=8) < needs(k=8, batch_size="full")
    assert needs(hidden_layer_sizes=[8]) < needs(hidden_layer_sizes=[512, 512])
    matrix = 4 * 10**6 * 10
    assert needs(n_rows=10**6) - needs(n_rows=10**5) > 3 * 0.9 * matrix


@pytest.mark.parametrize("family", ["linear", "lightgbm", "extra_trees"])
def test_cohort_bytes_of_a_sparse_table_count_stored_cells(family):
    dense, sparse = (
        cohort_bytes(FAMILIES[family], [{}], 10_000, 100_000, 1, density=share) for share in (1.0, 1e-3)
    )
    assert dense > 4e9
    assert sparse < 300_000_000


def test_cohort_bytes_exclude_shared_matrices():
    linear = FAMILIES["linear"]
    own, shared = (cohort_bytes(linear, [{}], 10**6, 50, 1, shared=shared) for shared in (False, True))
    assert own - shared > 4 * 10**6 * 50
    assert shared < 300_000_000
