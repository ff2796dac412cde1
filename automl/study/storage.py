"""Where studies are kept: a journal file each by default, or any storage of Optuna."""

from __future__ import annotations

import json
import os
import time
import warnings
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO

import optuna
from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock
from typing_extensions import override

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None  # type: ignore[assignment]

from automl.errors import AutomlError, Fault, SettingError, StoreError, nearest
from automl.metrics import Direction

__all__ = [
    "STUDIES",
    "create_study",
    "is_file",
    "journal_file",
    "known_studies",
    "load_study",
    "store_error",
]

STUDIES = Path("mlruns") / "studies"  # one journal file a study
_SUFFIX = ".journal"
_SYNC = 1.0  # seconds between two waits for the disk
_STALE = 2.0  # seconds that nobody holds a journal's lock for; whoever seems to is dead


def _free(lock: Path) -> None:
    """Remove the lock of a process that was killed while it wrote; Optuna would wait half a minute."""
    seen, since = _age(lock), time.monotonic()
    while seen is not None and _age(lock) == seen:
        if time.monotonic() - since > _STALE:
            lock.unlink(missing_ok=True)
        time.sleep(0.05)


def _age(lock: Path) -> int | None:
    try:
        return lock.lstat().st_ctime_ns
    except FileNotFoundError:
        return None


def create_study(
    study_name: str,
    storage: str | Path | BaseStorage | None,
    *,
    sampler: Any,
    pruner: Any,
    resume: bool = False,
    directions: Sequence[Direction] = ("maximize",),
) -> optuna.Study:
    """Create a study, or open it to go on with it.

    Parameters
    ----------
    study_name : str
        Its name, new in the storage.
    storage : str, path, BaseStorage or None
        None keeps it in ``mlruns/studies/NAME.journal``; a path is a journal file; a URL or an object is Optuna's.
    sampler, pruner : optuna objects
        What proposes and what prunes.
    resume : bool
        Whether the study may be there already.
    directions : sequence of {"maximize", "minimize"}
        Where the value of each objective should go.

    Raises
    ------
    SettingError
        If the storage already holds a study of that name that is not to be resumed, or the name cannot be a file's.
    StoreError
        If the storage cannot be opened or written.
    """
    with _quiet():
        try:
            return optuna.create_study(
                study_name=study_name,
                storage=_open(study_name, storage, create=True),
                sampler=sampler,
                pruner=pruner,
                directions=list(directions),
                load_if_exists=resume,
            )
        except optuna.exceptions.DuplicatedStudyError as error:
            advice = "Choose another name, or leave out resume=False to go on with it."
            raise SettingError(
                Fault("study_name", "must be new in its storage", f'"{study_name}"', advice)
            ) from error
        except AutomlError:
            raise
        except Exception as error:
            raise store_error(storage, error) from error


def load_study(
    study_name: str | None = None, storage: str | Path | BaseStorage | None = None
) -> optuna.Study:
    """Open a study to read it; the newest one if no name is given.

    Raises
    ------
    SettingError
        If there is no such study.
    """
    names = known_studies(storage)
    if not names:
        place = STUDIES if storage is None else storage
        raise SettingError(
            Fault(
                "study_name",
                "needs a study to read",
                f"none in {place}",
                "Run a search first, in this folder.",
            )
        )
    if study_name is not None and study_name not in names:
        raise SettingError(
            Fault(
                "study_name",
                "must name a study of the storage",
                f'"{study_name}"',
                nearest(study_name, names),
            )
        )
    name = study_name or names[-1]
    with _quiet():
        return optuna.load_study(study_name=name, storage=_open(name, storage, create=False))


def known_studies(storage: str | Path | BaseStorage | None = None) -> list[str]:
    """Return the names of the studies a storage holds, oldest first where their age is known."""
    if storage is None:
        files = sorted(STUDIES.glob(f"*{_SUFFIX}"), key=lambda file: file.stat().st_mtime)
        return [file.name.removesuffix(_SUFFIX) for file in files]
    with _quiet():
        try:
            return list(optuna.get_all_study_names(_open("", storage, create=False)))
        except Exception as error:
            raise store_error(storage, error) from error


