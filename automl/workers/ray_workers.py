"""Run cohorts on a Ray cluster.

Each slot is an actor with cores of its own. The typed table and the prepared matrices of the folds are objects of Ray's
store: a node has one copy, which all its actors map into memory. A cohort goes to one actor; its scores at rungs and
its records come back. Only this process uses the study.
"""

from __future__ import annotations

import time
import warnings
from collections import Counter, OrderedDict, deque
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import joblib
import psutil
from typing_extensions import override

from automl.errors import Fault, SettingError
from automl.select import put_predictions
from automl.version import __version__
from automl.workers.blas import cores_per_worker, worker_environment
from automl.workers.cohort import Cohort
from automl.workers.context import WorkerContext
from automl.workers.memory import format_bytes
from automl.workers.prepared import matrices_key
from automl.workers.protocol import Crashed, Event, Finished, Killed, RungReached, Workers
from automl.workers.ray_connection import (
    ActorUnavailableError,
    ClusterNodes,
    RayError,
    RayTaskError,
    TrainerActor,
    connect,
    disconnect,
    first_ready,
    is_loss,
    kill,
    put,
    result,
    shorten,
    task_traceback,
)
from automl.workers.ray_trainer import AtRung, Ended, Failed, Message, TooLarge
from automl.workers.ray_worker import RayWorker

__all__ = ["RayWorkers"]

_REFRESH_SECONDS = 2.0  # between two looks at the nodes of the cluster
_PREPARED = 8  # preprocessings whose matrices stay in the store
_LOST = 3  # times that a cohort runs again because its node was lost, before it counts as the cause
_RETRY_SECONDS = 1.0  # between two starts of workers that fail


