"""Who searches a study, and who of them is alive."""

import os
import signal
import subprocess
import sys
from contextlib import closing

import pytest

from automl.study import create_study, load_study, make_pruner, make_sampler, open_lease
from automl.study.lease import _EXPIRY, _LEASE, ProcessLease


@pytest.fixture(params=["journal", "sqlite"])
def storage(request, tmp_path):
    return tmp_path / "s.journal" if request.param == "journal" else f"sqlite:///{tmp_path}/s.db"


@pytest.fixture
def study(storage):
    return create_study("s", storage, sampler=make_sampler(None, 0), pruner=make_pruner(None))


HOLD = """
import sys
from automl.study import load_study, open_lease
with open_lease("s", sys.argv[1]) as lease:
    lease.register(load_study("s", sys.argv[1]))
    lease.release_startup_lock()
    print(lease.token, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def elsewhere(storage, study):
    """Another process that has a lease until its input ends; and its token."""
    command = [sys.executable, "-c", HOLD, str(storage)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process:
        yield process, process.stdout.readline().strip()
        if process.poll() is None:
            process.kill()


def test_a_process_is_seen_until_it_leaves(storage, study, elsewhere):
    process, token = elsewhere
    with open_lease("s", storage) as lease:
        lease.register(study)
        assert lease.others() == [token]
        assert not lease.is_first()
        process.stdin.close()
        process.wait()
        assert lease.others() == []
        assert lease.is_first()
        assert lease.release()


def test_a_process_that_is_killed_is_known_to_be_dead_at_once(storage, study, elsewhere, tmp_path):
    process, token = elsewhere
    with open_lease("s", storage) as lease:
        lease.register(study)
        assert lease.is_alive(token)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert not lease.is_alive(token)
        assert not lease.is_alive(token)  # and stays dead once its lock is gone
    assert load_study("s", storage).user_attrs[_LEASE + token] == 0
    assert not list(tmp_path.glob("*.seat"))


def test_one_that_only_finishes_is_alive_but_takes_nothing_over(storage, study):
    with open_lease("s", storage) as early:
        early.register(study)
        early.release_startup_lock()
        with open_lease("s", storage) as late:
            late.register(study)
            assert early.is_first()
            assert not late.is_first()
            early.stop_searching()
            assert late.is_first()
            assert late.others() == [early.token]
            assert not early.release()
            assert late.release()
    assert early.token < late.token


def test_a_process_of_another_machine_lives_as_long_as_it_says_so(tmp_path, monkeypatch):
    url = f"sqlite:///{tmp_path}/s.db"
    study = create_study("s", url, sampler=make_sampler(None, 0), pruner=make_pruner(None))
    now = 1_000.0
    monkeypatch.setattr("automl.study.lease.time.time", lambda: now)
    study.set_user_attr(f"{_LEASE}0-far-1", now)
    with open_lease("s", url) as lease:
        lease.register(study)
        assert lease.others() == ["0-far-1"]
        now += _EXPIRY + 1
        assert lease.others() == []
        assert lease.is_alive(lease.token)


def test_two_that_come_at_once_enter_one_after_the_other(storage, study):
    first = ProcessLease("s", storage)
    with closing(_Waiting(storage)) as second:
        assert not second.entered(0.3)
        first.release_startup_lock()
        assert second.entered(30)
    first.release()


class _Waiting:
    """A process that takes a lease, and says when it has one."""

    def __init__(self, storage):
        command = [sys.executable, "-c", HOLD, str(storage)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def entered(self, seconds):
        import select

        return bool(select.select([self.process.stdout], [], [], seconds)[0])

    def close(self):
        self.process.communicate("")
