"""Passwords, tokens and keys in URLs: in no message, log, tag, parameter or file."""

from __future__ import annotations

import logging
import pickle
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psycopg
import pytest

import automl
from automl.cli import main
from automl.errors import AutomlError, Fault, SettingError, without_passwords
from automl.search import sync
from automl.study import load_study, read_run
from automl.tracking import find_model, list_runs
from tests.support.mlflow_server import Server, start

SECRETS = ("sesame", "TOPSECRET")
SPACE = {"space": {"model": {"decision_tree": {"max_depth": {"low": 1, "high": 6}}}}}


def clean(text: str) -> bool:
    return not any(secret in text for secret in SECRETS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgresql://ann:TOPSECRET@db/x", "postgresql://ann:***@db/x"),
        ("postgresql://ann:TOP/SECRET@TOPSECRET@db/x", "postgresql://ann:***@db/x"),
        ("postgresql://db/x?user=ann&password=TOPSECRET", "postgresql://db/x?user=ann&password=***"),
        ("postgresql://db/x?sslpassword=TOPSECRET&a=1", "postgresql://db/x?sslpassword=***&a=1"),
        ("https://TOPSECRET@host/x", "https://***@host/x"),
        ("http://host?token=TOPSECRET failed", "http://host?token=*** failed"),
        ("http://host/x?api_key=TOPSECRET#top", "http://host/x?api_key=***#top"),
        ("('http://host/x?X-Amz-Signature=TOPSECRET')", "('http://host/x?X-Amz-Signature=***')"),
        ("host=db password=TOPSECRET dbname=x", "host=db password=*** dbname=x"),
        ("mssql://db?PWD=TOPSECRET;Database=x", "mssql://db?PWD=***;Database=x"),
        ("the key of x=1, in sqlite:////data/x.db", "the key of x=1, in sqlite:////data/x.db"),
        ("http://127.0.0.1:5000/#/experiments", "http://127.0.0.1:5000/#/experiments"),
    ],
)
def test_without_passwords(text: str, expected: str) -> None:
    assert without_passwords(text) == expected


def test_errors_keep_no_passwords() -> None:
    url = "postgresql://ann:TOPSECRET@db/x?sslpassword=TOPSECRET"
    for error in (automl.StoreError(f"{url} failed"), SettingError(Fault("storage", "must be", url, url))):
        again = pickle.loads(pickle.dumps(error))
        shown = f"{error} {error!r} {error.args} {getattr(error, 'faults', '')} {again} {again!r}"
        assert clean(shown)
        assert "ann:***@db" in shown


@pytest.fixture
def table() -> tuple[pd.DataFrame, Any]:
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(80, 2)), columns=["a", "b"])
    return X, pd.Series(np.where(X["a"] > 0, "x", "y"), name="y")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Iterator[Server]:
    running = start(tmp_path_factory.mktemp("server"), empty_store, "ann:TOPSECRET")
    yield running
    running.kill()


def search(**changes: Any) -> automl.Search:
    settings: dict[str, Any] = {"space": SPACE, "n_trials": 2, "timeout": None, "n_jobs": 1}
    return automl.Search(**{**settings, **changes})


FAULTY = [
    {"tracking_uri": "http://ann:TOPSECRET@127.0.0.1:1/x?token=TOPSECRET"},
    {"tracking_uri": "http://TOPSECRET@127.0.0.1:1"},
    {"tracking_uri": "oracle://ann:TOPSECRET@db"},
    {"tracking_uri": "postgresql://ann:TOPSECRET@127.0.0.1:1/x?sslpassword=TOPSECRET"},
    {"tracking_uri": "postgresql://127.0.0.1:1/x?user=ann&password=TOPSECRET"},
    {"tracking_uri": "mysql+nosuch://ann:TOPSECRET@db/x"},
    {"storage": "postgresql://ann:TOPSECRET@127.0.0.1:1/x?connect_timeout=1&sslpassword=TOPSECRET"},
    {"storage": "postgresql://127.0.0.1:1/x?user=ann&password=TOPSECRET"},
    {"storage": "postgresql://ann:TOP/TOPSECRET@127.0.0.1:noport/x"},
    {"storage": "postgresql://127.0.0.1:1/x?nosuchoption=1&password=TOPSECRET"},
    {"storage": "nosuch://ann:TOPSECRET@db/x?token=TOPSECRET"},
    {"storage": "TOP://ann:TOPSECRET@db\x00"},
]


