"""Open MLflow tracking stores: resolve URIs, check access, start the user interface."""

from __future__ import annotations

import logging
import os
import socket
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import urlopen

from automl.errors import Fault, SettingError, StoreError, public_cause
from automl.tracking.background import quiet_warnings
from automl.tracking.deadline import LimitedClient, limited_call
from automl.tracking.moved_store import relocate

if TYPE_CHECKING:
    from mlflow import MlflowClient

__all__ = [
    "DEFAULT_EXPERIMENT",
    "artifact_folder",
    "check_store",
    "default_tracking_uri",
    "open_store",
    "quiet",
    "resolve_uri",
    "ui_command",
]

DEFAULT_EXPERIMENT = "automl"

_SQLITE = "sqlite:///"
_DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
_REACH_SECONDS = 5.0
_OPEN_SECONDS = 60.0  # MLflow creates its tables in an empty database
_MIN_OPEN_SECONDS = 10.0  # also if the search has less time left
_SSL_REQUEST = bytes.fromhex("0000000804d2162f")  # of PostgreSQL's protocol, "SSLRequest": length and code
_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
_UI_STORE = "MLFLOW_BACKEND_STORE_URI"  # environment variable of ``mlflow ui``
_LOCK_SECONDS = 60.0  # a first search of another process may need this long to create the database

# No telemetry, no URLs and no progress bars in the terminal.
_QUIET_SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}


def default_tracking_uri() -> str:
    """Return the default store: ``MLFLOW_TRACKING_URI``, else ``mlruns/mlflow.db``.

    Returns
    -------
    str
        A tracking URI in MLflow's own form.
    """
    return os.environ.get("MLFLOW_TRACKING_URI") or f"{_SQLITE}mlruns/mlflow.db"


def resolve_uri(tracking_uri: str | None) -> str:
    """Return a tracking URI; the path of an SQLite file becomes absolute.

    Parameters
    ----------
    tracking_uri : str or None
        A database or a server; None for `default_tracking_uri`.

    Returns
    -------
    str
        The URI for every later call.

    Raises
    ------
    StoreError
        If MLflow does not write runs to it, e.g. a plain folder.

    Examples
    --------
    >>> resolve_uri("sqlite:////data/mlflow.db")
    'sqlite:////data/mlflow.db'
    """
    uri = default_tracking_uri() if tracking_uri is None else str(tracking_uri)
    scheme = urlsplit(uri).scheme.partition("+")[0]
    if uri.startswith(_SQLITE) and uri.removeprefix(_SQLITE) not in ("", ":memory:"):
        return f"{_SQLITE}{Path(unquote(uri.removeprefix(_SQLITE))).absolute()}"
    if scheme == "sqlite":
        raise StoreError(
            f"tracking_uri: must name an SQLite file; got {uri!r}, a database in memory that is lost with the "
            f"process. Give {_SQLITE}mlruns/mlflow.db."
        )
    if scheme in ("http", "https", "databricks", *_DATABASES) or uri == "databricks":
        return uri
    folder = unquote(urlsplit(uri).path) if scheme == "file" else "mlruns" if scheme else uri
    raise StoreError(
        f"tracking_uri: must name a database or an MLflow server; got {uri!r}. MLflow no longer keeps "
        f"runs in plain folders. Give {_SQLITE}{Path(folder) / 'mlflow.db'}, or http://host:port of a server."
    )


def artifact_folder(uri: str) -> Path | None:
    """Return the artifact folder beside an SQLite file; None for other stores."""
    return Path(uri.removeprefix(_SQLITE)).parent / "artifacts" if uri.startswith(_SQLITE) else None


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the logging and warnings of MLflow and its migrations; errors are raised."""
    loggers = [logging.getLogger(name) for name in ("mlflow", "alembic")]
    levels = [logger.level for logger in loggers]
    for name, value in _QUIET_SETTINGS.items():
        os.environ.setdefault(name, value)
    with quiet_warnings():
        import mlflow  # noqa: F401  # the import sets the level of its loggers

        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def _forget_places() -> None:
    """Empty MLflow's cache of the folders of runs: they have moved while this process runs."""
    from mlflow.tracking._tracking_service import utils

    getattr(utils, "_artifact_repos_cache", {}).clear()


