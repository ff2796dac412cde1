"""Connect to a Ray cluster, and see its nodes."""

from __future__ import annotations

import logging
import os
import re
import textwrap
from contextlib import suppress
from typing import Any

import ray

from automl.errors import Fault, SettingError
from automl.workers.worker_process import sigterm_kept

__all__ = ["connect", "cores_by_node", "is_draining", "shorten"]


def connect(engine: str, attempts: int = 3) -> bool:
    """Connect to Ray unless this process is connected; return whether it was done here.

    Two things are repeated. A Ray of this machine has 30 s to start, which a busy machine may exceed. And a
    cluster starts a process for each client by a fork beside threads of gRPC, which may end at once.
    """
    if ray.is_initialized():
        return False
    address = None if engine == "ray" else engine
    more: dict[str, Any] = {} if address else {"include_dashboard": False}
    try:
        with sigterm_kept():
            ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **more)
    except Exception as error:  # Ray raises many types, `Exception` among them
        ray.shutdown()
        starts_here = not (address or os.environ.get("RAY_ADDRESS"))
        if attempts > 1 and (starts_here or isinstance(error, ConnectionAbortedError)):
            return connect(engine, attempts - 1)
        rule, remedy = "must be a Ray cluster that can be reached", "Start one with `ray start --head`."
        raise SettingError(Fault("engine", rule, f"{engine}: {shorten(error)}", remedy)) from error
    return True


def cores_by_node() -> dict[str, int]:
    """Return the cores of each living node."""
    return {
        node["NodeID"]: int(node["Resources"].get("CPU", 0))
        for node in ray.nodes()  # type: ignore[no-untyped-call]
        if node["Alive"]
    }


def is_draining(node: str) -> bool:
    """Return whether a node is about to leave the cluster; its workers then take no more cohorts."""
    from ray._private.state import state

    with suppress(Exception):  # not a part of Ray's documented interface
        return node in state.get_draining_nodes()
    return False


def shorten(error: Exception) -> str:
    """Return the first and the last line of an error of Ray, which has many, without its colours."""
    lines = [line.strip() for line in re.sub(r"\x1b\[\d+m", "", str(error)).splitlines() if line.strip()]
    return textwrap.shorten(" ... ".join(dict.fromkeys((lines[0], lines[-1]))) if lines else "", 400)
