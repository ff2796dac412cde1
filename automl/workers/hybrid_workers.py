"""Run cohorts on a thread of this process, and those that may not end by themselves in a process of their own."""

from __future__ import annotations

from typing_extensions import override

from automl.errors import SettingError, StoreError
from automl.workers.cohort import Cohort
from automl.workers.context import WorkerContext
from automl.workers.process_worker import ProcessWorkers
from automl.workers.protocol import Event, RungReached
from automl.workers.thread_worker import ThreadWorkers

__all__ = ["HybridWorkers"]


class HybridWorkers(ThreadWorkers):
    """One slot. A thread cannot be stopped, so a killable cohort trains in a process, which starts with the first one.

    Parameters
    ----------
    context : WorkerContext
        What every cohort trains on.
    """

    def __init__(self, context: WorkerContext) -> None:
        super().__init__(context)
        self._process: ProcessWorkers | None = None
        self._in_process = False

    @override
    def submit(self, cohort: Cohort) -> None:
        if cohort.killable and self._process is None:
            try:
                self._process = ProcessWorkers(self._context, 1)
            except (SettingError, StoreError):  # a scorer that cannot be sent to it, or a disk without space
                return super().submit(cohort)
        self._in_process = cohort.killable
        if self._process is not None and cohort.killable:
            return self._process.submit(cohort)
        return super().submit(cohort)

    @override
    def next(self, timeout: float | None = None) -> Event | None:
        if self._process is None or not self._in_process:
            return super().next(timeout)
        event = self._process.next(timeout)
        self._in_process = event is None or isinstance(event, RungReached)
        return event

    @override
    def stop(self) -> bool:
        if self._process is not None:
            self._process.stop()
        return super().stop()

    @override
    def close(self) -> None:
        if self._process is not None:
            self._process.close()
        super().close()
