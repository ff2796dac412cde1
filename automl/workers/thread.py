"""Cohorts in this process, one at a time: on a thread of its own, so that the caller can be interrupted."""

from __future__ import annotations

import queue
import threading
import traceback

from automl.workers.base import Crashed, Finished, JudgeRequest, Workers
from automl.workers.evaluate import Cohort, evaluate
from automl.workers.prepared import Assignment, PreparedFolds

__all__ = ["ThreadWorkers"]


class ThreadWorkers(Workers):
    """One slot, nothing to start and nothing to copy."""

    def __init__(self, assignment: Assignment) -> None:
        super().__init__(slots=1)
        self._assignment = assignment
        self._prepared = PreparedFolds(assignment)
        self._stopped = threading.Event()

    def submit(self, cohort: Cohort) -> None:
        """Start a cohort; returns at once."""
        threading.Thread(target=self._run, args=(cohort,), name=f"cohort-{cohort.id}", daemon=True).start()

    def close(self) -> None:
        """Ask whatever still runs to stop at its next chance."""
        self._stopped.set()

    def _run(self, cohort: Cohort) -> None:
        replies: queue.SimpleQueue[set[int]] = queue.SimpleQueue()

        def judge(rung: int, scores: dict[int, float]) -> set[int]:
            if self._stopped.is_set():
                return set()
            self._events.put(JudgeRequest(cohort, rung, scores, replies.put))
            return self._reply(replies)

        try:
            records = evaluate(self._assignment, self._prepared, cohort, judge, self._stopped.is_set)
        except BaseException:
            self._events.put(Crashed(cohort, traceback.format_exc()))
        else:
            self._events.put(Finished(cohort, records))

    def _reply(self, replies: queue.SimpleQueue[set[int]]) -> set[int]:
        while not self._stopped.is_set():
            try:
                return replies.get(timeout=0.2)
            except queue.Empty:
                continue
        return set()
