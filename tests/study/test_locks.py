"""File locks that end with their holder."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from automl.study import locks, open_lease
from automl.study.locks import acquire, file_lock, held, is_held, make_file, release, user_folder

HOLD = """
import sys
from pathlib import Path
from automl.study.locks import acquire, file_lock
lock = file_lock(Path(sys.argv[1]))
acquire(lock)
print("held", flush=True)
sys.stdin.read()
"""


def test_lock_of_killed_process_is_free(tmp_path):
    file = tmp_path / "x.lock"
    command = [sys.executable, "-c", HOLD, str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        assert is_held(file)
        process.kill()
        process.wait()
    assert not is_held(file)


def test_lock_file_is_removed_on_release(tmp_path):
    lock = file_lock(tmp_path / "x.lock")
    acquire(lock)
    assert is_held(tmp_path / "x.lock")
    release(lock)
    assert not is_held(tmp_path / "x.lock")
    assert list(tmp_path.iterdir()) == []


def test_lock_that_cannot_be_made_is_done_without(tmp_path, monkeypatch):
    lock = file_lock(tmp_path / "x.lock")

    def unsupported(*args, **kwargs):
        raise OSError("no locks")

    monkeypatch.setattr(lock, "acquire", unsupported)
    acquire(lock)
    release(lock)


def test_user_folder_is_private(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = user_folder()
    assert folder == tmp_path / "cache" / "automl" / "locks"
    if hasattr(os, "geteuid"):
        assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="other users have no folders of their own")
def test_user_folder_without_a_home(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert user_folder() == tmp_path / f"automl-{os.geteuid()}"


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="other users have no folders of their own")
@pytest.mark.parametrize("user", ["pretended", "real"])
def test_user_folder_of_another_user_locks_no_search_out(user, tmp_path, monkeypatch):
    with tempfile.TemporaryDirectory() as shared:  # pytest's own is closed to other users
        Path(shared).chmod(0o1777)
        monkeypatch.setenv("XDG_CACHE_HOME", "/proc/cache")  # cannot be made
        monkeypatch.setattr("tempfile.tempdir", shared)
        (Path(shared) / "automl-65534").mkdir(mode=0o700)
        if user == "pretended":
            monkeypatch.setattr("os.geteuid", lambda: 65534)
        elif os.geteuid():
            pytest.skip("only root can become another user")
        else:
            os.seteuid(65534)
        try:
            locks._process_folder.cache_clear()
            with pytest.warns(UserWarning, match="automl-65534 cannot be written or belong to another user"):
                folder = user_folder()
            with (
                pytest.warns(UserWarning, match="lock"),
                open_lease("s", f"sqlite:///{shared}/s.db") as lease,
            ):
                assert lease.is_first()
            assert folder.parent == Path(shared)
            assert folder.stat().st_mode & 0o777 == 0o700
            assert (user == "real") == (folder.stat().st_uid == 65534)
        finally:
            locks._process_folder().cleanup()
            locks._process_folder.cache_clear()
            if user == "real":
                os.seteuid(0)


@pytest.mark.skipif(os.name == "nt", reason="needs links and pipes")
@pytest.mark.parametrize("kind", ["link to a file", "link to nothing", "pipe"])
def test_lock_is_not_redirected_or_held_up(tmp_path, kind):
    file, target = tmp_path / "x.lock", tmp_path / "target"
    if kind == "pipe":
        os.mkfifo(file)
    else:
        file.symlink_to(target)
    if kind == "link to a file":
        target.write_text("precious")
    began = time.monotonic()
    make_file(file)
    lock = file_lock(file)
    acquire(lock)
    release(lock)
    assert time.monotonic() - began < 2
    assert not target.exists() or target.read_text() == "precious"


def test_lock_of_another_process_is_done_without_after_a_while(tmp_path, monkeypatch):
    monkeypatch.setattr("automl.study.locks._WAIT", 0.1)
    other, lock = file_lock(tmp_path / "x.lock"), file_lock(tmp_path / "x.lock")
    acquire(other)
    began = time.monotonic()
    with held(lock):
        assert 0.1 <= time.monotonic() - began < 2
    release(other)
