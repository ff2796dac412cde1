"""File locks that are free again once their holder dies, however it died."""

from __future__ import annotations

import getpass
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from filelock import FileLock

__all__ = ["acquire", "file_lock", "held", "is_held", "make_file", "release", "user_folder"]

_WAIT = 60.0  # seconds for a lock; its holder needs it for milliseconds, at the start of a search for seconds

_PROBE = 0.002  # seconds that `is_held` waits; another process that asks the same holds the lock for less


def file_lock(path: Path, *, poll_interval: float = 0.01) -> FileLock:
    """Return the lock of a file, which all threads of this process share."""
    return FileLock(path, thread_local=False, poll_interval=poll_interval)


def acquire(lock: FileLock) -> None:
    """Wait for a lock and take it; do without after a minute, and on a file system that has no locks.

    The file is opened with ``O_NOFOLLOW`` and ``O_NONBLOCK``, so a link or a pipe in its place changes nothing.
    """
    with suppress(OSError):  # filelock.Timeout is one
        lock.acquire(timeout=_WAIT)


def release(lock: FileLock) -> None:
    """Release a lock and remove its file; a process that waits for it makes another."""
    if lock.is_locked and os.name != "nt":  # filelock removes the file there
        with suppress(OSError):
            os.unlink(lock.lock_file)
    lock.release()


@contextmanager
def held(lock: FileLock) -> Iterator[None]:
    """Hold a lock."""
    acquire(lock)
    try:
        yield
    finally:
        release(lock)


def make_file(path: Path) -> None:
    """Make an empty file if there is none; a link is left alone."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))


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

    It is below the user's cache folder; without one that can be written, in the temporary folder, where other users can
    see its name. If another user has taken that name, it is a new temporary folder of this process, with a warning.
    """
    for folder in _candidates():
        with suppress(OSError):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not hasattr(os, "geteuid"):
                return folder
            if folder.lstat().st_uid == os.geteuid():  # of a link: the user that made the link
                folder.chmod(0o700)
                return folder
    warnings.warn(
        f"The lock folders {', '.join(map(str, _candidates()))} cannot be written or belong to another user. "
        "Processes that search the same study do not wait for each other at the start.",
        stacklevel=2,
    )
    return Path(_process_folder().name)


@cache
def _process_folder() -> tempfile.TemporaryDirectory[str]:
    """Make a folder that ends with this process."""
    return tempfile.TemporaryDirectory(prefix="automl-locks-", ignore_cleanup_errors=True)


def _candidates() -> Iterator[Path]:
    with suppress(RuntimeError):  # no home
        cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        if Path(cache).is_absolute():
            yield Path(cache) / "automl" / "locks"
    user = os.geteuid() if hasattr(os, "geteuid") else getpass.getuser()
    yield Path(tempfile.gettempdir()) / f"automl-{user}"
