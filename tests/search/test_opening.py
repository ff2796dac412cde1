"""The MLflow run of a search, opened on a thread."""

import threading

import pytest

from automl.errors import StoreError
from automl.search import Opening


def test_opening_holds_nothing_up():
    answer, taken = threading.Event(), []

    def open_run():
        assert answer.wait(30)
        return "run"

    opening = Opening()
    opening.take()
    opening.start(open_run, taken.append, warms=False)
    opening.take()
    assert taken == []
    with pytest.raises(TimeoutError):
        opening.take(0.01)
    answer.set()
    opening.settle()
    opening.take()
    assert taken == ["run"]


def test_opening_raises_where_it_is_taken():
    def fail():
        raise StoreError("tracking_uri: broken")

    opening, taken = Opening(), []
    opening.start(fail, taken.append, warms=False)
    with pytest.raises(StoreError, match="broken"):
        opening.settle()
    assert taken == []
