from __future__ import annotations

import collections
import errno
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import automl
from automl.errors import SettingError, StoreError
from automl.search.scratch import scratch_folder

Usage = collections.namedtuple("Usage", "total used free")


@pytest.fixture
def rooms(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, int]:
    """Free bytes of each folder; others have none."""
    free: dict[str, int] = {}
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(1000, 0, free.get(str(path), 0)))
    monkeypatch.chdir(tmp_path)
    return free


def test_scratch_folder_takes_the_first_with_room(rooms: dict[str, int], tmp_path: Path) -> None:
    system = tempfile.gettempdir()
    rooms |= {system: 100, "/var/tmp": 500, str(tmp_path): 900}
    for needed, expected in ((50, system), (300, "/var/tmp"), (700, str(tmp_path)), (5000, str(tmp_path))):
        with scratch_folder(None, needed) as chosen:
            assert str(chosen) == tempfile.gettempdir() == expected
        assert tempfile.gettempdir() == system


def test_scratch_folder_must_be_writable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name in ("absent", "file"):
        with (
            pytest.raises(SettingError, match="scratch: must be a folder that can be written"),
            scratch_folder(str(tmp_path / name), 1),
        ):
            pass


@pytest.mark.slow
def test_search_writes_temporary_files_to_scratch(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    make = tempfile.mkdtemp

    def mkdtemp(*args: Any, **kwargs: Any) -> str:
        seen.append(make(*args, **kwargs))
        return seen[-1]

    (folder / "scratch").mkdir()
    monkeypatch.setattr(tempfile, "mkdtemp", mkdtemp)
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(60, 2)), columns=["a", "b"])
    y = np.where(X["a"] > 0, "x", "y")
    space = {"space": {"model": {"decision_tree": {"max_depth": [2, 3]}}}}
    settings: dict[str, Any] = {"n_trials": 2, "timeout": None, "n_jobs": 2, "progress": False}
    search = automl.Search(space, scratch=str(folder / "scratch"), **settings).fit(X, y)
    assert search.leaderboard_.trial.count() == 2
    assert len(seen) >= 2
    assert all(Path(name).is_relative_to(folder / "scratch") for name in seen)
    assert not list((folder / "scratch").iterdir())

    def full(*args: Any, **kwargs: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("automl.workers.process_worker._write", full)
    with pytest.raises(StoreError, match=r"scratch: .*scratch has no room for the table \(No space left"):
        automl.Search(space, scratch=str(folder / "scratch"), **settings).fit(X, y)
    assert not list((folder / "scratch").iterdir())
