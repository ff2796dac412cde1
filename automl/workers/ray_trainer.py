"""The program of a Ray actor: it trains the cohorts that it receives. The actor's caller is `ray_workers`."""

from __future__ import annotations

import os
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from typing_extensions import override

from automl.families import Array
from automl.records import TrialRecord
from automl.version import __version__
from automl.workers.cohort import Cohort
from automl.workers.context import WorkerContext
from automl.workers.memory import process_tree_rss, trim_memory
from automl.workers.prepared import PreparedFold, PreparedFolds
from automl.workers.protocol import Crashed, Finished, RungReached
from automl.workers.thread_worker import ThreadWorkers

__all__ = ["AtRung", "Ended", "Failed", "Matrices", "Message", "RayTrainer", "TooLarge"]

_WATCH_SECONDS = 1.0  # between two measurements of the process's memory
_REUSE = 0.5  # share of the memory limit above which the process is not used again

# The training and the validation matrix of a fold, or why they could not be prepared.
Matrices = tuple[Array, Array] | str


@dataclass(frozen=True)
class AtRung:
    """The cohort waits at a rung for the numbers of the trials to prune."""

    rung: int
    scores: dict[int, float]
    seconds: float  # of its fits so far


@dataclass(frozen=True)
class Ended:
    """The cohort has ended.

    Parameters
    ----------
    records : list of TrialRecord
        One per trial.
    predictions : dict of str to bytes
        Files of out-of-fold predictions by name.
    reusable : bool
        Whether the process may train another cohort.
    """

    records: list[TrialRecord]
    predictions: dict[str, bytes]
    reusable: bool


@dataclass(frozen=True)
class Failed:
    """The cohort as a whole raised."""

    reason: str
    reusable: bool


@dataclass(frozen=True)
class TooLarge:
    """The process uses more memory than it may."""

    n_bytes: int


Message = AtRung | Ended | Failed | TooLarge


