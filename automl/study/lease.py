"""The registration of a process at a study: it shows to other processes that this one is alive."""

from __future__ import annotations

import hashlib
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import optuna
from filelock import FileLock
from optuna.storages import BaseStorage

from automl.errors import public_cause, without_passwords
from automl.study.locks import acquire, file_lock, is_held, make_file, release, user_folder
from automl.study.storage import is_file, journal_file, storage_url, store_error

__all__ = ["ProcessLease", "open_lease"]

# Study attribute of a process: when it was last seen searching; 0: it has left; below 0: it only finishes.
_LEASE = "seat "

_HEARTBEAT = 15.0  # seconds between two heartbeats
_EXPIRY = 60.0  # seconds without a heartbeat after which a process of another machine counts as dead


class ProcessLease:
    """The registration of this process among those that search a study.

    A process holds a file lock as long as it lives, beside the journal, or in the user's folder for locks if the study
    is in a database. So the death of a process on this machine is seen at once. A process of another machine sends a
    heartbeat to the database every 15 seconds and counts as dead after 60 without one; clocks must agree that far.

    Parameters
    ----------
    study_name : str
        Name of the study.
    storage : str, path, optuna storage or None
        Where the study is kept.

    Attributes
    ----------
    token : str
        The name of this process in the study; tokens sort by start time.
    """

    def __init__(self, study_name: str, storage: str | Path | BaseStorage | None) -> None:
        self.token = f"{time.time_ns():x}-{socket.gethostname()}-{os.getpid()}"
        self._beside_journal = is_file(storage)
        self._prefix = _lock_prefix(study_name, storage)
        self._study: optuna.Study | None = None
        self._last_heartbeat = -_HEARTBEAT
        self._active = True
        self._startup_lock: FileLock | None = _locked(self._file("startup"))
        self._lock = _locked(self._file(f"{self.token}.seat"))

    def observe(self, study: optuna.Study) -> None:
        """Read which processes search the study, without registering."""
        self._study = study

    def register(self, study: optuna.Study) -> None:
        """Show this process to the others as one that searches the study."""
        self._study = study
        self._announce(time.time())

    @contextmanager
    def searching(self) -> Iterator[None]:
        """End the startup, so that the next process starts; afterwards leave takeover to other processes."""
        self._end_startup()
        yield
        self._announce(-time.time())

    def heartbeat(self) -> None:
        """Record that this process is alive, if it is time to."""
        if not self._beside_journal and time.monotonic() - self._last_heartbeat > _HEARTBEAT:
            self._announce(time.time())

    def release(self) -> bool:
        """End the registration; return whether no other process is active."""
        self._end_startup()
        if self._active:
            self._active = False
            try:
                self._announce(0.0)
                release(self._lock)
            except (
                Exception
            ):  # an unreachable storage: the file with its free lock shows that this process has left
                self._lock.release()
        try:
            return not self.others()
        except Exception:  # an unreachable storage
            return True

    def others(self) -> list[str]:
        """Return the tokens of the other live processes, by start time."""
        return [token for token in sorted(self._last_seen()) if token != self.token and self.is_alive(token)]

    def is_first(self) -> bool:
        """Return whether no live process that searches started before this one."""
        earlier = (token for token, seen in self._last_seen().items() if seen > 0 and token < self.token)
        return not any(self.is_alive(token) for token in earlier)

    def is_alive(self, token: str) -> bool:
        """Return whether a registered process is alive."""
        if token == self.token:
            return True
        seen = abs(self._last_seen().get(token, 0.0))
        if not seen:
            return False
        file = self._file(f"{token}.seat")
        if file.exists():
            if is_held(file):
                return True
            self._bury(token)
            return False
        return not self._beside_journal and time.time() - seen < _EXPIRY

    def _end_startup(self) -> None:
        if self._startup_lock is not None:
            release(self._startup_lock)
            self._startup_lock = None

    def _bury(self, token: str) -> None:
        """Mark a dead process as such and remove its lock file."""
        if self._study is not None:
            self._study.set_user_attr(_LEASE + token, 0.0)
            with suppress(OSError):  # the file of another user
                self._file(f"{token}.seat").unlink(missing_ok=True)

    def _announce(self, seen: float) -> None:
        if self._study is not None:
            self._study.set_user_attr(_LEASE + self.token, seen)
        self._last_heartbeat = time.monotonic()

    def _last_seen(self) -> dict[str, float]:
        if self._study is None:
            return {}
        attributes = self._study.user_attrs
        return {name[len(_LEASE) :]: seen for name, seen in attributes.items() if name.startswith(_LEASE)}

    def _file(self, suffix: str) -> Path:
        return self._prefix.with_name(f"{self._prefix.name}.{suffix}")


@contextmanager
def open_lease(study_name: str, storage: str | Path | BaseStorage | None) -> Iterator[ProcessLease]:
    """Open a lease on a study, after the startup of other processes, and release it in the end.

    Examples
    --------
    The steps of a search; ``sync`` and the like call ``observe`` alone::

        with open_lease(study_name, storage) as lease:
            study = create_study(study_name, storage, ...)
            lease.register(study)
            ...  # start up: no other process of this machine does so at the same time
            with lease.searching():
                ...  # propose and train
            if lease.release():
                ...  # this was the last process: conclude

    Raises
    ------
    StoreError
        If the study's folder cannot be made or written.
    """
    try:
        lease = ProcessLease(study_name, storage)
    except OSError as error:
        raise store_error(storage, error) from public_cause(error)
    try:
        yield lease
    finally:
        lease.release()


def _locked(file: Path) -> FileLock:
    """Return the lock of a file in an existing folder, taken by this process."""
    make_file(file)
    lock = file_lock(file)
    acquire(lock)
    return lock


def _lock_prefix(study_name: str, storage: str | Path | BaseStorage | None) -> Path:
    """Return the path that the names of a study's lock files begin with."""
    if is_file(storage):
        journal = journal_file(study_name, storage)
        journal.parent.mkdir(parents=True, exist_ok=True)
        return journal.with_name(f"{journal.name}.{hashlib.sha256(study_name.encode()).hexdigest()[:8]}")
    where = str(id(storage)) if isinstance(storage, BaseStorage) else without_passwords(storage_url(storage))
    return user_folder() / hashlib.sha256(f"{where} {study_name}".encode()).hexdigest()[:16]
