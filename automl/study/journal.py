"""A journal file that several processes write to, safe against a kill at any moment."""

from __future__ import annotations

import errno
import json
import os
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, BinaryIO

import optuna
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from typing_extensions import override

from automl.errors import StoreError
from automl.study import journal_faults as faults
from automl.study.locks import acquire, file_lock, release
from automl.study.optuna_private import journal_backend

__all__ = ["Journal", "batched_writes"]

_SYNC = 1.0  # seconds between two calls of fsync
_STALE = 2.0  # seconds after which the lock of another program, still the same, counts as left behind


class Journal(JournalFileBackend):
    """Optuna's journal file with one fsync a second, and repair of a line that was cut short.

    A line is in the file once it is written, even if the process is killed the next moment; fsync guards against a
    power cut alone. Optuna calls it for every line, about ten times a trial.

    Two locks keep writers apart. The first is between processes of this package and is free once its holder dies.
    The second is Optuna's, for other programs; left behind by a process that was killed, it stays.

    Parameters
    ----------
    file : str
        The journal file; made if absent.

    Attributes
    ----------
    line : int
        The number of the last line that was read.

    Raises
    ------
    StoreError
        By reading and writing, if the file is gone, cut, broken or not writable; the message says whether the study
        has survived.
    """

    def __init__(self, file: str) -> None:
        self._file, self._optuna_lock = file, _OptunaLock(file)
        self._own_lock = file_lock(Path(f"{file}.writer"), poll_interval=0.001)
        self._depth, self._counting = 0, threading.Lock()
        self._synced = 0.0
        self.line, self._size = 0, 0  # the size that the file had at least
        super().__init__(file, self._optuna_lock)

    def __reduce__(self) -> tuple[type[Journal], tuple[str]]:
        return type(self), (self._file,)

    @override
    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        lines = "".join(f"{json.dumps(log, separators=(',', ':'))}\n" for log in logs).encode()
        self._check_size()
        try:
            with self.locked(), open(self._file, "rb+") as journal:
                _cut_unfinished_line(journal)
                self._append(journal, lines)
        except StoreError:
            raise
        except OSError as error:
            raise faults.unwritable(self._file, error) from error

    def _append(self, journal: BinaryIO, lines: bytes) -> None:
        start = journal.tell()
        try:
            journal.write(lines)
            journal.flush()
            if time.monotonic() - self._synced > _SYNC:
                os.fsync(journal.fileno())
                self._synced = time.monotonic()
        except OSError:
            with suppress(OSError):  # no half line stays behind on a full disk
                os.truncate(journal.fileno(), start)
            raise
        self._size = start + len(lines)

    @override
    def read_logs(self, log_number_from: int) -> Generator[dict[str, Any], None, None]:
        self._check_size()
        self.line = log_number_from
        try:
            for log in super().read_logs(log_number_from):
                if not faults.is_log(log):
                    raise faults.broken(self._file, self.line + 1)
                self.line += 1
                yield log
        except (ValueError, RecursionError) as error:  # no JSON, no UTF-8
            raise faults.broken(self._file, self.line + 1) from error
        except StoreError:
            raise
        except OSError as error:
            raise faults.unreadable(self._file, error) from error
        self._size = max(self._size, self._log_number_offset.get(self.line, 0))

    def _check_size(self) -> None:
        """Raise StoreError if the file was removed or cut since this process used it."""
        try:
            size = os.stat(self._file).st_size
        except FileNotFoundError:
            raise faults.removed(self._file) from None
        except OSError as error:
            raise faults.unreadable(self._file, error) from error
        if size < self._size:
            raise faults.cut(self._file, self._size, size)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from writing; writes inside need no lock of their own."""
        with self._counting:
            if not self._depth:
                try:
                    self._acquire()
                except OSError as error:
                    raise faults.unwritable(self._file, error) from error
            self._depth += 1
        try:
            yield
        finally:
            with self._counting:
                self._depth -= 1
                if not self._depth:
                    with suppress(RuntimeError):  # the folder was removed
                        self._optuna_lock.release()
                    release(self._own_lock)

    def _acquire(self) -> None:
        acquire(self._own_lock)
        try:
            if self._own_lock.is_locked:
                _remove_stale(Path(f"{self._file}.lock"))
            elif not _is_writable(Path(self._file).parent):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            self._optuna_lock.acquire()
        except BaseException:
            release(self._own_lock)
            raise


def batched_writes(study: optuna.Study) -> AbstractContextManager[None]:
    """Return a context in which a study's journal is locked once for all writes."""
    backend = journal_backend(study)
    return backend.locked() if isinstance(backend, Journal) else nullcontext()


class _OptunaLock(JournalFileOpenLock):
    """Optuna's lock, which raises PermissionError where Optuna would retry forever."""

    @override
    def release(self) -> None:
        try:
            super().release()
        except RuntimeError as error:
            if isinstance(error.__context__, PermissionError):
                raise error.__context__ from None
            raise


def _is_writable(folder: Path) -> bool:
    return os.access(folder, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def _remove_stale(lock: Path) -> None:
    """Remove a lock of Optuna that stays the same for a while; Optuna would wait 30 seconds."""
    first, since = _changed_at(lock), time.monotonic()
    while first is not None and _changed_at(lock) == first:
        if time.monotonic() - since > _STALE:
            lock.unlink(missing_ok=True)
        time.sleep(0.05)


def _changed_at(lock: Path) -> int | None:
    try:
        return lock.lstat().st_ctime_ns
    except FileNotFoundError:
        return None


def _cut_unfinished_line(journal: BinaryIO) -> None:
    """Go to the end of a journal and drop a half line that a killed process left there."""
    end = journal.seek(0, os.SEEK_END)
    if not end:
        return
    journal.seek(end - 1)
    if journal.read(1) != b"\n":
        journal.seek(0)
        journal.truncate(journal.read().rfind(b"\n") + 1)
        journal.seek(0, os.SEEK_END)
