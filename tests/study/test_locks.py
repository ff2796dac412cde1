"""File locks that end with their holder."""

import os
import subprocess
import sys

import pytest

from automl.study.locks import acquire, file_lock, is_held, release, user_folder

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
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    folder = user_folder()
    assert folder.parent == tmp_path
    if hasattr(os, "getuid"):
        assert folder.stat().st_mode & 0o777 == 0o700
        monkeypatch.setattr("os.getuid", lambda: 12345)
        (tmp_path / "automl-12345").mkdir()
        with pytest.raises(PermissionError, match="another user"):
            user_folder()
