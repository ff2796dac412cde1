"""Stores that fail or hang during a search: the error says if the study survived, and how to continue."""

from __future__ import annotations

import os
import resource
import shutil
import socket
import sqlite3
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psycopg
import pytest

import automl
from automl.cli import main
from automl.errors import StoreError

pytestmark = pytest.mark.slow

SPACE = {"space": {"model": {"linear": {"learning_rate": {"low": 0.01, "high": 0.3, "log": True}}}}}
N_TRIALS = 8


@pytest.fixture
def table() -> tuple[pd.DataFrame, Any]:
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(150, 3)), columns=["a", "b", "c"])
    return X, np.where(X["a"] + rng.normal(size=150) > 0, "x", "y")


def scores(table: Any, act: Callable[[], None] = lambda: None, **changes: Any) -> list[float]:
    """Search and return the scores; call ``act`` once the fourth trial has ended."""
    settings: dict[str, Any] = {"space": SPACE, "n_trials": N_TRIALS, "timeout": None, "n_jobs": 1}
    at_fourth = [lambda study, trial: act() if trial.number == 3 else None]
    found = automl.Search(
        **{**settings, "refit": False, "progress": False, "callbacks": at_fourth, **changes}
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # MLflow's store fails too
        found.fit(*table)
    return found.leaderboard_["score"].tolist()


def test_search_on_a_full_disk_is_resumed(folder: Path, table: Any) -> None:
    journal = folder / "mlruns" / "studies" / "mine.journal"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill() -> None:  # the kernel refuses further bytes, as on a full disk
        resource.setrlimit(resource.RLIMIT_FSIZE, (journal.stat().st_size + 700, hard))

    try:
        with pytest.raises(
            StoreError, match=r"mine.journal cannot be written .*survived.*automl resume mine"
        ):
            scores(table, fill, study_name="mine")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert journal.read_bytes().endswith(b"\n")
    assert scores(table, study_name="mine") == scores(table, study_name="undisturbed")


def test_search_whose_folder_is_deleted(folder: Path, table: Any) -> None:
    with pytest.raises(StoreError, match=r"mine.journal must stay in place.* The study in it is lost"):
        scores(table, lambda: shutil.rmtree(folder / "mlruns"), study_name="mine")


def test_search_whose_journal_is_emptied(folder: Path, table: Any) -> None:
    journal = folder / "mlruns" / "studies" / "mine.journal"
    with pytest.raises(StoreError, match=r"mine.journal must hold a study; it is empty"):
        scores(table, lambda: os.truncate(journal, 0), study_name="mine")


def test_search_whose_journal_is_broken_is_repaired_and_resumed(
    folder: Path, table: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = scores(table, study_name="mine")
    journal = folder / "mlruns" / "studies" / "mine.journal"
    lines = journal.read_bytes().splitlines(keepends=True)
    result = next(number for number, line in enumerate(lines) if b'"record":{"number":2,' in line)
    lines[result] = lines[result][:50] + b"\x00" * 300 + b"\n"
    journal.write_bytes(b"".join(lines))
    with pytest.raises(StoreError, match=f"mine.journal:{result + 1}: .*automl repair mine"):
        scores(table, study_name="mine")
    monkeypatch.setattr("sys.argv", ["automl", "repair", "mine"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "2 dropped" in said
    assert f"7 of {N_TRIALS} trials have ended" in said
    assert scores(table, study_name="mine") == expected


@pytest.mark.postgres
def test_search_whose_database_fails(folder: Path, table: Any, postgres: str) -> None:
    def run(*statements: str) -> None:
        with psycopg.connect(postgres, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement)

    def refuse() -> None:
        run(
            "ALTER ROLE guest NOLOGIN",
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'guest'",
        )

    run("CREATE ROLE guest LOGIN PASSWORD 'sesame'", "CREATE DATABASE guest OWNER guest")
    storage = f"postgresql://guest:sesame@{postgres.partition('@')[2].removesuffix('postgres')}guest"
    with pytest.raises(StoreError, match=r"postgresql://guest:\*\*\*@.* failed during the search.* survived"):
        scores(table, refuse, study_name="mine", storage=storage)


def test_search_whose_sqlite_file_is_locked_ends_in_time(folder: Path, table: Any) -> None:
    other = sqlite3.connect(folder / "study.db", check_same_thread=False)
    began = time.monotonic()
    with pytest.raises(StoreError, match=r"study.db failed during the search: it did not answer within"):
        scores(
            table,
            lambda: other.execute("BEGIN EXCLUSIVE"),
            n_trials=None,
            timeout=5,
            study_name="mine",
            storage=folder / "study.db",
        )
    assert time.monotonic() - began < 8
    other.close()
    again = scores(table, study_name="mine", storage=folder / "study.db")
    assert len(again) == N_TRIALS + 1  # with the baseline
    assert time.monotonic() - began < 20  # it takes the trials over at once


@pytest.mark.postgres
def test_search_whose_database_hangs_ends_in_time(folder: Path, table: Any, postgres: str) -> None:
    began = time.monotonic()
    with psycopg.connect(postgres) as other:
        with pytest.raises(StoreError, match="failed during the search: it did not answer within"):
            scores(
                table,
                lambda: other.execute("LOCK TABLE studies, trials"),
                n_trials=None,
                timeout=5,
                study_name="mine",
                storage=postgres,
            )
        assert time.monotonic() - began < 8


@pytest.mark.postgres
def test_search_whose_mlflow_database_hangs_ends_in_time(folder: Path, table: Any, postgres: str) -> None:
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("CREATE DATABASE mlflow_runs")
    uri = f"{postgres.removesuffix('postgres')}mlflow_runs"
    scores(table, tracking_uri=uri)  # makes its tables
    with psycopg.connect(uri) as other:

        def lock() -> None:
            other.execute("LOCK TABLE runs, metrics, params, tags")

        began = time.monotonic()
        found = scores(table, lock, n_trials=None, timeout=8, tracking_uri=uri)
        assert time.monotonic() - began < 11
    assert len(found) > 4


@pytest.mark.parametrize(
    ("setting", "scheme"),
    [("storage", "postgresql"), ("tracking_uri", "postgresql"), ("tracking_uri", "http")],
)
def test_search_whose_store_never_answers_ends_in_time(
    folder: Path, table: Any, setting: str, scheme: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # the kernel accepts connections
        began, uri = time.monotonic(), f"{scheme}://127.0.0.1:{silent.getsockname()[1]}/x"
        with pytest.raises(StoreError, match=setting):
            scores(table, n_trials=None, timeout=3, **{setting: uri})
        assert time.monotonic() - began < 6
