"""Nodes of a Ray cluster that are lost, join and leave."""

import os
import sys
import time
from dataclasses import replace
from types import ModuleType

import pytest

from automl.errors import SettingError
from automl.version import __version__
from automl.workers import Crashed, Finished, RungReached, ThreadWorkers, open_workers
from automl.workers.prepared import matrices_key
from tests.support.ray_cluster import add_node
from tests.support.trials import TIMES

pytestmark = [pytest.mark.slow, pytest.mark.serial]
MODELS = [{"max_epochs": 6, "learning_rate": rate} for rate in (0.001, 0.01, 0.1)]
ENDLESS = {"max_epochs": 10**7}
PREEMPTION = 2  # Ray's code of the reason
OTHER_VERSION = """
import sys
if any(argument.endswith("default_worker.py") for argument in sys.orig_argv):
    import automl.version
    automl.version.__version__ = "0.0.1"
"""


def plain(records):
    return [record.model_dump(exclude=TIMES) for record in records]


def until(workers, condition, seconds=300):
    """Handle events until a condition holds; cohorts wait at their rungs."""
    end, asking = time.monotonic() + seconds, []
    while not condition(asking):
        assert time.monotonic() < end, workers.place
        event = workers.next(0.2)
        if event is not None:
            assert isinstance(event, RungReached)
            asking.append(event)
    return asking


def test_lost_nodes_and_joining_node(context, cohort, drive, ray_cluster, monkeypatch):
    expected = []
    for number in range(2):
        thread = ThreadWorkers(context)
        thread.submit(cohort(*MODELS, number=number))
        expected.append(plain(drive(thread, 1)[-1].records))
        thread.close()

    workers = open_workers(context, None, engine="ray")
    try:
        assert workers.slots == 2
        for cores in (1, 64):
            monkeypatch.setattr("joblib.cpu_count", lambda cores=cores: cores)
            assert workers.n_fits == min(cores, 2)
        for number in range(2):
            workers.submit(cohort(*MODELS, number=number))
        asking = until(workers, lambda asking: len(asking) == 2)
        assert workers.place == "2 nodes, 2 of 2 slots"
        ray_cluster.remove_node(next(iter(ray_cluster.worker_nodes)), allow_graceful=False)
        for event in asking:
            event.reply(set())
        ends = {one.cohort.id: one for one in drive(workers, 2) if not isinstance(one, RungReached)}
        assert [plain(ends[number].records) for number in range(2)] == expected
        until(workers, lambda asking: workers.place == "1 node, 1 of 1 slots")

        add_node(ray_cluster, num_cpus=1)
        until(workers, lambda asking: workers.slots == 2)
        for number in (2, 3):
            workers.submit(cohort({"max_epochs": 2}, number=number))
        asking = until(workers, lambda asking: len(asking) == 2)
        assert {event.cohort.id for event in asking} == {2, 3}
        assert workers.place == "2 nodes, 2 of 2 slots"
        for event in asking:
            event.reply(set())
        drive(workers, 2)
        # Now the workers are idle, and send no message that fails.
        ray_cluster.remove_node(next(iter(ray_cluster.worker_nodes)), allow_graceful=False)
        until(workers, lambda asking: workers.place == "1 node, 1 of 1 slots")
    finally:
        workers.close()
        if not ray_cluster.worker_nodes:
            add_node(ray_cluster, num_cpus=1)


@pytest.fixture
def drain(ray_cluster):
    """Return a function that lets the second node drain and returns its id; replace the node at the end."""
    from ray._raylet import GcsClient

    node = next(iter(ray_cluster.worker_nodes))

    def drain():
        drained, _ = GcsClient(address=ray_cluster.address).drain_node(node.node_id, PREEMPTION, "a test", 0)
        assert drained
        return node.node_id

    yield drain
    ray_cluster.remove_node(node, allow_graceful=False)
    add_node(ray_cluster, num_cpus=1)


def test_draining_node_takes_no_more_cohorts(context, cohort, drive, drain):
    workers = open_workers(context, None, engine="ray")
    try:
        for number in range(2):
            workers.submit(cohort({"max_epochs": 2}, number=number))
        asking = until(workers, lambda asking: len(asking) == 2)
        node = drain()
        for event in asking:
            event.reply(set())
        ends = [event for event in drive(workers, 2) if not isinstance(event, RungReached)]
        assert all(isinstance(end, Finished) for end in ends)
        workers.submit(cohort({"max_epochs": 2}, number=2))
        assert isinstance(drive(workers, 1)[-1], Finished)
        assert node not in {worker.node for worker in workers._workers}
    finally:
        workers.close()