@pytest.mark.slow
@pytest.mark.parametrize("setting", FAULTY, ids=lambda setting: "-".join(setting))
def test_failing_stores_show_no_passwords(
    folder: Path,
    table: Any,
    setting: dict[str, str],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    found = search(**setting)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with pytest.raises(AutomlError) as raised:
            found.fit(*table)
    shown = "".join(traceback.format_exception(raised.value)) + f"{raised.value!r}{found!r}"
    assert clean(shown.replace(repr(setting), ""))
    assert clean(f"{[str(warning.message) for warning in caught]}{caplog.text}{capfd.readouterr()}")
    assert_files_are_clean(folder)


def assert_files_are_clean(folder: Path) -> None:
    for file in folder.rglob("*"):
        if file.is_file():
            assert clean(file.read_bytes().decode("latin-1")), file


@pytest.mark.slow
@pytest.mark.postgres
def test_search_with_live_stores_shows_no_passwords(
    folder: Path,
    table: Any,
    server: Server,
    postgres: str,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level(logging.DEBUG)
    storage = f"{postgres}?sslpassword=TOPSECRET"
    tracking = server.uri.replace("http://", "http://ann:TOPSECRET@")
    pd.concat(table, axis=1).to_csv("table.csv", index=False)
    (folder / "space.yaml").write_text("space: {model: {decision_tree: {max_depth: {low: 1, high: 6}}}}\n")
    where = ["--storage", storage, "--tracking-uri", tracking]
    commands = [
        ["search", "table.csv", "--target", "y", "--space", "space.yaml", "--n-trials", "3", "--n-jobs", "1"],
        ["sync", "live"],
        ["resume", "live", "--n-trials", "4"],
        ["leaderboard", "live"],
        ["repair", "live"],
        ["resume", "absent"],
    ]
    shown = ""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for command in commands:
            more = ["--study-name", "live"] if command[0] == "search" else []
            known = where[:2] if command[0] in ("leaderboard", "repair") else where
            exit_code(monkeypatch, *command, *more, *known)
        monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking)
        found = search(
            storage=storage, study_name="other", callbacks=[lambda study, trial: server.set("500")]
        )
        found.fit(*table)  # the warning about missing runs
        server.set("works")
        shown += str(sync("other", storage))
        (trial, *_), parent = list_runs("live", tracking), read_run(load_study("live", storage))
        model = find_model(parent, tracking)
        for command in (
            ["studies", *where[:2]],
            ["runs", "live", *where[2:]],
            ["replay", trial.run_id, *where[2:]],
            ["export", parent, "model", *where[2:]],
            ["report", "live", "--output", "report.html", *where],
            ["compare", "live", "other", "--output", "compared.html", *where],
            ["evaluate", model, "table.csv", *where[2:]],
            ["predict", model, "table.csv", "--output", "predicted.csv", *where[2:]],
        ):
            assert exit_code(monkeypatch, *command) == 0, command
        shown += f"{found!r}{found.leaderboard_.to_csv()}{found.study_.user_attrs}{found.best_trial_}"
    output = capfd.readouterr()
    # `main` shows warnings itself.
    said = f"{[str(warning.message) for warning in caught]}{output.out}{output.err}"
    words = "".join(said.replace("'", "").split())
    assert "automlsyncother--storagepostgresql://automl:***@" in words
    assert "automlexport" in words
    assert "--tracking-urihttp://ann:***@" in words
    assert clean(f"{shown}{said}{caplog.text}")
    assert_files_are_clean(folder)
    assert_files_are_clean(server.log.parent)  # MLflow's database, artifacts and log
    assert clean(_content(postgres))


def exit_code(monkeypatch: pytest.MonkeyPatch, *command: str) -> int:
    """Run a command in this process."""
    monkeypatch.setattr("sys.argv", ["automl", *command])
    with pytest.raises(SystemExit) as stop:
        main()
    return int(stop.value.code or 0)


def _content(postgres: str) -> str:
    """Return all rows of all tables of a database."""
    with psycopg.connect(postgres) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        return str([connection.execute(f'SELECT * FROM "{name}"').fetchall() for (name,) in tables])
