"""A real MLflow server in a process of its own, which can hang, answer 500, ask for a password, or die.

Run as a program it is the server: ``python -m tests.support.mlflow_server PORT FOLDER [USER:PASSWORD]``.
"""

from __future__ import annotations

import base64
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal
from urllib.error import URLError

from tests.support import ROOT

__all__ = ["Mode", "Server", "start"]

_START_SECONDS = 90
Mode = Literal["works", "hangs", "500"]


class Server:
    """A running server.

    Parameters
    ----------
    folder : Path
        Of its database and its artifacts; it holds a copy of an empty database as ``mlflow.db``.
    login : str
        ``USER:PASSWORD`` that requests must have, as basic authentication; empty for none.

    Attributes
    ----------
    uri : str
        Its address, without the login.
    """

    def __init__(self, folder: Path, login: str = "") -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.uri = f"http://127.0.0.1:{port}"
        self.log = folder / "server.log"
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "MLFLOW_DISABLE_TELEMETRY": "true"}
        command = [sys.executable, "-m", "tests.support.mlflow_server", str(port), str(folder), login]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT
            )
        until = time.monotonic() + _START_SECONDS
        while self._process.poll() is None and time.monotonic() < until:
            try:
                urllib.request.urlopen(f"{self.uri}/health", timeout=2).close()
                return
            except (URLError, OSError):
                time.sleep(0.2)
        raise RuntimeError(f"the server did not start: {self.log.read_text()[-2000:]}")

    def set(self, mode: Mode) -> None:
        """Change how the server answers."""
        urllib.request.urlopen(f"{self.uri}/mode/{mode}", timeout=10).close()

    def kill(self) -> None:
        """Kill the server."""
        self._process.kill()
        self._process.wait()


def start(folder: Path, empty_store: Path, login: str = "") -> Server:
    """Start a server on a copy of an empty database."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(empty_store, folder / "mlflow.db")
    return Server(folder, login)


def _wrapped(app: Any, login: str) -> Callable[..., Iterable[bytes]]:
    """Return MLflow's application behind the switch of modes and the check of the login."""
    mode = "works"
    expected = f"Basic {base64.b64encode(login.encode()).decode()}"

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        nonlocal mode
        path = environ["PATH_INFO"]
        if path.startswith("/mode/"):
            mode = path.removeprefix("/mode/")
        elif mode == "hangs":
            time.sleep(3600)
        elif mode == "500":
            start_response("500 Internal Server Error", [("Content-Type", "text/plain")])
            return [b"broken"]
        elif login and path != "/health" and environ.get("HTTP_AUTHORIZATION") != expected:
            start_response("401 Unauthorized", [("Content-Type", "text/plain")])
            return [b"login required"]
        if path.startswith("/mode/") or path == "/health":
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [b"OK"]
        return list(app(environ, start_response))

    return answer


def _main(port: int, folder: Path, login: str) -> None:
    store = f"sqlite:///{folder / 'mlflow.db'}"
    # MLflow's server reads these when it is imported.
    os.environ["_MLFLOW_SERVER_FILE_STORE"] = os.environ["_MLFLOW_SERVER_REGISTRY_STORE"] = store
    os.environ["_MLFLOW_SERVER_ARTIFACT_ROOT"] = "mlflow-artifacts:/"
    os.environ["_MLFLOW_SERVER_ARTIFACT_DESTINATION"] = str(folder / "artifacts")
    os.environ["_MLFLOW_SERVER_SERVE_ARTIFACTS"] = "true"
    from mlflow.server import app
    from werkzeug.serving import make_server

    make_server("127.0.0.1", port, _wrapped(app, login), threaded=True).serve_forever()


if __name__ == "__main__":
    _main(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
