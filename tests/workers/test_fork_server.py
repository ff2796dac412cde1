"""Workers forked from a process that has loaded the libraries."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from automl.workers import loading_libraries
from automl.workers.fork_server import ForkServer
from automl.workers.process_worker import ProcessWorkers
from automl.workers.protocol import Finished

pytestmark = pytest.mark.skipif(not ForkServer.available(), reason="Linux alone has fork servers")

QUICK = {"linear": {"max_epochs": 2}}


@pytest.fixture
def workers(context):
    with loading_libraries(2) as server:
        made = ProcessWorkers(context, 2, server=server)
        assert made._server is server
        yield made
        made.close()


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_workers_share_the_memory_of_the_libraries(workers, cohort, drive):
    workers.submit(cohort(QUICK))
    assert isinstance(drive(workers, 1, timeout=120)[-1], Finished)
    first, second = (psutil.Process(worker.pid) for worker in workers._idle)
    assert first.parent() == second.parent() == psutil.Process(workers._server._process.pid)
    own = sorted(one.memory_full_info().uss for one in (first, second))
    assert own[0] < 20 << 20  # the one that has not trained; the libraries take over 100 MB


@pytest.mark.slow
def test_workers_are_replaced_when_their_server_was_killed(workers, cohort, drive):
    workers.submit(cohort(QUICK))
    drive(workers, 1, timeout=120)
    before = {worker.pid for worker in workers._idle}
    os.kill(workers._server._process.pid, signal.SIGKILL)
    until(lambda: not any(psutil.pid_exists(pid) for pid in before))
    workers.submit(cohort(QUICK, number=1))
    assert isinstance(drive(workers, 1, timeout=120)[-1], Finished)


def test_close_does_not_wait_for_a_server_that_starts(context):
    start = time.monotonic()
    workers = ProcessWorkers(context, 2)
    server = workers._server._process
    workers.close()
    assert time.monotonic() - start < 2
    assert server.poll() is not None


def test_loading_libraries_ends_the_server_of_a_search_that_does_not_start():
    def refuse():
        with loading_libraries(2) as server:
            servers.append(server)
            assert server.alive()
            raise ValueError("the table is refused")

    servers = []
    with pytest.raises(ValueError, match="refused"):
        refuse()
    assert not servers[0].alive()
    with loading_libraries(1) as server:
        assert server is None


def test_server_ends_with_its_parent():
    program = (
        "import sys; from automl.workers.fork_server import ForkServer; server = ForkServer({}); "
        "print(server._process.pid, flush=True); sys.stdin.read()"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    with parent:
        pid = int(parent.stdout.readline())
        assert psutil.pid_exists(pid)
        parent.kill()
    until(lambda: not psutil.pid_exists(pid))
