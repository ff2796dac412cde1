from __future__ import annotations

import errno
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from automl.errors import SettingError, StoreError
from automl.tracking import Tracker, default_tracking_uri, ui_command
from tests.support import ROOT
from tests.support.cheap_disk import make_store


@pytest.fixture(autouse=True)
def _new_stores_as_users_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("automl.tracking.store._make", make_store)


@pytest.mark.parametrize("uri", ["mlruns", "./mlruns", "file:///data/mlruns"])
def test_resolve_uri_refuses_folders(uri: str) -> None:
    with pytest.raises(StoreError, match=r"database or an MLflow server.*sqlite:///.*mlruns/mlflow\.db"):
        Tracker(uri)


def test_resolve_uri_refuses_unknown_schemes() -> None:
    with pytest.raises(StoreError, match="must name a database or an MLflow server; got 'oracle://db'"):
        Tracker("oracle://db")


@pytest.mark.parametrize("uri", ["sqlite://", "sqlite:///", "sqlite:///:memory:"])
def test_resolve_uri_refuses_memory(uri: str) -> None:
    with pytest.raises(StoreError, match="in memory"):
        Tracker(uri)


@pytest.mark.slow
def test_open_store_by_two_processes(tmp_path: Path) -> None:
    script = "import automl.tracking; automl.tracking.Tracker('sqlite:///mlflow.db')"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    both = [subprocess.Popen([sys.executable, "-c", script], cwd=tmp_path, env=environment) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]


def test_open_store_replaces_incomplete_files(tmp_path: Path, store: str) -> None:
    half = tmp_path / "mlflow.db.new"
    shutil.copy(store.removeprefix("sqlite:///"), half)
    with sqlite3.connect(half) as connection:
        connection.execute("DROP TABLE alembic_version")
    connection.close()
    Tracker(f"sqlite:///{tmp_path}/mlflow.db").close("finished")
    assert not half.exists()
    assert (tmp_path / "mlflow.db").is_file()


def test_open_store_reports_file_as_folder(tmp_path: Path) -> None:
    (tmp_path / "mlruns").write_text("")
    with pytest.raises(StoreError, match="a file is in its place"):
        Tracker(f"sqlite:///{tmp_path}/mlruns/mlflow.db")


def test_open_store_reports_folder_as_file(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is a folder, not a database"):
        Tracker(f"sqlite:///{tmp_path}")


def test_open_store_reports_read_only_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Not chmod: root may write everywhere.
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(StoreError, match="cannot be written. Name a place"):
        Tracker(f"sqlite:///{tmp_path}/mlflow.db")


def test_open_store_refuses_other_files(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("a,b\n1,2\n" * 1000)
    with pytest.raises(StoreError, match="is not an SQLite database"):
        Tracker(f"sqlite:///{tmp_path}/mlflow.db")


def test_open_store_names_the_upgrade_command(store: str) -> None:
    with sqlite3.connect(store.removeprefix("sqlite:///")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '39d1c3be5f05'")
    connection.close()
    with pytest.raises(StoreError, match="another version of MLflow.*db upgrade sqlite:///"):
        Tracker(store)


def test_open_store_reports_dead_servers() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(StoreError, match=f"no MLflow server answers at http://127.0.0.1:{port}"):
        Tracker(f"http://127.0.0.1:{port}")


def test_default_tracking_uri_reads_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert default_tracking_uri() == "sqlite:///mlruns/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracking:5000")
    assert default_tracking_uri() == "http://tracking:5000"


def test_ui_command(store: str, tmp_path: Path) -> None:
    command, environment = ui_command(store, port=5001)
    assert command[:4] == [sys.executable, "-m", "mlflow", "ui"]
    assert environment["MLFLOW_BACKEND_STORE_URI"] == store
    assert command[command.index("--port") + 1] == "5001"
    with pytest.raises(StoreError, match="Run a search first"):
        ui_command(f"sqlite:///{tmp_path}/none.db")
    with pytest.raises(SettingError, match="open its address"):
        ui_command("http://tracking:5000")


def test_database_that_accepts_and_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("automl.tracking.store._REACH_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as hung:
        port = hung.getsockname()[1]
        with pytest.raises(StoreError, match=r"no database answers at postgresql://\S+ \(timed out\)"):
            Tracker(f"postgresql://127.0.0.1:{port}/mlflow", opened=False)


def test_ui_command_names_no_password() -> None:
    command, environment = ui_command("postgresql://me:planted@db/mlflow?sslpassword=planted")
    assert "planted" not in " ".join(command)
    assert "planted" in environment["MLFLOW_BACKEND_STORE_URI"]


@pytest.mark.slow
def test_open_store_is_silent_and_imports_late(tmp_path: Path) -> None:
    script = (
        "import sys, automl.tracking\n"
        "assert not {'mlflow', 'sklearn', 'pandas'} & set(sys.modules), 'loaded early'\n"
        "automl.tracking.Tracker().close('finished')\n"
    )
    environment = {**os.environ, "PYTHONWARNINGS": "default"}
    environment.pop("MLFLOW_TRACKING_URI", None)
    root = ROOT
    environment["PYTHONPATH"] = str(root)
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("", "")
    assert [path.name for path in tmp_path.iterdir()] == ["mlruns"]
    assert (tmp_path / "mlruns" / "mlflow.db").is_file()


@pytest.mark.skipif(os.name == "nt", reason="has no flock")
def test_open_store_on_a_file_system_without_locks(empty_store: Path, tmp_path: Path, monkeypatch) -> None:
    calls = []

    def flock(file, operation):
        calls.append(operation)
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr("fcntl.flock", flock)
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    Tracker(f"sqlite:///{tmp_path}/mlflow.db").close("finished")
    assert calls
    assert [path.name for path in tmp_path.iterdir()] == ["mlflow.db"]


def test_open_store_without_lock(empty_store: Path, tmp_path: Path) -> None:
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    (tmp_path / "mlflow.db.lock").mkdir()
    Tracker(f"sqlite:///{tmp_path}/mlflow.db").close("finished")