class RayTrainer:
    """Train cohorts, one at a time; each call returns the next message of the cohort.

    A thread trains. So a question at a rung costs one call: the answer of the last question goes down, the next
    question or the result comes up.

    Parameters
    ----------
    context : WorkerContext
        What every cohort trains on.
    threads : int
        Cores of this process.
    draining : callable
        Returns whether the node is about to leave the cluster.
    """

    def __init__(self, context: WorkerContext, threads: int, draining: Callable[[], bool]) -> None:
        warnings.simplefilter("ignore")  # the terminal is the caller's
        # Not in files: an actor is killed, so it could not remove them.
        self._packed: dict[str, bytes] = {}
        if context.predictions is not None:
            context = replace(context, predictions=None, models=None, packed=self._packed)
        self._prepare, self._prepared = PreparedFolds(context), _GivenFolds(context)
        self._workers = ThreadWorkers(context, self._prepared, threads)
        self._draining, self._memory = draining, float("inf")
        self._asked: RungReached | None = None
        self._announced: tuple[int, float] | None = None  # id of a cohort, and since when it is on its way
        self._waited = 0.0  # seconds until the matrices of the cohort had arrived
        self._preparing = self._prepared_in = (
            0.0  # seconds that this process took to prepare matrices, of these
        )
        self._measured = time.monotonic()

    def close(self) -> None:
        """End the thread; for tests, an actor ends with its process."""
        self._workers.close()

    def version(self) -> str:
        """Return the version of the package on this node."""
        return __version__

    def prepare(self, preprocess: Mapping[str, Any]) -> Iterator[Matrices]:
        """Prepare one fold after the other; a fault is yielded as text for each remaining fold."""
        n_left, began = self._prepared.n_folds, time.monotonic()
        try:
            for matrices in self._prepare.matrices(preprocess):
                self._preparing = time.monotonic() - began
                yield matrices
                del matrices  # Ray has a copy
                trim_memory()
                n_left -= 1
        except Exception:
            reason = traceback.format_exc()
            for _ in range(n_left):
                yield reason

    def announce(self, cohort_id: int) -> None:
        """Note that a cohort is on its way: Ray calls `start` only when its matrices have arrived."""
        self._announced = cohort_id, time.monotonic()

    def start(self, cohort: Cohort, seconds: float, memory: float, *matrices: Matrices) -> Message:
        """Start to train a cohort.

        Parameters
        ----------
        cohort : Cohort
            The trials.
        seconds : float
            Seconds to its deadline since it was announced, or from now; the clocks of two machines may differ.
        memory : float
            Bytes that this process may use.
        *matrices : pair of ndarray, or str
            What `prepare` yielded for the preprocessing of the cohort.
        """
        self._memory = memory
        self._packed.clear()  # a cohort that failed may have left some
        self._prepared.given = matrices
        self._waited = self._seconds_since_announced(cohort.id)
        self._prepared_in, self._preparing = min(self._preparing, self._waited), 0.0
        self._workers.submit(replace(cohort, deadline=time.time() + seconds - self._waited))
        return self._next()

    def _seconds_since_announced(self, cohort_id: int) -> float:
        announced, self._announced = self._announced, None
        if announced is None or announced[0] != cohort_id:
            return 0.0
        return time.monotonic() - announced[1]

    def reply(self, pruned: set[int]) -> Message:
        """Answer the last question."""
        if self._asked is not None:
            self._asked.reply(pruned)
        return self._next()

    def stop(self) -> None:
        """End the cohort with the scores it has; its result is the next message, or the one after a question."""
        self._workers.stop()

    def _next(self) -> Message:
        watched = self._memory < float("inf")
        while True:
            match self._workers.next(_WATCH_SECONDS if watched else None):
                case Finished(_, records):
                    records = self._with_preparation(records)
                    return Ended(records, self._take_predictions(), self._reusable())
                case Crashed(_, reason):
                    return Failed(reason, self._reusable())
                case event:  # a question, or none: what has ended is kept, whatever memory it took
                    if watched and (n_bytes := self._excess()):
                        return TooLarge(n_bytes)
                    if isinstance(event, RungReached):
                        self._asked = event
                        return AtRung(event.rung, event.scores, event.seconds)

    def _with_preparation(self, records: list[TrialRecord]) -> list[TrialRecord]:
        """Count the wait for matrices as time of the trials, and what this process prepared as their preparation."""
        waited, prepared = self._waited / max(1, len(records)), self._prepared_in / max(1, len(records))
        return [
            one.model_copy(
                update={"seconds": one.seconds + waited, "prepare_seconds": one.prepare_seconds + prepared}
            )
            for one in records
        ]

    def _excess(self) -> int:
        """Return the bytes of the process if they exceed the limit, else 0; measured once in a while."""
        if time.monotonic() < self._measured + _WATCH_SECONDS:
            return 0
        self._measured, n_bytes = time.monotonic(), self._rss()
        return n_bytes if n_bytes > self._memory else 0

    def _take_predictions(self) -> dict[str, bytes]:
        files = dict(self._packed)
        self._packed.clear()
        return files

    def _reusable(self) -> bool:
        self._prepared.given = ()  # so that the node may free them
        trim_memory()
        return not self._draining() and (self._memory == float("inf") or self._rss() <= _REUSE * self._memory)

    def _rss(self) -> int:
        return process_tree_rss([os.getpid()])[os.getpid()]


class _GivenFolds(PreparedFolds):
    """Folds with the matrices that arrived with the cohort."""

    def __init__(self, context: WorkerContext) -> None:
        super().__init__(context)
        self.n_folds = len(context.folds)
        self.given: Sequence[Matrices] = ()

    @override
    def __call__(self, preprocess: Mapping[str, Any]) -> list[PreparedFold]:
        for matrices in self.given:
            if isinstance(matrices, str):
                raise RuntimeError(matrices)
        return self.of_matrices(matrices for matrices in self.given if not isinstance(matrices, str))
