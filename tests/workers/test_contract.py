"""What a thread, processes and Ray must do alike: the contract of `Workers`."""

import os
import threading
import time
from dataclasses import replace

import psutil
import pytest

from automl.errors import SettingError
from automl.metrics import objectives_for
from automl.records import TrialSpec
from automl.workers import (
    Cohort,
    Crashed,
    Finished,
    Killed,
    ProcessWorkers,
    RungReached,
    ThreadWorkers,
    open_workers,
)
from tests.support.ray_cluster import IMPORTABLE
from tests.support.trials import TIMES

RAY = pytest.param("ray", marks=[pytest.mark.slow, pytest.mark.serial])
EVERYWHERE = pytest.mark.parametrize("kind", ["thread", pytest.param("process", marks=pytest.mark.slow), RAY])
OUTSIDE = pytest.mark.parametrize("kind", [pytest.param("process", marks=pytest.mark.slow), RAY])
ENDLESS = {"max_epochs": 10**7}
PATIENCE = 300  # seconds for what must happen; a busy machine takes long to start a worker
MODELS = [{"max_epochs": 6, "learning_rate": rate} for rate in (0.001, 0.01, 0.1)]


@pytest.fixture
def workers_of(context, request):
    opened = []

    def workers_of(kind, context=context, memory=float("inf")):
        if kind == "thread":
            opened.append(ThreadWorkers(context))
        elif kind == "process":
            opened.append(ProcessWorkers(context, 1, memory))
        else:
            request.getfixturevalue("ray_cluster")
            opened.append(open_workers(context, 1, memory_limit=memory, engine="ray"))
        return opened[-1]

    yield workers_of
    for workers in opened:
        workers.close()


def greedy(number=0, trial_timeout=float("inf"), **params):
    model = {"greedy": {"estimator": "greedy.Greedy", **params}}
    trial = TrialSpec(number=number, configuration={"model": model}, params={}, seed=0)
    return Cohort(number, (trial,), trial_timeout=trial_timeout)


def plain(record):
    return record.model_dump(exclude=TIMES)


@EVERYWHERE
def test_workers_train_score_and_prune(context, cohort, drive, workers_of, kind, tmp_path):
    def prune(rung, scores):
        return {min(scores, key=scores.get)} if rung == 2 else set()

    found = []
    for one in ("thread", kind):
        folder = tmp_path / f"{len(found)}"
        workers = workers_of(one, replace(context, predictions=folder))
        workers.submit(cohort(*MODELS))
        *requests, end = drive(workers, 1, prune)
        assert isinstance(end, Finished)
        assert [(request.rung, len(request.scores)) for request in requests] == [
            (1, 3),
            (2, 3),
            (4, 2),
            (6, 2),
        ]
        seconds = [request.seconds for request in requests]
        assert 0 < seconds[0] < seconds[-1]
        files = {file.name: file.read_bytes() for file in folder.iterdir()}
        found.append(([plain(record) for record in end.records], files))
        # A cohort of another family, with the same matrices.
        workers.submit(cohort({"decision_tree": {"max_depth": 3}}, number=1))
        (record,) = drive(workers, 1)[-1].records
        assert (record.state, record.number) == ("complete", 10)
        workers.close()
    assert found[0] == found[1]
    records, files = found[0]
    assert sorted(record["state"] for record in records) == ["complete", "complete", "pruned"]
    assert len(files) == 2


@EVERYWHERE
def test_failing_preparation_fails_the_trials(context, cohort, drive, workers_of, kind):
    wrong = replace(context, column_types={**context.column_types, "kind": "numeric"})
    workers = workers_of(kind, wrong)
    workers.submit(cohort(*MODELS))
    records = drive(workers, 1)[-1].records
    assert [record.state for record in records] == ["failed"] * 3
    assert all("could not convert string to float" in record.reason for record in records)


