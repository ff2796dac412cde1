"""A Ray cluster of two nodes on this machine, for all tests of a run that use Ray."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import ROOT

IMPORTABLE = ROOT / "tests" / "support" / "importable"  # modules that the nodes can import by their names
TOKEN = "f00dfacef00dfacef00dfacef00dface"  # which the nodes and their clients must have
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")  # which `make test` sets
_ATTEMPTS = 3  # Ray gives a node 30 s to start, which a busy machine may exceed


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[Any]:
    """Start two nodes of one core each, and connect this process. A test that removes a node adds another."""
    os.environ["PYTHONPATH"] = os.pathsep.join(map(str, (ROOT, IMPORTABLE)))
    ray = pytest.importorskip("ray", reason="Ray is not installed")
    from ray.cluster_utils import Cluster

    cluster = Cluster()
    # A killed node is noticed after five checks; a busy one has ten seconds for each.
    checks = {"health_check_period_ms": 1000, "health_check_failure_threshold": 5}
    add_node(cluster, num_cpus=1, include_dashboard=False, _system_config=checks)
    add_node(cluster, num_cpus=1)
    ray.init(address=cluster.address, log_to_driver=False, logging_level=logging.ERROR)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def add_node(cluster: Any, **options: Any) -> Any:
    """Return a new node of a cluster, whose workers must limit their threads themselves."""
    with pytest.MonkeyPatch.context() as patch:
        for name in _THREADS:
            patch.delenv(name, raising=False)
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return cluster.add_node(**options)
            except Exception:
                if attempt == _ATTEMPTS:
                    raise
    return None