def _open(study_name: str, storage: str | Path | BaseStorage | None, *, create: bool) -> BaseStorage:
    if isinstance(storage, BaseStorage):
        return storage
    if isinstance(storage, str) and "://" in storage:
        return _Database(_with_driver(storage))
    file = journal_file(study_name, storage)
    if create:
        file.parent.mkdir(parents=True, exist_ok=True)
    elif not file.is_file():
        raise FileNotFoundError(f"there is no journal file {file}")
    return JournalStorage(_Journal(str(file)))


def is_file(storage: str | Path | BaseStorage | None) -> bool:
    """Return whether a study is kept in a journal file."""
    return not isinstance(storage, BaseStorage) and "://" not in str(storage)


def journal_file(study_name: str, storage: str | Path | BaseStorage | None) -> Path:
    """Return a study's journal file.

    Raises
    ------
    SettingError
        If the name cannot be a file's.
    """
    file = STUDIES / f"{study_name}{_SUFFIX}" if storage is None else Path(str(storage))
    if storage is None and file.parent != STUDIES:
        raise SettingError(
            Fault("study_name", "must be a plain name", f'"{study_name}"', "Leave out slashes.")
        )
    return file


def _with_driver(url: str) -> str:
    """Name the driver of a PostgreSQL server, where none is named and Optuna's own choice is not installed."""
    scheme, _, rest = url.partition("://")
    if scheme in ("postgresql", "postgres") and find_spec("psycopg2") is None:
        return f"postgresql+psycopg://{rest}"
    return url


class _Database(RDBStorage):
    """Optuna's database, for spaces that may become wider.

    Optuna compares every value with what its parameter could be in the first trial that has it; here whoever proposes
    knows better.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url)
        weakref.finalize(self, self.engine.dispose)  # its connections do not close by themselves

    @override
    def _set_trial_param_without_commit(
        self,
        session: Any,
        trial_id: int,
        param_name: str,
        param_value_internal: float,
        distribution: BaseDistribution,
        previous_distribution: BaseDistribution | None = None,
    ) -> None:
        super()._set_trial_param_without_commit(
            session, trial_id, param_name, param_value_internal, distribution, distribution
        )


class _Journal(JournalFileBackend):
    """Optuna's journal file, without waiting for the disk at every line.

    What a process has written is in the file even if the process is killed the moment after; waiting for the disk
    guards against a power cut alone. Optuna waits some ten times a trial, which costs a search more than proposing
    does; once a second is enough.
    """

    def __init__(self, file: str) -> None:
        self._file, self._mine = file, JournalFileSymlinkLock(file)
        self._synced = 0.0
        super().__init__(file, self._mine)

    @override
    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        lines = "".join(f"{json.dumps(log, separators=(',', ':'))}\n" for log in logs)
        with open(self._file, "rb+") as journal, self._alone(journal):
            _cut_unfinished(journal)
            journal.write(lines.encode())
            journal.flush()
            if time.monotonic() - self._synced > _SYNC:
                os.fsync(journal.fileno())
                self._synced = time.monotonic()

    @contextmanager
    def _alone(self, journal: BinaryIO) -> Iterator[None]:
        """Hold off other writers: ours by a lock that goes with its holder, other programs by Optuna's.

        Who has the first knows that the second, if it is there, is of another program or was left behind by the dead.
        """
        if fcntl is not None:
            with suppress(OSError):  # a file system without locks
                fcntl.flock(journal, fcntl.LOCK_EX)
                _free(Path(f"{self._file}.lock"))
        self._mine.acquire()
        try:
            yield
        finally:
            self._mine.release()


def _cut_unfinished(journal: BinaryIO) -> None:
    """Go to the end of a journal, without the half line that a process may have left that died as it wrote."""
    end = journal.seek(0, os.SEEK_END)
    if not end:
        return
    journal.seek(end - 1)
    if journal.read(1) != b"\n":
        journal.seek(0)
        journal.truncate(journal.read().rfind(b"\n") + 1)
        journal.seek(0, os.SEEK_END)


def store_error(storage: object, error: Exception) -> StoreError:
    """Return what to tell of a storage that cannot be opened or written."""
    place = STUDIES if storage is None else storage
    advice = "Give a folder you may write to, or another storage."
    if isinstance(error, ImportError):
        advice = "Install its driver; for PostgreSQL: pip install 'automl-orchestrator[postgres]'."
    said = str(error).strip().splitlines() or [type(error).__name__]
    return StoreError(
        f"storage: must be a place where the study can be kept; got {place}, which says: {said[0]}. {advice}"
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Optuna's greetings and warnings about its experimental parts are not for our users."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(level)
