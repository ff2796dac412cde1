"""Where worker processes come from.

On Linux all are forks of one that has imported what they need: the imports take their time and their memory once,
whatever the number of workers, and one that was killed has a successor at once. That process has no threads and has
trained nothing, so a fork of it is as good as new. Elsewhere each worker is started by itself.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle, send_handle
from typing import Any, NoReturn, cast

from loky.backend import get_context
from typing_extensions import override

__all__ = ["KILL", "WATCH", "Origin", "origin_of"]

WATCH = 1.0  # seconds between two looks whether the parent lives
KILL = getattr(signal, "SIGKILL", signal.SIGTERM)  # Windows has no SIGKILL; there SIGTERM is as sure
_LOOK = 0.01  # seconds between two looks whether a process has ended

# Serves the connection to the search until that is closed; the number is of the process it must not outlive.
Serve = Callable[[Connection, int], None]


class Origin(ABC):
    """Makes processes that run ``serve``, and knows what they ended with.

    Parameters
    ----------
    serve : callable
        What they do.
    env : mapping of str to str
        Variables of their environment beside this one's.
    """

    def __init__(self, serve: Serve, env: Mapping[str, str]) -> None:
        self._serve, self._env = serve, dict(env)

    @abstractmethod
    def start(self) -> Connection:
        """Return a connection to a new process, through which its id comes first, once it is there."""

    @abstractmethod
    def wait(self, pid: int, patience: float) -> int | None:
        """Return what a process has ended with, minus a signal's number; None if it has not, or nobody knows."""

    @abstractmethod
    def cancel(self) -> None:
        """Start none of those that have not come to be yet."""

    @abstractmethod
    def close(self) -> None:
        """Start none any more."""

    def _process(self, target: Callable[..., None], *args: Any) -> Any:
        context = get_context("loky")
        # Daemons end with the parent.
        process = context.Process(target=target, args=args, name="automl-worker", daemon=True, env=self._env)
        with _uninterruptible():
            process.start()
        return process


class _Spawned(Origin):
    """Each process by itself."""

    def __init__(self, serve: Serve, env: Mapping[str, str]) -> None:
        super().__init__(serve, env)
        self._processes: dict[int, Any] = {}

    @override
    def start(self) -> Connection:
        ours, theirs = get_context("loky").Pipe()
        process = self._process(_introduced, self._serve, theirs, os.getpid())
        theirs.close()
        self._processes[process.pid] = process
        return cast(Connection, ours)

    @override
    def wait(self, pid: int, patience: float) -> int | None:
        self._processes[pid].join(patience)
        code: int | None = self._processes[pid].exitcode
        return code

    @override
    def cancel(self) -> None:
        return

    @override
    def close(self) -> None:
        return


class _Forked(Origin):
    """All from one that has imported everything."""

    def __init__(self, serve: Serve, env: Mapping[str, str]) -> None:
        super().__init__(serve, env)
        self._open()

    def _open(self) -> None:
        self._control, theirs = get_context("loky").Pipe()
        self._first = self._process(_fork, self._serve, theirs, os.getpid())
        theirs.close()
        self._is_there = False

    @override
    def start(self) -> Connection:
        ours, theirs = get_context("loky").Pipe()
        with theirs:
            try:
                self._request(theirs)
            except OSError:  # the one was killed
                self.close()
                self._open()
                self._request(theirs)
        return cast(Connection, ours)

    def _request(self, theirs: Connection) -> None:
        self._control.send(None)
        send_handle(self._control, theirs.fileno(), self._first.pid)

    @override
    def wait(self, pid: int, patience: float) -> int | None:
        with suppress(OSError, EOFError):
            self._control.send((pid, patience))
            if not self._is_there:
                self._is_there = self._control.recv()
            code: int | None = self._control.recv()
            return code
        return None

    @override
    def cancel(self) -> None:
        if not (self._is_there or self._control.closed or self._control.poll()):
            self.close()

    @override
    def close(self) -> None:
        self._control.close()
        if self._first.exitcode is None:
            os.kill(self._first.pid, KILL)
        self._first.join()


def origin_of(serve: Serve, env: Mapping[str, str]) -> Origin:
    """Return what makes processes that run ``serve`` here."""
    return (_Forked if sys.platform == "linux" else _Spawned)(serve, env)


def _fork(serve: Serve, control: Connection, parent: int) -> None:
    """Fork as often as asked, and say what became of the forks."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What is there now stays for good: a fork that looked through it for garbage would copy it.
    gc.collect()
    gc.freeze()
    here = os.getpid()
    try:
        control.send(True)
        while True:
            while not control.poll(WATCH):
                if os.getppid() != parent:
                    return
            asked = control.recv()
            if asked is not None:
                control.send(_waited(*asked))
                continue
            with Connection(recv_handle(control)) as connection:
                if os.fork() == 0:
                    _end(control, partial(_introduced, serve, connection, here))
    except (EOFError, OSError):
        return  # nobody is there any more


def _end(control: Connection, work: Callable[[], None]) -> NoReturn:
    """Work, and end without what the process that this is a fork of would do at its end."""
    code = 1
    try:
        control.close()
        work()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _introduced(serve: Serve, connection: Connection, parent: int) -> None:
    """Say who this is, and serve."""
    with suppress(OSError):
        connection.send(os.getpid())
        serve(connection, parent)


def _waited(pid: int, patience: float) -> int | None:
    """Return what a child has ended with, once it has, or None."""
    end = time.monotonic() + patience
    while True:
        try:
            found, status = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:  # asked before
            return None
        if found:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() >= end:
            return None
        time.sleep(_LOOK)


@contextmanager
def _uninterruptible() -> Iterator[None]:
    """Start a process that never hears of Ctrl-C, which reaches every process of a terminal: the parent decides."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
