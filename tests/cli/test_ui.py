"""The command ui with MLflow's own server."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

from automl.tracking import Tracker
from tests.support.trials import search_record


@pytest.mark.parametrize("form", ["--json", "--quiet"])
def test_ui_prints_the_address_for_programs(folder, streams, monkeypatch, form):
    tracker = Tracker()
    tracker.start(search_record(), {})
    tracker.close("finished")
    monkeypatch.setattr("automl.tracking.serve_ui", lambda *given: given[-1]())
    code, out, _ = streams("ui", "--no-open", "--port", 5999, form)
    found = json.loads(out) if form == "--json" else {"event": "ui", "address": out.rstrip("\n")}
    assert (code, out.count("\n"), list(found)) == (0, 1, ["event", "address"])
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/#/experiments/2/runs\?\S+", found["address"])


@pytest.mark.parametrize(
    ("platform", "screens", "options", "opens"),
    [
        ("darwin", {}, (), True),
        ("win32", {}, (), True),
        ("linux", {"DISPLAY": ":0"}, (), True),
        ("linux", {"WAYLAND_DISPLAY": "wayland-0"}, (), True),
        ("linux", {}, (), False),
        ("linux", {"DISPLAY": ":0"}, ("--no-open",), False),
    ],
)
def test_ui_opens_a_browser_on_a_screen(folder, streams, monkeypatch, platform, screens, options, opens):
    opened = []
    monkeypatch.setattr("automl.tracking.serve_ui", lambda *given: given[-1]())
    monkeypatch.setattr("automl.cli.ui.webbrowser.open", opened.append)
    monkeypatch.setattr("automl.cli.ui.sys.platform", platform)
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in screens.items():
        monkeypatch.setenv(name, value)
    tracker = Tracker()
    tracker.start(search_record(), {})
    tracker.close("finished")
    code, out, _ = streams("ui", "--port", 5998, "--quiet", *options)
    assert code == 0
    assert opened == ([out.rstrip("\n")] if opens else [])


@pytest.mark.slow
@pytest.mark.xdist_group("serial")
def test_ui_prints_the_address_once_the_server_answers(folder):
    tracker = Tracker()
    run_id = tracker.start(search_record(), {})
    tracker.close("finished")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        command = [sys.executable, "-m", "automl.cli", "ui", "--no-open", "--port", str(port)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
            assert program.stdout is not None
            assert program.stdout.readline().startswith(f"port {port} is taken; using ")
            found = re.fullmatch(
                r"MLflow at (\S+)/#/experiments/2/runs\?(\S+)  .*\n", program.stdout.readline()
            )
            assert found is not None
            address, query = found.groups()
            assert query == f"workflowType=machine_learning&viewStateShareKey=automl-{run_id[:12]}"
            with urllib.request.urlopen(f"{address}/health", timeout=5) as answer:
                assert answer.read() == b"OK"
            program.send_signal(signal.SIGINT)
            assert program.wait(20) == 0
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"{address}/health", timeout=5)