class RayWorkers(Workers):
    """One slot per actor; a cohort that no actor can take yet waits.

    A cohort whose node is lost runs again on another one. A cohort whose worker dies is reported as crashed.

    Parameters
    ----------
    context : WorkerContext
        What every cohort trains on.
    n_jobs : int or None
        Number of actors. None is one for each core of the cluster, and follows the nodes that join and leave.
    memory_limit : float
        Bytes for the workers of a node together with this process; each worker gets an equal share.
    engine : str
        ``"ray"`` uses the Ray of this process, or else of this machine, or else starts one; ``"ray://HOST:PORT"``
        connects to a cluster.

    Raises
    ------
    SettingError
        If the cluster cannot be reached, or a scorer cannot be sent to it.
    """

    def __init__(self, context: WorkerContext, n_jobs: int | None, memory_limit: float, engine: str) -> None:
        self._connected_here = connect(engine)
        self._closed, self._stopping = False, False
        self._n_jobs, self._memory_limit = n_jobs, memory_limit
        try:
            self._n_folds, self._predictions = len(context.folds), context.predictions
            self._nodes = ClusterNodes()
            self._cores = 1 if n_jobs is None else cores_per_worker(list(self._nodes.cores.values()), n_jobs)
            super().__init__(self._count_slots())
            self._context = put(context)
        except BaseException:
            self._disconnect()
            raise
        self._workers: list[RayWorker] = []
        self._queue: deque[Cohort] = deque()
        self._lost: Counter[int] = Counter()  # by cohort
        self._prepared: OrderedDict[str, list[Any]] = OrderedDict()
        self._refreshed, self._start_after = time.monotonic(), 0.0
        self._failed_starts, self._has_started = 0, False
        self._fill()

    @property
    @override
    def n_fits(self) -> int:
        return min(self.slots, int(joblib.cpu_count()))  # other nodes have no part in them

    @property
    @override
    def place(self) -> str:
        running = [worker for worker in self._workers if worker.node in self._nodes.cores]
        n_nodes = len({worker.node for worker in running})
        nodes = "1 node" if n_nodes == 1 else f"{n_nodes} nodes"
        return f"{nodes}, {len(running)} of {self.slots} slots"

    @override
    def memory_per_worker(self) -> float:
        if self._memory_limit == float("inf"):
            return self._memory_limit
        here = psutil.Process().memory_info().rss  # without Ray's own processes
        most = max((cores // self._cores for cores in self._nodes.cores.values()), default=1)
        return max(0.0, (self._memory_limit - here) / max(1, min(most, self.slots)))

    @override
    def submit(self, cohort: Cohort) -> None:
        self._queue.append(cohort)
        self._dispatch()

    @override
    def next(self, timeout: float | None = None) -> Event | None:
        end = float("inf") if timeout is None else time.monotonic() + timeout
        while not self._closed:
            self._refresh()
            self._dispatch()
            if (killed := self._kill_late()) is not None:
                return killed
            if (worker := self._wait(end)) is not None:
                if (event := self._receive(worker)) is not None:
                    return event
            elif time.monotonic() >= end:
                return None
        return None

    def _wait(self, end: float) -> RayWorker | None:
        """Wait for a message of a worker, at most until ``end`` or until there is something else to do."""
        until = min([end, self._refreshed + _REFRESH_SECONDS, *(worker.limit for worker in self._workers)])
        seconds = max(0.0, until - time.monotonic())
        awaited = {worker.awaited: worker for worker in self._workers if worker.awaited is not None}
        if not awaited:
            time.sleep(seconds)
            return None
        ready = first_ready(list(awaited), seconds)
        return None if ready is None else awaited[ready]

    def _receive(self, worker: RayWorker) -> Event | None:
        """Return the event of a worker's message, if it has one for the caller."""
        reference, worker.awaited = worker.awaited, None
        try:
            message = result(reference)
        except RayTaskError as error:
            if worker.cohort is None:
                return self._not_started(worker, error)
            return self._task_failed(worker, worker.cohort, error)
        except RayError as error:
            return self._died(worker, error)
        if worker.cohort is None:
            self._started(worker, *message)
            return None
        return self._event(worker, worker.cohort, message)

    def _event(self, worker: RayWorker, cohort: Cohort, message: Message) -> Event | None:
        match message:
            case AtRung() if self._stopping:  # a question sent before `stop`
                self._reply(worker, cohort, set())
                return None
            case AtRung(rung, scores, seconds):
                reply = partial(self._reply, worker, cohort)
                return RungReached(cohort, rung, scores, reply, seconds)
            case TooLarge(n_bytes):
                self._end(worker)
                reason = f"its worker had {format_bytes(n_bytes)} of memory, and may have "
                reason += format_bytes(self.memory_per_worker())
                return Killed(cohort, "memory_limit", reason, time.monotonic() - worker.training_since)
            case Ended(records, predictions, reusable):
                if self._predictions is not None:
                    with suppress(OSError):  # the disk is full: the trial will be in no ensemble
                        put_predictions(self._predictions, predictions)
                self._release(worker, reusable)
                self._lost.pop(cohort.id, None)
                return Finished(cohort, records)
            case Failed(reason, reusable):
                self._release(worker, reusable)
                return Crashed(cohort, reason)

    def _reply(self, worker: RayWorker, cohort: Cohort, pruned: set[int]) -> None:
        if worker.cohort is cohort and worker in self._workers:
            worker.awaited = worker.actor.reply.remote(pruned)

    def _release(self, worker: RayWorker, reusable: bool) -> None:
        worker.cohort, worker.training_since = None, float("inf")
        if not reusable:
            self._end(worker)

    def _started(self, worker: RayWorker, node: str, version: str) -> None:
        if node not in self._nodes.cores:  # it has just joined
            self._look()
        if version == __version__:
            worker.node, self._has_started, self._failed_starts = node, True, 0
            return
        self._end(worker)
        is_new = self._nodes.exclude(node)
        self.slots = self._count_slots()
        came, remedy = f"automl {version} on node {node[:8]}", "Install the same version everywhere."
        if not self._has_started and max(self._nodes.cores.values(), default=0) < self._cores:
            raise SettingError(Fault("engine", f"needs automl {__version__} on every node", came, remedy))
        if is_new:  # the search continues on the others
            warnings.warn(f"A node is not used: found {came}, expected {__version__}. {remedy}", stacklevel=3)

    def _not_started(self, worker: RayWorker, error: Exception) -> Event | None:
        """Give up a worker that could not start; a cohort that waits has crashed if no other worker runs."""
        self._end(worker)
        self._start_after = time.monotonic() + _RETRY_SECONDS
        self._failed_starts += 1
        if self._failed_starts <= _LOST or not self._queue or any(one.node for one in self._workers):
            return None
        return Crashed(self._queue.popleft(), f"no worker starts: {shorten(error)}")

    def _died(self, worker: RayWorker, error: Exception) -> Event | None:
        cohort = worker.cohort
        if cohort is None:
            return self._not_started(worker, error)
        self._end(worker)
        self._look()
        if isinstance(error, ActorUnavailableError) or worker.node not in self._nodes.cores:
            for key in [key for key, (node, *_) in self._prepared.items() if node == worker.node]:
                del self._prepared[key]
            return self._again(cohort, error)
        return Crashed(cohort, f"the worker process is gone: {shorten(error)}")

    def _task_failed(self, worker: RayWorker, cohort: Cohort, error: RayTaskError) -> Event | None:
        """Queue a cohort again whose matrices were lost; any other error is that of the cohort."""
        self._prepared.pop(matrices_key(cohort.trials[0].preprocess), None)
        if is_loss(error):  # with the node that prepared them; this worker is well
            self._release(worker, reusable=True)
            return self._again(cohort, error)
        self._end(worker)  # its thread may still train
        return Crashed(cohort, task_traceback(error))

    def _again(self, cohort: Cohort, error: Exception) -> Event | None:
        """Queue a cohort again that was lost with its node or its matrices."""
        self._lost[cohort.id] += 1
        if self._lost[cohort.id] > _LOST:
            return Crashed(cohort, f"its node was lost {_LOST + 1} times: {shorten(error)}")
        self._queue.appendleft(cohort)
        return None

    def _kill_late(self) -> Killed | None:
        """Kill a worker that exceeds its time."""
        now = time.monotonic()
        for worker in self._workers:
            if worker.cohort is not None and now >= worker.limit:
                self._end(worker)
                seconds = now - worker.training_since
                return Killed(worker.cohort, "trial_timeout", worker.cohort.timeout_reason, seconds)
        return None

    def _refresh(self) -> None:
        """Follow the nodes that joined or left."""
        if time.monotonic() < self._refreshed + _REFRESH_SECONDS:
            return
        self._refreshed = time.monotonic()
        self._look()
        self._follow_nodes()
        for worker in [one for one in self._workers if not one.node]:
            if self._n_usable > self.slots:
                self._end(worker)

    def _look(self) -> None:
        self._nodes.look(next((one.actor for one in self._workers if one.node in self._nodes.cores), None))

    def _follow_nodes(self) -> None:
        """Set the slots; end idle workers of nodes that have left, where no message would fail, or will leave."""
        self.slots = self._count_slots()
        for worker in [one for one in self._workers if one.idle and one.node not in self._nodes.cores]:
            self._end(worker)

    @property
    def _n_usable(self) -> int:
        """Number of workers that start, or may train another cohort."""
        return sum(not worker.node or worker.node in self._nodes.cores for worker in self._workers)

    def _count_slots(self) -> int:
        return self._n_jobs or max(1, sum(self._nodes.cores.values()))

    def _fill(self) -> None:
        """Start workers where slots are empty; Ray places them as soon as a node has room."""
        if self._n_usable >= self.slots or time.monotonic() < self._start_after:
            return
        start = TrainerActor.options(  # type: ignore[attr-defined]
            num_cpus=self._cores,
            max_concurrency=2,
            scheduling_strategy="SPREAD",
            runtime_env={"env_vars": worker_environment(self._cores)},
            label_selector=self._nodes.label_selector,
        )
        while self._n_usable < self.slots:
            actor = start.remote(self._context, self._cores)
            self._workers.append(RayWorker(actor, actor.where.remote()))

    def _dispatch(self) -> None:
        """Give waiting cohorts to idle workers, preferably where the matrices are."""
        if self._stopping:
            return
        if self._queue and any(worker.idle for worker in self._workers):
            self._nodes.drop_draining()
            self._follow_nodes()
        self._fill()
        while self._queue and (idle := [worker for worker in self._workers if worker.idle]):
            cohort = self._queue.popleft()
            preprocess = cohort.trials[0].preprocess
            known = self._prepared.get(matrices_key(preprocess), [None])
            worker = min(idle, key=lambda one: one.node != known[0])
            worker.cohort, worker.training_since = cohort, time.monotonic()
            limits = cohort.deadline - time.time(), self.memory_per_worker()
            worker.actor.announce.remote(cohort.id)
            matrices = self._matrices(worker, preprocess)
            worker.awaited = worker.actor.start.remote(cohort, *limits, *matrices)

    def _matrices(self, worker: RayWorker, preprocess: Mapping[str, Any]) -> list[Any]:
        """Return references of the matrices of all folds; the worker prepares them if no one has."""
        key = matrices_key(preprocess)
        if key not in self._prepared:
            while len(self._prepared) >= _PREPARED:
                self._prepared.popitem(last=False)
            if self._n_folds == 1:
                made = [worker.actor.prepare_holdout.remote(preprocess)]
            else:
                made = worker.actor.prepare.options(num_returns=self._n_folds).remote(preprocess)
            self._prepared[key] = [worker.node, *made]
        self._prepared.move_to_end(key)
        return self._prepared[key][1:]

    def _end(self, worker: RayWorker) -> None:
        with suppress(ValueError):
            self._workers.remove(worker)
        with suppress(Exception):  # it is dead
            kill(worker.actor)

    @override
    def stop(self) -> bool:
        self._stopping = True
        for worker in self._workers:
            if worker.cohort is not None:
                worker.actor.stop.remote()
                if worker.awaited is None:  # the cohort waits at a rung
                    self._reply(worker, worker.cohort, set())
        return True

    @override
    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        for worker in list(self._workers):
            self._end(worker)
        self._queue.clear()
        self._prepared.clear()
        self._disconnect()

    def _disconnect(self) -> None:
        self._context = None
        if self._connected_here:
            disconnect()