@pytest.mark.parametrize("client", [False, True])
def test_idle_worker_of_a_draining_node_is_released(context, cohort, drive, drain, monkeypatch, client):
    from automl.workers import ray_connection

    workers = open_workers(context, None, engine="ray")
    try:
        until(workers, lambda asking: workers.place == "2 nodes, 2 of 2 slots")
        if client:  # it cannot ask the cluster, so an actor does
            monkeypatch.setattr(ray_connection, "draining_nodes", lambda: None)
        node = drain()
        if client:
            until(workers, lambda asking: workers.place == "1 node, 1 of 1 slots")
        for number in range(2):
            workers.submit(cohort({"max_epochs": 2}, number=number))
        assert [worker.node == node for worker in workers._workers if worker.cohort is not None] == [False]
        ends = [event for event in drive(workers, 2) if not isinstance(event, RungReached)]
        assert all(isinstance(end, Finished) for end in ends)
        assert (workers.slots, workers.place) == (1, "1 node, 1 of 1 slots")
    finally:
        workers.close()


@pytest.fixture
def other_version(ray_cluster, tmp_path, monkeypatch):
    """Return a function that adds a node with another version of the package; it leaves at the end."""
    (tmp_path / "sitecustomize.py").write_text(OTHER_VERSION)
    added = []

    def add():
        with monkeypatch.context() as patch:
            patch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ['PYTHONPATH']}")
            added.append(add_node(ray_cluster, num_cpus=1))

    yield add
    for node in added:
        ray_cluster.remove_node(node)


def test_node_of_another_version_is_not_used(context, cohort, drive, ray_cluster, other_version):
    workers = open_workers(context, None, engine="ray")
    try:
        until(workers, lambda asking: workers.place == "2 nodes, 2 of 2 slots")
        worker = workers._workers[0]
        del workers._nodes.cores[worker.node]  # as if it had joined after the last look
        workers._started(worker, worker.node, __version__)
        assert workers.place == "2 nodes, 2 of 2 slots"
        other_version()
        until(workers, lambda asking: workers.slots == 3)
        with pytest.warns(UserWarning, match=r"not used: found automl 0\.0\.1 on node") as caught:
            until(workers, lambda asking: workers.slots == 2)
        assert len(caught) == 1
        assert workers.place == "2 nodes, 2 of 2 slots"
        # A worker that dies is replaced on the other nodes, although this one is free.
        workers._end(workers._workers[0])
        for number in range(2):
            workers.submit(cohort({"max_epochs": 2}, number=number))
        until(workers, lambda asking: len(asking) == 2)
        assert workers.place == "2 nodes, 2 of 2 slots"
    finally:
        workers.close()


def test_cluster_of_another_version_is_a_setting_error(context, cohort, ray_cluster, monkeypatch):
    from automl.workers import ray_workers

    monkeypatch.setattr(ray_workers, "__version__", "9.9")
    workers = open_workers(context, None, engine="ray")
    try:
        workers.submit(cohort(ENDLESS))
        with (
            pytest.raises(SettingError, match=r"engine: needs automl 9\.9 on every node; got automl "),
            pytest.warns(UserWarning, match="A node is not used"),
        ):
            workers.next(60)
    finally:
        workers.close()


def test_deadline_counts_the_preparation(context, cohort, ray_cluster, monkeypatch):
    import ray

    from automl.workers import ray_workers
    from automl.workers.ray_trainer import RayTrainer

    class Slow(RayTrainer):
        def __init__(self, context, threads):
            super().__init__(context, threads, lambda: False)

        def where(self):
            return ray.get_runtime_context().get_node_id(), self.version()

        def prepare(self, preprocess):
            time.sleep(2)
            yield from super().prepare(preprocess)

    monkeypatch.setattr(ray_workers, "TrainerActor", ray.remote(Slow))
    workers = open_workers(context, 1, engine="ray")
    try:
        until(workers, lambda asking: workers.place == "1 node, 1 of 1 slots")
        workers.submit(replace(cohort(ENDLESS), deadline=time.time() + 1.5))
        end = workers.next(60)
    finally:
        workers.close()
    assert isinstance(end, Finished), "it trains after its deadline"
    assert [record.state for record in end.records] == ["stopped"]


