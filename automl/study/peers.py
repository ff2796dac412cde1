"""The processes that search one study: who they are, and who of them is alive."""

from __future__ import annotations

import hashlib
import os
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import optuna
from optuna.storages import BaseStorage

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None  # type: ignore[assignment]

from automl.errors import without_passwords
from automl.study.storage import is_file, journal_file, store_error

__all__ = ["ProcessLease", "open_lease"]

_BEAT = 15.0  # seconds between two signs of life
_LATELY = 60.0  # seconds after which a process of another machine counts as dead that gave none
# Study attribute of a process: when it was last seen to search; 0: it has left; below 0: it only finishes.
_SEAT = "seat "


class ProcessLease:
    """A process's place among those that search a study.

    A process holds a lock of the operating system as long as it lives, on a file beside the journal, or in this
    machine's folder for temporary files where the study is in a database. So a process of this machine that died,
    however it died, is known to be dead at once. Of processes on other machines a database has a sign of life, renewed
    every 15 seconds and believed for 60; their clocks must agree that far.

    Parameters
    ----------
    study_name : str
        The study.
    storage : str, path, optuna storage or None
        Where it is kept.

    Attributes
    ----------
    token : str
        The process's name in the study; whoever came earlier has the lesser one.
    """

    def __init__(self, study_name: str, storage: str | Path | BaseStorage | None) -> None:
        self.token = f"{time.time_ns():x}-{socket.gethostname()}-{os.getpid()}"
        self._beside = is_file(storage)
        self._place = _place(study_name, storage)
        self._study: optuna.Study | None = None
        self._beaten = -_BEAT
        self._seated = True
        self._doorstep = _doorstep(self._place)
        self._door = _entered(self._doorstep) if fcntl else None
        self._lock = _locked(self._file(self.token)) if fcntl else None

    def release_startup_lock(self) -> None:
        """Let in the next process of this machine; until then one that takes a lease in the same study waits."""
        if self._door is not None:
            self._doorstep.unlink(missing_ok=True)
            self._door.close()
            self._door = None

    def observe(self, study: optuna.Study) -> None:
        """See who searches the study, without being seen."""
        self._study = study

    def register(self, study: optuna.Study) -> None:
        """Be seen to search the study."""
        self._study = study
        self._say(time.time())

    def heartbeat(self) -> None:
        """Give a sign of life, if it is time for one."""
        if time.monotonic() - self._beaten > _BEAT and not (self._beside and fcntl):
            self._say(time.time())

    def stop_searching(self) -> None:
        """Search no more: others take over what somebody else leaves behind."""
        self._say(-time.time())

    def release(self) -> bool:
        """Give up the lease, and return whether nobody else has one."""
        self.release_startup_lock()
        if self._seated:
            self._seated = False
            with suppress(Exception):  # a storage that is gone; whoever comes next finds the lock free
                self._say(0.0)
            if self._lock is not None:
                self._lock.close()
                with suppress(OSError):
                    self._file(self.token).unlink(missing_ok=True)
        try:
            return not self.others()
        except Exception:  # nobody can be asked
            return True

    def others(self) -> list[str]:
        """Return the other processes that are alive, those that came first before the others."""
        return [token for token in sorted(self._seats()) if token != self.token and self.is_alive(token)]

    def is_first(self) -> bool:
        """Return whether this process came first, of those that search and are alive."""
        searching = (token for token, seen in self._seats().items() if seen > 0 and token < self.token)
        return not any(self.is_alive(token) for token in searching)

    def is_alive(self, token: str) -> bool:
        """Return whether a process is alive that took a lease."""
        if token == self.token:
            return True
        seen = abs(self._seats().get(token, 0.0))
        if not seen:
            return False
        file = self._file(token)
        if fcntl and file.exists():
            if not _free(file):
                return True
            self._bury(token)
            return False
        return not (self._beside and fcntl) and time.time() - seen < _LATELY

    def _bury(self, token: str) -> None:
        if self._study is not None:
            self._study.set_user_attr(_SEAT + token, 0.0)
            with suppress(OSError):  # of another user
                self._file(token).unlink(missing_ok=True)

    def _say(self, seen: float) -> None:
        if self._study is not None:
            self._study.set_user_attr(_SEAT + self.token, seen)
        self._beaten = time.monotonic()

    def _seats(self) -> dict[str, float]:
        if self._study is None:
            return {}
        attributes = self._study.user_attrs
        return {name[len(_SEAT) :]: seen for name, seen in attributes.items() if name.startswith(_SEAT)}

    def _file(self, token: str) -> Path:
        return self._place.with_name(f"{self._place.name}.{token}.seat")


@contextmanager
def open_lease(study_name: str, storage: str | Path | BaseStorage | None) -> Iterator[ProcessLease]:
    """Take a lease among the processes that search a study, and leave it in the end.

    Raises
    ------
    StoreError
        If the study's folder cannot be made or written.
    """
    try:
        lease = ProcessLease(study_name, storage)
    except OSError as error:
        raise store_error(storage, error) from error
    try:
        yield lease
    finally:
        lease.release()


def _place(study_name: str, storage: str | Path | BaseStorage | None) -> Path:
    """Return what the names of a study's locks begin with."""
    if is_file(storage):
        journal = journal_file(study_name, storage)
        journal.parent.mkdir(parents=True, exist_ok=True)
        return journal.with_name(f"{journal.name}.{hashlib.sha256(study_name.encode()).hexdigest()[:8]}")
    where = without_passwords(storage) if isinstance(storage, str) else str(id(storage))
    name = hashlib.sha256(f"{where} {study_name}".encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"automl-{name}"


def _doorstep(place: Path) -> Path:
    """Return the file whose lock lets in one process of this machine after the other."""
    name = hashlib.sha256(str(place.absolute()).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"automl-{name}.door"


def _entered(doorstep: Path) -> BinaryIO:
    """Return the file of that name, locked by this process alone."""
    while True:
        door = _held(doorstep.open("ab"))
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(door.fileno()), doorstep.stat()):
                return door
        door.close()  # whoever held it has removed it


def _locked(file: Path) -> BinaryIO:
    """Return a new file that this process has locked; nobody sees it before."""
    new = file.with_suffix(".new")
    opened = _held(new.open("ab"))
    new.replace(file)
    return opened


def _held(file: BinaryIO) -> BinaryIO:
    with suppress(OSError):  # a file system without locks
        fcntl.flock(file, fcntl.LOCK_EX)
    return file


def _free(file: Path) -> bool:
    """Return whether nobody holds the lock on a file."""
    try:
        with file.open("rb") as opened:
            fcntl.flock(opened, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return not file.exists()
    return True