def open_store(
    uri: str, create: bool = True, remaining: Callable[[], float] = lambda: float("inf")
) -> MlflowClient:
    """Open a tracking store; create a missing database.

    Parameters
    ----------
    uri : str
        As `resolve_uri` gives it.
    create : bool
        Whether a missing SQLite file is created, and the store must be writable.
    remaining : callable
        As in `LimitedClient`.

    Returns
    -------
    MlflowClient
        A client of this store; no global state is set. Its calls have a time limit; those to an SQLite file have
        that of SQLite.

    Raises
    ------
    StoreError
        If the store is missing, unreachable or not writable.
    """
    check_store(uri, create)
    with quiet(), _locked(uri if create else ""):
        from mlflow import MlflowClient

        try:
            if create and uri.startswith(_SQLITE):
                _make(Path(uri.removeprefix(_SQLITE)))
            if (folder := artifact_folder(uri)) is not None and folder.is_dir():
                with suppress(sqlite3.Error):  # MLflow reports a broken or a foreign database better
                    if relocate(Path(uri.removeprefix(_SQLITE)), folder):
                        _forget_places()
            if uri.startswith(_SQLITE):
                client = MlflowClient(uri, registry_uri=uri)
            else:
                limit = min(_OPEN_SECONDS, max(_MIN_OPEN_SECONDS, remaining()))
                opened = limited_call(lambda: MlflowClient(uri, registry_uri=uri), limit)
                client = cast("MlflowClient", LimitedClient(opened, remaining))
            client.search_experiments(max_results=1)
        except Exception as error:
            raise StoreError(_explain(uri, error)) from public_cause(error)
    return client


def check_store(uri: str, create: bool = True) -> None:
    """Check without MLflow, whose import takes seconds, that a store can be there; `open_store` does the rest.

    Raises
    ------
    StoreError
        If the folder of an SQLite file cannot be written, or a server does not answer.
    """
    if uri.startswith(_SQLITE):
        _check_file(Path(uri.removeprefix(_SQLITE)), create)
    elif uri.startswith("http"):
        _check_server(uri)
    else:
        _check_database(uri)


def _make(file: Path) -> None:
    """Create a missing SQLite store atomically: MLflow cannot open one whose migrations were interrupted."""
    from mlflow import MlflowClient

    if file.exists():
        return
    new = file.with_name(f"{file.name}.new")
    new.unlink(missing_ok=True)  # of a process that was killed
    with _unsynced():
        MlflowClient(f"{_SQLITE}{new}", registry_uri=f"{_SQLITE}{new}").search_experiments(max_results=1)
    with new.open("rb") as made:
        os.fsync(made.fileno())
    new.replace(file)


