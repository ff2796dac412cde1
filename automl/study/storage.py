"""The storage of studies: a journal file for each by default, or any storage of Optuna."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import optuna
from optuna.storages import BaseStorage, JournalStorage

from automl.errors import AutomlError, Fault, SettingError, StoreError, nearest, public_cause
from automl.metrics import Direction
from automl.study.journal import Journal
from automl.study.journal_faults import broken, emptied
from automl.study.optuna_private import CALL_EXTRA, CALL_SECONDS, Database
from automl.time_limit import without_limit

__all__ = [
    "STUDIES",
    "create_study",
    "ignore_experimental_warnings",
    "is_file",
    "journal_file",
    "known_studies",
    "load_study",
    "predictions_folder",
    "storage_url",
    "storage_errors",
    "store_error",
]

STUDIES = Path("mlruns") / "studies"  # one journal file a study
_SUFFIX = ".journal"
_SQLITE = "sqlite:///"
_SQLITE_BYTES = b"SQLite format 3\0"
_SQLITE_SUFFIXES = (".db", ".sqlite", ".sqlite3")


def create_study(
    study_name: str,
    storage: str | Path | BaseStorage | None,
    *,
    sampler: Any,
    pruner: Any,
    resume: bool = False,
    directions: Sequence[Direction] = ("maximize",),
    remaining: Callable[[], float] = without_limit,
) -> optuna.Study:
    """Create a study, or open an existing one to resume it.

    Parameters
    ----------
    study_name : str
        The name; new in the storage unless ``resume``.
    storage : str, path, BaseStorage or None
        None: ``mlruns/studies/NAME.journal``; a path: a journal file, or an SQLite file (``.db``); a URL or an object:
        a storage of Optuna.
    sampler, pruner : optuna objects
        The sampler and the pruner of the study.
    resume : bool
        Whether the study may exist.
    directions : sequence of {"maximize", "minimize"}
        The direction of each objective.
    remaining : callable
        Returns the seconds that the search has left: a database has no more to answer.

    Raises
    ------
    SettingError
        If the study exists and ``resume`` is false, or the name is not valid as a file name.
    StoreError
        If the storage cannot be opened or written.
    """
    with _quiet():
        try:
            return optuna.create_study(
                study_name=study_name,
                storage=_open(study_name, storage, create=True, remaining=remaining),
                sampler=sampler,
                pruner=pruner,
                directions=list(directions),
                load_if_exists=resume,
            )
        except optuna.exceptions.DuplicatedStudyError as error:
            advice = "Choose another name, or leave out resume=False to resume it."
            raise SettingError(
                Fault("study_name", "must be new in its storage", f'"{study_name}"', advice)
            ) from public_cause(error)
        except AutomlError:
            raise
        except Exception as error:
            raise store_error(storage, error) from public_cause(error)


def load_study(
    study_name: str | None = None, storage: str | Path | BaseStorage | None = None
) -> optuna.Study:
    """Open a study to read it; the newest one without a name.

    Raises
    ------
    SettingError
        If the study does not exist.
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
        try:
            return optuna.load_study(study_name=name, storage=_open(name, storage, create=False))
        except AutomlError:
            raise
        except KeyError:  # its journal holds nothing, or another study
            raise emptied(str(journal_file(name, storage))) from None
        except Exception as error:
            raise store_error(storage, error) from public_cause(error)


def known_studies(storage: str | Path | BaseStorage | None = None) -> list[str]:
    """Return the names of the studies in a storage; of journal files, oldest first."""
    if storage is None:
        files = sorted(STUDIES.glob(f"*{_SUFFIX}"), key=lambda file: file.stat().st_mtime)
        return [file.name.removesuffix(_SUFFIX) for file in files]
    with _quiet():
        try:
            return list(optuna.get_all_study_names(_open("", storage, create=False)))
        except AutomlError:
            raise
        except Exception as error:
            raise store_error(storage, error) from public_cause(error)


def _open(
    study_name: str,
    storage: str | Path | BaseStorage | None,
    *,
    create: bool,
    remaining: Callable[[], float] = without_limit,
) -> BaseStorage:
    if isinstance(storage, BaseStorage):
        return storage
    seconds = min(CALL_SECONDS, max(0.0, remaining()) + CALL_EXTRA)
    if isinstance(storage, str) and "://" in storage:
        return Database(_with_driver(storage), seconds)
    file = journal_file(study_name, storage)
    if create:
        file.parent.mkdir(parents=True, exist_ok=True)
    if not is_file(storage) and (create or file.is_file()):
        return Database(storage_url(storage), seconds)
    if create:
        if file.is_file() and not file.stat().st_size:
            warnings.warn(f"{file} is empty: the study starts with its first trial.", stacklevel=5)
    elif not file.is_file():
        what = "journal" if is_file(storage) else "SQLite"
        raise FileNotFoundError(f"there is no {what} file {file}")
    journal = Journal(str(file))
    try:
        return JournalStorage(journal)
    except AutomlError:
        raise
    except Exception as error:  # a line without a field, or of a trial that is not there
        raise broken(str(file), journal.line) from error


