from __future__ import annotations

import gc
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from _pytest.nodeid import coerce_node_id
from hypothesis import settings

from tests.support import ROOT, cheap_disk
from tests.support.command_line import run, streams
from tests.support.postgres import postgres
from tests.support.ray_cluster import TOKEN, ray_cluster

__all__ = ["postgres", "ray_cluster", "run", "streams"]

# Subprocesses import this checkout, whatever is installed.
os.environ["PYTHONPATH"] = str(ROOT)
# Ray reads its token once in a process.
os.environ["RAY_AUTH_MODE"], os.environ["RAY_AUTH_TOKEN"] = "token", TOKEN
# pytest-xdist sets the width of a terminal; a console made at import would keep it.
os.environ.pop("COLUMNS", None)

cheap_disk.skip_syncs()

# The same cases in each run; `pytest --hypothesis-profile default` looks for new ones.
settings.register_profile("repeatable", derandomize=True)
settings.load_profile("repeatable")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Group the tests that share a server or must not overlap; start the slow ones first."""
    for item in items:
        for group in ("postgres", "serial"):
            if item.get_closest_marker(group) is not None:
                item.add_marker(pytest.mark.xdist_group(group))
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: item.get_closest_marker("slow") is None)
        for item in items:
            groups = sorted({mark.args[0] for mark in item.iter_markers("xdist_group")})
            if groups:  # pytest-xdist 3.8 writes it where pytest 9.2 no longer reads it
                item._id = coerce_node_id(f"{item.nodeid}@{'_'.join(groups)}")  # type: ignore[attr-defined]


def pytest_collection_finish() -> None:
    """Keep the objects of imported modules out of garbage collections, which look at half a million each time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _default_sigint() -> Iterator[None]:
    """Handle Ctrl-C as Python does by default: the command line and shells that start pytest with & change that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True)
def _no_tracking_uri() -> Iterator[None]:
    """Forget what `mlflow.set_tracking_uri` keeps in the environment, also before fixtures of the next module."""
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    yield
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    os.environ.pop("MLFLOW_EXPERIMENT_ID", None)


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a temporary folder that all pytest-xdist workers of this run share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def empty_store(shared_folder: Path) -> Path:
    """Return an MLflow database to copy: creating one takes seconds."""
    return cheap_disk.store_template(shared_folder)


@pytest.fixture(scope="session", autouse=True)
def _copied_stores(shared_folder: Path) -> Iterator[None]:
    """Make new stores as copies of `empty_store`."""
    with pytest.MonkeyPatch.context() as patch:
        cheap_disk.copy_stores(shared_folder, patch)
        yield


@pytest.fixture
def folder(empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder that holds an empty MLflow database."""
    (tmp_path / "mlruns").mkdir()
    shutil.copy(empty_store, tmp_path / "mlruns" / "mlflow.db")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path
