"""Leases: which processes search a study, and which of them are alive."""

import queue
import subprocess
import sys
import threading
from contextlib import closing

import pytest

from automl.errors import StoreError
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
    with lease.searching():
        print(lease.token, flush=True)
        sys.stdin.read()
"""


@pytest.fixture
def remote_process(storage, study):
    """Another process that holds a lease until its input ends, and its token."""
    command = [sys.executable, "-c", HOLD, str(storage)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process:
        yield process, process.stdout.readline().strip()
        if process.poll() is None:
            process.kill()


def test_lease_is_visible_until_released(storage, study, remote_process):
    process, token = remote_process
    with open_lease("s", storage) as lease:
        lease.register(study)
        assert lease.others() == [token]
        assert not lease.is_first()
        process.stdin.close()
        process.wait()
        assert lease.others() == []
        assert lease.is_first()
        assert lease.release()


def test_lease_of_killed_process_is_dead_at_once(storage, study, remote_process, tmp_path):
    process, token = remote_process
    with open_lease("s", storage) as lease:
        lease.register(study)
        assert lease.is_alive(token)
        process.kill()
        process.wait()
        assert not lease.is_alive(token)
        assert not lease.is_alive(token)  # still dead without its lock file
    assert load_study("s", storage).user_attrs[_LEASE + token] == 0
    assert not list(tmp_path.glob("*.seat"))


def test_lease_after_searching_is_alive_but_not_first(storage, study):
    with open_lease("s", storage) as early:
        early.register(study)
        with early.searching():
            late = ProcessLease("s", storage)
            late.register(study)
            assert early.is_first()
            assert not late.is_first()
        assert late.is_first()
        assert late.others() == [early.token]
        assert not early.release()
        assert late.release()
    assert early.token < late.token


def test_lease_of_other_machine_expires_without_heartbeat(tmp_path, monkeypatch):
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


def test_lease_startup_is_exclusive(storage, study):
    first = ProcessLease("s", storage)
    with closing(_Waiting(storage)) as second:
        assert not second.entered(0.3)
        with first.searching():
            assert second.entered(30)
    first.release()


class _Waiting:
    """A process that opens a lease and prints its token then."""

    def __init__(self, storage):
        command = [sys.executable, "-c", HOLD, str(storage)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._lines = queue.SimpleQueue()
        self._reader = threading.Thread(target=lambda: self._lines.put(self.process.stdout.readline()))
        self._reader.start()

    def entered(self, seconds):
        try:
            return bool(self._lines.get(timeout=seconds))
        except queue.Empty:
            return False

    def close(self):
        self.process.stdin.close()
        self._reader.join()
        self.process.stdout.close()
        self.process.wait()


@pytest.mark.parametrize("storage", ["journal"], indirect=True)
def test_lease_files_are_removed(storage, study, tmp_path):
    with open_lease("s", storage) as lease:
        lease.register(study)
        assert len(list(tmp_path.iterdir())) == 3  # the journal, the startup lock and the lease
    assert list(tmp_path.iterdir()) == [storage]


def test_lease_in_unwritable_folder_is_store_error(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with (
        pytest.raises(StoreError, match="storage: must be a place"),
        open_lease("s", tmp_path / "file" / "s.journal"),
    ):
        pass