@EVERYWHERE
def test_trial_timeout_ends_members_and_close_a_cohort(cohort, drive, workers_of, kind):
    workers = workers_of(kind)
    workers.submit(cohort({"max_epochs": 1}, number=2))
    drive(workers, 1)  # all is loaded and prepared, so that the time of the next cohort is that of training
    workers.submit(replace(cohort(ENDLESS, {"max_epochs": 2}), trial_timeout=1.0))
    end = drive(workers, 1)[-1]
    assert isinstance(end, Finished)
    assert [record.state for record in end.records] == ["pruned", "complete"]
    assert end.records[0].reason == "took longer than trial_timeout, 1 s"
    workers.submit(cohort(ENDLESS, number=1))
    assert isinstance(workers.next(PATIENCE), RungReached)  # the answer never comes
    start = time.monotonic()
    workers.close()
    assert time.monotonic() - start < 10
    workers.close()


@EVERYWHERE
def test_stop_ends_training_with_the_scores_it_has(context, cohort, workers_of, kind, tmp_path):
    workers = workers_of(kind, replace(context, predictions=tmp_path))
    workers.submit(cohort(ENDLESS))
    event = workers.next(PATIENCE)
    event.reply(set())
    assert workers.stop()
    start = time.monotonic()
    while isinstance(event, RungReached):
        event = workers.next(PATIENCE)
    assert time.monotonic() - start < 30
    (record,) = event.records
    assert record.state == "stopped"
    assert record.score is not None
    assert [file.name.partition(".")[0] for file in tmp_path.iterdir()] == [str(record.number)]


@EVERYWHERE
def test_stop_ends_training_that_waits_at_a_rung(cohort, workers_of, kind):
    workers = workers_of(kind)
    workers.submit(cohort(ENDLESS))
    assert isinstance(workers.next(PATIENCE), RungReached)  # the answer never comes
    workers.stop()
    assert isinstance(workers.next(30), Finished)


@OUTSIDE
def test_workers_survive_what_a_trial_does(context, drive, workers_of, kind, monkeypatch):
    def scorer(estimator, X, y):  # sent by value
        pinned = os.environ.get("OMP_WAIT_POLICY") == "PASSIVE" and "OPENBLAS_NUM_THREADS" in os.environ
        return 0.25 if pinned else 0.0

    monkeypatch.syspath_prepend(IMPORTABLE)
    made_here = replace(context, objectives=objectives_for(scorer, None, "binary", 2))
    workers = workers_of(kind, made_here, psutil.Process().memory_info().rss + 700_000_000)
    workers.submit(greedy(0, dies=True))
    crashed = drive(workers, 1)[-1]
    assert isinstance(crashed, Crashed)
    assert "the worker process is gone: " in crashed.reason
    workers.submit(greedy(1, trial_timeout=60))
    assert isinstance(drive(workers, 1)[-1], Finished)  # another process, started and loaded
    workers.submit(greedy(2, trial_timeout=0.5, seconds=120))
    late = drive(workers, 1)[-1]
    assert isinstance(late, Killed)
    assert (late.limit, late.reason) == ("trial_timeout", "took longer than trial_timeout, 0.5 s")
    assert 1 <= late.seconds < 30
    workers.submit(greedy(3, seconds=120, takes=900_000_000))
    large = drive(workers, 1)[-1]
    assert isinstance(large, Killed)
    assert large.limit == "memory_limit"
    assert "of memory, and may have " in large.reason
    workers.submit(greedy(4))
    (record,) = drive(workers, 1)[-1].records
    assert (record.state, record.score) == ("complete", 0.25)


@OUTSIDE
def test_unsendable_scorer_is_refused(context, workers_of, kind):
    lock = threading.Lock()

    def scorer(estimator, X, y):
        with lock:
            return 0.0

    with pytest.raises(SettingError, match="scoring: must be something that can be sent"):
        workers_of(kind, replace(context, objectives=objectives_for([scorer], None, "binary", 2)))
