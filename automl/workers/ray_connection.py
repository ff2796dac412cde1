"""Connect to a Ray cluster: its nodes, its objects and its actors. Only this file imports Ray."""

from __future__ import annotations

import logging
import os
import re
import textwrap
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import ray
from ray.exceptions import (
    ActorUnavailableError,
    LocalRayletDiedError,
    NodeDiedError,
    ObjectLostError,
    OutOfMemoryError,
    RayActorError,
    RayError,
    RayTaskError,
    WorkerCrashedError,
)

from automl.errors import Fault, SettingError
from automl.workers.context import WorkerContext
from automl.workers.process_worker import unsendable_scorer
from automl.workers.ray_trainer import Matrices, RayTrainer
from automl.workers.worker_process import sigterm_kept

__all__ = [
    "ActorUnavailableError",
    "ClusterNodes",
    "RayError",
    "RayTaskError",
    "TrainerActor",
    "connect",
    "disconnect",
    "draining_nodes",
    "first_ready",
    "is_loss",
    "kill",
    "put",
    "result",
    "shorten",
    "task_traceback",
]

# Ray reports an argument that is gone as the cause of a `RayTaskError`. An argument that cannot be read is a
# `RaySystemError`, and any other exception was raised by the task itself.
_LOSSES = (
    ObjectLostError,
    RayActorError,
    WorkerCrashedError,
    OutOfMemoryError,
    NodeDiedError,
    LocalRayletDiedError,
)


def connect(engine: str, attempts: int = 3) -> bool:
    """Connect to Ray unless this process is connected; return whether it was done here.

    Raises
    ------
    SettingError
        If the cluster cannot be reached, or ``engine`` is an address and this process is connected to another one.

    Notes
    -----
    Two things are repeated. A Ray of this machine has 30 s to start, which a busy machine may exceed. And a
    cluster starts a process for each client by a fork beside threads of gRPC, which may end at once.
    """
    if ray.is_initialized():
        if engine != "ray" and (here := _connected_to()) != engine:
            rule = f'must be "ray" in a process that is connected to Ray, here to {here}'
            remedy = 'Give engine="ray" for that cluster, or call ray.shutdown() before the search.'
            raise SettingError(Fault("engine", rule, engine, remedy))
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


def disconnect() -> None:
    """Leave the cluster; one that was started by `connect` ends."""
    ray.shutdown()


def _connected_to() -> str:
    """Return the address of the Ray of this process."""
    from ray.util import client

    context: Any = client.ray.get_context()  # type: ignore[no-untyped-call]
    if context.is_connected():
        return f"ray://{context.client_worker._conn_str}"
    return str(ray.get_runtime_context().gcs_address)


def draining_nodes() -> set[str] | None:
    """Return the nodes that are about to leave the cluster; None in a client of Ray, which cannot know them."""
    from ray._private.state import state

    with suppress(Exception):  # not a part of Ray's documented interface
        return set(state.get_draining_nodes())
    return None


class ClusterNodes:
    """The nodes that may train cohorts: they live, stay in the cluster, and have this version of the package.

    Attributes
    ----------
    cores : dict of str to int
        Cores by node.
    """

    def __init__(self) -> None:
        self.cores: dict[str, int] = {}
        self._excluded: set[str] = set()
        self._draining: set[str] = set()
        self._asked: Any = None  # reference of an actor's answer
        self.look()

    def look(self, actor: Any = None) -> None:
        """Look which nodes live and stay.

        Parameters
        ----------
        actor : actor handle, optional
            Its method ``draining`` answers for a client of Ray, at the next look.
        """
        nodes = [node for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
        self._excluded &= {node["NodeID"] for node in nodes}
        self.cores = {
            node["NodeID"]: int(node["Resources"].get("CPU", 0))
            for node in nodes
            if node["NodeID"] not in self._excluded
        }
        self.drop_draining(actor)

    def drop_draining(self, actor: Any = None) -> None:
        """Leave out the nodes that are about to leave; parameters as in `look`."""
        found = draining_nodes()
        self._draining = self._answer(actor) if found is None else found
        self.cores = {node: cores for node, cores in self.cores.items() if node not in self._draining}

    def exclude(self, node: str) -> bool:
        """Leave a node out; return whether it was among them until now."""
        self._excluded.add(node)
        return self.cores.pop(node, None) is not None

    @property
    def label_selector(self) -> dict[str, str] | None:
        """Ray's option that keeps actors from excluded nodes; it needs none for nodes that are about to leave."""
        return {"ray.io/node-id": f"!in({','.join(sorted(self._excluded))})"} if self._excluded else None

    def _answer(self, actor: Any) -> set[str]:
        """Return the last answer of an actor, and ask again."""
        found = self._draining
        if self._asked is not None and ray.wait([self._asked], timeout=0)[0]:
            with suppress(RayError):  # it is dead
                found = set(ray.get(self._asked) or ())
            self._asked = None
        if self._asked is None and actor is not None:
            self._asked = actor.draining.remote()
        return found


@ray.remote(max_restarts=0, max_task_retries=0)
class TrainerActor(RayTrainer):
    """A `RayTrainer` that knows its node. Its caller awaits one method at a time; `stop` may run beside it."""

    def __init__(self, context: WorkerContext, threads: int) -> None:
        self._node = ray.get_runtime_context().get_node_id()
        super().__init__(context, threads, lambda: self._node in self.draining())

    def where(self) -> tuple[str, str]:
        """Return the node and the version of the package on it."""
        return self._node, self.version()

    def draining(self) -> set[str]:
        """Return the nodes that are about to leave the cluster."""
        return draining_nodes() or set()

    def prepare_holdout(self, preprocess: Mapping[str, Any]) -> Matrices:
        """Prepare the only fold."""
        return next(self.prepare(preprocess))


def put(context: WorkerContext) -> Any:
    """Put the context into the store of objects, and return its reference.

    Raises
    ------
    SettingError
        If a scorer cannot be sent.
    """
    try:
        return ray.put(context)
    except RayError:
        raise
    except Exception as error:  # pickling an object of the user may raise anything
        raise SettingError(unsendable_scorer(error)) from error


def first_ready(references: Sequence[Any], seconds: float) -> Any:
    """Return the first of these references whose result is there; None after ``seconds``."""
    ready, _ = ray.wait(list(references), num_returns=1, timeout=seconds)
    return ready[0] if ready else None


def result(reference: Any) -> Any:
    """Return the result behind a reference.

    Raises
    ------
    RayTaskError
        If the method of the actor raised.
    RayError
        If the actor or its node is gone.
    """
    return ray.get(reference)


def is_loss(error: RayTaskError) -> bool:
    """Return whether a task did not run because an argument was lost, with its process or its node."""
    return isinstance(error.cause, _LOSSES)


def task_traceback(error: RayTaskError) -> str:
    """Return the traceback of a task without the colours of Ray; its last line has the error."""
    return _without_colours(error).strip()


def kill(actor: Any) -> None:
    """End an actor at once."""
    ray.kill(actor)


def shorten(error: Exception) -> str:
    """Return the first and the last line of an error of Ray, which has many, without its colours."""
    lines = [line.strip() for line in _without_colours(error).splitlines() if line.strip()]
    return textwrap.shorten(" ... ".join(dict.fromkeys((lines[0], lines[-1]))) if lines else "", 400)


def _without_colours(error: Exception) -> str:
    return re.sub(r"\x1b\[\d+m", "", str(error))