def is_file(storage: str | Path | BaseStorage | None) -> bool:
    """Return whether a storage is a journal file."""
    return not isinstance(storage, BaseStorage) and "://" not in storage_url(storage)


def storage_url(storage: str | Path | None) -> str:
    """Return a storage as text; the path of an SQLite file becomes its URL.

    A new file is one by its suffix (.db, .sqlite, .sqlite3), an existing one by its first bytes.

    Examples
    --------
    >>> storage_url("studies/churn.db"), storage_url("churn.journal")
    ('sqlite:///studies/churn.db', 'churn.journal')
    """
    text = str(storage)
    if storage is None or "://" in text:
        return text
    file = Path(text)
    if file.is_file() and file.stat().st_size:
        with file.open("rb") as opened:
            sqlite = opened.read(len(_SQLITE_BYTES)) == _SQLITE_BYTES
    else:
        sqlite = file.suffix.lower() in _SQLITE_SUFFIXES
    return f"{_SQLITE}{file.as_posix()}" if sqlite else text


def _sqlite_file(url: str) -> Path | None:
    """Return the file of an SQLite URL; None for a database in memory."""
    if url in (_SQLITE, f"{_SQLITE}:memory:"):
        return None
    return Path(url.removeprefix(_SQLITE).partition("?")[0])


def journal_file(study_name: str, storage: str | Path | BaseStorage | None) -> Path:
    """Return the file of a study, a journal unless `is_file` says otherwise.

    Raises
    ------
    SettingError
        If the name is not valid as a file name.
    """
    file = STUDIES / f"{study_name}{_SUFFIX}" if storage is None else Path(str(storage))
    if storage is None and file.parent != STUDIES:
        raise SettingError(
            Fault("study_name", "must be a plain name", f'"{study_name}"', "Leave out slashes.")
        )
    return file


def predictions_folder(study_name: str, storage: str | Path | BaseStorage | None) -> Path | None:
    """Return the folder for the predictions of a study's trials, beside its file; None if it is in no file.

    Examples
    --------
    >>> predictions_folder("churn", "studies/all.journal").as_posix()
    'studies/churn.predictions'
    >>> predictions_folder("churn", "studies/all.db").as_posix()
    'studies/churn.predictions'
    >>> predictions_folder("churn", "sqlite:///studies/all.db").as_posix()
    'studies/churn.predictions'
    >>> predictions_folder("churn", "postgresql://localhost/optuna")
    """
    if isinstance(storage, BaseStorage):
        return None
    if is_file(storage):
        file = journal_file(study_name, storage)
    elif (url := storage_url(storage)).startswith(_SQLITE) and (found := _sqlite_file(url)) is not None:
        file = found
    else:
        return None
    return file.parent / f"{quote(study_name, safe='')}.predictions"


def _with_driver(url: str) -> str:
    """Add the installed driver to a PostgreSQL URL that names none."""
    scheme, _, rest = url.partition("://")
    if scheme in ("postgresql", "postgres") and find_spec("psycopg2") is None:
        return f"postgresql+psycopg://{rest}"
    return url


def store_error(storage: object, error: Exception) -> StoreError:
    """Return the error for a storage that cannot be opened or written."""
    place = STUDIES if storage is None else storage
    advice = "Give a folder you may write to, or another storage."
    if isinstance(error, ImportError):
        advice = "Install its driver; for PostgreSQL: pip install 'automl-orchestrator[postgres]'."
    message = str(error).strip().splitlines() or [type(error).__name__]
    return StoreError(
        f"storage: must be a place where the study can be kept; got {place}, which says: {message[0]}. {advice}"
    )


@contextmanager
def storage_errors(storage: object) -> Iterator[None]:
    """Raise the errors of a database that fails during a search as a StoreError."""
    try:
        yield
    except optuna.exceptions.StorageInternalError as error:
        reason = (str(error.__cause__ or error).strip().splitlines() or [type(error).__name__])[0]
        raise StoreError(
            f"storage: the database {storage} failed during the search: {reason}. The study has survived as far as "
            "the database has: the trials recorded until now are in it. Continue it when the database answers."
        ) from public_cause(error)


def ignore_experimental_warnings() -> None:
    """Ignore Optuna's warnings about experimental parts until the caller's `warnings.catch_warnings` ends."""
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence Optuna's log messages and its warnings about experimental parts."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        with warnings.catch_warnings():
            ignore_experimental_warnings()
            yield
    finally:
        optuna.logging.set_verbosity(level)
