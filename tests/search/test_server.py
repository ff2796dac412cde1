"""MLflow servers that hang, answer 500 or die while a search runs."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

import automl
from automl.errors import StoreError
from automl.search import sync
from tests.support.mlflow_server import Mode, Server, start

pytestmark = [pytest.mark.slow, pytest.mark.serial]

SPACE = {"space": {"model": {"linear": {"learning_rate": {"low": 0.01, "high": 0.3, "log": True}}}}}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Iterator[Server]:
    running = start(tmp_path_factory.mktemp("server"), empty_store)
    yield running
    running.kill()


@pytest.fixture
def table() -> tuple[pd.DataFrame, Any]:
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(150, 3)), columns=["a", "b", "c"])
    return X, np.where(X["a"] + rng.normal(size=150) > 0, "x", "y")


def search(server: Server, **changes: Any) -> automl.Search:
    settings = {"space": SPACE, "n_trials": 6, "timeout": None, "n_jobs": 1, "progress": False}
    return automl.Search(**{**settings, "tracking_uri": server.uri, **changes})


def fitted(found: automl.Search, table: Any) -> list[str]:
    """Fit a search and return its warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found.fit(*table)
    return [str(warning.message) for warning in caught]


def after_two_trials(act: Callable[[], None]) -> Callable[[Any, Any], None]:
    """Return a callback that acts once the third trial ends."""
    return lambda study, trial: act() if trial.number == 2 else None


def runs_of(server: Server, run_id: str) -> list[str]:
    client = MlflowClient(server.uri)
    found = client.search_runs(["0", "1", "2"], f"tags.`mlflow.parentRunId` = '{run_id}'")
    return [run.info.status for run in found]


@pytest.mark.parametrize("how", ["hangs", "500"])
def test_search_ends_in_time_when_the_server_fails(
    server: Server, table: Any, folder: Path, how: Mode
) -> None:
    fail = after_two_trials(lambda: server.set(how))
    found = search(server, n_trials=None, timeout=6, callbacks=[fail])
    began = time.monotonic()
    try:
        said = fitted(found, table)
        assert time.monotonic() - began < 9
    finally:
        server.set("works")
    assert len(found.predict(table[0])) == 150
    (report,) = [text for text in said if "trials have no complete run" in text]
    assert how == "500" or "complete run (it did not answer" in report
    assert f"automl sync {found.study_.study_name} --tracking-uri {server.uri}" in report


def test_search_by_trials_reports_missing_runs_once(server: Server, table: Any, folder: Path) -> None:
    plain = search(server, study_name="plain").fit(*table)
    fail = after_two_trials(lambda: server.set("500"))
    found = search(server, study_name="broken", callbacks=[fail])
    began = time.monotonic()
    try:
        said = fitted(found, table)
        assert time.monotonic() - began < 15
    finally:
        server.set("works")
    assert found.leaderboard_["score"].tolist() == plain.leaderboard_["score"].tolist()
    assert sum("automl sync broken" in text for text in said) == 1
    assert len(runs_of(server, found.run_id_)) < 6
    sync("broken", tracking_uri=server.uri)
    assert runs_of(server, found.run_id_) == ["FINISHED"] * 6


def test_search_completes_runs_when_the_server_is_back(server: Server, table: Any, folder: Path) -> None:
    def act(study: Any, trial: Any) -> None:
        if trial.number in (1, 3):
            server.set("500" if trial.number == 1 else "works")
            time.sleep(3.5 if trial.number == 1 else 0)  # all retries of the second trial's run

    found = search(server, callbacks=[act]).fit(*table)
    assert runs_of(server, found.run_id_) == ["FINISHED"] * 6


def test_search_refuses_a_server_that_answers_nothing_but_its_health(server: Server, table: Any) -> None:
    server.set("500")
    try:
        with pytest.raises(StoreError, match="500"):
            search(server).fit(*table)
    finally:
        server.set("works")


@pytest.mark.parametrize("limits", [{}, {"n_trials": None, "timeout": 6}], ids=["trials", "timeout"])
def test_search_ends_when_the_server_dies(
    tmp_path: Path, empty_store: Path, table: Any, folder: Path, limits: dict[str, Any]
) -> None:
    server = start(tmp_path / "server", empty_store)
    found = search(server, callbacks=[after_two_trials(server.kill)], **limits)
    began = time.monotonic()
    assert any("failed during the search" in text for text in fitted(found, table))
    assert time.monotonic() - began < (9 if limits else 30)
    assert found.leaderboard_.trial.count() == 6 or limits
    assert len(found.predict(table[0])) == 150
