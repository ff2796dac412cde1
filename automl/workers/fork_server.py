"""A process that has loaded the libraries and forks workers, which share its memory and start at once.

The server is a fresh interpreter with one thread, which computes nothing, so that a fork is safe. Linux alone has it:
elsewhere libraries of the system do not survive a fork.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

from automl.descent import load_kernels
from automl.workers import serve
from automl.workers.worker_process import interrupts_blocked

__all__ = ["ForkServer", "ForkedWorker", "main"]

# Only `sys` is imported before the search path is the parent's.
_PROGRAM = (
    "import sys; sys.path[:] = sys.argv[2:]; from automl.workers.fork_server import main; main(sys.argv[1])"
)
_KILL: int = getattr(signal, "SIGKILL", 9)
_MESSAGE_BYTES = 1 << 16
_START_SECONDS = 120.0  # for the server to load the libraries, on a busy machine
_END_SECONDS = 10.0  # for a killed process to be gone


class ForkServer:
    """The parent's end of a fork server.

    Parameters
    ----------
    environment : dict of str to str
        Environment variables of the workers besides those of this process.
    """

    def __init__(self, environment: dict[str, str]) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with interrupts_blocked():
            self._process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, str(theirs.fileno()), *sys.path],
                stdin=subprocess.DEVNULL,
                env={**os.environ, **environment},
                pass_fds=(theirs.fileno(),),
            )
        theirs.close()
        self._asked, self._pids, self._codes = 0, list[int](), dict[int, int]()

    @staticmethod
    def available() -> bool:
        """Return whether this system has fork servers."""
        return sys.platform == "linux"

    def alive(self) -> bool:
        """Return whether the server runs."""
        return self._process.poll() is None

    def start(self, context_file: Path, n_jobs: int) -> ForkedWorker:
        """Return a new worker; it starts when the server has loaded the libraries."""
        ours, theirs = Pipe()
        request = json.dumps([str(context_file), n_jobs, os.getpid()]).encode()
        with suppress(OSError):  # the server is gone, and so is the worker
            socket.send_fds(self._socket, [request], [theirs.fileno()])
        theirs.close()
        self._asked += 1
        return ForkedWorker(self, self._asked - 1, ours)

    def pid(self, number: int, seconds: float = _START_SECONDS) -> int:
        """Return the process id of a worker; 0 if it has not started after ``seconds``, or the server is gone."""
        self._read(lambda: len(self._pids) > number, seconds)
        return self._pids[number] if len(self._pids) > number else 0

    def code(self, pid: int, seconds: float) -> int | None:
        """Return the exit code of a worker, negative for a signal; None if it runs after ``seconds``."""
        self._read(lambda: pid in self._codes, seconds)
        if pid in self._codes:
            return self._codes[pid]
        return None if self.alive() else -_KILL

    def _read(self, enough: Any, seconds: float) -> None:
        """Read messages of the server until ``enough()``, at most for some seconds."""
        end = time.monotonic() + seconds
        while not enough() and self._socket.fileno() >= 0:
            ready, _, _ = select.select([self._socket], [], [], max(0.0, end - time.monotonic()))
            message = b""
            with suppress(ConnectionError):
                message = self._socket.recv(_MESSAGE_BYTES) if ready else b""
            if not message:  # no message in time, or the server is gone
                return
            pid, code = json.loads(message)
            if code is None:
                self._pids.append(pid)
            else:
                self._codes[pid] = code

    def close(self) -> None:
        """End the server."""
        self._socket.close()
        self._process.kill()
        self._process.wait()


class ForkedWorker:
    """A worker process of a fork server, with the interface of `WorkerProcess`.

    Parameters
    ----------
    server : ForkServer
        Its server.
    number : int
        Workers that the server was asked for before.
    connection : Connection
        The parent's end of the pipe to it.
    """

    def __init__(self, server: ForkServer, number: int, connection: Any) -> None:
        self._server, self._number, self.connection = server, number, connection

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._server.pid(self._number)

    def alive(self) -> bool:
        """Return whether the process runs."""
        return self._server.alive() and self._server.code(self.pid, 0.0) is None

    def end(self, patience: float = 0.0) -> str:
        """Kill the process unless it ends within ``patience`` seconds; return how it ended."""
        self.connection.close()
        pid = self._server.pid(self._number, 0.0)
        if not pid:  # once it starts, it finds its pipe closed and ends
            return "ended before it started"
        code = self._server.code(pid, patience)
        if code is None:
            with suppress(ProcessLookupError):
                os.kill(pid, _KILL)
            code = self._server.code(pid, _END_SECONDS) or -_KILL
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def main(handle: str) -> None:
    """Fork workers on request, and report when they start and end, until the parent closes the socket.

    Parameters
    ----------
    handle : str
        Handle of this process's end of the socket.
    """
    if sys.platform != "linux":
        raise OSError("Linux alone has fork servers")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = socket.socket(fileno=int(handle))
    woken, waker = socket.socketpair()
    waker.setblocking(False)
    signal.set_wakeup_fd(waker.fileno())
    signal.signal(signal.SIGCHLD, lambda *_: None)
    load_kernels()
    gc.collect()
    gc.freeze()  # a collection would write to the objects, and so copy their memory
    with suppress(OSError):  # the parent is gone
        while True:
            ready, _, _ = select.select([parent, woken], [], [])
            if woken in ready:
                woken.recv(_MESSAGE_BYTES)
                for pid, code in _ended():
                    parent.send(json.dumps([pid, code]).encode())
            if parent in ready:
                request, handles, _, _ = socket.recv_fds(parent, _MESSAGE_BYTES, 1)
                if not request:
                    return
                server = os.getpid()
                pid = os.fork()
                if not pid:
                    signal.set_wakeup_fd(-1)
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    for end in (parent, woken, waker):
                        end.close()
                    _work(handles[0], json.loads(request), server)
                os.close(handles[0])
                parent.send(json.dumps([pid, None]).encode())


def _work(handle: int, request: list[Any], server: int) -> None:
    """Serve as a worker, and end the process."""
    code = 1
    try:
        context_file, n_jobs, parent_id = request
        serve.main(str(handle), context_file, str(n_jobs), str(parent_id), str(server))
        code = 0
    finally:
        os._exit(code)


def _ended() -> Iterator[tuple[int, int]]:
    """Yield the process id and exit code of workers that have ended."""
    if sys.platform != "linux":
        return
    with suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            yield found[0], os.waitstatus_to_exitcode(found[1])
