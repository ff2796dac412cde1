from __future__ import annotations

import os
import threading
import time
from typing import Any

import pytest

from automl.errors import StoreError
from automl.tracking.deadline import LimitedClient, limited_call

RETRIES = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"


class Client:
    """Answers at once, after a wait, or never."""

    tracking_uri = "http://tracking:5000"

    def __init__(self) -> None:
        self.calls = 0

    def search_runs(self, *ids: str, limit: int) -> Any:
        self.calls += 1
        return ids, limit, os.environ.get(RETRIES)

    def log_batch(self) -> None:
        self.calls += 1
        threading.Event().wait(60)

    def log_model_artifacts(self) -> None:
        self.calls += 1
        threading.Event().wait(60)

    def create_run(self) -> None:
        raise KeyError("absent")


def test_limited_client_passes_results_and_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(RETRIES, raising=False)
    client = LimitedClient(Client(), lambda: 10.0)
    assert client.tracking_uri == "http://tracking:5000"
    assert client.search_runs("1", "2", limit=3) == (("1", "2"), 3, "1")
    assert RETRIES not in os.environ
    with pytest.raises(KeyError, match="absent"):
        client.create_run()


def test_limited_client_keeps_settings_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(RETRIES, "5")
    assert LimitedClient(Client(), lambda: 10.0).search_runs(limit=1)[2] == "5"
    assert os.environ[RETRIES] == "5"


def test_limited_client_gives_up_a_call_and_the_next_ones() -> None:
    client = Client()
    limited = LimitedClient(client, lambda: -5.0)
    begun = time.monotonic()
    with pytest.raises(StoreError, match="did not answer within 1 s"):
        limited.log_batch()
    assert 0.9 < time.monotonic() - begun < 3
    with pytest.raises(StoreError, match="did not answer in time"):
        limited.search_runs(limit=1)
    assert client.calls == 1


def test_limited_client_sends_models_within_the_time_of_the_search() -> None:
    begun = time.monotonic()
    with pytest.raises(StoreError, match="did not answer within 2 s"):
        LimitedClient(Client(), lambda: -1.0).log_model_artifacts()
    assert time.monotonic() - begun < 4


def test_limited_call_restores_settings_after_overlapping_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(RETRIES, raising=False)
    gate = threading.Event()
    other = threading.Thread(target=limited_call, args=(lambda: gate.wait(10), 10))
    other.start()
    assert limited_call(lambda: os.environ.get(RETRIES), 10) == "1"
    assert os.environ.get(RETRIES) == "1"
    gate.set()
    other.join()
    assert RETRIES not in os.environ