def test_worker_that_cannot_start_fails_its_cohort(context, cohort, ray_cluster, monkeypatch):
    def fail(self, context, threads):
        raise RuntimeError("no such driver")

    import ray

    from automl.workers import ray_workers

    broken = ray.remote(type("Broken", (), {"__init__": fail, "where": lambda self: ("", "")}))
    monkeypatch.setattr(ray_workers, "TrainerActor", broken)
    monkeypatch.setattr(ray_workers, "_LOST", 0)
    workers = open_workers(context, 1, engine="ray")
    try:
        workers.submit(cohort(ENDLESS))
        crashed = workers.next(300)
    finally:
        workers.close()
    assert isinstance(crashed, Crashed)
    assert crashed.reason.startswith("no worker starts: ")
    assert "no such driver" in crashed.reason


def test_node_where_no_worker_starts_fails_no_cohort(context, cohort, drive, ray_cluster, monkeypatch):
    import ray

    from automl.workers import ray_workers
    from automl.workers.ray_trainer import RayTrainer

    head = ray_cluster.head_node.node_id

    class Picky(RayTrainer):
        def __init__(self, context, threads):
            if self.where()[0] != head:
                raise RuntimeError("no such driver")
            super().__init__(context, threads, lambda: False)

        def where(self):
            return ray.get_runtime_context().get_node_id(), self.version()

    monkeypatch.setattr(ray_workers, "TrainerActor", ray.remote(Picky))
    monkeypatch.setattr(ray_workers, "_LOST", 0)
    workers = open_workers(context, None, engine="ray")
    try:
        until(workers, lambda asking: workers.place == "1 node, 1 of 2 slots")
        for number in range(2):
            workers.submit(cohort({"max_epochs": 2}, number=number))
        (asking,) = until(workers, lambda asking: asking)
        until(workers, lambda asking: workers._failed_starts > 1)  # the other cohort waits
        asking.reply(set())
        assert all(isinstance(event, Finished | RungReached) for event in drive(workers, 2))
    finally:
        workers.close()


def test_cohort_that_a_node_cannot_import_crashes_at_once(context, cohort, drive, ray_cluster, monkeypatch):
    here = ModuleType("only_here")
    exec("from automl.workers import Cohort\nclass Local(Cohort): pass", here.__dict__)
    monkeypatch.setitem(sys.modules, "only_here", here)
    workers = open_workers(context, 1, engine="ray")
    try:
        workers.submit(here.Local(0, cohort(*MODELS).trials))
        crashed = workers.next(300)
        assert isinstance(crashed, Crashed)
        assert crashed.reason.splitlines()[-1] == "ModuleNotFoundError: No module named 'only_here'"
        assert not workers._lost
        workers.submit(cohort(*MODELS, number=1))
        assert isinstance(drive(workers, 1)[-1], Finished)
    finally:
        workers.close()


def gone(kind):
    """Return a reference of Ray whose object is lost."""
    import ray

    if kind == "process":
        return ray.remote(num_cpus=0, max_retries=0)(lambda: os._exit(1)).remote()
    actor = ray.remote(num_cpus=0)(type("Sleeps", (), {"sleep": lambda self: time.sleep(600)})).remote()
    reference = actor.sleep.remote()
    ray.kill(actor)
    return reference


@pytest.mark.parametrize("kind", ["process", "actor"])
def test_lost_matrices_are_prepared_again(context, cohort, drive, ray_cluster, kind):
    lost, one = gone(kind), cohort(*MODELS)
    workers = open_workers(context, 1, engine="ray")
    try:
        workers._prepared[matrices_key(one.trials[0].preprocess)] = ["", lost, lost, lost]
        workers.submit(one)
        workers.next(300).reply(set())
        assert workers._lost == {0: 1}
        assert isinstance(drive(workers, 1)[-1], Finished)
    finally:
        workers.close()


def test_missing_ray_is_a_setting_error(context, monkeypatch):
    monkeypatch.setitem(sys.modules, "automl.workers.ray_workers", None)
    with pytest.raises(SettingError, match=r"pip install 'automl-orchestrator\[ray\]'"):
        open_workers(context, 2, engine="ray")
