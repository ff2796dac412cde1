"""The program of a worker process: it trains the cohorts that it receives."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
import time
import traceback
import warnings
from multiprocessing import connection
from pathlib import Path

import joblib
import psutil

from automl.records import TrialRecord
from automl.workers.blas import limit_threads
from automl.workers.cohort import Cohort
from automl.workers.context import WorkerContext
from automl.workers.evaluation import evaluate
from automl.workers.measurements import CostMeter
from automl.workers.prepared import PreparedFolds

__all__ = ["TABLE", "main"]

TABLE = "table.joblib"  # the frame, beside the file of the context
_WATCH_SECONDS = 1.0  # between two checks that the parent is alive


def main(handle: str, context_file: str, n_jobs: str, parent_id: str, above: str = "") -> None:
    """Serve the parent until it closes the pipe or dies.

    Parameters
    ----------
    handle : str
        Handle of this process's end of the pipe.
    context_file : str
        File of the `WorkerContext`; its folder is removed if the parent dies.
    n_jobs : str
        Number of workers that share the cores.
    parent_id : str
        Process id of the parent.
    above : str
        Process id of the fork server between them; empty without one.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warnings.simplefilter("ignore")  # the terminal is the parent's
    file = Path(context_file)
    watch = threading.Thread(
        target=_exit_with, args=(int(parent_id), int(above or parent_id), file.parent), daemon=True
    )
    watch.start()
    try:
        _Server(_pipe(int(handle)), file, int(n_jobs)).run()
    except (EOFError, OSError):
        # The parent is about to kill this process, or is dead. In the latter case the other thread cleans up.
        watch.join(2 * _WATCH_SECONDS)


def _pipe(handle: int) -> connection.Connection:
    if sys.platform == "win32":
        return connection.PipeConnection(handle)
    return connection.Connection(handle)


class _Server:
    """Trains cohorts, one at a time.

    Parameters
    ----------
    parent : Connection
        Cohorts arrive here. For each the server sends None when training begins, ``(rung, scores, seconds)`` at every
        rung, to which the parent replies, and at the end the records or the traceback of an error. The parent sends
        None to stop the training.
    file : Path
        File of the context.
    n_jobs : int
        Number of workers that share the cores.
    """

    def __init__(self, parent: connection.Connection, file: Path, n_jobs: int) -> None:
        self._parent, self._file, self._n_jobs = parent, file, n_jobs
        self._stopped = False
        self._loaded: tuple[WorkerContext, PreparedFolds, CostMeter] | None = None

    def run(self) -> None:
        while True:
            cohort = self._parent.recv()
            try:
                answer: list[TrialRecord] | str = self._train(cohort)
            except Exception:
                answer = traceback.format_exc()
            self._parent.send(answer)

    def _train(self, cohort: Cohort) -> list[TrialRecord]:
        context, prepared, costs = self._load()
        self._parent.send(None)
        n_values = len(context.y) * context.frame.shape[1]
        with limit_threads(n_values, self._n_jobs, cohort.blas_threads):
            return evaluate(context, prepared, cohort, self._report, self._must_stop, costs)

    def _load(self) -> tuple[WorkerContext, PreparedFolds, CostMeter]:
        if self._loaded is None:
            context: WorkerContext = joblib.load(self._file, mmap_mode="r")
            prepared = PreparedFolds(context, self._file.with_name(TABLE))
            self._loaded = context, prepared, CostMeter(context, prepared.frame)
        return self._loaded

    def _report(self, rung: int, scores: dict[int, float], seconds: float) -> set[int]:
        if self._must_stop():
            return set()
        self._parent.send((rung, scores, seconds))
        pruned: set[int] | None = self._parent.recv()
        self._stopped = pruned is None
        return pruned or set()

    def _must_stop(self) -> bool:
        """Return whether the parent has said that training must end; during training it sends nothing else."""
        if not self._stopped and self._parent.poll():
            self._stopped = self._parent.recv() is None
        return self._stopped


def _exit_with(parent_id: int, above: int, folder: Path) -> None:
    """End this process when its parent has died, whatever it is doing, and remove the folder of the workers.

    If only the fork server between them has died, the parent still needs the folder.
    """
    try:
        parent = psutil.Process(parent_id)
        # A dead process has no children, but on Windows they keep its id.
        while os.getppid() == above and parent.is_running():
            time.sleep(_WATCH_SECONDS)
        lives = above != parent_id and parent.is_running() and parent.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        lives = False
    if not lives:
        shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)
