"""The server of MLflow's user interface: port, start and end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from automl.errors import StoreError
from automl.tracking import free_port, serve_ui

# A server that answers like MLflow's, with a child that ignores SIGTERM.
SERVER = """
import http.server, os, signal, subprocess, sys
code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
subprocess.Popen([sys.executable, "-c", code])
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"OK")
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
PROGRAM = """
import os, sys
from automl.tracking import serve_ui
command = [sys.executable, sys.argv[1], sys.argv[2]]
serve_ui(command, dict(os.environ), "http://127.0.0.1:" + sys.argv[2], lambda: print("ready", flush=True))
"""


@pytest.fixture
def taken():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_free_port_skips_taken_ports(taken):
    port = free_port("127.0.0.1", taken)
    assert taken < port <= taken + 50
    assert free_port("127.0.0.1", port) == port


def test_free_port_explains_foreign_hosts():
    with pytest.raises(StoreError, match=r"no address of this machine"):
        free_port("192.0.2.1", 5000)
    with pytest.raises(StoreError, match="give another"):
        free_port("127.0.0.1", 70_000)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="reads processes from /proc")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_serve_ui_leaves_no_process_behind(tmp_path, number, code):
    script = tmp_path / "server.py"
    script.write_text(SERVER)
    port = free_port("127.0.0.1", 20_000 + os.getpid() % 20_000)
    command = [sys.executable, "-c", PROGRAM, str(script), str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
        assert processes(str(script))
        program.send_signal(number)
        assert program.wait(20) == code
    assert not processes(str(script))
    assert not processes("signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)")


def test_serve_ui_shows_why_the_server_ended():
    command = [sys.executable, "-c", "print('address in use'); raise SystemExit(3)"]
    with pytest.raises(StoreError, match="ended by itself:\naddress in use"):
        serve_ui(command, dict(os.environ), "http://127.0.0.1:9", lambda: pytest.fail("it never answered"))


def processes(word: str) -> list[int]:
    """Return the processes with a word in their command line, after zombies had time to go."""
    time.sleep(0.1)
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if word in (folder / "cmdline").read_text() and int(folder.name) != os.getpid():
                found.append(int(folder.name))
        except OSError:
            continue
    return found
