"""A worker process, and the parent's end of the pipe to it.

The process starts as a fresh interpreter that does not import the parent's ``__main__``: a script needs no
``if __name__ == "__main__"``. What a notebook or script defines itself is sent by value, with cloudpickle.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

from automl.workers.blas import threads_per_job, worker_environment

__all__ = ["WorkerProcess", "interrupts_blocked", "sigterm_kept"]

# Only `sys` is imported before the search path is the parent's.
_PROGRAM = (
    "import sys; sys.path[:] = sys.argv[5:]; from automl.workers.serve import main; main(*sys.argv[1:5])"
)


class WorkerProcess:
    """Start a worker process.

    Parameters
    ----------
    context_file : Path
        File of the `WorkerContext`.
    n_jobs : int
        Number of workers that share the cores.
    """

    def __init__(self, context_file: Path, n_jobs: int) -> None:
        self.connection, theirs = Pipe()
        handle = theirs.fileno()
        arguments = map(str, (handle, context_file, n_jobs, os.getpid()))
        with interrupts_blocked():
            self._process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, *arguments, *sys.path],
                stdin=subprocess.DEVNULL,
                env={**os.environ, **worker_environment(threads_per_job(n_jobs))},
                **_inherit(handle),
            )
        theirs.close()

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def alive(self) -> bool:
        """Return whether the process runs."""
        return self._process.poll() is None

    def end(self, patience: float = 0.0) -> str:
        """Kill the process unless it ends within ``patience`` seconds; return how it ended."""
        self.connection.close()
        try:
            code = self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _inherit(handle: int) -> dict[str, Any]:
    """Return the arguments of `subprocess.Popen` that let a process inherit a handle, but no Ctrl-C."""
    if sys.platform == "win32":
        os.set_handle_inheritable(handle, True)
        return {
            "startupinfo": subprocess.STARTUPINFO(lpAttributeList={"handle_list": [handle]}),
            "creationflags": subprocess.CREATE_NEW_PROCESS_GROUP,
        }
    return {"pass_fds": (handle,)}


@contextmanager
def interrupts_blocked() -> Iterator[None]:
    """Start a process that does not receive Ctrl-C, which a terminal sends to all processes: the parent decides."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows, see _inherit
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def sigterm_kept() -> Iterator[None]:
    """Keep the handler of SIGTERM, which a library replaces meanwhile."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)
