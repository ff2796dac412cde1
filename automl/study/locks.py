"""File locks that are free again once their holder dies, however it died."""

from __future__ import annotations

import getpass
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from filelock import FileLock

__all__ = ["acquire", "file_lock", "is_held", "release", "user_folder"]

_PROBE = 0.002  # seconds that `is_held` waits; another process that asks the same holds the lock for less


def file_lock(path: Path, *, poll_interval: float = 0.01) -> FileLock:
    """Return the lock of a file, which all threads of this process share."""
    return FileLock(path, thread_local=False, poll_interval=poll_interval)


def acquire(lock: FileLock) -> None:
    """Wait for a lock and take it; do without on a file system that has no locks."""
    with suppress(OSError):
        lock.acquire()


def release(lock: FileLock) -> None:
    """Release a lock and remove its file; a process that waits for it makes another."""
    if os.name != "nt":  # filelock removes the file there
        with suppress(OSError):
            os.unlink(lock.lock_file)
    lock.release()


def is_held(path: Path) -> bool:
    """Return whether a process holds the lock of a file; True if the file cannot be locked."""
    if not path.exists():
        return False
    lock = file_lock(path, poll_interval=_PROBE / 2)
    try:
        lock.acquire(timeout=_PROBE)
    except OSError:  # filelock.Timeout is one
        return path.exists()
    lock.release()
    return False


def user_folder() -> Path:
    """Return a folder of this user alone for the locks of studies that are not in a file.

    Raises
    ------
    PermissionError
        If the folder belongs to another user.
    """
    user = os.getuid() if hasattr(os, "getuid") else getpass.getuser()
    folder = Path(tempfile.gettempdir()) / f"automl-{user}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if hasattr(os, "getuid") and folder.lstat().st_uid != user:
        raise PermissionError(f"{folder} belongs to another user")
    return folder