@contextmanager
def _unsynced() -> Iterator[None]:
    """Turn off SQLite's syncs for a new file: MLflow's migrations would sync a hundred times."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    def relax(connection: Any, record: Any) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.execute("PRAGMA synchronous = OFF")

    event.listen(Engine, "connect", relax)
    try:
        yield
    finally:
        event.remove(Engine, "connect", relax)


def ui_command(
    tracking_uri: str | None = None, host: str = "127.0.0.1", port: int = 5000
) -> tuple[list[str], dict[str, str]]:
    """Return the command that starts MLflow's user interface on a store, and its environment.

    Parameters
    ----------
    tracking_uri : str or None
        The store; None for `default_tracking_uri`.
    host, port : str and int
        The address to listen on.

    Returns
    -------
    command, environment : list of str and dict of str to str
        For ``subprocess.run``. The URI is in the environment: every user of the machine can read command lines, and
        the URI may hold a password.

    Raises
    ------
    StoreError
        If there is no store yet.
    SettingError
        If the URI is that of a server, which has its own user interface.

    Examples
    --------
    >>> command, environment = ui_command("postgresql://db/mlflow", port=5001)
    >>> command[1:], environment[_UI_STORE]
    (['-m', 'mlflow', 'ui', '--host', '127.0.0.1', '--port', '5001', '--workers', '1'], 'postgresql://db/mlflow')
    """
    uri = resolve_uri(tracking_uri)
    if uri.startswith(("http", "databricks")):
        raise SettingError(
            Fault("tracking_uri", "must be a database", uri, "A server has its own: open its address.")
        )
    folder = artifact_folder(uri)
    if folder is not None:
        _check_file(Path(uri.removeprefix(_SQLITE)), create=False)
    artifacts = [] if folder is None else ["--default-artifact-root", folder.as_uri()]
    # One worker starts faster than MLflow's default of four and uses a quarter of the memory.
    options = [*artifacts, "--host", host, "--port", str(port), "--workers", "1"]
    return [sys.executable, "-m", "mlflow", "ui", *options], {**os.environ, _UI_STORE: uri}


def _check_file(file: Path, create: bool) -> None:
    """Raise a StoreError if an SQLite file is missing or cannot be written."""
    if not create:
        if not file.is_file():
            raise StoreError(
                f"tracking_uri: there is no MLflow store at {file}. Run a search first, or name another."
            )
        return
    advice = f"Name a place that can be written, e.g. tracking_uri='{_SQLITE}/path/to/mlflow.db'."
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        blocked = isinstance(error, FileExistsError | NotADirectoryError)
        reason = ", a file is in its place" if blocked else f" ({error.strerror})"
        raise StoreError(f"tracking_uri: the folder of {file} cannot be made{reason}. {advice}") from error
    if file.is_dir():
        raise StoreError(f"tracking_uri: {file} is a folder, not a database. {advice}")
    # SQLite writes its journal next to the file, so the folder must be writable too.
    for place in (file, file.parent) if file.exists() else (file.parent,):
        if not os.access(place, os.W_OK):
            raise StoreError(f"tracking_uri: {place} cannot be written. {advice}")


@contextmanager
def _locked(uri: str) -> Iterator[None]:
    """Let one process at a time create an SQLite file: MLflow's migrations cannot run twice at once."""
    if not uri.startswith(_SQLITE):
        yield
        return
    from filelock import FileLock  # a model that is loaded elsewhere does not need it

    lock = FileLock(f"{uri.removeprefix(_SQLITE)}.lock", timeout=_LOCK_SECONDS, poll_interval=0.05)
    held = False
    # Continue without a lock if the file belongs to another user or the lock is held too long. On a file system without
    # locks filelock uses a marker file.
    with suppress(OSError):
        lock.acquire()
        held = True
    try:
        yield
    finally:
        if held:
            if os.name != "nt":  # filelock removes the file there
                with suppress(OSError):
                    os.unlink(lock.lock_file)
            lock.release()


def _check_server(uri: str) -> None:
    """Raise a StoreError if no server answers; MLflow itself would retry for minutes."""
    try:
        parts = urlsplit(uri)
        address = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", ""))
        urlopen(f"{address}/health", timeout=_REACH_SECONDS).close()  # scheme checked: http or https
    except HTTPError:
        return  # a server answers; the client checks access
    except (URLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise StoreError(
            f"tracking_uri: no MLflow server answers at {uri} ({reason}). Start it, or leave tracking_uri "
            "out to write to a local database."
        ) from public_cause(error)


def _check_database(uri: str) -> None:
    """Raise a StoreError if no database answers at an address; MLflow itself would retry for minutes."""
    try:
        parts = urlsplit(uri)
        host, port = parts.hostname, parts.port or _PORTS.get(parts.scheme.partition("+")[0])
        if host and port:
            with socket.create_connection((host, port), timeout=_REACH_SECONDS) as opened:
                if parts.scheme.startswith("postgres"):
                    # It answers whether it encrypts. One that hangs accepts the connection all the same.
                    opened.sendall(_SSL_REQUEST)
                    opened.recv(1)
    except (OSError, ValueError) as error:
        raise StoreError(
            f"tracking_uri: no database answers at {uri} ({error}). Start it, or leave tracking_uri out to write to a "
            "local one."
        ) from public_cause(error)


def _explain(uri: str, error: Exception) -> str:
    """Return a message with a remedy for an error of MLflow."""
    text = str(error).strip() or type(error).__name__
    if "out-of-date database schema" in text:
        return (
            f"tracking_uri: {uri} was written by another version of MLflow. Make a copy of it, then run: "
            f"{sys.executable} -m mlflow db upgrade {uri}"
        )
    if "not a database" in text:
        return f"tracking_uri: {uri} is not an SQLite database. Name another file, or move this one away."
    return f"tracking_uri: {uri} cannot be opened: {text.splitlines()[0]}"
