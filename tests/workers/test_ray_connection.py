"""How Ray is found, and which nodes are used."""

import threading
from types import SimpleNamespace

import pytest

from automl.errors import SettingError
from automl.workers import open_workers

pytestmark = [pytest.mark.slow, pytest.mark.serial]


def test_unreachable_cluster_is_a_setting_error(context, monkeypatch):
    ray = pytest.importorskip("ray")
    before = threading.active_count()

    def init(*args, **options):
        raise ConnectionError("ray client connection timeout")

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(
        SettingError, match="engine: must be a Ray cluster that can be reached; got ray://x:1"
    ):
        open_workers(context, 2, engine="ray://x:1")
    assert threading.active_count() == before


def test_slow_start_of_a_local_ray_is_tried_again(monkeypatch):
    ray = pytest.importorskip("ray")
    from automl.workers import ray_connection

    starts = []

    def init(address, **options):
        starts.append(address)
        if len(starts) % 3:
            raise Exception("The current node timed out during startup.")

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    monkeypatch.setattr(ray, "init", init)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert ray_connection.connect("ray")
    assert starts == [None] * 3
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")  # a cluster that exists says at once what is wrong
    with pytest.raises(SettingError, match="timed out during startup"):
        ray_connection.connect("ray")
    assert len(starts) == 4


def test_client_whose_server_ends_at_its_start_is_tried_again(monkeypatch):
    ray = pytest.importorskip("ray")
    from automl.workers import ray_connection

    starts = []

    def init(address, **options):
        starts.append(address)
        if len(starts) != 2:
            raise ConnectionAbortedError("Initialization failure from server: psutil.ZombieProcess")

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    monkeypatch.setattr(ray, "init", init)
    assert ray_connection.connect("ray://10.0.0.1:10001")
    assert starts == ["ray://10.0.0.1:10001"] * 2
    with pytest.raises(SettingError, match="ZombieProcess"):
        ray_connection.connect("ray://10.0.0.1:10001")
    assert len(starts) == 5


def test_address_of_another_cluster_is_a_setting_error(context, ray_cluster):
    with pytest.raises(SettingError) as caught:
        open_workers(context, 2, engine="ray://10.0.0.1:10001")
    assert f'must be "ray" in a process that is connected to Ray, here to {ray_cluster.address}' in str(
        caught.value
    )
    assert 'got ray://10.0.0.1:10001. Give engine="ray" for that cluster' in str(caught.value)


def test_address_of_the_connected_cluster_is_used(monkeypatch):
    ray = pytest.importorskip("ray")
    from ray.util.client import ray as client

    from automl.workers import ray_connection

    worker = SimpleNamespace(_conn_str="10.0.0.1:10001", is_connected=lambda: True)
    monkeypatch.setattr(ray, "is_initialized", lambda: True)
    monkeypatch.setattr(client.get_context(), "client_worker", worker)
    assert not ray_connection.connect("ray://10.0.0.1:10001")
    assert not ray_connection.connect("ray")
    with pytest.raises(SettingError, match="here to ray://10.0.0.1:10001; got ray://10.0.0.2:10001"):
        ray_connection.connect("ray://10.0.0.2:10001")


def test_excluded_and_draining_nodes_are_left_out(monkeypatch):
    ray = pytest.importorskip("ray")
    from automl.workers import ray_connection

    alive, draining = ["a", "b", "c", "d"], set()
    monkeypatch.setattr(ray_connection, "draining_nodes", lambda: draining)
    monkeypatch.setattr(
        ray,
        "nodes",
        lambda: [{"NodeID": node, "Alive": node in alive, "Resources": {"CPU": 2.0}} for node in "abcde"],
    )
    nodes = ray_connection.ClusterNodes()
    assert nodes.cores == dict.fromkeys("abcd", 2)
    assert nodes.label_selector is None
    assert [nodes.exclude("c"), nodes.exclude("c"), nodes.exclude("b")] == [True, False, True]
    draining.add("d")
    nodes.drop_draining()
    assert nodes.cores == {"a": 2}
    nodes.look()
    assert nodes.cores == {"a": 2}
    assert nodes.label_selector == {"ray.io/node-id": "!in(b,c)"}
    alive.remove("b")
    draining.clear()
    nodes.look()
    assert nodes.cores == {"a": 2, "d": 2}
    assert nodes.label_selector == {"ray.io/node-id": "!in(c)"}


def test_only_a_lost_argument_is_a_loss():
    ray = pytest.importorskip("ray")
    from automl.workers import ray_connection

    def is_loss(cause):
        failed = ray.exceptions.RayTaskError("start", "Traceback", cause, "ray::start", 1, "10.0.0.1")
        return ray_connection.is_loss(failed), ray_connection.is_loss(failed.as_instanceof_cause())

    errors = ray.exceptions
    lost = errors.ObjectLostError("00", None, ""), errors.OwnerDiedError("00", None, "")
    lost += errors.ActorDiedError(), errors.WorkerCrashedError(), errors.OutOfMemoryError("of the node")
    assert [is_loss(cause) for cause in lost] == [(True, True)] * len(lost)
    own = ValueError("no"), errors.RaySystemError(ImportError("no")), errors.ObjectStoreFullError()
    assert [is_loss(cause) for cause in own] == [(False, False)] * len(own)


def test_traceback_of_a_task_has_no_colours():
    ray = pytest.importorskip("ray")
    from automl.workers import ray_connection

    text = "Traceback (most recent call last):\n  File one\nImportError: no"
    failed = ray.exceptions.RayTaskError("start", text, ImportError("no"), "ray::start", 1, "10.0.0.1")
    lines = ray_connection.task_traceback(failed).splitlines()
    assert (lines[0], lines[-1]) == ("ray::start() (pid=1, ip=10.0.0.1)", "ImportError: no")


def test_selector_of_many_nodes_is_valid_in_ray():
    ray = pytest.importorskip("ray")
    selector = {"ray.io/node-id": f"!in({','.join(f'{number:056x}' for number in range(100))})"}
    ray.remote(num_cpus=1, label_selector=selector)(type("Empty", (), {}))
