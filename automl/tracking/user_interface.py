"""Run MLflow's user interface: a free port, an address once it answers, no process left at the end."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from urllib.error import URLError
from urllib.request import urlopen

from automl.errors import StoreError

__all__ = ["free_port", "serve_ui"]

_START_SECONDS = 120.0
_STOP_SECONDS = 2.0  # that the server has to end by itself
_POLL_SECONDS = 0.2
_PORTS = 50  # to try after the one that is taken
_LAST_LINES = 15
# The server has the searches of this package only; its jobs for language models are seven more processes.
_SETTINGS = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}


def free_port(host: str, port: int) -> int:
    """Return the port if it is free, else the next free one.

    Raises
    ------
    StoreError
        If none of the next 50 is free, or there is no such host.
    """
    for candidate in range(port, min(port + _PORTS, 65_535) + 1):
        try:
            if _is_free(host, candidate):
                return candidate
        except OSError as error:
            raise StoreError(f"--host: {host} is no address of this machine ({error})") from error
    raise StoreError(f"--port: {port} and the ports after it are taken; give another one")


def serve_ui(
    command: Sequence[str], environment: Mapping[str, str], address: str, ready: Callable[[], None]
) -> None:
    """Run the server until it is stopped by Ctrl-C or SIGTERM, and leave no process behind.

    Parameters
    ----------
    command : sequence of str
        Starts the server.
    environment : mapping
        Environment variables of the server.
    address : str
        Of the server, ``http://HOST:PORT``.
    ready : callable
        Called once the server answers.

    Raises
    ------
    StoreError
        If the server ends by itself, or does not answer within two minutes.
    """
    with tempfile.TemporaryFile() as output, _ended_by_sigterm():
        server = subprocess.Popen(
            command,
            env={**_SETTINGS, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a group of its own, which can be ended as a whole
        )
        try:
            _wait_until_it_answers(server, address)
            if server.poll() is None:
                ready()
            # polars lets signals restart blocking calls, so that Ctrl-C would not end a wait without a limit.
            while server.poll() is None:
                time.sleep(_POLL_SECONDS)
        except KeyboardInterrupt:
            return
        finally:
            _end(server)
        output.seek(0)
        lines = output.read().decode(errors="replace").splitlines()[-_LAST_LINES:]
        raise StoreError("MLflow's server ended by itself:\n" + "\n".join(lines))


def _wait_until_it_answers(server: subprocess.Popen[bytes], address: str) -> None:
    until = time.monotonic() + _START_SECONDS
    while server.poll() is None:
        with suppress(URLError, OSError):
            urlopen(f"{address}/health", timeout=2).close()
            return
        if time.monotonic() > until:
            raise StoreError(f"MLflow's server at {address} does not answer after {_START_SECONDS:.0f} s")
        time.sleep(_POLL_SECONDS)


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end the program in order, with the exit code of shells."""

    def leave(number: int, frame: FrameType | None) -> None:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _end(server: subprocess.Popen[bytes]) -> None:
    """End the server and the processes that it started."""
    _signal(server, signal.SIGTERM)
    try:
        server.wait(_STOP_SECONDS)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):  # a second Ctrl-C does not wait
        pass
    finally:
        _signal(server, getattr(signal, "SIGKILL", signal.SIGTERM))
        server.wait()


def _signal(server: subprocess.Popen[bytes], number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(server.pid, number)
        else:  # Windows
            server.terminate()


def _is_free(host: str, port: int) -> bool:
    family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        if os.name != "nt":  # as servers do: a port of a server that has just ended is free
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(place)
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:  # not an address of this machine
                raise
            return False
    return True
